/* src/image/pool.h - packages and wheels that were fetched once, under their sha256
 *
 *     STATE/images/pool/deb/<hex>.deb        the package
 *     STATE/images/pool/deb/<hex>.control    its paragraph for an apt index
 *     STATE/images/pool/wheel/<hex>/NAME.whl
 *
 * Entries are checked once, when they come in, and never change. From them a build makes a small
 * apt repository that holds exactly what a lock names. Any thread. */
#pragma once
#include "image/lockfile.h"
#include <stdbool.h>

struct px_deb { /* a package as an index has it */
    struct px_locked_deb id;
    uint64_t installed_bytes;
    char *control; /* paragraph: name, version, relations; without Filename, Size and hashes */
};

struct px_debs {
    struct px_deb *items;
    size_t n, cap;
};

/* Reads the paragraphs of apt-cache show (or a Packages file). -EINVAL: one lacks a needed field.
 */
int px_debs_parse(const char *text, size_t size, struct px_debs *ret, struct px_error *err);
/* Adds a copy. */
void px_debs_add(struct px_debs *debs, const struct px_deb *deb);
/* Adds copies of @more, in place of what they upgrade (same name and architecture). */
void px_debs_merge(struct px_debs *debs, const struct px_debs *more);
void px_debs_fini(struct px_debs *debs);
void px_locked_deb_copy(const struct px_locked_deb *from, struct px_locked_deb *to);

/* @images: STATE/images. */
bool px_pool_has_deb(const char *images, const char *sha256);
/* Reads the paragraph of a package in the pool. */
int px_pool_get_deb(const char *images, const struct px_locked_deb *id, struct px_deb *ret,
                    struct px_error *err);
/* Moves the file at @path (same file system) into the pool after checking it against @deb.
 * -EBADMSG: not the same. */
int px_pool_add_deb(const char *images, const struct px_deb *deb, const char *path,
                    struct px_error *err);
/* When the package was built: the time in its archive's first header. */
int px_pool_deb_time(const char *images, const char *sha256, int64_t *ret_s, struct px_error *err);
/* Makes the flat repository @dir of @debs: links into the pool, Packages and Release. */
int px_pool_repository(const char *images, const struct px_debs *debs, const char *suite,
                       const char *dir, struct px_error *err);

/* Path of a wheel's directory in the pool when it is there; else NULL. The caller's. */
char *px_pool_find_wheel(const char *images, const char *sha256);
/* Links the wheel at @path (same file system) into the pool, under its own hash. */
int px_pool_add_wheel(const char *images, const char *path, struct px_error *err);
