/* src/backend/lxc/disk_project.c - a limit by the host's project quotas (ext4, xfs)
 *
 * Everything below DIR/data belongs to project c->id_first, which no other desktop has. Only the
 * initial user namespace may change a file's project, so root inside cannot leave it.
 * Source: quotactl(2), ioctl_xfs_fsgetxattr(2), quotactl_fd(2). */
#include "backend/lxc/disk.h"
#include "backend/lxc/paths.h"
#include "base/file.h"
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define INODE_BYTES                                                                                \
    8192 /* one inode per so many bytes of the limit: half of what mkfs.ext4 reckons */

static int quota(int fd, unsigned command, uint32_t id, void *data) {
    return syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), id, data) < 0 ? -errno : 0;
}

/* Accounting alone would be no limit. */
static bool enforced(int fd) {
    struct fs_quota_statv state = {.qs_version = FS_QSTATV_VERSION1};
    return quota(fd, Q_XGETQSTATV, 0, &state) == 0 && state.qs_flags & FS_QUOTA_PDQ_ENFD;
}

static bool usable(const struct px_container *c) {
    px_cleanup_close int fd = px_dir_open(AT_FDCWD, c->dir, NULL);
    return fd >= 0 && enforced(fd);
}

static int set_project(int fd, uint32_t id, struct px_error *err) {
    struct fsxattr attr;
    if (ioctl(fd, FS_IOC_FSGETXATTR, &attr) < 0)
        return px_fail_sys(err, -errno, "cannot ask for the project of the data directory");
    if (attr.fsx_projid == id && attr.fsx_xflags & FS_XFLAG_PROJINHERIT)
        return 0;
    attr.fsx_projid = id;
    attr.fsx_xflags |= FS_XFLAG_PROJINHERIT;
    if (ioctl(fd, FS_IOC_FSSETXATTR, &attr) < 0)
        return px_fail_sys(err, -errno, "cannot set the project of the data directory");
    return 0;
}

/* Sets and reads back: a limit that was not taken must not pass for one. */
static int set_limit(const struct px_container *c, int fd, struct px_error *err) {
    struct if_dqblk want = {.dqb_valid = QIF_LIMITS}, have = {0};
    want.dqb_bhardlimit = want.dqb_bsoftlimit = (c->disk_bytes + QIF_DQBLKSIZE - 1) / QIF_DQBLKSIZE;
    want.dqb_ihardlimit = want.dqb_isoftlimit = c->disk_bytes / INODE_BYTES;
    int r = quota(fd, Q_SETQUOTA, c->id_first, &want);
    if (r == 0)
        r = quota(fd, Q_GETQUOTA, c->id_first, &have);
    if (r < 0)
        return px_fail_sys(err, r, "cannot set the quota of project %u", c->id_first);
    if (have.dqb_bhardlimit != want.dqb_bhardlimit)
        return px_fail(err, -EIO, "the quota of project %u does not stay as set", c->id_first);
    return 0;
}

static int open_data(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *data = px_lxc_data_path(c);
    return px_dir_open(AT_FDCWD, data, err);
}

static int limit(const struct px_container *c, struct px_error *err) {
    px_cleanup_close int fd = open_data(c, err);
    return fd < 0 ? fd : set_limit(c, fd, err);
}

static int make(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *data = px_lxc_data_path(c);
    int r = px_mkdir_p(AT_FDCWD, data, 0700, err);
    if (r < 0)
        return r;
    px_cleanup_close int fd = open_data(c, err);
    if (fd < 0 || (r = set_project(fd, c->id_first, err)) < 0)
        return fd < 0 ? fd : r;
    return set_limit(c, fd, err);
}

static int used(const struct px_container *c, uint64_t *ret, struct px_error *err) {
    struct if_dqblk have = {0};
    px_cleanup_close int fd = open_data(c, err);
    int r = fd < 0 ? fd : quota(fd, Q_GETQUOTA, c->id_first, &have);
    if (r < 0)
        return fd < 0 ? fd
                      : px_fail_sys(err, r, "cannot read the quota of project %u", c->id_first);
    *ret = have.dqb_curspace;
    return 0;
}

static int remove_data(const struct px_container *c, struct px_error *err) {
    struct if_dqblk none = {.dqb_valid = QIF_LIMITS};
    px_cleanup_free char *data = px_lxc_data_path(c);
    int r = px_rm_rf(AT_FDCWD, data, err);
    px_cleanup_close int fd = px_dir_open(AT_FDCWD, c->dir, NULL);
    if (r == 0 && fd >= 0)
        quota(fd, Q_SETQUOTA, c->id_first,
              &none); /* the next desktop with these ids sets its own */
    return r;
}

const struct px_disk_method px_disk_project = {
    .name = "project",
    .usable = usable,
    .make = make,
    .mount = px_disk_mount_dir,
    .limit = limit,
    .used = used,
    .remove = remove_data,
};
