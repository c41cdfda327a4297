/* src/image/files.c - the layer of a recipe's own files */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "image/digest.h"
#include "image/job.h"
#include "image/walk.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Only whether a file is executable counts: a checkout's umask must not. */
static mode_t mode_for(const struct px_recipe_file *f, mode_t source) {
    return f->mode ? f->mode : source & 0111 ? 0755 : 0644;
}

struct item {     /* one file, link or directory to be made */
    char *path;   /* absolute, in the image */
    char *target; /* of a link */
    char *from;   /* source file; NULL: content */
    const char *content;
    bool is_dir;
    mode_t mode;
    uint32_t uid;
};

struct items {
    struct item *items;
    size_t n, cap;
};

static void items_fini(struct items *all) {
    for (size_t i = 0; i < all->n; i++) {
        free(all->items[i].path);
        free(all->items[i].target);
        free(all->items[i].from);
    }
    free(all->items);
}

static struct item *add(struct items *all, char *take_path, uint32_t uid) {
    px_grow(all->items, &all->cap, all->n + 1);
    struct item *it = &all->items[all->n++];
    *it = (struct item){.path = take_path, .uid = uid};
    return it;
}

static int add_tree(struct items *all, const struct px_recipe_file *f, const char *source,
                    uint32_t uid, struct px_error *err) {
    px_cleanup(px_walk_fini) struct px_walk walk = {.root_fd = -1};
    int r = px_walk_tree(source, &walk, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < walk.n_entries; i++) {
        const struct px_walk_entry *e = &walk.entries[i];
        const bool top = strcmp(e->path, ".") == 0;
        if (!S_ISDIR(e->st.st_mode) && !S_ISREG(e->st.st_mode) && !S_ISLNK(e->st.st_mode))
            return px_fail(err, -EINVAL, "'%s/%s' is neither file, link nor directory", source,
                           e->path);
        struct item *it =
            add(all, top ? px_strdup(f->path) : px_asprintf("%s/%s", f->path, e->path), uid);
        it->is_dir = S_ISDIR(e->st.st_mode);
        it->target = px_strdup_null(e->target);
        it->from = S_ISREG(e->st.st_mode) ? px_asprintf("%s/%s", source, e->path) : NULL;
        it->mode = it->is_dir ? 0755 : mode_for(f, e->st.st_mode);
    }
    return 0;
}

static int add_file(struct items *all, const struct px_job *job, const struct px_part *part,
                    const struct px_recipe_file *f, struct px_error *err) {
    const uint32_t uid = strcmp(f->owner, "root") == 0 ? 0 : job->uid;
    if (f->content) {
        struct item *it = add(all, px_strdup(f->path), uid);
        it->content = f->content;
        it->mode = f->mode ? f->mode : 0644;
        return 0;
    }
    px_cleanup_free char *source = px_asprintf("%s/%s", part->recipe->dir, f->source);
    struct stat st;
    if (stat(source, &st) < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", source);
    if (S_ISDIR(st.st_mode))
        return add_tree(all, f, source, uid, err);
    struct item *it = add(all, px_strdup(f->path), uid);
    it->from = px_take_ptr(source);
    it->mode = mode_for(f, st.st_mode);
    return 0;
}

/* Inside the tree from here on, where our memory is a copy. Files are handed over as text. */
static int give(int fd, const struct item *it, struct px_error *err) {
    if (fchown(fd, it->uid, it->uid) < 0 || fchmod(fd, it->mode) < 0)
        return px_fail_sys(err, -errno, "cannot set the owner of '%s'", it->path);
    return 0;
}

static int make_dir(const char *path, uint32_t uid, mode_t mode, struct px_error *err) {
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : px_fail(err, -ENOTDIR, "'%s' is no directory", path);
    if (mkdir(path, mode) < 0 || chown(path, uid, uid) < 0 || chmod(path, mode) < 0)
        return px_fail_sys(err, -errno, "cannot make '%s'", path);
    return 0;
}

/* Missing directories above a file in a home are the user's, too. */
static int make_parents(const struct item *it, struct px_error *err) {
    px_cleanup_free char *path = px_strdup(it->path);
    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        bool in_home = strncmp(path, "/home/", 6) == 0;
        int r = make_dir(path, in_home ? it->uid : 0, 0755, err);
        *p = '/';
        if (r < 0)
            return r;
    }
    return 0;
}

static int copy_text(const struct item *it, int fd, struct px_error *err) {
    if (it->content) {
        int r = px_fd_write_all(fd, it->content, strlen(it->content));
        return r < 0 ? px_fail_sys(err, r, "cannot write '%s'", it->path) : 0;
    }
    return 0;
}

struct inside {
    const struct items *all;
    const int *fds; /* sources, opened before the root was changed */
};

static int copy_fd(const struct item *it, int from, int to, struct px_error *err) {
    px_cleanup_free char *chunk = px_calloc(1, 65536);
    ssize_t n;
    while ((n = read(from, chunk, 65536)) > 0) {
        int r = px_fd_write_all(to, chunk, (size_t)n);
        if (r < 0)
            return px_fail_sys(err, r, "cannot write '%s'", it->path);
    }
    return n < 0 ? px_fail_sys(err, -errno, "cannot read the source of '%s'", it->path) : 0;
}

static int make_item(const struct item *it, int from, struct px_error *err) {
    int r = make_parents(it, err);
    if (r < 0)
        return r;
    if (it->is_dir)
        return make_dir(it->path, it->uid, it->mode, err);
    if (unlink(it->path) < 0 && errno != ENOENT)
        return px_fail_sys(err, -errno, "cannot replace '%s'", it->path);
    if (it->target) {
        if (symlink(it->target, it->path) < 0 || lchown(it->path, it->uid, it->uid) < 0)
            return px_fail_sys(err, -errno, "cannot link '%s'", it->path);
        return 0;
    }
    px_cleanup_close int fd =
        open(it->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot make '%s'", it->path);
    r = from >= 0 ? copy_fd(it, from, fd, err) : copy_text(it, fd, err);
    return r < 0 ? r : give(fd, it, err);
}

static int make_inside(void *data, struct px_error *err) {
    const struct inside *in = data;
    for (size_t i = 0; i < in->all->n; i++) {
        int r = make_item(&in->all->items[i], in->fds[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int make_files(struct px_job *job, struct px_part *part, struct px_sandbox *sb, void *data,
                      struct px_error *err) {
    const struct items *all = data;
    px_cleanup_free int *fds = px_new0(int, all->n + 1);
    int r = 0;
    size_t n = 0;
    for (; n < all->n && r == 0; n++) {
        const struct item *it = &all->items[n];
        fds[n] = it->from ? open(it->from, O_RDONLY | O_CLOEXEC) : -1;
        if (it->from && fds[n] < 0)
            r = px_fail_sys(err, -errno, "cannot open '%s'", it->from);
    }
    if (r == 0)
        r = px_job_fresh_work(sb, err);
    if (r == 0)
        r = px_sandbox_call(sb, make_inside, &(struct inside){all, fds}, err);
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return r;
}

static int put_item(struct px_buf *key, const struct item *it, struct px_error *err) {
    char digest[PX_DIGEST_TEXT_MAX] = "-", hex[65];
    if (it->content)
        px_digest_bytes(it->content, strlen(it->content), digest);
    if (it->from) {
        int r = px_digest_file(AT_FDCWD, it->from, hex, err);
        if (r < 0)
            return r;
        snprintf(digest, sizeof(digest), "sha256:%s", hex);
    }
    px_buf_printf(key, "file %zu %s %o %u %s %s\n", strlen(it->path), it->path, it->mode, it->uid,
                  digest,
                  it->target   ? it->target
                  : it->is_dir ? "/"
                               : "-");
    return 0;
}

int px_job_files(struct px_job *job, struct px_part *part, struct px_error *err) {
    px_cleanup(items_fini) struct items all = {0};
    px_cleanup(px_buf_fini) struct px_buf key = {0};
    int r = 0;
    for (size_t i = 0; i < part->recipe->n_files && r == 0; i++)
        r = add_file(&all, job, part, &part->recipe->files[i], err);
    for (size_t i = 0; i < all.n && r == 0; i++)
        r = put_item(&key, &all.items[i], err);
    if (r < 0 || all.n == 0)
        return r;
    return px_job_layer(job,
                        &(struct px_layer_recipe){.kind = "files",
                                                  .part = part,
                                                  .key_text = px_buf_str(&key),
                                                  .units = 3,
                                                  .make = make_files,
                                                  .data = &all},
                        err);
}
