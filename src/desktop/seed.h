/* src/desktop/seed.h - what a new root gets that only this desktop has
 *
 * Runs once, before anything of the desktop ever ran (backend.h, seed): the tree is still the
 * image's. Even so every path is opened below @root_fd. Idempotent. */
#pragma once
#include "desktop/fleet.h"

struct px_seed {
    const struct px_desktop *desktop;
};

/* A struct px_container's seed; @seed_data is a struct px_seed. Writes hostname, hosts, machine-id,
 * time zone and login; fills the user's home from the image's, where it is not there yet. */
int px_seed_root(void *seed_data, int root_fd, int home_fd, struct px_error *err);
