/* src/host/clipboard/offer.c - files that were copied on the desktop, for clients to read */
#include "host/clipboard/offer.h"
#include "base/alloc.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 64

struct px_offer {
    struct px_descriptors list;
    struct px_paths paths; /* of each entry */
    int fd;                /* of file @open */
    size_t open;
};

static void close_file(struct px_offer *o) {
    if (o->fd >= 0)
        close(o->fd);
    o->fd = -1;
}

void px_offer_free(struct px_offer *o) {
    if (!o)
        return;
    close_file(o);
    px_descriptors_fini(&o->list);
    px_paths_fini(&o->paths);
    free(o);
}

const struct px_descriptors *px_offer_list(const struct px_offer *o) {
    return &o->list;
}

static int walk(struct px_offer *o, const char *path, const char *name, int depth,
                struct px_error *err);

static int walk_below(struct px_offer *o, const char *path, const char *name, int depth,
                      struct px_error *err) {
    px_cleanup_closedir DIR *dir = opendir(path);
    const struct dirent *e;
    int r = 0;
    while (dir && r >= 0 && (e = readdir(dir))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        px_cleanup_free char *sub = px_asprintf("%s/%s", path, e->d_name);
        px_cleanup_free char *sub_name = px_asprintf("%s/%s", name, e->d_name);
        r = walk(o, sub, sub_name, depth + 1, err);
    }
    return r;
}

/* Whoever copied a link means what it points to; links below are left alone. */
static int walk(struct px_offer *o, const char *path, const char *name, int depth,
                struct px_error *err) {
    struct stat st;
    if (fstatat(AT_FDCWD, path, &st, depth ? AT_SYMLINK_NOFOLLOW : 0) < 0 || depth > DEPTH_MAX ||
        !px_descriptor_name_ok(name) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return 0;
    if (o->list.n >= PX_DESCRIPTORS_MAX)
        return px_fail(err, -E2BIG, "more than %d files were copied", PX_DESCRIPTORS_MAX);
    px_grow(o->list.list, &o->list.cap, o->list.n + 1);
    o->list.list[o->list.n++] =
        (struct px_descriptor){.name = px_strdup(name),
                               .is_dir = S_ISDIR(st.st_mode),
                               .size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0,
                               .mtime_s = st.st_mtime,
                               .mode = st.st_mode & 0777};
    px_paths_add(&o->paths, path);
    return S_ISDIR(st.st_mode) ? walk_below(o, path, name, depth, err) : 0;
}

int px_offer_new(const struct px_paths *paths, struct px_offer **ret, struct px_error *err) {
    px_cleanup(px_offer_freep) struct px_offer *o = px_new0(struct px_offer, 1);
    o->fd = -1;
    for (size_t i = 0; i < paths->n; i++) {
        const int r = walk(o, paths->list[i], strrchr(paths->list[i], '/') + 1, 0, err);
        if (r < 0)
            return r;
    }
    if (!o->list.n)
        return px_fail(err, -ENOENT, "none of the copied files can be read");
    *ret = px_take_ptr(o);
    return 0;
}

static int open_file(struct px_offer *o, size_t index) {
    struct stat st;
    if (o->fd >= 0 && o->open == index)
        return 0;
    close_file(o);
    /* O_NONBLOCK: what was a file when listed may be a pipe by now. */
    o->fd = open(o->paths.list[index], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    o->open = index;
    if (o->fd < 0)
        return -errno;
    if (fstat(o->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close_file(o);
        return -EINVAL;
    }
    return 0;
}

ssize_t px_offer_read(struct px_offer *o, size_t index, uint64_t offset, void *to, size_t cap) {
    size_t n = 0;
    if (index >= o->list.n || o->list.list[index].is_dir || offset > INT64_MAX)
        return -EINVAL;
    const int r = open_file(o, index);
    if (r < 0)
        return r;
    while (n < cap) {
        const ssize_t got = pread(o->fd, (char *)to + n, cap - n, (off_t)(offset + n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}
