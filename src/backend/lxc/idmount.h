/* src/backend/lxc/idmount.h - detached copies of mounts whose owners are seen through an id map
 *
 * A copy is an fd until it is put in its place; closed before that, it is gone. Thread-safe.
 * Source: open_tree(2), mount_setattr(2), user_namespaces(7). */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* fd of a user namespace in which ids @inside .. @inside+@count-1 are @first .. on the host. */
int px_userns_open(uint32_t inside, uint32_t first, uint32_t count, struct px_error *err);

struct px_idmount_opts {
    int userns_fd;  /* lent; -1: owners as they are */
    bool read_only; /* cannot be undone by root inside */
    bool trusted;   /* the image's: setuid programs work; else neither setuid nor devices */
    bool recursive; /* with what is mounted below it */
};

/* A detached copy of what is at @path below @dir_fd (a file or a directory). Returns the fd.
 * -EOPNOTSUPP: the file system there cannot be idmapped. */
int px_idmount_open(int dir_fd, const char *path, const struct px_idmount_opts *opts,
                    struct px_error *err);
/* Puts the copy onto the file or directory that @target_fd (O_PATH) is. */
int px_idmount_place(int mount_fd, int target_fd, struct px_error *err);
