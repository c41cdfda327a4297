/* src/backend/lxc/disk_loop.c - a limit that holds anywhere: ext4 in a sparse file
 *
 * Mounted only in the container's private namespace, through a loop device that frees itself
 * (LO_FLAGS_AUTOCLEAR) when the mount is gone. Freed blocks are given back to the host (discard),
 * and inode tables stay unwritten (noinit_itable), so that the file holds little more than what was
 * written. It grows: the kernel does it while mounted where we have CAP_SYS_RESOURCE, which it asks
 * for; else resize2fs before the next mount. It never shrinks. Source: loop(4), ext4(5). */
#include "backend/lxc/disk.h"
#include "backend/lxc/host.h"
#include "backend/lxc/monitor.h"
#include "backend/lxc/paths.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/step.h"
#include <linux/capability.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define EXT4_IOC_RESIZE_FS _IOW('f', 16, __u64) /* linux/ext4.h has it not everywhere */
#define BLOCK_BYTES 4096
#define MIN_BYTES (64 * UINT64_C(1024) * 1024)
#define LOOP_TRIES 64

static char *image_path(const struct px_container *c) {
    return px_asprintf("%s/data.img", c->dir);
}

static uint64_t wanted_bytes(const struct px_container *c) {
    uint64_t n = c->disk_bytes < MIN_BYTES ? MIN_BYTES : c->disk_bytes;
    return n / BLOCK_BYTES * BLOCK_BYTES;
}

static bool usable(const struct px_container *c) {
    return c->disk_bytes > 0;
}

static int make_fs(const char *path, struct px_error *err) {
    /* -m 0: no blocks in reserve, root inside gets none anyway. A small journal, because in time
     * all of it is written and counts on the host's disk. */
    const char *const argv[] = {"mkfs.ext4",
                                "-q",
                                "-F",
                                "-b",
                                "4096",
                                "-m",
                                "0",
                                "-J",
                                "size=16",
                                "-E",
                                "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
                                path,
                                NULL};
    const struct px_proc_opts opts = {.argv = argv};
    int r = px_proc_check(&opts, err);
    return r == -ENOENT ? px_hint(err, r, "apt-get install e2fsprogs") : r;
}

static int make(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *path = image_path(c), *tmp = px_asprintf("%s/data.img.tmp", c->dir);
    if (px_exists(AT_FDCWD, path))
        return 0;
    unlink(tmp);
    px_cleanup_close int fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)wanted_bytes(c)) < 0)
        return px_fail_sys(err, -errno, "cannot make '%s'", tmp);
    int r = make_fs(tmp, err);
    if (r == 0)
        r = px_step("lxc.create.mkfs", err);
    if (r == 0 && (fsync(fd) < 0 || rename(tmp, path) < 0))
        r = px_fail_sys(err, -errno, "cannot make '%s'", path);
    if (r < 0)
        unlink(tmp);
    return r;
}

/* fd of a loop device on @image. Lost when closed, unless mounted. */
static int open_loop(int image_fd, char device[32], struct px_error *err) {
    px_cleanup_close int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (control < 0) {
        px_fail_sys(err, -errno, "cannot open '/dev/loop-control'");
        return px_hint(err, -ENODEV, "modprobe loop");
    }
    const struct loop_config config = {
        .fd = (__u32)image_fd,
        .block_size = BLOCK_BYTES,
        /* Direct: what is in the inner page cache need not be in the outer one again. */
        .info = {.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO},
    };
    for (int i = 0; i < LOOP_TRIES; i++) {
        int n = ioctl(control, LOOP_CTL_GET_FREE);
        if (n < 0)
            return px_fail_sys(err, -errno, "cannot get a loop device");
        snprintf(device, 32, "/dev/loop%d", n);
        px_cleanup_close int fd = open(device, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) == 0)
            return px_take_fd(&fd);
        if (errno != EBUSY && errno != ENXIO) /* another process was faster */
            return px_fail_sys(err, -errno, "cannot set up '%s'", device);
    }
    return px_fail(err, -EBUSY, "no loop device is to be had");
}

static int mount_device(const char *device, struct px_error *err) {
    static const char *const flags[] = {"discard", "noinit_itable"};
    px_cleanup_close int fs = (int)syscall(SYS_fsopen, "ext4", FSOPEN_CLOEXEC);
    bool good = fs >= 0 && syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", device, 0) == 0;
    for (size_t i = 0; good && i < PX_N_ELEMENTS(flags); i++)
        good = syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, flags[i], NULL, 0) == 0;
    good = good && syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
    int fd = good ? (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV) : -1;
    return fd < 0 ? px_fail_sys(err, -errno, "cannot mount '%s'", device) : fd;
}

/* Bit 4 of e2fsck's status: errors that it does not correct by itself. */
static int check_fs(const char *path, bool force, struct px_error *err) {
    const char *const argv[] = {"e2fsck", force ? "-fp" : "-p", path, NULL};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    const struct px_proc_opts opts = {.argv = argv, .out = &out, .out_err = &out};
    int r = px_proc_run(&opts, err);
    if (r < 0)
        return r;
    if (r < 4)
        return 0;
    px_fail(err, -EUCLEAN, "the file system in '%s' is damaged (e2fsck says %d)", path, r);
    return px_hint(err, -EUCLEAN, "e2fsck -f '%s'", path);
}

static uint64_t le32(const uint8_t *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

/* Size of the file system by its superblock: blocks at 4 (low) and 336 (high), log2 of their size -
 * 10 at 24. Source: fs/ext4/ext4.h, struct ext4_super_block. */
static int fs_bytes(const char *path, uint64_t *ret, struct px_error *err) {
    uint8_t sb[1024];
    px_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, sb, sizeof(sb), 1024) != (ssize_t)sizeof(sb))
        return px_fail_sys(err, fd < 0 ? -errno : -EIO, "cannot read '%s'", path);
    *ret = (le32(sb + 4) | le32(sb + 336) << 32) << (10 + (le32(sb + 24) & 7));
    return 0;
}

static int grow_file(const struct px_container *c, const char *path, struct px_error *err) {
    struct stat st;
    if (stat(path, &st) < 0)
        return px_fail_sys(err, -errno, "cannot stat '%s'", path);
    if ((uint64_t)st.st_size < wanted_bytes(c) && truncate(path, (off_t)wanted_bytes(c)) < 0)
        return px_fail_sys(err, -errno, "cannot grow '%s'", path);
    return 0;
}

/* A Ctrl-C must not end resize2fs half way: it is out of the terminal's group. */
static int leave_group(void *data) {
    return setpgid(0, 0) < 0 ? errno : 0;
}

static int grow_offline(const char *path, struct px_error *err) {
    const char *const argv[] = {"resize2fs", path, NULL};
    int r = check_fs(path, true, err);
    if (r < 0)
        return r;
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    const struct px_proc_opts opts = {
        .argv = argv, .out = &out, .out_err = &out, .prepare = leave_group};
    r = px_proc_check(&opts, err);
    return r < 0 ? px_wrap(err, r, "growing '%s'", path) : 0;
}

/* Grows the mounted file system that directory @dir_fd is in. */
static int grow_mounted(int dir_fd, uint64_t bytes, struct px_error *err) {
    __u64 blocks = bytes / BLOCK_BYTES;
    px_cleanup_close int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, EXT4_IOC_RESIZE_FS, &blocks) < 0)
        return px_fail_sys(err, -errno, "cannot grow the file system");
    return 0;
}

static int mount_image(const char *path, struct px_error *err) {
    char device[32];
    px_cleanup_close int image = open(path, O_RDWR | O_CLOEXEC);
    if (image < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", path);
    px_cleanup_close int loop = open_loop(image, device, err);
    return loop < 0 ? loop : mount_device(device, err);
}

static int mount_data(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *path = image_path(c);
    uint64_t have = 0;
    int r = grow_file(c, path, err);
    if (r < 0 || (r = fs_bytes(path, &have, err)) < 0)
        return r;
    const bool grow = have < wanted_bytes(c), online = px_lxc_have_cap(CAP_SYS_RESOURCE);
    if (grow && !online && (r = grow_offline(path, err)) < 0)
        return r;
    px_cleanup_close int fd = mount_image(path, err);
    if (fd < 0) { /* once more after a repair, as at any boot */
        r = check_fs(path, false, err);
        fd = r < 0 ? r : mount_image(path, err);
    }
    if (fd >= 0 && grow && online && (r = grow_mounted(fd, wanted_bytes(c), err)) < 0)
        return r;
    return fd < 0 ? fd : px_take_fd(&fd);
}

/* Its directory as the running container's monitor sees it. -ESRCH: it does not run. */
static int open_running(const struct px_container *c, struct px_error *err) {
    struct px_monitor m;
    px_cleanup_close int pidfd = px_monitor_open_init(c, &m, err);
    if (pidfd < 0)
        return pidfd;
    px_cleanup_free char *mnt = px_lxc_mnt_path(c, "data");
    px_cleanup_free char *path = px_asprintf("/proc/%d/root%s", m.monitor_pid, mnt);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? px_fail_sys(err, -errno, "cannot open '%s'", path) : fd;
}

static int grow_live(int dir_fd, uint64_t bytes, struct px_error *err) {
    struct stat st;
    if (fstat(dir_fd, &st) < 0)
        return px_fail_sys(err, -errno, "cannot stat the data directory");
    px_cleanup_free char *device = px_asprintf("/dev/loop%u", minor(st.st_dev));
    px_cleanup_close int loop = open(device, O_RDWR | O_CLOEXEC);
    if (loop < 0 || ioctl(loop, LOOP_SET_CAPACITY) < 0)
        return px_fail_sys(err, -errno, "cannot grow '%s'", device);
    return grow_mounted(dir_fd, bytes, err);
}

static int limit(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *path = image_path(c);
    struct stat st;
    if (stat(path, &st) < 0)
        return px_fail_sys(err, -errno, "cannot stat '%s'", path);
    if (c->disk_bytes == 0 || wanted_bytes(c) < (uint64_t)st.st_size) {
        px_fail(err, -ENOTSUP, "its disk can grow, but neither shrink nor go without a limit");
        return px_hint(err, -ENOTSUP, "set disk to at least %jd bytes, or make the desktop anew",
                       (intmax_t)st.st_size);
    }
    uint64_t have = 0;
    int r = grow_file(c, path, err);
    if (r == 0)
        r = fs_bytes(path, &have, err);
    if (r < 0 || have >= wanted_bytes(c))
        return r;
    px_cleanup_close int dir = open_running(c, err);
    if (dir == -ESRCH)
        return 0; /* the next start finds the longer file */
    if (dir < 0)
        return dir;
    if (!px_lxc_have_cap(CAP_SYS_RESOURCE))
        return 1;
    return grow_live(dir, wanted_bytes(c), err);
}

static int used(const struct px_container *c, uint64_t *ret, struct px_error *err) {
    px_cleanup_close int dir = open_running(c, NULL);
    struct statfs fs;
    if (dir >= 0 && fstatfs(dir, &fs) == 0) {
        *ret = (fs.f_blocks - fs.f_bfree) * (uint64_t)fs.f_bsize;
        return 0;
    }
    px_cleanup_free char *path = image_path(c);
    struct stat st;
    *ret = stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
    return 0;
}

static int remove_data(const struct px_container *c, struct px_error *err) {
    static const char *const names[] = {"data.img.tmp", "data.img", "data"};
    for (size_t i = 0; i < PX_N_ELEMENTS(names); i++) {
        px_cleanup_free char *path = px_asprintf("%s/%s", c->dir, names[i]);
        int r = px_rm_rf(AT_FDCWD, path, err);
        if (r < 0)
            return r;
    }
    return 0;
}

const struct px_disk_method px_disk_loop = {
    .name = "loop",
    .usable = usable,
    .make = make,
    .mount = mount_data,
    .limit = limit,
    .used = used,
    .remove = remove_data,
};
