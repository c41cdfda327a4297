/* src/image/image.c - finding images in the store */
#include "image/image.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "image/chain.h"
#include "image/digest.h"
#include "image/store.h"
#include <string.h>

#define DIGITS_MIN 6

static struct px_image *make_image(const char *images, const char *name,
                                   const struct px_manifest *m) {
    struct px_image *image = px_new0(struct px_image, 1);
    strcpy(image->digest, m->digest);
    image->name = px_strdup(name);
    image->recipe = px_strdup(m->recipe);
    image->user = px_strdup_null(m->user);
    image->uid = m->uid;
    image->created_s = m->created_s;
    image->layers = px_new0(char *, m->n_layers);
    for (size_t i = 0; i < m->n_layers; i++) {
        px_cleanup_free char *layer = px_store_layer_name(m->layers[i].digest);
        image->layers[image->n_layers++] = px_asprintf("%s/layers/%s", images, layer);
        image->size_bytes += m->layers[i].size_bytes;
    }
    return image;
}

struct px_image *px_image_free(struct px_image *image) {
    if (!image)
        return NULL;
    for (size_t i = 0; i < image->n_layers; i++)
        free(image->layers[i]);
    free(image->layers);
    free(image->name);
    free(image->recipe);
    free(image->user);
    free(image);
    return NULL;
}

static int load(const char *images, const char *name, const char *digest, struct px_image **ret,
                struct px_error *err) {
    px_cleanup(px_manifest_freep) struct px_manifest *m = NULL;
    int r = px_store_get_manifest(images, digest, &m, err);
    if (r < 0)
        return r;
    px_cleanup(px_image_freep) struct px_image *image = make_image(images, name, m);
    for (size_t i = 0; i < image->n_layers; i++)
        if (!px_exists(AT_FDCWD, image->layers[i])) {
            px_fail(err, -EUCLEAN, "image '%s' lacks its layer %s", name[0] ? name : digest,
                    m->layers[i].digest);
            return px_hint(err, -EUCLEAN, "build it again: phoenix image build %s", m->recipe);
        }
    *ret = px_take_ptr(image);
    return 0;
}

/* The name that stands for @digest now; "" when none does. The caller's. */
static char *name_of(const char *images, const struct px_store_names *names, const char *digest) {
    for (size_t i = 0; i < names->n; i++) {
        char d[PX_DIGEST_TEXT_MAX];
        if (px_store_get_name(images, names->items[i], d, NULL) == 0 && strcmp(d, digest) == 0)
            return px_strdup(names->items[i]);
    }
    return px_strdup("");
}

static int not_found(const char *ref, const struct px_store_names *names, struct px_error *err) {
    px_fail(err, -ENOENT, "there is no image '%s'", ref);
    const char *near = strchr(ref, ':') /* a digest is near to none */
                           ? NULL
                           : px_suggest(ref, (const char *const *)names->items, names->n);
    return near ? px_hint(err, -ENOENT, "did you mean '%s'?", near)
                : px_hint(err, -ENOENT, "`phoenix image ls` lists them");
}

/* "sha256:abc...", "abcdef": the one manifest that begins so. */
static int find_by_digits(const char *images, const char *digits,
                          const struct px_store_names *names, char ret_digest[PX_DIGEST_TEXT_MAX],
                          struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names all = {0};
    int r = px_store_list(images, "manifests", &all, err);
    if (r < 0)
        return r;
    char digest[PX_DIGEST_TEXT_MAX] = "";
    for (size_t i = 0; i < all.n; i++) {
        if (strlen(all.items[i]) != 7 + 64 + 5 || strncmp(all.items[i] + 7, digits, strlen(digits)))
            continue;
        if (digest[0])
            return px_fail(err, -EINVAL, "more than one image begins with '%s'", digits);
        snprintf(digest, sizeof(digest), "sha256:%.64s", all.items[i] + 7);
    }
    if (!digest[0])
        return not_found(digits, names, err);
    strcpy(ret_digest, digest);
    return 0;
}

int px_store_resolve(const char *images, const char *ref, char ret_digest[PX_DIGEST_TEXT_MAX],
                     struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names names = {0};
    int r = px_store_list(images, "names", &names, err);
    if (r < 0)
        return r;
    const bool tagged = strncmp(ref, "sha256:", 7) == 0;
    const char *digits = tagged ? ref + 7 : ref;
    if (!tagged && px_store_get_name(images, ref, ret_digest, NULL) == 0)
        return 0;
    if (strlen(digits) >= DIGITS_MIN && strlen(digits) <= 64 &&
        strspn(digits, "0123456789abcdef") == strlen(digits))
        return find_by_digits(images, digits, &names, ret_digest, err);
    return not_found(ref, &names, err);
}

int px_image_find(const char *state_dir, const char *ref, struct px_image **ret,
                  struct px_error *err) {
    px_cleanup_free char *images = px_asprintf("%s/images", state_dir);
    px_cleanup(px_store_names_fini) struct px_store_names names = {0};
    char digest[PX_DIGEST_TEXT_MAX], named[PX_DIGEST_TEXT_MAX];
    int r = px_store_resolve(images, ref, digest, err);
    if (r == 0)
        r = px_store_list(images, "names", &names, err);
    if (r < 0)
        return r;
    const bool by_name = px_store_get_name(images, ref, named, NULL) == 0;
    px_cleanup_free char *name = by_name ? px_strdup(ref) : name_of(images, &names, digest);
    return load(images, name, digest, ret, err);
}

/* No image is called @ref: how to get one. @near: an image with such a name, or NULL. */
static int hint_at_recipes(const char *recipes_dir, const char *ref, const char *near,
                           struct px_error *err) {
    char *recipes[PX_RECIPES_MAX];
    px_cleanup(px_buf_fini) struct px_buf all = {0};
    const int n = px_recipe_names(recipes_dir, recipes, PX_N_ELEMENTS(recipes));
    const char *slip = px_suggest(ref, (const char *const *)recipes, (size_t)n);
    bool there = false;
    for (int i = 0; i < n; i++) {
        there |= strcmp(recipes[i], ref) == 0;
        px_buf_printf(&all, "%s%s", i ? ", " : "", recipes[i]);
    }
    if (there && near)
        px_hint(err, -ENOENT, "did you mean '%s'? Or build it: phoenix image build %s", near, ref);
    else if (there)
        px_hint(err, -ENOENT, "build it: phoenix image build %s", ref);
    else if (near)
        px_hint(err, -ENOENT, "did you mean '%s'?", near);
    else if (slip)
        px_hint(err, -ENOENT, "did you mean '%s'? Build it: phoenix image build %s", slip, slip);
    else if (n > 0)
        px_hint(err, -ENOENT, "no recipe has that name, either; there are %s in '%s'",
                px_buf_str(&all), recipes_dir);
    else
        px_hint(err, -ENOENT, "there are no recipes in '%s', either", recipes_dir);
    for (int i = 0; i < n; i++)
        free(recipes[i]);
    return -ENOENT;
}

int px_image_missing(const char *state_dir, const char *recipes_dir, const char *ref,
                     struct px_error *err) {
    px_cleanup_free char *images = px_asprintf("%s/images", state_dir);
    px_cleanup(px_store_names_fini) struct px_store_names names = {0};
    (void)px_store_list(images, "names", &names, NULL);
    if (strchr(ref, ':')) /* a digest: nobody can build one by it */
        return not_found(ref, &names, err);
    px_fail(err, -ENOENT, "there is no image '%s'", ref);
    return hint_at_recipes(recipes_dir, ref,
                           px_suggest(ref, (const char *const *)names.items, names.n), err);
}

static int by_age(const void *a, const void *b) {
    const struct px_image *x = *(struct px_image *const *)a, *y = *(struct px_image *const *)b;
    if (x->created_s != y->created_s)
        return x->created_s > y->created_s ? -1 : 1;
    return strcmp(x->name, y->name);
}

int px_image_list(const char *state_dir, struct px_image ***ret, size_t *ret_n,
                  struct px_error *err) {
    px_cleanup_free char *images = px_asprintf("%s/images", state_dir);
    px_cleanup(px_store_names_fini) struct px_store_names names = {0};
    px_cleanup(px_store_names_fini) struct px_store_names all = {0};
    int r = px_store_list(images, "names", &names, err);
    if (r == 0)
        r = px_store_list(images, "manifests", &all, err);
    if (r < 0)
        return r;
    struct px_image **list = px_new0(struct px_image *, all.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < all.n && r == 0; i++) {
        char digest[PX_DIGEST_TEXT_MAX];
        snprintf(digest, sizeof(digest), "sha256:%.64s", all.items[i] + 7);
        px_cleanup_free char *name = name_of(images, &names, digest);
        px_cleanup(px_manifest_freep) struct px_manifest *m = NULL;
        r = strlen(all.items[i]) == 7 + 64 + 5 ? px_store_get_manifest(images, digest, &m, err) : 1;
        if (r == 0)
            list[n++] = make_image(images, name, m);
        else if (r == 1 || r == -ENOENT) /* a stranger's file; removed just now */
            r = 0;
    }
    if (r < 0) {
        px_image_list_free(list, n);
        return r;
    }
    qsort(list, n, sizeof(struct px_image *), by_age);
    *ret = list;
    *ret_n = n;
    return 0;
}

void px_image_list_free(struct px_image **images, size_t n) {
    for (size_t i = 0; i < n; i++)
        px_image_free(images[i]);
    free(images);
}
