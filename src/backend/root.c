/* src/backend/root.c - what the host's root does inside a container's tree */
#include "backend/root.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include <assert.h>
#include <string.h>
#include <sys/stat.h>

/* Parent directory of @path below the root, and its last part in *ret_name (points into @path). */
static int open_parent(int root_fd, const char *path, uid_t uid, gid_t gid, const char **ret_name,
                       struct px_error *err) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return px_fail(err, -EINVAL, "'%s' does not name a file", path);
    *ret_name = name;
    px_cleanup_free char *parent = px_strndup(path, slash ? (size_t)(slash - path) : 0);
    return px_root_mkdir_p(root_fd, parent, 0755, uid, gid, err);
}

int px_root_mkdir_p(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid,
                    struct px_error *err) {
    px_cleanup_free char *copy = px_strdup(path);
    px_cleanup_close int at = px_open_in_root(root_fd, "/", O_PATH | O_DIRECTORY, 0, err);
    if (at < 0)
        return at;
    char *end = copy;
    for (;;) {
        char *name = end + strspn(end, "/");
        if (*name == '\0')
            return px_take_fd(&at);
        end = name + strcspn(name, "/");
        char saved = *end;
        *end = '\0';
        /* Always from the root with the whole path so far: a symlink on the way may lead elsewhere
         * below the root, which an openat() from the last directory would resolve on the host. */
        int fd = px_open_in_root(root_fd, copy, O_PATH | O_DIRECTORY, 0, NULL);
        if (fd == -ENOENT) {
            if (mkdirat(at, name, 0700) == 0) {
                if (fchownat(at, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
                    return px_fail_sys(err, -errno, "cannot give '%s' away", copy);
            } else if (errno != EEXIST) {
                return px_fail_sys(err, -errno, "cannot make directory '%s'", copy);
            }
            fd = px_open_in_root(root_fd, copy, O_PATH | O_DIRECTORY, 0, err);
            px_cleanup_free char *self = px_asprintf("/proc/self/fd/%d", fd);
            if (fd >= 0 && chmod(self, mode) < 0) {
                int r = px_fail_sys(err, -errno, "cannot set the mode of '%s'", copy);
                close(fd);
                return r;
            }
        }
        if (fd < 0)
            return px_fail_sys(err, fd, "cannot open directory '%s' below the root", copy);
        close(at);
        at = fd;
        *end = saved;
    }
}

int px_root_touch(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid,
                  struct px_error *err) {
    int there = px_open_in_root(root_fd, path, O_PATH, 0, NULL);
    if (there >= 0)
        return there;
    int r = px_root_write(root_fd, path, "", 0, mode, uid, gid, err);
    if (r < 0)
        return r;
    return px_open_in_root(root_fd, path, O_PATH, 0, err);
}

int px_root_write(int root_fd, const char *path, const void *data, size_t size, mode_t mode,
                  uid_t uid, gid_t gid, struct px_error *err) {
    const char *name = NULL;
    px_cleanup_close int parent = open_parent(root_fd, path, uid, gid, &name, err);
    if (parent < 0)
        return parent;
    px_cleanup_free char *tmp = px_asprintf(".%s.phoenix", name);
    unlinkat(parent, tmp, 0); /* a killed call's; or the owner's trap, which O_EXCL then refuses */
    px_cleanup_close int fd =
        openat(parent, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot write '%s'", path);
    int r = px_fd_write_all(fd, data, size);
    if (r == 0 && (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0))
        r = -errno;
    if (r == 0 && renameat(parent, tmp, parent, name) < 0)
        r = -errno;
    if (r < 0) {
        unlinkat(parent, tmp, 0);
        return px_fail_sys(err, r, "cannot write '%s'", path);
    }
    return 0;
}

int px_root_read(int root_fd, const char *path, size_t max_bytes, char **ret, size_t *ret_size,
                 struct px_error *err) {
    /* O_NONBLOCK: the owner may have put a FIFO there. */
    px_cleanup_close int fd =
        px_open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, err);
    if (fd < 0)
        return fd;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return px_fail_sys(err, -errno, "cannot stat '%s'", path);
    if (!S_ISREG(st.st_mode))
        return px_fail(err, -EINVAL, "'%s' is not a regular file", path);
    int r = px_fd_read_all(fd, max_bytes, ret, ret_size, err);
    return r < 0 ? px_wrap(err, r, "'%s'", path) : 0;
}
