/* src/backend/lxc/disk_plain.c - no limit: a directory */
#include "backend/lxc/disk.h"
#include "backend/lxc/paths.h"
#include "base/alloc.h"
#include "base/file.h"
#include <string.h>
#include <sys/stat.h>

static bool usable(const struct px_container *c) {
    return c->disk_bytes == 0;
}

static int make(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *data = px_lxc_data_path(c);
    return px_mkdir_p(AT_FDCWD, data, 0700, err);
}

static int limit(const struct px_container *c, struct px_error *err) {
    if (c->disk_bytes == 0)
        return 0;
    px_fail(err, -ENOTSUP, "it was made without a limit on a file system without quotas");
    return px_hint(err, -ENOTSUP, "make the desktop anew to give it one");
}

/* Sums up blocks on one file system. Too deep for descriptors is left out: this is a number for
 * people, and the owner of the tree only hides what counts against nobody. */
static uint64_t walk(int dir_fd, const char *name, unsigned depth) {
    struct stat st;
    uint64_t sum = 0;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (!S_ISDIR(st.st_mode)) /* a file of several names counts as often, but not in full */
        return (uint64_t)st.st_blocks * 512 / (st.st_nlink ? st.st_nlink : 1);
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    px_cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    while (dir && depth < 200 && (e = readdir(dir)))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            sum += walk(dirfd(dir), e->d_name, depth + 1);
    return sum + (uint64_t)st.st_blocks * 512;
}

static int used(const struct px_container *c, uint64_t *ret, struct px_error *err) {
    px_cleanup_free char *data = px_lxc_data_path(c);
    *ret = walk(AT_FDCWD, data, 0);
    return 0;
}

static int remove_data(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *data = px_lxc_data_path(c);
    return px_rm_rf(AT_FDCWD, data, err);
}

const struct px_disk_method px_disk_plain = {
    .name = "plain",
    .usable = usable,
    .make = make,
    .mount = px_disk_mount_dir,
    .limit = limit,
    .used = used,
    .remove = remove_data,
};
