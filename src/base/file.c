/* src/base/file.c - files: whole reads, atomic writes, locks, trees, paths below a root */
#include "base/file.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

int px_fd_read_all(int fd, size_t max_bytes, char **ret, size_t *ret_size, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    for (;;) {
        size_t chunk = 64 * 1024;
        char *at = px_buf_reserve(&b, chunk);
        ssize_t n = read(fd, at, chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return px_fail_sys(err, -errno, "cannot read");
        if (n == 0)
            break;
        b.size += (size_t)n;
        if (b.size > max_bytes)
            return px_fail(err, -EFBIG, "larger than the limit of %zu bytes", max_bytes);
    }
    px_buf_add(&b, "", 0);
    if (ret_size)
        *ret_size = b.size;
    *ret = px_buf_take(&b);
    return 0;
}

int px_file_read(int dir_fd, const char *path, size_t max_bytes, char **ret, size_t *ret_size,
                 struct px_error *err) {
    /* O_NONBLOCK: opening a FIFO that nobody writes must not hang us. */
    px_cleanup_close int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return px_fail_sys(err, -errno, "cannot stat '%s'", path);
    if (S_ISDIR(st.st_mode))
        return px_fail(err, -EISDIR, "'%s' is a directory, not a file", path);
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
        return px_fail(err, -EINVAL, "'%s' is not a regular file", path);
    /* Files of sysfs say a page and hold a word; they have no blocks. */
    if (S_ISREG(st.st_mode) && st.st_blocks > 0 && (uintmax_t)st.st_size > max_bytes)
        return px_fail(err, -EFBIG, "'%s' has %jd bytes, more than the limit of %zu", path,
                       (intmax_t)st.st_size, max_bytes);
    if (!S_ISREG(st.st_mode))
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK); /* a pipe by process substitution */
    int r = px_fd_read_all(fd, max_bytes, ret, ret_size, err);
    if (r < 0)
        return px_wrap(err, r, "'%s'", path);
    return 0;
}

int px_fd_write_all(int fd, const void *data, size_t size) {
    const char *p = data;
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

int px_stdout_flush(struct px_error *err) {
    errno = EIO; /* of what failed before nobody knows the reason */
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return px_fail_sys(err, -errno, "cannot write the output");
}

/* The directory part of @path, to fsync after the rename. */
static int open_parent(int dir_fd, const char *path) {
    const char *slash = strrchr(path, '/');
    px_cleanup_free char *dir = slash ? px_strndup(path, (size_t)(slash - path)) : px_strdup(".");
    return openat(dir_fd, dir[0] ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int replace(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                   bool sync, struct px_error *err) {
    /* The name is unique per process and call; a leftover of a killed process is overwritten by the
     * next holder of that pid and never read. */
    px_cleanup_free char *tmp = px_asprintf("%s.%d.%lx.tmp", path, getpid(), (long)px_now_us());
    px_cleanup_close int fd =
        openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot write '%s'", path);
    int r = fchmod(fd, mode) < 0 ? -errno : px_fd_write_all(fd, data, size);
    if (r == 0 && sync && fsync(fd) < 0)
        r = -errno;
    if (r == 0 && renameat(dir_fd, tmp, dir_fd, path) < 0)
        r = -errno;
    if (r < 0) {
        unlinkat(dir_fd, tmp, 0);
        px_fail_sys(err, r, "cannot write '%s'", path);
        return r == -ENOSPC ? px_hint(err, r, "make room on that file system and run it again") : r;
    }
    return 0;
}

int px_file_write_atomic(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                         struct px_error *err) {
    px_cleanup_close int parent = open_parent(dir_fd, path);
    if (parent < 0)
        return px_fail_sys(err, -errno, "cannot write '%s'", path);
    int r = replace(dir_fd, path, data, size, mode, true, err);
    if (r == 0)
        fsync(parent);
    return r;
}

int px_file_replace(int dir_fd, const char *path, const void *data, size_t size, mode_t mode,
                    struct px_error *err) {
    return replace(dir_fd, path, data, size, mode, false, err);
}

int px_file_put(int dir_fd, const char *path, const char *text, struct px_error *err) {
    px_cleanup_close int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", path);
    int r = px_fd_write_all(fd, text, strlen(text));
    if (r < 0)
        return px_fail_sys(err, r, "cannot write '%s' to '%s'", text, path);
    return 0;
}

int px_mkdir_p(int dir_fd, const char *path, mode_t mode, struct px_error *err) {
    px_cleanup_free char *copy = px_strdup(path);
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char saved = *p;
        *p = '\0';
        if (mkdirat(dir_fd, copy, mode) < 0 && errno != EEXIST)
            return px_fail_sys(err, -errno, "cannot make directory '%s'", copy);
        *p = saved;
        if (saved == '\0')
            break;
    }
    struct stat st;
    if (fstatat(dir_fd, path, &st, 0) < 0)
        return px_fail_sys(err, -errno, "cannot make directory '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return px_fail(err, -ENOTDIR, "'%s' is there and is no directory", path);
    return 0;
}

int px_dir_open(int dir_fd, const char *path, struct px_error *err) {
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot open directory '%s'", path);
    return fd;
}

int px_open_in_root(int root_fd, const char *path, int flags, mode_t mode, struct px_error *err) {
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    for (;;) {
        long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        if (fd >= 0)
            return (int)fd;
        if (errno != EAGAIN &&
            errno != EINTR) /* EAGAIN: a rename raced, openat2(2) says try again */
            return px_fail_sys(err, -errno, "cannot open '%s' below the root", path);
    }
}

/* Directories nested deeper than this are moved up to the top of the tree and removed from there: a
 * tree made to be deep costs neither stack nor descriptors without end. */
#define RM_DEPTH_MAX 64

struct rm {
    int top_fd;     /* of the tree's own directory; -1: not there yet */
    unsigned moved; /* names used up */
};

static int rm_entry(struct rm *rm, int dir_fd, const char *name, unsigned depth,
                    struct px_error *err);

/* Takes @fd. */
static int rm_children(struct rm *rm, int fd, unsigned depth, struct px_error *err) {
    px_cleanup_closedir DIR *dir = fdopendir(fd);
    if (!dir) {
        int r = -errno;
        close(fd);
        return px_fail_sys(err, r, "cannot list a directory");
    }
    const struct dirent *e;
    while ((e = readdir(dir))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int r = rm_entry(rm, dirfd(dir), e->d_name, depth, err);
        if (r < 0)
            return depth < 8 ? px_wrap(err, r, "'%s'", e->d_name) : r;
    }
    return 0;
}

static int move_up(struct rm *rm, int dir_fd, const char *name, struct px_error *err) {
    for (;;) {
        char to[32];
        snprintf(to, sizeof(to), ".phoenix-rm-%u", rm->moved++);
        if (renameat2(dir_fd, name, rm->top_fd, to, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EEXIST)
            return px_fail_sys(err, -errno, "cannot remove");
    }
}

/* Opens a directory that is no mount point and no symlink. By mounts, not by st_dev: a btrfs
 * subvolume made by the tree's owner is part of it. */
static int rm_open(int dir_fd, const char *name, struct px_error *err) {
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                           .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS};
    long fd;
    do
        fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
    while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    if (fd < 0 && errno == EXDEV)
        return px_fail(err, -EBUSY, "something is mounted there");
    return fd < 0 ? px_fail_sys(err, -errno, "cannot remove") : (int)fd;
}

static int rm_entry(struct rm *rm, int dir_fd, const char *name, unsigned depth,
                    struct px_error *err) {
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return px_fail_sys(err, -errno, "cannot remove");
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0) /* many are empty */
        return 0;
    if (depth >= RM_DEPTH_MAX)
        return move_up(rm, dir_fd, name, err);
    int fd = rm_open(dir_fd, name, err);
    if (fd < 0)
        return fd;
    if (rm->top_fd < 0)
        rm->top_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int r = rm_children(rm, fd, depth + 1, err);
    if (r < 0)
        return r;
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT &&
        !(depth == 0 && (errno == ENOTEMPTY || errno == EEXIST)))
        return px_fail_sys(err, -errno, "cannot remove");
    return 0;
}

int px_rm_rf(int dir_fd, const char *path, struct px_error *err) {
    struct rm rm = {.top_fd = -1};
    px_cleanup_free char *copy = px_strdup(path);
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
        copy[n - 1] = '\0';
    px_cleanup_close int parent = open_parent(dir_fd, copy);
    if (parent < 0)
        return errno == ENOENT ? 0 : px_fail_sys(err, -errno, "cannot remove '%s'", path);
    const char *slash = strrchr(copy, '/');
    const char *name = slash ? slash + 1 : copy;
    unsigned before;
    int r;
    do { /* again while there is something that was moved up to the top */
        before = rm.moved;
        r = rm_entry(&rm, parent, name, 0, err);
    } while (r == 0 && rm.moved != before);
    px_closep(&rm.top_fd);
    if (r == 0 && px_exists(parent, name))
        r = px_fail(err, -ENOTEMPTY, "somebody else writes there");
    return r < 0 ? px_wrap(err, r, "'%s'", path) : 0;
}

bool px_exists(int dir_fd, const char *path) {
    struct stat st;
    return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void note_holder(int fd) {
    px_cleanup_free char *cmd = NULL;
    size_t size = 0;
    if (px_file_read(AT_FDCWD, "/proc/self/cmdline", 4096, &cmd, &size, NULL) < 0)
        cmd = px_strdup("");
    for (size_t i = 0; i + 1 < size; i++)
        if (cmd[i] == '\0')
            cmd[i] = ' ';
    px_cleanup_free char *text = px_asprintf("%d %s\n", getpid(), cmd);
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, strlen(text), 0) < 0)
        return; /* only a courtesy to whoever waits */
}

int px_lock(int dir_fd, const char *path, int wait_ms, struct px_error *err) {
    px_cleanup_close int fd = openat(dir_fd, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot open lock '%s'", path);
    const int64_t deadline = px_now_us() + (int64_t)wait_ms * PX_US_PER_MS;
    const unsigned asked_before = px_interrupt_count();
    /* Polling instead of a blocking flock: no signal handler is needed for the time limit, and
     * whoever waits can be asked to stop on any thread. */
    while (flock(fd, LOCK_NB | LOCK_EX) < 0) {
        if (px_interrupt_count() != asked_before)
            return px_interrupt_fail(err);
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return px_fail_sys(err, -errno, "cannot lock '%s'", path);
        if (wait_ms >= 0 && px_now_us() >= deadline) {
            char holder[256] = "";
            ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);
            if (n > 0 && holder[n - 1] == '\n')
                holder[n - 1] = '\0';
            return px_fail(err, -EAGAIN, "'%s' is locked by another process (%s)", path,
                           holder[0] ? holder : "unknown");
        }
        px_sleep_us(20 * PX_US_PER_MS);
    }
    note_holder(fd);
    return px_take_fd(&fd);
}
