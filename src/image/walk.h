/* src/image/walk.h - everything in a tree, in one canonical order
 *
 * Entries are sorted bytewise by path; "." is the tree itself and comes first. Does not follow
 * symlinks and refuses to cross into another mount. Any thread. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct px_walk_xattr {
    char *name;
    uint8_t *value;
    size_t size;
};

struct px_walk_entry {
    char *path;   /* relative to the tree */
    char *target; /* of a symlink */
    struct stat st;
    struct px_walk_xattr *xattrs; /* those that belong to the content, sorted by name */
    size_t n_xattrs;
};

struct px_walk {
    int root_fd;
    struct px_walk_entry *entries;
    size_t n_entries, cap;
};

int px_walk_tree(const char *tree, struct px_walk *ret, struct px_error *err);
void px_walk_fini(struct px_walk *walk);
