/* src/backend/lxc/disk_btrfs.c - a limit by a btrfs subvolume of its own
 *
 * Only where quotas are on already: turning them on costs the whole file system, so that is the
 * host's owner's to decide. Source: btrfs-subvolume(8), btrfs-qgroup(8), linux/btrfs.h. */
#include "backend/lxc/disk.h"
#include "backend/lxc/paths.h"
#include "base/alloc.h"
#include "base/file.h"
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

static int open_data(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *data = px_lxc_data_path(c);
    return px_dir_open(AT_FDCWD, data, err);
}

/* /sys/fs/btrfs/UUID/qgroups, there only while quotas are on. */
static char *sys_path(int fd, const char *name) {
    struct btrfs_ioctl_fs_info_args info = {0};
    char uuid[64];
    size_t n = 0;
    if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) < 0)
        return NULL;
    for (size_t i = 0; i < BTRFS_FSID_SIZE; i++)
        n += (size_t)snprintf(uuid + n, sizeof(uuid) - n, "%s%02x",
                              i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", info.fsid[i]);
    return px_asprintf("/sys/fs/btrfs/%s/qgroups%s", uuid, name);
}

static bool usable(const struct px_container *c) {
    struct statfs fs;
    px_cleanup_close int fd = px_dir_open(AT_FDCWD, c->dir, NULL);
    if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != BTRFS_SUPER_MAGIC)
        return false;
    px_cleanup_free char *path = sys_path(fd, "");
    return path && px_exists(AT_FDCWD, path);
}

static int set_limit(const struct px_container *c, int fd, struct px_error *err) {
    struct btrfs_ioctl_qgroup_limit_args args = {
        .lim = {.flags = BTRFS_QGROUP_LIMIT_MAX_RFER,
                .max_rfer = c->disk_bytes ? c->disk_bytes : UINT64_MAX /* none */}};
    if (ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &args) < 0)
        return px_fail_sys(err, -errno, "cannot limit the subvolume");
    return 0;
}

static int limit(const struct px_container *c, struct px_error *err) {
    px_cleanup_close int fd = open_data(c, err);
    return fd < 0 ? fd : set_limit(c, fd, err);
}

static int make(const struct px_container *c, struct px_error *err) {
    struct btrfs_ioctl_vol_args args = {.name = "data"};
    px_cleanup_close int parent = px_dir_open(AT_FDCWD, c->dir, err);
    if (parent < 0)
        return parent;
    if (ioctl(parent, BTRFS_IOC_SUBVOL_CREATE, &args) < 0 && errno != EEXIST)
        return px_fail_sys(err, -errno, "cannot make a subvolume in '%s'", c->dir);
    px_cleanup_close int fd = open_data(c, err);
    if (fd < 0)
        return fd;
    if (fchmod(fd, 0700) < 0)
        return px_fail_sys(err, -errno, "cannot set the mode of the data directory");
    return set_limit(c, fd, err);
}

/* Number of the subvolume, which its quota group has as well. */
static int subvolume_id(int fd, uint64_t *ret, struct px_error *err) {
    struct btrfs_ioctl_ino_lookup_args args = {.objectid = BTRFS_FIRST_FREE_OBJECTID};
    if (ioctl(fd, BTRFS_IOC_INO_LOOKUP, &args) < 0)
        return px_fail_sys(err, -errno, "cannot identify the subvolume");
    *ret = args.treeid;
    return 0;
}

static int used(const struct px_container *c, uint64_t *ret, struct px_error *err) {
    uint64_t id = 0;
    px_cleanup_close int fd = open_data(c, err);
    int r = fd < 0 ? fd : subvolume_id(fd, &id, err);
    if (r < 0)
        return r;
    px_cleanup_free char *name = px_asprintf("/0_%ju/referenced", (uintmax_t)id);
    px_cleanup_free char *path = sys_path(fd, name), *text = NULL;
    r = path ? px_file_read(AT_FDCWD, path, 8192, &text, NULL, err)
             : px_fail(err, -EIO, "cannot identify the file system");
    if (r == 0)
        *ret = strtoull(text, NULL, 10);
    return r;
}

static int remove_data(const struct px_container *c, struct px_error *err) {
    uint64_t id = 0;
    px_cleanup_free char *data = px_lxc_data_path(c);
    px_cleanup_close int fd = open_data(c, NULL);
    if (fd >= 0 && subvolume_id(fd, &id, err) < 0)
        id = 0;
    /* Emptied as any directory (its owner may have made subvolumes in it), then rmdir takes it. */
    int r = px_rm_rf(AT_FDCWD, data, err);
    px_cleanup_close int parent = px_dir_open(AT_FDCWD, c->dir, NULL);
    struct btrfs_ioctl_qgroup_create_args args = {.create = 0, .qgroupid = id};
    if (r == 0 && id >= BTRFS_FIRST_FREE_OBJECTID && parent >= 0)
        (void)ioctl(parent, BTRFS_IOC_QGROUP_CREATE, &args); /* newer kernels do it themselves */
    return r;
}

const struct px_disk_method px_disk_btrfs = {
    .name = "btrfs",
    .usable = usable,
    .make = make,
    .mount = px_disk_mount_dir,
    .limit = limit,
    .used = used,
    .remove = remove_data,
};
