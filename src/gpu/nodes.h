/* src/gpu/nodes.h - the driver's modules are loaded and its device nodes exist
 *
 * NVIDIA's nodes appear only when root runs one of the driver's programs; a host without a display
 * has none after boot, and a desktop that starts then has no CUDA. Root only. Source: NVIDIA's
 * driver README, "How do I load the module and create the device files". */
#pragma once
#include "gpu/host.h"

#define PX_NVIDIA_MAJOR 195 /* assigned in the kernel's devices.txt */
#define PX_NVIDIACTL_MINOR 255
#define PX_NVIDIA_MODESET_MINOR 254

struct px_gpu_ready {
    size_t n_loaded, n_made,
        n_mended; /* modules loaded; nodes made; nodes whose numbers were wrong */
};

/* Loads nvidia and nvidia-uvm where they are not, and with @dri nvidia-modeset and nvidia-drm, then
 * makes every node that is missing, or that has numbers of an earlier boot. Without an NVIDIA card
 * there is nothing to do. @host is looked at anew when a module was loaded. -ENODEV: a module
 * cannot be loaded; -ENXIO: the driver registered no number for a node. */
int px_gpu_make_ready(struct px_gpu_host *host, bool dri, struct px_gpu_ready *ret,
                      struct px_error *err);

/* Makes or mends one node of devtmpfs; 1: something was done. */
int px_gpu_make_node(const char *path, unsigned major, unsigned minor, unsigned mode,
                     struct px_error *err);
