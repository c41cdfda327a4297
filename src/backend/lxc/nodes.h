/* src/backend/lxc/nodes.h - device nodes of a container's own, beside the host's
 *
 * For devices with .copy: the host's node may be a group's that nobody inside is in. The new ones
 * have the mode 0666 and lie in a small file system of the host's, because in one of the
 * container's no node opens. Who reaches a device is the cgroup's business. Source: mknod(2),
 * fsopen(2). */
#pragma once
#include "backend/backend.h"

#define PX_LXC_NODES_DIR "dev" /* in RUN/mnt: "dev/d0" is the node of c->devices[0] */

/* Whether any of them wants one. */
bool px_lxc_nodes_wanted(const struct px_backend_device *devices, size_t n);
/* A new file system, mounted nowhere yet, with "d0", "d1" for those that want one; its fd. */
int px_lxc_nodes_new(const struct px_backend_device *devices, size_t n, struct px_error *err);
/* One node alone, as a detached mount of the file; its fd. Leaves the mount namespace of the
 * caller, which must be a process of its own; @dir: any directory. */
int px_lxc_nodes_open(const struct px_backend_device *device, const char *dir,
                      struct px_error *err);
