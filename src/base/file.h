/* src/base/file.h - files: whole reads, atomic writes, locks, trees, paths below a root
 *
 * Every fd is O_CLOEXEC. Paths are relative to @dir_fd (AT_FDCWD: the working directory).
 * Thread-safe: no state. Source: open(2), openat2(2), rename(2), flock(2). */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The whole of a regular file, NUL behind it; *ret is the caller's. ret_size may be NULL.
 * -EFBIG: above @max_bytes. -EISDIR; -EINVAL: neither file nor pipe. -ENOENT and the like. */
int px_file_read(int dir_fd, const char *path, size_t max_bytes, char **ret, size_t *ret_size,
                 struct px_error *err);
/* Reads @fd to its end. */
int px_fd_read_all(int fd, size_t max_bytes, char **ret, size_t *ret_size, struct px_error *err);
/* Writes all of it, over short writes and EINTR. -errno. */
int px_fd_write_all(int fd, const void *data, size_t size);
/* For programs that print by stdio, at their end: what stdout still holds goes out. Fails where
 * anything that was printed did not. */
int px_stdout_flush(struct px_error *err);

/* Replaces @path at once: a temporary file beside it, fsync, rename, fsync of the directory. A
 * reader (or a crash) sees the old or the new, never a mixture. Leaves no temporary file on
 * failure. */
int px_file_write_atomic(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                         struct px_error *err);
/* The same without waiting for the disk (an fsync takes 1 to 20 ms): for what is made again from
 * other files. A power failure, and only that, may leave it empty. */
int px_file_replace(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                    struct px_error *err);
/* Writes a few bytes to a file that exists (sysfs, cgroup, proc). */
int px_file_put(int dir_fd, const char *path, const char *text, struct px_error *err);

/* Makes @path and its missing parents; one that exists stays as it is. */
int px_mkdir_p(int dir_fd, const char *path, mode_t mode, struct px_error *err);
/* Opens a directory (O_DIRECTORY, not following a last symlink). Returns the fd. */
int px_dir_open(int dir_fd, const char *path, struct px_error *err);
/* Opens @path below @root_fd as a process whose root it is would: symlinks and ".." cannot leave it
 * (openat2, RESOLVE_IN_ROOT). @flags as open(2). Returns the fd. */
int px_open_in_root(int root_fd, const char *path, int flags, mode_t mode, struct px_error *err);
/* Removes a tree (or a file) without following symlinks or crossing into another mount
 * (-EBUSY: something is mounted inside). Nothing there is good. */
int px_rm_rf(int dir_fd, const char *path, struct px_error *err);
bool px_exists(int dir_fd, const char *path);

/* Takes the lock (flock, exclusive) on @path, made where missing; the fd holds it and the last
 * close gives it back, also when the process dies. The file holds the holder's pid and command.
 * @wait_ms 0: -EAGAIN at once when another process has it (the message names the holder);
 * above 0: waits that long; less: for ever. Returns the fd. */
int px_lock(int dir_fd, const char *path, int wait_ms, struct px_error *err);
