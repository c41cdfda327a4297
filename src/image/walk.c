/* src/image/walk.c - everything in a tree, in one canonical order */
#include "image/walk.h"
#include "base/alloc.h"
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#define XATTR_MAX_BYTES (64 * 1024) /* XATTR_LIST_MAX, XATTR_SIZE_MAX */
#define DEPTH_MAX 200               /* fds are open all the way down */

/* What a container can see, or what overlayfs needs to read the layer. Labels of the build host's
 * security module, and marks that overlayfs leaves for itself (origin, impure, ...), are not
 * content. */
static bool is_content(const char *name) {
    static const char *const names[] = {
        "security.capability",      "system.posix_acl_access",  "system.posix_acl_default",
        "trusted.overlay.opaque",   "trusted.overlay.whiteout", "trusted.overlay.redirect",
        "trusted.overlay.metacopy",
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "user.", 5) == 0;
}

static int by_name(const void *a, const void *b) {
    const struct px_walk_xattr *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* @proc: a path that leads to the entry without following it. */
static int read_xattrs(const char *proc, struct px_walk_entry *e, struct px_error *err) {
    char few[512]; /* nearly all have none or one; auto-init makes large arrays expensive */
    px_cleanup_free char *many = NULL;
    char *list = few;
    ssize_t n = llistxattr(proc, list, sizeof(few));
    if (n < 0 && errno == ERANGE) {
        list = many = px_calloc(1, XATTR_MAX_BYTES);
        n = llistxattr(proc, list, XATTR_MAX_BYTES);
    }
    if (n < 0 && errno == ENOTSUP)
        return 0;
    if (n < 0)
        return px_fail_sys(err, -errno, "cannot list xattrs of '%s'", e->path);
    size_t cap = 0;
    for (const char *name = list; name < list + n; name += strlen(name) + 1) {
        if (!is_content(name))
            continue;
        char value[XATTR_MAX_BYTES];
        ssize_t size = lgetxattr(proc, name, value, sizeof(value));
        if (size < 0)
            return px_fail_sys(err, -errno, "cannot read xattr '%s' of '%s'", name, e->path);
        px_grow(e->xattrs, &cap, e->n_xattrs + 1);
        e->xattrs[e->n_xattrs++] =
            (struct px_walk_xattr){px_strdup(name), px_memdup(value, (size_t)size), (size_t)size};
    }
    if (e->n_xattrs > 1)
        qsort(e->xattrs, e->n_xattrs, sizeof(*e->xattrs), by_name);
    return 0;
}

static int read_target(int dir_fd, const char *name, struct px_walk_entry *e,
                       struct px_error *err) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);
    if (n < 0)
        return px_fail_sys(err, -errno, "cannot read link '%s'", e->path);
    target[n] = '\0';
    e->target = px_strdup(target);
    return 0;
}

/* Takes @path. *ret stays valid until the next add. */
static int add(struct px_walk *walk, int dir_fd, const char *name, char *path,
               struct px_walk_entry **ret, struct px_error *err) {
    px_grow(walk->entries, &walk->cap, walk->n_entries + 1);
    struct px_walk_entry *e = &walk->entries[walk->n_entries++];
    *e = (struct px_walk_entry){.path = path};
    if (fstatat(dir_fd, name, &e->st, AT_SYMLINK_NOFOLLOW) < 0)
        return px_fail_sys(err, -errno, "cannot stat '%s'", path);
    if (S_ISLNK(e->st.st_mode)) {
        int r = read_target(dir_fd, name, e, err);
        if (r < 0)
            return r;
    }
    *ret = e;
    px_cleanup_free char *proc = px_asprintf("/proc/self/fd/%d/%s", dir_fd, name);
    return read_xattrs(proc, e, err);
}

static int walk_dir(struct px_walk *walk, int fd, const char *prefix, dev_t dev, int depth,
                    struct px_error *err) {
    px_cleanup_closedir DIR *dir = fdopendir(fd); /* takes the fd */
    if (!dir) {
        int r = -errno;
        close(fd);
        return px_fail_sys(err, r, "cannot list '%s'", prefix);
    }
    if (depth > DEPTH_MAX)
        return px_fail(err, -ELOOP, "'%s' is deeper than %d directories", prefix, DEPTH_MAX);
    const struct dirent *d;
    while (errno = 0, (d = readdir(dir))) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        char *path = px_asprintf("%s%s%s", prefix, prefix[0] ? "/" : "", d->d_name);
        struct px_walk_entry *e = NULL;
        int r = add(walk, dirfd(dir), d->d_name, path, &e, err);
        if (r < 0)
            return r;
        if (!S_ISDIR(e->st.st_mode))
            continue;
        if (e->st.st_dev != dev)
            return px_fail(err, -EBUSY, "something is mounted at '%s'", path);
        int sub = openat(dirfd(dir), d->d_name,
                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME);
        if (sub < 0)
            return px_fail_sys(err, -errno, "cannot open '%s'", path);
        r = walk_dir(walk, sub, path, dev, depth + 1, err);
        if (r < 0)
            return r;
    }
    return errno ? px_fail_sys(err, -errno, "cannot list '%s'", prefix) : 0;
}

static int by_path(const void *a, const void *b) {
    const struct px_walk_entry *x = a, *y = b;
    return strcmp(x->path, y->path);
}

int px_walk_tree(const char *tree, struct px_walk *ret, struct px_error *err) {
    px_cleanup(px_walk_fini) struct px_walk walk = {.root_fd = -1};
    walk.root_fd = open(tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (walk.root_fd < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", tree);
    struct px_walk_entry *e = NULL;
    int r = add(&walk, walk.root_fd, ".", px_strdup("."), &e, err);
    if (r < 0)
        return px_wrap(err, r, "'%s'", tree);
    int fd = openat(walk.root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", tree);
    r = walk_dir(&walk, fd, "", e->st.st_dev, 0, err);
    if (r < 0)
        return px_wrap(err, r, "'%s'", tree);
    /* "." first: '.' sorts below letters, but not below '-' and the like. */
    qsort(walk.entries + 1, walk.n_entries - 1, sizeof(*walk.entries), by_path);
    *ret = walk;
    walk = (struct px_walk){.root_fd = -1};
    return 0;
}

void px_walk_fini(struct px_walk *walk) {
    for (size_t i = 0; i < walk->n_entries; i++) {
        struct px_walk_entry *e = &walk->entries[i];
        for (size_t k = 0; k < e->n_xattrs; k++) {
            free(e->xattrs[k].name);
            free(e->xattrs[k].value);
        }
        free(e->xattrs);
        free(e->path);
        free(e->target);
    }
    free(walk->entries);
    px_closep(&walk->root_fd);
    *walk = (struct px_walk){.root_fd = -1};
}
