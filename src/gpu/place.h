/* src/gpu/place.h - which cards a desktop gets
 *
 * Pure: the host's cards, what other desktops hold and the wish come in, the grants and the reason
 * come out. A unit is a card, or a MIG device of a card in MIG mode. Grants name units by UUID, so
 * that they survive reboots and cards that change places. Grants that still fulfil the wish are
 * kept as they are. The caller holds the allocation lock from reading the holds to writing the
 * grants. */
#pragma once
#include "gpu/host.h"
#include "spec/desktop.h"
#include "spec/host.h"

#define PX_GPU_GRANTS_MAX 64

struct px_gpu_grant {
    char uuid[PX_GPU_UUID_MAX]; /* GPU-... or MIG-... */
    enum px_gpu_mode mode;
    uint64_t memory_bytes; /* budget of a shared unit; 0: exclusive, or size not known */
};

struct px_gpu_grants {
    struct px_gpu_grant items[PX_GPU_GRANTS_MAX];
    size_t n;
};

struct px_gpu_hold { /* a grant of another desktop */
    struct px_gpu_grant grant;
    const char *desktop; /* lent */
};

struct px_gpu_place_opts {
    const struct px_gpu_host *host;
    enum px_gpu_policy policy;
    unsigned max_shared; /* desktops on one shared unit */
    const struct px_gpu_hold *holds;
    size_t n_holds;
    const struct px_gpu_grants *before; /* what this desktop has; NULL: nothing */
};

#define PX_GPU_WHY_MAX 512

/* @ret_why: PX_GPU_WHY_MAX bytes, the decision and its reason for people. -EINVAL: no such card,
 * too many, too large a budget, no MIG; -EBUSY: others have them (the message says who); -ENODEV:
 * this host has no card that works. */
int px_gpu_place(const struct px_gpu_place_opts *opts, const struct px_gpu_request *request,
                 struct px_gpu_grants *ret, char *ret_why, struct px_error *err);

/* Sessions of the encoder that a driver allows on a consumer card; one is counted per desktop.
 * 0: no limit. */
unsigned px_gpu_encoder_limit(const struct px_gpu_card *card);
