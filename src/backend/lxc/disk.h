/* src/backend/lxc/disk.h - the directory a desktop writes to, and its limit
 *
 * Chosen at create and kept in DIR/lxc/disk.json: */
#pragma once
#include "backend/backend.h"

/* Makes DIR/data, finishing what a killed call left. */
int px_disk_create(const struct px_container *c, struct px_error *err);
/* A detached mount (fd) of the data directory, to be put in its place by the caller. */
int px_disk_mount(const struct px_container *c, struct px_error *err);
/* What the desktop has written so far. */
int px_disk_used(const struct px_container *c, uint64_t *ret, struct px_error *err);
/* Removes the data. */
int px_disk_destroy(const struct px_container *c, struct px_error *err);
