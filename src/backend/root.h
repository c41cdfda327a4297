/* src/backend/root.h - what the host's root does inside a container's tree
 *
 * The owner of a container can swap any name in it for a symlink at any time, so everything is
 * resolved below @root_fd (openat2, RESOLVE_IN_ROOT) and changed through directory fds. @path is
 * absolute or relative, both mean below the root. @uid and @gid are host ids (id_first + id
 * inside): what the host's root makes belongs to nobody inside until it is given to one of the
 * block's ids. Thread-safe: no state. Source: openat2(2). */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <sys/types.h>

/* Makes the directory @path and its missing parents, each owned by @uid, @gid with @mode; what
 * exists stays as it is. Returns an O_PATH fd of it. -ENOTDIR: a part is there and is no directory.
 */
int px_root_mkdir_p(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid,
                    struct px_error *err);
/* The same for an empty file; parents get 0755. Returns an O_PATH fd of it. */
int px_root_touch(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid,
                  struct px_error *err);
/* Replaces the file @path at once (temporary file, rename), never writing through a symlink in the
 * last place; missing parents are made with 0755. */
int px_root_write(int root_fd, const char *path, const void *data, size_t size, mode_t mode,
                  uid_t uid, gid_t gid, struct px_error *err);
/* Reads a regular file; *ret is the caller's. -ENOENT; -EFBIG: above @max_bytes; -EINVAL: no
 * regular file. */
int px_root_read(int root_fd, const char *path, size_t max_bytes, char **ret, size_t *ret_size,
                 struct px_error *err);
