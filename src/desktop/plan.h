/* src/desktop/plan.h - what `up` would do: the desktop file against what there is
 *
 * A plan is plain values; making one changes nothing. Desktops that this file made before and no
 * longer names are "extra": reported, removed only with prune. One thread. */
#pragma once
#include "desktop/excess.h"
#include "desktop/fleet.h"
#include "gpu/place.h"
#include "spec/diff.h"

enum px_plan_action {
    PX_PLAN_NOTHING, /* is as the file says */
    PX_PLAN_CREATE,
    PX_PLAN_FINISH,  /* half made or half removed by a killed run */
    PX_PLAN_START,   /* stopped, otherwise right */
    PX_PLAN_UPDATE,  /* changes that a running desktop takes */
    PX_PLAN_RESTART, /* changes that need a restart */
    PX_PLAN_REPLACE, /* changes that need a new root; home is kept; only with replace */
    PX_PLAN_EXTRA,   /* not in the file any more; only reported */
    PX_PLAN_REMOVE,  /* the same, with prune */
};

struct px_plan_item {
    char *name;
    enum px_plan_action action;
    const struct px_desktop_spec *spec; /* lent by the file; NULL for EXTRA and REMOVE */
    char image[PX_DIGEST_TEXT_MAX];     /* to be made from */
    struct px_spec_diff *diff;          /* changes; NULL: none */
    struct px_gpu_grants gpus;          /* what it would be given */
    char *gpus_why;                     /* the cards and the reason; NULL: none wanted */
    char *why;                          /* one clause for people; never NULL */
};

struct px_plan_opts {
    bool replace, prune;
};

struct px_plan {
    struct px_plan_item *items; /* in the file's order, then the extra ones */
    size_t n_items;
    size_t n_changes;        /* items that up would act on */
    size_t n_blocked;        /* REPLACE without replace */
    struct px_excess excess; /* more than this host has; only told */
    char *source;            /* absolute path of the file, "" for stdin */
    struct px_plan_opts opts;
};

/* Checks the file against this host too: images found, GPUs there, addresses in range and free,
 * mounts' sources there. -EINVAL: one of these; the message begins with FILE:LINE, and the hint
 * says how an image is built that is not. @file is lent to the plan. */
int px_plan_make(const struct px_fleet *fleet, const struct px_desktop_file *file,
                 const struct px_plan_opts *opts, struct px_plan **ret, struct px_error *err);
struct px_plan *px_plan_free(struct px_plan *plan);
PX_DEFINE_CLEANUP(struct px_plan *, px_plan_free)
/* A diff for people, one line per desktop and one per change; the caller's string. */
char *px_plan_print(const struct px_plan *plan);
struct json_t;
struct json_t *px_plan_to_json(const struct px_plan *plan); /* the reference is the caller's */
