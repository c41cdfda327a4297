/* src/image/build.h - recipes to images, locks, and what is thrown away again
 *
 * A build is always made from a lock: the recipe's recipe.lock where there is one, else one made on
 * the spot from what Debian serves now. Layers whose inputs were built before are taken from the
 * store. Whatever ends a build, the store holds whole layers and images only; what a killed one
 * left in tmp/ goes with the next call. Root only, blocking, one at a time (the store's lock). */
#pragma once
#include "image/image.h"
#include <stdbool.h>

enum px_lock_use {
    PX_LOCK_AUTO,    /* use recipe.lock where there is one */
    PX_LOCK_REQUIRE, /* -ENOENT where there is none */
    PX_LOCK_IGNORE,  /* newest packages */
};

struct px_image_progress { /* all lent for the call */
    const char *recipe;    /* whose layer is being made; of several: the one at hand */
    const char *stage;     /* "package lists", "packages", "files", ... for people */
    const char *item;      /* package or command at hand; "" when there is none */
    double fraction;       /* 0..1 of the whole build, estimated, never falling */
};

struct px_image_opts { /* all lent for the call */
    const char *state_dir;
    const char *recipes_dir; /* holds NAME/recipe.yaml */
    const char *recipe;      /* name below recipes_dir, or a path that has a '/' */
    const char *name;        /* of the image; NULL: the recipe's */
    enum px_lock_use lock;
    int wait_ms; /* for another build to end; see px_lock in base/file.h */
    /* Called on the calling thread. May be NULL. */
    void (*on_progress)(void *data, const struct px_image_progress *progress);
    void (*on_log)(void *data, const char *path); /* once, where all output goes */
    void *data;
};

/* Builds opts->recipe and names it. *ret is the caller's; may be NULL.
 * -ENOENT: no such recipe, or no lock; -ESTALE: the lock does not fit the recipe, or Debian no
 * longer has what it names; -ENOSPC; -EAGAIN: another build runs; -EPERM: not root; -EINTR. */
int px_image_build(const struct px_image_opts *opts, struct px_image **ret, struct px_error *err);

/* Writes recipe.lock of opts->recipe and of the recipes below it, with the newest packages. Builds
 * what it must to ask pip. @ret_changed: number of lock files that differ from before; may be NULL.
 */
int px_image_lock(const struct px_image_opts *opts, unsigned *ret_changed, struct px_error *err);

struct px_image_gc { /* what was thrown away */
    unsigned n_images, n_layers;
    uint64_t bytes;
};

/* Takes the name @ref (or, for a digest, every name of it) and the image away, with the layers that
 * no other image has. @in_use: digests of images that desktops run on. -EBUSY: it is one of them.
 * -ENOENT. *ret may be NULL. */
int px_image_rm(const char *state_dir, const char *ref, const char *const *in_use, size_t n_in_use,
                struct px_image_gc *ret, struct px_error *err);

/* Throws away images without a name that are not in use, layers that no image has, what dead builds
 * left, and logs older than 30 days; with @pool also fetched packages. -EAGAIN: a build runs. */
int px_image_gc(const char *state_dir, const char *const *in_use, size_t n_in_use, bool pool,
                struct px_image_gc *ret, struct px_error *err);

/* Reads every byte of the image's layers again. -EBADMSG: one differs from its digest. */
int px_image_check(const char *state_dir, const char *ref, struct px_error *err);

/* The image's manifest (image/manifest.h) as JSON, for `image show`; the reference is the caller's.
 */
struct json_t;
int px_image_manifest(const char *state_dir, const char *ref, struct json_t **ret,
                      struct px_error *err);

/* The last @n_lines of a log; the caller's. */
int px_image_log_tail(const char *path, size_t n_lines, char **ret, struct px_error *err);
