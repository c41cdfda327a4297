/* src/image/tidy.c - making what a build step left behind into a layer */
#include "image/tidy.h"
#include "base/alloc.h"
#include "base/file.h"
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* fnmatch(3) patterns with FNM_PATHNAME. A directory that matches goes with all below it. In a
 * layer above others this only takes the layer's own version away: what the layers below say holds
 * again. */
static const char *const removed[] = {
    /* a machine's own */
    "var/lib/dbus/machine-id",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "var/lib/urandom/random-seed",
    "etc/ssh/ssh_host_*",
    /* volatile */
    "tmp/*",
    "run/*",
    "var/tmp/*",
    "dev/*",
    "proc/*",
    "sys/*",
    /* caches: apt and ldconfig make them again */
    "var/lib/apt/lists/*",
    "var/cache/apt/*",
    "var/cache/ldconfig/aux-cache",
    "var/cache/man/*",
    "var/cache/debconf/*-old",
    "var/lib/dpkg/*-old",
    "var/lib/dpkg/updates/*",
    "root/.cache",
    "root/.local/state",
    "root/.wget-hsts",
    "root/.bash_history",
    "root/.python_history",
    "home/*/.cache",
    "var/lib/systemd/deb-systemd-helper-enabled/*.dsh-also.tmp",
    /* logs */
    "var/log/*.log",
    "var/log/*.log.*",
    "var/log/apt",
    "var/log/journal/*",
    "var/log/faillog",
    "var/log/lastlog",
    /* backups and locks of the account tools */
    "etc/passwd-",
    "etc/group-",
    "etc/shadow-",
    "etc/gshadow-",
    "etc/subuid-",
    "etc/subgid-",
    "etc/.pwd.lock",
    /* the build's own */
    "usr/sbin/policy-rc.d",
};

/* In a whole root: what systemd and the resolver want to find, with nobody's values. An empty
 * machine-id means "not the first boot", so that presets are not run; each desktop gets its own.
 * mmdebstrap leaves the build machine's here. */
static const struct {
    const char *path, *text;
    mode_t mode;
} neutral[] = {
    {"etc/machine-id", "", 0444},
    {"etc/hostname", "localhost\n", 0644},
    {"etc/resolv.conf", "", 0644},
};

bool px_tidy_removes(const char *path) {
    for (size_t i = 0; i < PX_N_ELEMENTS(removed); i++) {
        size_t fixed = strcspn(removed[i], "*"); /* most paths differ here: no need for fnmatch */
        if (strncmp(removed[i], path, fixed) == 0 && fnmatch(removed[i], path, FNM_PATHNAME) == 0)
            return true;
    }
    return false;
}

static bool is_neutral(const char *path) {
    for (size_t i = 0; i < PX_N_ELEMENTS(neutral); i++)
        if (strcmp(neutral[i].path, path) == 0)
            return true;
    return false;
}

struct tidy {
    const struct px_tidy_opts *opts;
    int root_fd;
    int *lower_fds; /* the highest first */
};

static bool is_whiteout(const struct stat *st) {
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* Whether the layers below have something at @path. A directory that one of them removed may count
 * as there: then a mark stays that is not needed, and harmless. */
static bool below_has(const struct tidy *t, const char *path, struct stat *st) {
    for (size_t i = 0; i < t->opts->n_lower; i++)
        if (fstatat(t->lower_fds[i], path, st, AT_SYMLINK_NOFOLLOW) == 0)
            return !is_whiteout(st);
    return false;
}

/* Whether overlayfs must find the mark when it reads the layer. */
static bool keeps_xattr(const struct tidy *t, const char *path, const char *name) {
    struct stat st;
    if (strncmp(name, "trusted.overlay.", 16) != 0)
        return true;
    /* The kernel marks each new directory as opaque where that may spare it a look below. */
    return strcmp(name + 16, "opaque") == 0 && below_has(t, path, &st);
}

static int strip_xattrs(const struct tidy *t, int dir_fd, const char *name, const char *path,
                        struct px_error *err) {
    char few[512], *list = few;
    px_cleanup_free char *many = NULL;
    px_cleanup_free char *proc = px_asprintf("/proc/self/fd/%d/%s", dir_fd, name);
    ssize_t n = llistxattr(proc, few, sizeof(few));
    if (n < 0 && errno == ERANGE) {
        list = many = px_calloc(1, 65536);
        n = llistxattr(proc, many, 65536);
    }
    if (n < 0 && errno != ENOTSUP)
        return px_fail_sys(err, -errno, "cannot list xattrs of '%s'", path);
    for (const char *x = list; x < list + n; x += strlen(x) + 1)
        if (!keeps_xattr(t, path, x) && lremovexattr(proc, x) < 0)
            return px_fail_sys(err, -errno, "cannot remove xattr '%s' of '%s'", x, path);
    return 0;
}

/* Whole seconds, none after the epoch. */
static int clamp_time(const struct tidy *t, int dir_fd, const char *name, const struct stat *st,
                      struct px_error *err) {
    struct timespec mtime = {.tv_sec = st->st_mtim.tv_sec};
    if (mtime.tv_sec > t->opts->epoch_s)
        mtime.tv_sec = t->opts->epoch_s;
    if (mtime.tv_sec == st->st_mtim.tv_sec && st->st_mtim.tv_nsec == 0)
        return 0;
    const struct timespec times[2] = {mtime, mtime};
    if (utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return px_fail_sys(err, -errno, "cannot set the time");
    return 0;
}

static int tidy_dir(struct tidy *t, int fd, const char *prefix, struct px_error *err);

static int tidy_entry(struct tidy *t, int dir_fd, const char *name, const char *path,
                      struct px_error *err) {
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return px_fail_sys(err, -errno, "cannot stat");
    if (px_tidy_removes(path) || S_ISSOCK(st.st_mode) || (t->opts->n_lower > 0 && is_neutral(path)))
        return px_rm_rf(dir_fd, name, err);
    /* Something was made and removed again: a mark that removes nothing. */
    struct stat below;
    if (is_whiteout(&st) && !below_has(t, path, &below))
        return px_rm_rf(dir_fd, name, err);
    int r = 0;
    if (S_ISDIR(st.st_mode)) {
        int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return px_fail_sys(err, -errno, "cannot open");
        r = tidy_dir(t, fd, path, err);
        if (r == 0 && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            r = px_fail_sys(err, -errno, "cannot stat");
    }
    if (r == 0)
        r = strip_xattrs(t, dir_fd, name, path, err);
    return r < 0 ? r : clamp_time(t, dir_fd, name, &st, err);
}

static int tidy_dir(struct tidy *t, int fd, const char *prefix, struct px_error *err) {
    px_cleanup_closedir DIR *dir = fdopendir(fd); /* takes the fd */
    if (!dir) {
        int r = -errno;
        close(fd);
        return px_fail_sys(err, r, "cannot list '%s'", prefix);
    }
    const struct dirent *d;
    while (errno = 0, (d = readdir(dir))) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        px_cleanup_free char *path = px_asprintf("%s%s%s", prefix, prefix[0] ? "/" : "", d->d_name);
        int r = tidy_entry(t, dirfd(dir), d->d_name, path, err);
        if (r < 0)
            return px_wrap(err, r, "'%s'", d->d_name);
    }
    return errno ? px_fail_sys(err, -errno, "cannot list '%s'", prefix) : 0;
}

static int write_neutral(int root_fd, struct px_error *err) {
    for (size_t i = 0; i < PX_N_ELEMENTS(neutral); i++) {
        int r = px_file_write_atomic(root_fd, neutral[i].path, neutral[i].text,
                                     strlen(neutral[i].text), neutral[i].mode, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static void close_lower(struct tidy *t) {
    for (size_t i = 0; t->lower_fds && i < t->opts->n_lower; i++)
        px_closep(&t->lower_fds[i]);
    free(t->lower_fds);
    px_closep(&t->root_fd);
}

static int open_lower(struct tidy *t, struct px_error *err) {
    const size_t n = t->opts->n_lower;
    t->lower_fds = px_new0(int, n + 1);
    for (size_t i = 0; i < n; i++)
        t->lower_fds[i] = -1;
    for (size_t i = 0; i < n; i++) {
        t->lower_fds[i] = px_dir_open(AT_FDCWD, t->opts->lower[n - 1 - i], err);
        if (t->lower_fds[i] < 0)
            return t->lower_fds[i];
    }
    return 0;
}

int px_tidy(const struct px_tidy_opts *opts, struct px_error *err) {
    px_cleanup(close_lower) struct tidy t = {.opts = opts, .root_fd = -1};
    int r = open_lower(&t, err);
    if (r < 0)
        return r;
    t.root_fd = r = px_dir_open(AT_FDCWD, opts->tree, err);
    if (r < 0)
        return r;
    if (opts->n_lower == 0 && (r = write_neutral(t.root_fd, err)) < 0)
        return r;
    int fd = openat(t.root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", opts->tree);
    r = tidy_dir(&t, fd, "", err);
    if (r < 0)
        return px_wrap(err, r, "'%s'", opts->tree);
    struct stat st;
    if (fstat(t.root_fd, &st) < 0)
        return px_fail_sys(err, -errno, "cannot stat '%s'", opts->tree);
    r = strip_xattrs(&t, t.root_fd, ".", ".", err);
    return r < 0 ? r : clamp_time(&t, t.root_fd, ".", &st, err);
}
