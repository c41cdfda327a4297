/* src/host/files/changes.c - what a client changes without a transfer */
#include "host/files/changes.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "host/files/listing.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int remove_empty(int at, const char *name, int depth) {
    px_cleanup_close int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    px_cleanup_closedir DIR *dir = fd < 0 || depth > 64 ? NULL : fdopendir(fd);
    if (!dir)
        return depth > 64 ? -ELOOP : -errno;
    px_take_fd(&fd);
    const struct dirent *e;
    while ((e = readdir(dir))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        const int r = remove_empty(dirfd(dir), e->d_name, depth + 1);
        if (r < 0)
            return r == -ENOTDIR ? -ENOTEMPTY : r;
    }
    return unlinkat(at, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int px_remove_empty_dirs(const char *path) {
    return remove_empty(AT_FDCWD, path, 0);
}

int px_rename_entry(const char *path, ProtobufCBinaryData new_name) {
    if (!px_file_component_ok(new_name.data, new_name.len))
        return -EINVAL;
    const char *slash = strrchr(path, '/');
    px_cleanup_free char *to = px_asprintf("%.*s/%.*s", (int)(slash - path), path,
                                           (int)new_name.len, (const char *)new_name.data);
    /* Not over another file: the client asked for a name, not for a loss. */
    return renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}
