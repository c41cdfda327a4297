/* src/session/files.h - file transfer, the client's side
 *
 * On a connection that logged in for files (px_client_login.files_dir). Blocking; every wait has a
 * limit. What the host sends is bounded: a block to a megabyte once unpacked, a file to what was
 * asked for. -EIO: the host says why not (its words, cleaned). -EFBIG: it sends more than that. */
#pragma once
#include "session/client.h"

/* The file @fd, @size bytes from its present position, becomes @path (absolute) over there; what
 * was there is overwritten. */
int px_client_put(struct px_client *c, const char *path, int fd, uint64_t size, int64_t timeout_us,
                  struct px_error *err);
/* @path from over there is written to @fd. Returns its size in *ret. -EISDIR: it is no file. */
int px_client_get(struct px_client *c, const char *path, int fd, uint64_t max_bytes,
                  int64_t timeout_us, uint64_t *ret, struct px_error *err);
int px_client_remove(struct px_client *c, const char *path, int64_t timeout_us,
                     struct px_error *err);
