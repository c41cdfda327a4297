/* src/image/gc.c - what is thrown away: images, layers, logs, the pool */
#include "base/alloc.h"
#include "base/file.h"
#include "base/step.h"
#include "image/build.h"
#include "image/digest.h"
#include "image/store.h"
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LOG_KEEP_S (30 * 24 * 3600)

struct gc {
    struct px_store store;
    const char *const *in_use;
    size_t n_in_use;
    struct px_image_gc got;
};

static void gc_fini(struct gc *gc) {
    px_store_close(&gc->store);
}

static bool has(const char *const *items, size_t n, const char *item) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(items[i], item) == 0)
            return true;
    return false;
}

/* "sha256-<hex>..." as a digest; false: a stranger's file. */
static bool digest_of(const char *file, char ret[PX_DIGEST_TEXT_MAX]) {
    if (strncmp(file, "sha256-", 7) != 0 || strlen(file) < 7 + 64)
        return false;
    snprintf(ret, PX_DIGEST_TEXT_MAX, "sha256:%.64s", file + 7);
    return px_digest_valid(ret);
}

static int remove_in(const struct gc *gc, const char *sub, const char *name, struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("%s/%s/%s", gc->store.dir, sub, name);
    return px_rm_rf(AT_FDCWD, path, err);
}

/* A name points at it. */
static bool is_named(const struct gc *gc, const struct px_store_names *names, const char *digest) {
    for (size_t i = 0; i < names->n; i++) {
        char d[PX_DIGEST_TEXT_MAX];
        if (px_store_get_name(gc->store.dir, names->items[i], d, NULL) == 0 &&
            strcmp(d, digest) == 0)
            return true;
    }
    return false;
}

static int drop_unnamed(struct gc *gc, struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names names = {0};
    px_cleanup(px_store_names_fini) struct px_store_names all = {0};
    int r = px_store_list(gc->store.dir, "names", &names, err);
    if (r == 0)
        r = px_store_list(gc->store.dir, "manifests", &all, err);
    for (size_t i = 0; i < all.n && r == 0; i++) {
        char digest[PX_DIGEST_TEXT_MAX];
        if (!digest_of(all.items[i], digest) || is_named(gc, &names, digest) ||
            has(gc->in_use, gc->n_in_use, digest))
            continue;
        r = remove_in(gc, "manifests", all.items[i], err);
        gc->got.n_images++;
    }
    return r;
}

/* Layers of all images that there are. A manifest that cannot be read ends the work: without it no
 * layer is known to be free. */
static int kept_layers(const struct gc *gc, struct px_store_names *ret, struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names all = {0};
    int r = px_store_list(gc->store.dir, "manifests", &all, err);
    for (size_t i = 0; i < all.n && r == 0; i++) {
        char digest[PX_DIGEST_TEXT_MAX];
        px_cleanup(px_manifest_freep) struct px_manifest *m = NULL;
        if (!digest_of(all.items[i], digest))
            continue;
        r = px_store_get_manifest(gc->store.dir, digest, &m, err);
        for (size_t k = 0; r == 0 && k < m->n_layers; k++) {
            px_grow(ret->items, &ret->cap, ret->n + 1);
            ret->items[ret->n++] = px_strdup(m->layers[k].digest);
        }
    }
    return r;
}

/* Out of layers/ at once, by a rename into tmp/: a half removed layer must never be found. */
static int drop_layer(struct gc *gc, const char *name, const char *digest, struct px_error *err) {
    px_cleanup_free char *from = px_asprintf("%s/layers/%s", gc->store.dir, name);
    px_cleanup_free char *to = px_asprintf("%s/tmp/gone", gc->store.dir);
    uint64_t bytes = px_store_layer_size(&gc->store, digest);
    int r = px_step("image.gc", err);
    if (r < 0)
        return r;
    if (rename(from, to) < 0)
        return px_fail_sys(err, -errno, "cannot remove '%s'", from);
    r = px_rm_rf(AT_FDCWD, to, err);
    gc->got.n_layers++;
    gc->got.bytes += bytes;
    return r;
}

static int drop_layers(struct gc *gc, struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names kept = {0};
    px_cleanup(px_store_names_fini) struct px_store_names all = {0};
    int r = kept_layers(gc, &kept, err);
    if (r == 0)
        r = px_store_list(gc->store.dir, "layers", &all, err);
    for (size_t i = 0; i < all.n && r == 0; i++) {
        char digest[PX_DIGEST_TEXT_MAX];
        if (digest_of(all.items[i], digest) &&
            !has((const char *const *)kept.items, kept.n, digest))
            r = drop_layer(gc, all.items[i], digest, err);
    }
    return r;
}

/* Keys whose layer is gone. */
static int drop_keys(struct gc *gc, struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names all = {0};
    int r = px_store_list(gc->store.dir, "cache", &all, err);
    for (size_t i = 0; i < all.n && r == 0; i++) {
        px_cleanup_free char *key = px_asprintf("sha256:%s", all.items[i]);
        char digest[PX_DIGEST_TEXT_MAX];
        uint64_t size = 0;
        if (!px_store_find_layer(&gc->store, key, digest, &size))
            r = remove_in(gc, "cache", all.items[i], err);
    }
    return r;
}

/* Of images that are gone; see warm.h. */
static int drop_lists(struct gc *gc, struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names all = {0};
    int r = px_store_list(gc->store.dir, "warm", &all, err);
    for (size_t i = 0; i < all.n && r == 0; i++) {
        px_cleanup_free char *manifest =
            px_asprintf("%s/manifests/%s.json", gc->store.dir, all.items[i]);
        if (!px_exists(AT_FDCWD, manifest))
            r = remove_in(gc, "warm", all.items[i], err);
    }
    return r;
}

static int drop_logs(struct gc *gc, struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names all = {0};
    int r = px_store_list(gc->store.dir, "logs", &all, err);
    for (size_t i = 0; i < all.n && r == 0; i++) {
        px_cleanup_free char *path = px_asprintf("%s/logs/%s", gc->store.dir, all.items[i]);
        struct stat st;
        if (stat(path, &st) == 0 && st.st_mtim.tv_sec < time(NULL) - LOG_KEEP_S)
            r = px_rm_rf(AT_FDCWD, path, err);
    }
    return r;
}

static int drop_pool(struct gc *gc, struct px_error *err) {
    static const char *const subs[] = {"pool/deb", "pool/wheel", "apt"};
    int r = 0;
    for (size_t i = 0; i < PX_N_ELEMENTS(subs) && r == 0; i++) {
        px_cleanup_free char *path = px_asprintf("%s/%s", gc->store.dir, subs[i]);
        r = px_rm_rf(AT_FDCWD, path, err);
    }
    return r;
}

static int begin(const char *state_dir, const char *const *in_use, size_t n_in_use, struct gc *gc,
                 struct px_error *err) {
    *gc = (struct gc){.store = {.lock_fd = -1}, .in_use = in_use, .n_in_use = n_in_use};
    return px_store_open(state_dir, 0, &gc->store, err);
}

int px_image_gc(const char *state_dir, const char *const *in_use, size_t n_in_use, bool pool,
                struct px_image_gc *ret, struct px_error *err) {
    px_cleanup(gc_fini) struct gc gc;
    int r = begin(state_dir, in_use, n_in_use, &gc, err);
    if (r == 0)
        r = drop_unnamed(&gc, err);
    if (r == 0)
        r = drop_layers(&gc, err);
    if (r == 0)
        r = drop_keys(&gc, err);
    if (r == 0)
        r = drop_lists(&gc, err);
    if (r == 0)
        r = drop_logs(&gc, err);
    if (r == 0 && pool)
        r = drop_pool(&gc, err);
    if (ret)
        *ret = gc.got;
    return r;
}

/* A name goes alone while another one holds the image. */
static int drop_names(struct gc *gc, const char *ref, const char *of, bool *ret_others,
                      struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names names = {0};
    int r = px_store_list(gc->store.dir, "names", &names, err);
    *ret_others = false;
    for (size_t i = 0; i < names.n && r == 0; i++) {
        char digest[PX_DIGEST_TEXT_MAX];
        if (px_store_get_name(gc->store.dir, names.items[i], digest, NULL) < 0 ||
            strcmp(digest, of) != 0)
            continue;
        const bool by_name = has((const char *const *)names.items, names.n, ref);
        if (by_name && strcmp(names.items[i], ref) != 0)
            *ret_others = true;
        else
            r = remove_in(gc, "names", names.items[i], err);
    }
    return r;
}

int px_image_rm(const char *state_dir, const char *ref, const char *const *in_use, size_t n_in_use,
                struct px_image_gc *ret, struct px_error *err) {
    px_cleanup(gc_fini) struct gc gc;
    char digest[PX_DIGEST_TEXT_MAX];
    bool others = false;
    int r = begin(state_dir, in_use, n_in_use, &gc, err);
    if (r == 0)
        r = px_store_resolve(gc.store.dir, ref, digest, err);
    if (r < 0)
        return r;
    if (has(in_use, n_in_use, digest)) {
        px_fail(err, -EBUSY, "image '%s' is in use by a desktop", ref);
        return px_hint(err, -EBUSY, "remove the desktops that run on it first: phoenix ls");
    }
    r = drop_names(&gc, ref, digest, &others, err);
    if (r == 0 && !others) {
        px_cleanup_free char *file = px_asprintf("sha256-%s.json", digest + 7);
        r = remove_in(&gc, "manifests", file, err);
        gc.got.n_images++;
    }
    if (r == 0)
        r = drop_layers(&gc, err);
    if (r == 0)
        r = drop_keys(&gc, err);
    if (r == 0)
        r = drop_lists(&gc, err);
    if (ret)
        *ret = gc.got;
    return r;
}

int px_image_check(const char *state_dir, const char *ref, struct px_error *err) {
    px_cleanup(px_image_freep) struct px_image *image = NULL;
    int r = px_image_find(state_dir, ref, &image, err);
    for (size_t i = 0; r == 0 && i < image->n_layers; i++) {
        struct px_tree_digest got;
        r = px_tree_digest(image->layers[i], 0, -1, &got, err);
        /* .../layers/sha256-<hex>/tree */
        if (r == 0 && !strstr(image->layers[i], got.digest + 7))
            r = px_fail(err, -EBADMSG, "layer '%s' was changed: its digest is now %s",
                        image->layers[i], got.digest);
    }
    return r;
}

int px_image_manifest(const char *state_dir, const char *ref, struct json_t **ret,
                      struct px_error *err) {
    px_cleanup_free char *images = px_asprintf("%s/images", state_dir);
    px_cleanup(px_manifest_freep) struct px_manifest *m = NULL;
    char digest[PX_DIGEST_TEXT_MAX];
    int r = px_store_resolve(images, ref, digest, err);
    if (r == 0)
        r = px_store_get_manifest(images, digest, &m, err);
    if (r < 0)
        return r;
    *ret = json_incref(m->json);
    return 0;
}
