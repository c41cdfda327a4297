/* src/gpu/driver_dirs.h - where on a host the driver's libraries are looked for
 *
 * For driver.c. Directories that the linker's cache names come first, then those of the
 * distributions. Every path is resolved below the root's descriptor, which is lent. */
#pragma once
#include "base/cleanup.h"
#include <stddef.h>

#define PX_DRIVER_DIRS_MAX 24

struct px_driver_dirs { /* zeroed is empty */
    char *paths[PX_DRIVER_DIRS_MAX];
    size_t n;
};

void px_driver_dirs_find(int root_fd, struct px_driver_dirs *ret);
/* Adds a directory of @size bytes, where it is not there and there is room. */
void px_driver_dirs_add(struct px_driver_dirs *dirs, const char *path, size_t size);
void px_driver_dirs_fini(struct px_driver_dirs *dirs);

/* The regular file that @path below the root finally is, as a path of this host, the caller's;
 * NULL: none. */
char *px_driver_resolve(int root_fd, const char *path);
/* The last part of @path, in it. */
const char *px_driver_base(const char *path);
