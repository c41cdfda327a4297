/* src/image/tidy.h - making what a build step left behind into a layer
 *
 * Takes out what must not be in an image (caches, logs, lists, locks, backups, what identifies the
 * build machine), marks that overlayfs keeps for itself, and times later than SOURCE_DATE_EPOCH, so
 * that the same inputs give the same layer. Any thread. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct px_tidy_opts {         /* lent */
    const char *tree;         /* the layer: an overlay's upper directory, not mounted */
    const char *const *lower; /* trees below it, the lowest first; none: @tree is a whole root */
    size_t n_lower;
    int64_t epoch_s; /* SOURCE_DATE_EPOCH */
};

int px_tidy(const struct px_tidy_opts *opts, struct px_error *err);
/* Whether the entry at @path (relative) is taken out; pure. */
bool px_tidy_removes(const char *path);
