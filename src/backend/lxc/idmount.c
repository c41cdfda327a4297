/* src/backend/lxc/idmount.c - detached copies of mounts whose owners are seen through an id map */
#include "backend/lxc/idmount.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Raw calls: glibc 2.36's <sys/mount.h> has wrappers, but clashes with <linux/mount.h>, which alone
 * has the newer constants. */
static int sys_open_tree(int dir_fd, const char *path, unsigned flags) {
    return (int)syscall(SYS_open_tree, dir_fd, path, flags);
}

static int sys_mount_setattr(int fd, unsigned flags, struct mount_attr *attr) {
    return (int)syscall(SYS_mount_setattr, fd, "", flags | AT_EMPTY_PATH, attr, sizeof(*attr));
}

static int write_map(pid_t pid, const char *file, uint32_t inside, uint32_t first, uint32_t count,
                     struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("/proc/%d/%s", pid, file);
    px_cleanup_free char *line = px_asprintf("%u %u %u", inside, first, count);
    return px_file_put(AT_FDCWD, path, line, err);
}

static int open_mapped(pid_t pid, uint32_t inside, uint32_t first, uint32_t count,
                       struct px_error *err) {
    int r = write_map(pid, "uid_map", inside, first, count, err);
    if (r == 0)
        r = write_map(pid, "gid_map", inside, first, count, err);
    if (r < 0)
        return r;
    px_cleanup_free char *path = px_asprintf("/proc/%d/ns/user", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? px_fail_sys(err, -errno, "cannot open '%s'", path) : fd;
}

int px_userns_open(uint32_t inside, uint32_t first, uint32_t count, struct px_error *err) {
    /* A namespace needs a process to be born in; the fd keeps it when that one is gone. The raw
     * call is a fork() without its handlers: the child does nothing but wait to be killed. */
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid < 0) {
        px_fail_sys(err, -errno, "cannot make a user namespace");
        return px_hint(err, -errno, "check /proc/sys/user/max_user_namespaces");
    }
    if (pid == 0)
        for (;;)
            syscall(SYS_pause);
    int fd = open_mapped(pid, inside, first, count, err);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return fd < 0 ? px_wrap(err, fd, "id map %u %u %u", inside, first, count) : fd;
}

int px_idmount_open(int dir_fd, const char *path, const struct px_idmount_opts *opts,
                    struct px_error *err) {
    const unsigned deep = opts->recursive ? AT_RECURSIVE : 0;
    px_cleanup_close int fd = sys_open_tree(dir_fd, path,
                                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | deep |
                                                (path[0] ? 0 : (unsigned)AT_EMPTY_PATH));
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot copy the mount of '%s'", path);
    struct mount_attr attr = {0};
    if (opts->read_only)
        attr.attr_set |= MOUNT_ATTR_RDONLY;
    if (!opts->trusted)
        attr.attr_set |= MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
    attr.propagation = 1u << 18; /* MS_PRIVATE, whose header clashes with this one's */
    if (opts->userns_fd >= 0) {
        attr.attr_set |= MOUNT_ATTR_IDMAP;
        attr.userns_fd = (uint64_t)opts->userns_fd;
    }
    if (sys_mount_setattr(fd, deep, &attr) < 0) {
        int r = -errno;
        px_fail_sys(err, r, "cannot set up the mount of '%s'", path);
        if (opts->userns_fd >= 0 && (r == -EINVAL || r == -EOPNOTSUPP)) {
            err ? (void)(err->code = -EOPNOTSUPP) : (void)0;
            return px_hint(
                err, -EOPNOTSUPP,
                "its file system must support idmapped mounts (ext4, xfs, btrfs, erofs)");
        }
        return r;
    }
    return px_take_fd(&fd);
}

int px_idmount_place(int mount_fd, int target_fd, struct px_error *err) {
    if (syscall(SYS_move_mount, mount_fd, "", target_fd, "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return px_fail_sys(err, -errno, "cannot put a mount in its place");
    return 0;
}
