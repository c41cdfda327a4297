/* src/host/files/listing.h - directories as messages
 * Symbolic links are told as links, never followed. Blocks on the disk, so it is done on a worker
 * (reader.h); -ECANCELED once *@stop is true (NULL: never). */
#pragma once
#include "base/error.h"
#include "proto/session.h"
#include <stdatomic.h>
#include <stdbool.h>

#define PX_LISTING_MAX 100000 /* entries of one answer */

struct px_listing {
    Pxs__FileEntry *entries; /* names are owned by the list */
    size_t n, cap;
};

/* One level. */
int px_listing_dir(const char *path, bool hidden, const atomic_bool *stop, struct px_listing *ret,
                   struct px_error *err);
/* All regular files below @path, names relative with '/'; of a file: itself, with the name "".
 * -E2BIG: too many. */
int px_listing_files(const char *path, bool hidden, const atomic_bool *stop, struct px_listing *ret,
                     struct px_error *err);
/* Directories below @path that hold no files, names relative. */
int px_listing_empty_dirs(const char *path, bool hidden, const atomic_bool *stop,
                          struct px_listing *ret, struct px_error *err);
void px_listing_fini(struct px_listing *l);
/* Pointers to the entries, as messages want them; the caller frees the array only. */
Pxs__FileEntry **px_listing_pointers(const struct px_listing *l);

/* Whether an upload may have this name: relative, no "..", no empty part, no NUL. Pure. */
bool px_upload_name_ok(const uint8_t *name, size_t size);
/* A single component: no '/', not "", "." or "..". Pure. */
bool px_file_component_ok(const uint8_t *name, size_t size);
