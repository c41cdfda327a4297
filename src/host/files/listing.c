/* src/host/files/listing.c - directories as messages */
#include "host/files/listing.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 64

void px_listing_fini(struct px_listing *l) {
    for (size_t i = 0; i < l->n; i++)
        free(l->entries[i].name.data);
    free(l->entries);
    *l = (struct px_listing){0};
}

Pxs__FileEntry **px_listing_pointers(const struct px_listing *l) {
    Pxs__FileEntry **p = px_new0(Pxs__FileEntry *, l->n ? l->n : 1);
    for (size_t i = 0; i < l->n; i++)
        p[i] = &l->entries[i];
    return p;
}

static int add(struct px_listing *l, const char *name, const struct stat *st, int type,
               struct px_error *err) {
    if (l->n >= PX_LISTING_MAX)
        return px_fail(err, -E2BIG, "more than %d entries", PX_LISTING_MAX);
    px_grow(l->entries, &l->cap, l->n + 1);
    Pxs__FileEntry *e = &l->entries[l->n++];
    *e = (Pxs__FileEntry)PXS__FILE_ENTRY__INIT;
    const char *base = strrchr(name, '/');
    e->entry_type = type;
    e->name = (ProtobufCBinaryData){strlen(name), (uint8_t *)px_strdup(name)};
    e->is_hidden = (base ? base + 1 : name)[0] == '.';
    e->size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
    e->modified_time = st->st_mtime > 0 ? (uint64_t)st->st_mtime : 0;
    return 0;
}

static int open_dir(int at, const char *path, DIR **ret, struct px_error *err) {
    px_cleanup_close int fd =
        openat(at, path,
               O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (at == AT_FDCWD ? 0 : O_NOFOLLOW));
    *ret = fd < 0 ? NULL : fdopendir(fd);
    if (!*ret)
        return px_fail_sys(err, -errno, "cannot list '%s'", path);
    px_take_fd(&fd);
    return 0;
}

static bool is_dots(const char *n) {
    return n[0] == '.' && (n[1] == '\0' || (n[1] == '.' && n[2] == '\0'));
}

static int link_type(int dir_fd, const char *name) {
    struct stat st;
    return fstatat(dir_fd, name, &st, 0) == 0 && S_ISDIR(st.st_mode) ? PX_FILE_DIR_LINK
                                                                     : PX_FILE_FILE_LINK;
}

static int go_on(const atomic_bool *stop, struct px_error *err) {
    return stop && *stop ? px_fail(err, -ECANCELED, "not wanted any more") : 0;
}

int px_listing_dir(const char *path, bool hidden, const atomic_bool *stop, struct px_listing *ret,
                   struct px_error *err) {
    px_cleanup_closedir DIR *dir = NULL;
    struct px_listing l = {0};
    int r = open_dir(AT_FDCWD, path, &dir, err);
    const struct dirent *e;
    while (r >= 0 && (r = go_on(stop, err)) >= 0 && (e = readdir(dir))) {
        struct stat st;
        if (is_dots(e->d_name) || (!hidden && e->d_name[0] == '.') ||
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        const int type = S_ISDIR(st.st_mode)   ? PX_FILE_DIR
                         : S_ISLNK(st.st_mode) ? link_type(dirfd(dir), e->d_name)
                                               : PX_FILE_FILE;
        r = add(&l, e->d_name, &st, type, err);
    }
    if (r < 0) {
        px_listing_fini(&l);
        return r;
    }
    *ret = l;
    return 0;
}

struct walk {
    struct px_listing *list;
    bool hidden, empty_dirs;
    const atomic_bool *stop;
    struct px_error *err;
};

/* Adds what lies below @dir; returns how many files there were, or a negative errno. */
static int walk(const struct walk *w, DIR *dir, const char *prefix, int depth) {
    int n_files = 0;
    const struct dirent *e;
    if (depth > DEPTH_MAX)
        return px_fail(w->err, -ELOOP, "'%s' is too deep", prefix);
    while ((e = readdir(dir))) {
        struct stat st;
        if (is_dots(e->d_name) || (!w->hidden && e->d_name[0] == '.') ||
            fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        px_cleanup_free char *name =
            *prefix ? px_asprintf("%s/%s", prefix, e->d_name) : px_strdup(e->d_name);
        int r = go_on(w->stop, w->err);
        if (r < 0)
            return r;
        if (S_ISREG(st.st_mode)) {
            n_files++;
            r = w->empty_dirs ? 0 : add(w->list, name, &st, PX_FILE_FILE, w->err);
        } else if (S_ISDIR(st.st_mode)) {
            px_cleanup_closedir DIR *sub = NULL;
            if (open_dir(dirfd(dir), e->d_name, &sub, NULL) < 0)
                continue; /* not ours to read */
            r = walk(w, sub, name, depth + 1);
            if (r == 0 && w->empty_dirs)
                r = add(w->list, name, &st, PX_FILE_DIR, w->err);
            n_files += r > 0 ? r : 0;
        }
        if (r < 0)
            return r;
    }
    return n_files;
}

static int walk_from(const char *path, bool hidden, bool empty_dirs, const atomic_bool *stop,
                     struct px_listing *ret, struct px_error *err) {
    px_cleanup_closedir DIR *dir = NULL;
    struct px_listing l = {0};
    const struct walk w = {
        .list = &l, .hidden = hidden, .empty_dirs = empty_dirs, .stop = stop, .err = err};
    int r = open_dir(AT_FDCWD, path, &dir, err);
    if (r >= 0)
        r = walk(&w, dir, "", 0);
    if (r < 0) {
        px_listing_fini(&l);
        return r;
    }
    *ret = l;
    return 0;
}

int px_listing_files(const char *path, bool hidden, const atomic_bool *stop, struct px_listing *ret,
                     struct px_error *err) {
    struct stat st;
    if (lstat(path, &st) < 0)
        return px_fail_sys(err, -errno, "cannot read '%s'", path);
    if (S_ISREG(st.st_mode)) {
        *ret = (struct px_listing){0};
        return add(ret, "", &st, PX_FILE_FILE, err);
    }
    return walk_from(path, hidden, false, stop, ret, err);
}

int px_listing_empty_dirs(const char *path, bool hidden, const atomic_bool *stop,
                          struct px_listing *ret, struct px_error *err) {
    return walk_from(path, hidden, true, stop, ret, err);
}

bool px_file_component_ok(const uint8_t *name, size_t size) {
    return size > 0 && size < 256 && !memchr(name, '/', size) && !memchr(name, 0, size) &&
           !(size == 1 && name[0] == '.') && !(size == 2 && name[0] == '.' && name[1] == '.');
}

bool px_upload_name_ok(const uint8_t *name, size_t size) {
    if (size == 0 || size > 4096)
        return false;
    for (size_t at = 0; at <= size;) {
        const uint8_t *slash = at < size ? memchr(name + at, '/', size - at) : NULL;
        const size_t end = slash ? (size_t)(slash - name) : size;
        if (!px_file_component_ok(name + at, end - at))
            return false;
        at = end + 1;
        if (!slash)
            break;
        if (at == size) /* ends in a slash */
            return false;
    }
    return true;
}
