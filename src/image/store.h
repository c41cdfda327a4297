/* src/image/store.h - STATE/images on disk: its lock, layers by key, manifests, names
 *
 * See image/image.h for the layout. Everything is put in its place by rename(2) and never changed
 * after. The lock is held by whoever adds or removes (build, lock, rm, gc); readers need none.
 * Blocking. Any thread. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "image/image.h"
#include "image/manifest.h"
#include <stdbool.h>

struct px_store { /* px_store_open() .. px_store_close() */
    char *dir;    /* STATE/images */
    int lock_fd;
};

/* Makes the directories (root only, as the trees hold setuid programs) and takes the lock; see
 * px_lock for @wait_ms. Then throws away what dead builds left in tmp/. */
int px_store_open(const char *state_dir, int wait_ms, struct px_store *ret, struct px_error *err);
void px_store_close(struct px_store *store);

/* A directory of its own below tmp/; the caller's string. */
int px_store_tmp(const struct px_store *store, const char *name, char **ret, struct px_error *err);

/* The layer that inputs with @key (a digest) made; false: none, or it is gone. */
bool px_store_find_layer(const struct px_store *store, const char *key,
                         char ret_digest[PX_DIGEST_TEXT_MAX], uint64_t *ret_size);
/* Moves @dir (holds tree/) into its place under @digest, and remembers that @key made it. */
int px_store_put_layer(const struct px_store *store, const char *dir, const char *digest,
                       const char *key, uint64_t size_bytes, struct px_error *err);
/* As px_tree_digest counted it; 0: unknown. */
uint64_t px_store_layer_size(const struct px_store *store, const char *digest);
/* "sha256-<hex>/tree", the layer's path below layers/; the caller's. */
char *px_store_layer_name(const char *digest);

/* Stores the manifest and, after it, points @name at it. */
int px_store_put_image(const struct px_store *store, json_t *manifest, const char *name,
                       char ret_digest[PX_DIGEST_TEXT_MAX], struct px_error *err);

/* Reads a manifest by digest. -ENOENT. */
int px_store_get_manifest(const char *images, const char *digest, struct px_manifest **ret,
                          struct px_error *err);
/* Names in a directory of the store, sorted; nothing there is an empty list. */
struct px_store_names {
    char **items;
    size_t n, cap;
};
int px_store_list(const char *images, const char *sub, struct px_store_names *ret,
                  struct px_error *err);
void px_store_names_fini(struct px_store_names *names);
/* What @name stands for. -ENOENT. -EINVAL: not a name. */
int px_store_get_name(const char *images, const char *name, char ret_digest[PX_DIGEST_TEXT_MAX],
                      struct px_error *err);
/* The digest that @ref (see px_image_find) means; its layers may be missing. -ENOENT with advice.
 */
int px_store_resolve(const char *images, const char *ref, char ret_digest[PX_DIGEST_TEXT_MAX],
                     struct px_error *err);
/* A letter or digit, then letters, digits, "._-", at most 64; does not end in .tmp. */
int px_image_name_check(const char *name, struct px_error *err);
