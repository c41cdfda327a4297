/* src/backend/lxc/disk.h - the directory a desktop writes to, and its limit
 *
 * Chosen at create by what the file system of the state directory can do, and kept in
 * DIR/lxc/disk.json, {"method": "loop"}; a desktop stays with its method.
 *
 *     project  ext4, xfs with project quotas on: DIR/data in a project of its own (id: c->id_first)
 *     btrfs    btrfs with quotas on: DIR/data is a subvolume with a limit
 *     loop     everything else where there is a limit: DIR/data.img, a sparse file with ext4 in it
 *     plain    no limit asked for and neither of the first two: DIR/data, a directory
 *
 * The limit covers root and home together. One method per file: disk_METHOD.c. */
#pragma once
#include "backend/backend.h"

struct px_disk_method {
    const char *name;
    /* Whether it can be had here for @c; no trace left. */
    bool (*usable)(const struct px_container *c);
    /* Makes it, finishing what a killed call left, and sets the limit. */
    int (*make)(const struct px_container *c, struct px_error *err);
    /* A detached mount (fd) of the data directory. In a private mount namespace. */
    int (*mount)(const struct px_container *c, struct px_error *err);
    /* Sets the limit anew. 1: it takes effect at the next mount. -ENOTSUP: it cannot be set. */
    int (*limit)(const struct px_container *c, struct px_error *err);
    int (*used)(const struct px_container *c, uint64_t *ret, struct px_error *err);
    int (*remove)(const struct px_container *c, struct px_error *err);
};

extern const struct px_disk_method px_disk_project, px_disk_btrfs, px_disk_loop, px_disk_plain;

int px_disk_create(const struct px_container *c, struct px_error *err);
int px_disk_mount(const struct px_container *c, struct px_error *err);
/* c->disk_bytes becomes the limit; *ret_later: at the next start. -ENOTSUP: not with this method.
 */
int px_disk_limit(const struct px_container *c, bool *ret_later, struct px_error *err);
/* What the desktop has written so far. */
int px_disk_used(const struct px_container *c, uint64_t *ret, struct px_error *err);
/* Removes the data, whatever method made it, half made ones too. */
int px_disk_destroy(const struct px_container *c, struct px_error *err);

/* Shared by the methods that write into DIR/data on the host's own file system. */
int px_disk_mount_dir(const struct px_container *c, struct px_error *err);
