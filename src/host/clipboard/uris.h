/* src/host/clipboard/uris.h - paths of copied files, as X programs exchange them
 *
 *     text/uri-list                  file:///a%20b CR LF file:///c CR LF
 *     x-special/gnome-copied-files   copy LF file:///a%20b LF file:///c
 *
 * Only files of this machine count. Pure, any thread. Source: RFC 2483, RFC 8089. */
#pragma once
#include "base/buf.h"
#include <stdbool.h>

#define PX_URIS_MAX 1000

struct px_paths {
    char **list; /* absolute */
    size_t n, cap;
};

void px_paths_fini(struct px_paths *p);
void px_paths_add(struct px_paths *p, const char *path);
/* Either form; what is no local file is left out, as is everything beyond PX_URIS_MAX. */
void px_uris_parse(const char *text, size_t size, struct px_paths *ret);
void px_uris_print(const struct px_paths *p, bool gnome, struct px_buf *out);
