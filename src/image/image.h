/* src/image/image.h - the image store: built root trees under their digests
 *
 *     STATE/images/layers/sha256-<hex>/tree/...      one layer, overlay format (whiteouts), uid 0
 * based STATE/images/layers/sha256-<hex>/layer.json    its inputs' key, size
 *     STATE/images/cache/<input key>                 text file naming the layer that these inputs
 * made STATE/images/manifests/sha256-<hex>.json       an image: layers, packages, user, recipe
 *     STATE/images/names/NAME                        the digest that NAME stands for now
 *     STATE/images/warm/                             what starts read (warm.h)
 *     STATE/images/logs/, tmp/                       build logs; builds in progress, removed when
 * stale
 *
 * Images and layers never change once they are in their place; rename(2) puts them there. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define PX_DIGEST_TEXT_MAX 80 /* "sha256:" and 64 hex digits, NUL */

struct px_image {
    char digest[PX_DIGEST_TEXT_MAX];
    char *name;    /* the name it was found or built by; "" when only the digest is known */
    char *recipe;  /* recipe it was built from */
    char **layers; /* absolute paths of the trees, the lowest first */
    size_t n_layers;
    char *user; /* login name of the ordinary user, uid and home */
    uint32_t uid;
    uint64_t size_bytes; /* sum over its layers, as stored */
    int64_t created_s;   /* seconds since 1970, when it was built here */
};

/* @ref: a name, "sha256:..." or an unambiguous beginning of at least 6 hex digits.
 * -ENOENT: no such image; the hint names a near one. */
int px_image_find(const char *state_dir, const char *ref, struct px_image **ret,
                  struct px_error *err);
/* What to say where that was -ENOENT and a recipe could help: the hint tells which. -ENOENT. */
int px_image_missing(const char *state_dir, const char *recipes_dir, const char *ref,
                     struct px_error *err);
struct px_image *px_image_free(struct px_image *image);
PX_DEFINE_CLEANUP(struct px_image *, px_image_free)

/* All images, newest first. Free with px_image_list_free. */
int px_image_list(const char *state_dir, struct px_image ***ret, size_t *ret_n,
                  struct px_error *err);
void px_image_list_free(struct px_image **images, size_t n);
