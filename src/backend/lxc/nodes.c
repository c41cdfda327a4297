/* src/backend/lxc/nodes.c - device nodes of a container's own, beside the host's */
#include "backend/lxc/nodes.h"
#include "backend/lxc/idmount.h"
#include "backend/lxc/tree.h"
#include "base/cleanup.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

bool px_lxc_nodes_wanted(const struct px_backend_device *devices, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (devices[i].copy)
            return true;
    return false;
}

static int make(int dir_fd, const struct px_backend_device *device, size_t i,
                struct px_error *err) {
    char name[24];
    snprintf(name, sizeof(name), "d%zu", i);
    const mode_t type = device->block ? S_IFBLK : S_IFCHR;
    if (mknodat(dir_fd, name, type | 0600, makedev(device->major, device->minor)) < 0 ||
        fchmodat(dir_fd, name, 0666, 0) < 0)
        return px_fail_sys(err, -errno, "cannot make a node for '%s'", device->path);
    return 0;
}

int px_lxc_nodes_new(const struct px_backend_device *devices, size_t n, struct px_error *err) {
    px_cleanup_close int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0711", 0) < 0 ||
        syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "64k", 0) < 0 ||
        syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return px_fail_sys(err, -errno, "cannot make a file system for device nodes");
    px_cleanup_close int fd =
        (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot mount a file system for device nodes");
    for (size_t i = 0; i < n; i++) {
        int r = devices[i].copy ? make(fd, &devices[i], i, err) : 0;
        if (r < 0)
            return r;
    }
    return px_take_fd(&fd);
}

/* Kernels before 6.15 copy no mount out of a file system that is mounted nowhere. */
int px_lxc_nodes_open(const struct px_backend_device *device, const char *dir,
                      struct px_error *err) {
    int r = px_tree_unshare(err);
    px_cleanup_close int fs = r < 0 ? r : px_lxc_nodes_new(device, 1, err);
    if (fs < 0)
        return fs;
    px_cleanup_close int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", dir);
    if ((r = px_idmount_place(fs, at, err)) < 0)
        return r;
    int fd = (int)syscall(SYS_open_tree, fs, "d0", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return fd < 0 ? px_fail_sys(err, -errno, "cannot take the node for '%s'", device->path) : fd;
}
