/* src/backend/lxc/tree.h - a container's whole root, mounted where only it is seen
 *
 * px_tree_mount() runs in a process with a mount namespace of its own (px_tree_unshare). All mounts
 * live in that namespace: when the last process in it is gone, so are they, however it ended;
 * nothing is left to clean up. The layers are idmapped and read-only, the overlay's upper directory
 * belongs to the block's ids, extra mounts carry their flags before the container's user namespace
 * sees them, which locks them there. Source: mount_namespaces(7), overlayfs.rst of the kernel. */
#pragma once
#include "backend/backend.h"

/* A mount namespace of our own, into which the host's later mounts and unmounts still spread. */
int px_tree_unshare(struct px_error *err);

struct px_tree {
    int root_fd, home_fd; /* the merged root, and what is /home in it */
};
#define PX_TREE_INIT                                                                               \
    { .root_fd = -1, .home_fd = -1 }
void px_tree_close(struct px_tree *tree); /* the fds; the mounts go with the namespace */

/* Mounts RUN/mnt with everything in it (see paths.h), c->mounts only with @extra. */
int px_tree_mount(const struct px_container *c, bool extra, struct px_tree *ret,
                  struct px_error *err);
/* Mounts the data directory alone, on RUN/mnt/data. Returns an fd of it. */
int px_tree_mount_data(const struct px_container *c, struct px_error *err);

/* Whether a mount onto @target must wait until liblxc has set up the file systems of the running
 * container (/dev, /proc, /run, /sys), its own business then; pure. */
bool px_tree_mounts_late(const char *target);
