/* src/image/store.c - STATE/images on disk */
#include "image/store.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "image/digest.h"
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static char *in_store(const char *images, const char *sub, const char *name) {
    return px_asprintf("%s/%s/%s", images, sub, name);
}

/* "sha256:x" as file names have it, "sha256-x": ':' ends a path in overlayfs's options. */
static char *file_name(const char *digest, const char *suffix) {
    char *name = px_asprintf("%s%s", digest, suffix);
    name[6] = '-';
    return name;
}

char *px_store_layer_name(const char *digest) {
    return file_name(digest, "/tree");
}

/* A temporary file of px_file_write_atomic, that a killed process left. */
static bool is_tmp(const char *name) {
    size_t n = strlen(name);
    return n >= 4 && strcmp(name + n - 4, ".tmp") == 0;
}

int px_image_name_check(const char *name, struct px_error *err) {
    static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t n = strlen(name);
    if (n > 0 && n <= 64 && strspn(name, alnum) == n && !strchr("._-", name[0]) && !is_tmp(name))
        return 0;
    return px_fail(err, -EINVAL,
                   "'%.80s' cannot be an image's name: expected a letter or digit, then letters, "
                   "digits or '._-', at most 64",
                   name);
}

/* What a dead build left. Its processes are gone or dying (their namespace's pid 1 was killed with
 * it), so that something may still be written for a moment: try again. */
static int sweep_tmp(const struct px_store *store, struct px_error *err) {
    int r = 0;
    for (int tries = 0; tries < 50; tries++) {
        px_cleanup(px_store_names_fini) struct px_store_names names = {0};
        r = px_store_list(store->dir, "tmp", &names, err);
        for (size_t i = 0; i < names.n && r == 0; i++) {
            px_cleanup_free char *path = in_store(store->dir, "tmp", names.items[i]);
            r = px_rm_rf(AT_FDCWD, path, err);
        }
        if (r != -ENOTEMPTY && r != -EBUSY)
            return r;
        px_sleep_us(20 * PX_US_PER_MS);
    }
    return r;
}

/* Files that a killed process did not come to rename. Whoever writes here has the lock. */
static int sweep_files(const struct px_store *store, struct px_error *err) {
    static const char *const subs[] = {"cache", "manifests", "names"};
    for (size_t i = 0; i < PX_N_ELEMENTS(subs); i++) {
        px_cleanup_free char *path = px_asprintf("%s/%s", store->dir, subs[i]);
        px_cleanup_closedir DIR *dir = opendir(path);
        const struct dirent *d;
        while (dir && (d = readdir(dir)))
            if (is_tmp(d->d_name) && unlinkat(dirfd(dir), d->d_name, 0) < 0)
                return px_fail_sys(err, -errno, "cannot remove '%s/%s'", path, d->d_name);
    }
    return 0;
}

int px_store_open(const char *state_dir, int wait_ms, struct px_store *ret, struct px_error *err) {
    static const char *const subs[] = {"layers", "cache", "manifests", "names",
                                       "logs",   "tmp",   "pool"};
    px_cleanup(px_store_close) struct px_store store = {.lock_fd = -1};
    store.dir = px_asprintf("%s/images", state_dir);
    int r = px_mkdir_p(AT_FDCWD, store.dir, 0700, err);
    if (r == 0 && chmod(store.dir, 0700) < 0) /* also where somebody else made it */
        r = px_fail_sys(err, -errno, "cannot close '%s' to others", store.dir);
    for (size_t i = 0; i < PX_N_ELEMENTS(subs) && r == 0; i++) {
        px_cleanup_free char *sub = px_asprintf("%s/%s", store.dir, subs[i]);
        r = px_mkdir_p(AT_FDCWD, sub, 0700, err);
    }
    if (r < 0)
        return r;
    /* Absolute, without links: apt and mmdebstrap get it as an address. */
    char *real = realpath(store.dir, NULL);
    if (!real)
        return px_fail_sys(err, -errno, "cannot use '%s'", store.dir);
    free(store.dir);
    store.dir = real;
    px_cleanup_free char *lock = px_asprintf("%s/lock", store.dir);
    store.lock_fd = r = px_lock(AT_FDCWD, lock, wait_ms, err);
    if (r < 0)
        return px_wrap(err, r, "the image store is in use");
    r = sweep_files(&store, err);
    if (r == 0)
        r = sweep_tmp(&store, err);
    if (r < 0)
        return px_wrap(err, r, "cannot clear what a dead build left");
    *ret = store;
    store = (struct px_store){.lock_fd = -1};
    return 0;
}

void px_store_close(struct px_store *store) {
    px_closep(&store->lock_fd);
    free(store->dir);
    *store = (struct px_store){.lock_fd = -1};
}

int px_store_tmp(const struct px_store *store, const char *name, char **ret, struct px_error *err) {
    px_cleanup_free char *path = in_store(store->dir, "tmp", name);
    int r = px_mkdir_p(AT_FDCWD, path, 0700, err);
    if (r < 0)
        return r;
    *ret = px_take_ptr(path);
    return 0;
}

/* Text files of one short line, written by us. */
static int read_line(const char *path, char *ret, size_t size, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    int r = px_file_read(AT_FDCWD, path, 4096, &text, NULL, err);
    if (r < 0)
        return r;
    text[strcspn(text, "\n")] = '\0';
    if (strlen(text) >= size)
        return px_fail(err, -EINVAL, "'%s' is broken", path);
    strcpy(ret, text);
    return 0;
}

static int write_line(const char *path, const char *line, struct px_error *err) {
    px_cleanup_free char *text = px_asprintf("%s\n", line);
    return px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
}

uint64_t px_store_layer_size(const struct px_store *store, const char *digest) {
    px_cleanup_free char *name = file_name(digest, "/layer.json");
    px_cleanup_free char *path = in_store(store->dir, "layers", name);
    json_auto_t *json = json_load_file(path, 0, NULL);
    return (uint64_t)json_integer_value(json_object_get(json, "size"));
}

bool px_store_find_layer(const struct px_store *store, const char *key,
                         char ret_digest[PX_DIGEST_TEXT_MAX], uint64_t *ret_size) {
    px_cleanup_free char *path = in_store(store->dir, "cache", key + strlen("sha256:"));
    char digest[PX_DIGEST_TEXT_MAX];
    if (read_line(path, digest, sizeof(digest), NULL) < 0 || !px_digest_valid(digest))
        return false;
    px_cleanup_free char *name = px_store_layer_name(digest);
    px_cleanup_free char *tree = in_store(store->dir, "layers", name);
    if (!px_exists(AT_FDCWD, tree))
        return false;
    strcpy(ret_digest, digest);
    *ret_size = px_store_layer_size(store, digest);
    return true;
}

static int write_layer_json(const char *dir, const char *key, uint64_t size, struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("%s/layer.json", dir);
    px_cleanup_free char *text =
        px_asprintf("{\"key\": \"%s\", \"size\": %ju}\n", key, (uintmax_t)size);
    return px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
}

int px_store_put_layer(const struct px_store *store, const char *dir, const char *digest,
                       const char *key, uint64_t size_bytes, struct px_error *err) {
    px_cleanup_free char *name = file_name(digest, "");
    px_cleanup_free char *to = in_store(store->dir, "layers", name);
    px_cleanup_free char *cache = in_store(store->dir, "cache", key + strlen("sha256:"));
    int r = write_layer_json(dir, key, size_bytes, err);
    if (r < 0)
        return r;
    /* Its own file system only, once: the layer was written without a flush so far. */
    px_cleanup_close int fd = px_dir_open(AT_FDCWD, dir, err);
    if (fd < 0)
        return fd;
    if (syncfs(fd) < 0)
        return px_fail_sys(err, -errno, "cannot write the layer to disk");
    /* Other inputs may have made the same layer before: that one stays, it may be in use. */
    if (rename(dir, to) < 0 && errno != EEXIST && errno != ENOTEMPTY)
        return px_fail_sys(err, -errno, "cannot move the layer to '%s'", to);
    return write_line(cache, digest, err);
}

int px_store_put_image(const struct px_store *store, json_t *manifest, const char *name,
                       char ret_digest[PX_DIGEST_TEXT_MAX], struct px_error *err) {
    px_manifest_digest(manifest, ret_digest);
    px_cleanup_free char *file = file_name(ret_digest, ".json");
    px_cleanup_free char *path = in_store(store->dir, "manifests", file);
    px_cleanup_free char *link = in_store(store->dir, "names", name);
    int r = px_image_name_check(name, err);
    if (r < 0)
        return r;
    if (!px_exists(AT_FDCWD, path)) {
        json_object_set_new(manifest, "created", json_integer(time(NULL)));
        px_cleanup_free char *text = json_dumps(manifest, JSON_INDENT(1) | JSON_SORT_KEYS);
        r = px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
        if (r < 0)
            return r;
    }
    return write_line(link, ret_digest, err);
}

int px_store_get_manifest(const char *images, const char *digest, struct px_manifest **ret,
                          struct px_error *err) {
    px_cleanup_free char *file = file_name(digest, ".json");
    px_cleanup_free char *path = in_store(images, "manifests", file);
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    int r = px_file_read(AT_FDCWD, path, PX_MANIFEST_MAX_BYTES, &text, &size, err);
    return r < 0 ? r : px_manifest_parse(path, text, size, ret, err);
}

int px_store_get_name(const char *images, const char *name, char ret_digest[PX_DIGEST_TEXT_MAX],
                      struct px_error *err) {
    px_cleanup_free char *path = in_store(images, "names", name);
    int r = px_image_name_check(name, err);
    if (r == 0)
        r = read_line(path, ret_digest, PX_DIGEST_TEXT_MAX, err);
    if (r == 0 && !px_digest_valid(ret_digest))
        r = px_fail(err, -EINVAL, "'%s' is broken", path);
    return r;
}

static int by_string(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int px_store_list(const char *images, const char *sub, struct px_store_names *ret,
                  struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("%s/%s", images, sub);
    px_cleanup_closedir DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : px_fail_sys(err, -errno, "cannot list '%s'", path);
    const struct dirent *d;
    while ((d = readdir(dir))) {
        if (d->d_name[0] == '.' || is_tmp(d->d_name))
            continue;
        px_grow(ret->items, &ret->cap, ret->n + 1);
        ret->items[ret->n++] = px_strdup(d->d_name);
    }
    if (ret->n > 0)
        qsort(ret->items, ret->n, sizeof(*ret->items), by_string);
    return 0;
}

void px_store_names_fini(struct px_store_names *names) {
    for (size_t i = 0; i < names->n; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct px_store_names){0};
}
