/* src/host/clipboard/intake.c - files that a client copied, brought here when somebody pastes */
#include "host/clipboard/intake.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#define PIECE_BYTES (1024 * 1024)
#define SILENT_US (20 * PX_US_PER_S)

struct px_intake {
    const struct px_intake_ops *ops;
    void *data;
    struct px_descriptors list;
    enum px_intake_state state;
    char *dir;
    int dir_fd, fd;
    size_t index;
    uint64_t offset;
    uint32_t wanted; /* bytes asked for; 0: nothing */
    int32_t stream_id;
    int64_t asked_us;
    struct px_paths paths;
};

/* ---- where ---- */

static char *base_dir(void) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/')
        return px_asprintf("%s/phoenix/pasted", cache);
    const struct passwd *pw = home && *home == '/' ? NULL : getpwuid(getuid());
    return px_asprintf("%s/.cache/phoenix/pasted", pw ? pw->pw_dir : home ? home : "");
}

void px_intake_clean(void) {
    px_cleanup_free char *base = base_dir();
    (void)px_rm_rf(AT_FDCWD, base, NULL);
}

static int make_dir(struct px_intake *i, struct px_error *err) {
    px_cleanup_free char *base = base_dir();
    const int r = px_mkdir_p(AT_FDCWD, base, 0700, err);
    if (r < 0)
        return r;
    i->dir = px_asprintf("%s/XXXXXX", base);
    if (!mkdtemp(i->dir))
        return px_fail_sys(err, -errno, "cannot make a directory in '%s'", base);
    i->dir_fd = px_dir_open(AT_FDCWD, i->dir, err);
    return i->dir_fd < 0 ? i->dir_fd : 0;
}

static void drop_files(struct px_intake *i) {
    if (i->fd >= 0)
        close(i->fd);
    if (i->dir_fd >= 0)
        close(i->dir_fd);
    i->fd = i->dir_fd = -1;
    if (i->dir)
        (void)px_rm_rf(AT_FDCWD, i->dir, NULL);
    free(i->dir);
    i->dir = NULL;
    px_paths_fini(&i->paths);
}

/* ---- life ---- */

static int check_size(const struct px_descriptors *l, struct px_error *err) {
    uint64_t sum = 0;
    for (size_t n = 0; n < l->n; n++)
        if (__builtin_add_overflow(sum, l->list[n].size, &sum) || sum > PX_INTAKE_MAX_BYTES)
            return px_fail(err, -EFBIG, "more than %llu MiB were copied",
                           (unsigned long long)(PX_INTAKE_MAX_BYTES >> 20));
    return 0;
}

int px_intake_new(struct px_descriptors *list, const struct px_intake_ops *ops, void *data,
                  struct px_intake **ret, struct px_error *err) {
    const int r = check_size(list, err);
    if (r < 0) {
        px_descriptors_fini(list);
        return r;
    }
    struct px_intake *i = px_new0(struct px_intake, 1);
    i->ops = ops;
    i->data = data;
    i->list = *list;
    *list = (struct px_descriptors){0};
    i->fd = i->dir_fd = -1;
    *ret = i;
    return 0;
}

void px_intake_free(struct px_intake *i) {
    if (!i)
        return;
    drop_files(i);
    px_descriptors_fini(&i->list);
    free(i);
}

enum px_intake_state px_intake_state(const struct px_intake *i) {
    return i->state;
}

const struct px_paths *px_intake_paths(const struct px_intake *i) {
    return &i->paths;
}

void px_intake_fail(struct px_intake *i, const struct px_error *why) {
    drop_files(i);
    i->wanted = 0;
    i->state = PX_INTAKE_FAILED;
    i->ops->ended(i->data, why);
}

/* ---- files ---- */

static int open_below(const struct px_intake *i, const char *name, int flags, mode_t mode) {
    const struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC | O_NOFOLLOW,
                                 .mode = mode,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, i->dir_fd, name, &how, sizeof(how));
}

/* Directories may be told after what lies in them, or not at all. */
static int make_dirs(const struct px_intake *i, const char *name, bool last_too) {
    px_cleanup_free char *part = px_strdup(name);
    for (char *p = part; *p;) {
        char *slash = strchr(p, '/');
        if (!slash && !last_too)
            break;
        if (slash)
            *slash = '\0';
        if (mkdirat(i->dir_fd, part, 0755) < 0 && errno != EEXIST)
            return -errno;
        if (!slash)
            break;
        *slash = '/';
        p = slash + 1;
    }
    return 0;
}

static int open_file(struct px_intake *i, const struct px_descriptor *d) {
    int r = make_dirs(i, d->name, d->is_dir);
    if (r < 0 || d->is_dir)
        return r;
    i->fd = open_below(i, d->name, O_WRONLY | O_CREAT | O_EXCL, d->mode & 0111 ? 0755 : 0644);
    return i->fd < 0 ? -errno : 0;
}

static void close_file(struct px_intake *i, const struct px_descriptor *d) {
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)d->mtime_s}};
    if (i->fd >= 0 && d->mtime_s > 0)
        (void)futimens(i->fd, times);
    if (i->fd >= 0)
        close(i->fd);
    i->fd = -1;
}

static void fail_with(struct px_intake *i, int r) {
    struct px_error err = {0};
    px_fail_sys(&err, r, "cannot write the pasted '%s'", i->list.list[i->index].name);
    px_intake_fail(i, &err);
}

/* The first parts of the names, each once: what the person had selected. */
static void find_paths(struct px_intake *i) {
    for (size_t n = 0; n < i->list.n; n++) {
        const char *name = i->list.list[n].name;
        px_cleanup_free char *path = px_asprintf("%s/%.*s", i->dir, (int)strcspn(name, "/"), name);
        /* Lists are made by walking: what lies in one directory comes together. */
        if (!i->paths.n || strcmp(i->paths.list[i->paths.n - 1], path) != 0)
            px_paths_add(&i->paths, path);
    }
}

static void ask(struct px_intake *i) {
    const uint64_t left = i->list.list[i->index].size - i->offset;
    i->wanted = left < PIECE_BYTES ? (uint32_t)left : PIECE_BYTES;
    i->asked_us = px_now_us();
    i->ops->want(i->data, i->stream_id, i->index, i->offset, i->wanted);
}

/* Goes on from file @i->index: makes what needs no bytes, asks for the first that does. */
static void go_on(struct px_intake *i) {
    for (; i->index < i->list.n; i->index++) {
        const struct px_descriptor *d = &i->list.list[i->index];
        const int r = open_file(i, d);
        if (r < 0) {
            fail_with(i, r);
            return;
        }
        i->offset = 0;
        i->stream_id++;
        if (d->size > 0) {
            ask(i);
            return;
        }
        close_file(i, d);
    }
    find_paths(i);
    i->state = PX_INTAKE_DONE;
    i->ops->ended(i->data, NULL);
}

static int check_room(const struct px_intake *i, struct px_error *err) {
    struct statvfs fs;
    uint64_t sum = 0;
    for (size_t n = 0; n < i->list.n; n++)
        sum += i->list.list[n].size;
    if (fstatvfs(i->dir_fd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < sum)
        return px_fail(err, -ENOSPC, "no room for %llu MiB of pasted files",
                       (unsigned long long)(sum >> 20));
    return 0;
}

void px_intake_start(struct px_intake *i) {
    struct px_error err = {0};
    if (i->state == PX_INTAKE_DONE)
        return;
    if (i->state == PX_INTAKE_FETCHING) {
        if (i->wanted && px_now_us() - i->asked_us > SILENT_US)
            ask(i);
        return;
    }
    i->state = PX_INTAKE_FETCHING;
    i->index = 0;
    if (make_dir(i, &err) < 0 || check_room(i, &err) < 0) {
        px_intake_fail(i, &err);
        return;
    }
    go_on(i);
}

void px_intake_take(struct px_intake *i, int32_t stream_id, const uint8_t *data, size_t size) {
    struct px_error err = {0};
    if (i->state != PX_INTAKE_FETCHING || !i->wanted || stream_id != i->stream_id)
        return;
    const struct px_descriptor *d = &i->list.list[i->index];
    if (!data || size == 0 || size > i->wanted) {
        px_fail(&err, -EIO, "the client does not give '%s'", d->name);
        px_intake_fail(i, &err);
        return;
    }
    i->wanted = 0;
    const int r = px_fd_write_all(i->fd, data, size);
    if (r < 0) {
        fail_with(i, r);
        return;
    }
    i->offset += size;
    if (i->offset < d->size) {
        ask(i);
        return;
    }
    close_file(i, d);
    i->index++;
    go_on(i);
}
