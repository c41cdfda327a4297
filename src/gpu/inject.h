/* src/gpu/inject.h - what of the host's /dev and /proc a desktop gets with its cards
 *
 * Pure: from the host's facts and the grants. Nodes are named by path; whoever uses them looks up
 * their numbers at that moment, as these change from boot to boot. */
#pragma once
#include "base/buf.h"
#include "gpu/place.h"

#define PX_GPU_NODES_MAX (PX_GPU_GRANTS_MAX * 4 + 8)
#define PX_GPU_PROC_DIR "/proc/driver/nvidia"

struct px_gpu_node {
    char path[48];
    bool needed; /* without it CUDA does not work */
};

struct px_gpu_nodes {
    struct px_gpu_node items[PX_GPU_NODES_MAX];
    size_t n;
};

/* The nodes for @grants: those of the cards and the ones all share. With @dri also the cards'
 * render nodes; those that set modes (/dev/dri/cardN) are the host's own. -ENODEV: a granted card
 * is gone or ails, or has no render node; the hint says what there is, or what to do. */
int px_gpu_nodes(const struct px_gpu_host *host, const struct px_gpu_grants *grants, bool dri,
                 struct px_gpu_nodes *ret, struct px_error *err);
/* Adds one, where it is not there. -E2BIG: the path is too long, or there are too many. */
int px_gpu_nodes_add(struct px_gpu_nodes *nodes, bool needed, const char *path,
                     struct px_error *err);

/* Paths below PX_GPU_PROC_DIR that a desktop with @grants sees as copies: "version",
 * "gpus/0000:01:00.0/information", the capabilities of its MIG devices. The caller's array of the
 * caller's strings, NULL behind the last. */
char **px_gpu_proc_files(const struct px_gpu_host *host, const struct px_gpu_grants *grants);
void px_gpu_proc_files_free(char **files);
/* The text of /proc/driver/nvidia/params, with ModifyDeviceFiles 0, so that the libraries inside do
 * not try to make nodes. */
void px_gpu_params_inside(const char *params, struct px_buf *out);
