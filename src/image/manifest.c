/* src/image/manifest.c - what an image is made of, as a JSON file */
#include "image/manifest.h"
#include "base/alloc.h"
#include "image/digest.h"
#include <string.h>

#define LAYERS_MAX 100

void px_manifest_digest(const json_t *json, char ret[PX_DIGEST_TEXT_MAX]) {
    json_auto_t *copy = json_copy((json_t *)(uintptr_t)json); /* takes no const */
    json_object_del(copy, "created");
    px_cleanup_free char *text = json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
    px_digest_bytes(text, strlen(text), ret);
}

static int parse_layers(json_t *layers, struct px_manifest *m, struct px_error *err) {
    size_t i;
    json_t *item;
    if (!json_is_array(layers) || json_array_size(layers) == 0 ||
        json_array_size(layers) > LAYERS_MAX)
        return px_fail(err, -EINVAL, "layers: expected a list of 1 to %d", LAYERS_MAX);
    m->layers = px_new0(struct px_manifest_layer, json_array_size(layers));
    json_array_foreach(layers, i, item) {
        const char *digest;
        json_int_t size;
        if (json_unpack(item, "{s:s,s:I}", "digest", &digest, "size", &size) < 0 ||
            !px_digest_valid(digest) || size < 0)
            return px_fail(err, -EINVAL, "layers[%zu]: expected a digest and a size", i);
        struct px_manifest_layer *l = &m->layers[m->n_layers++];
        strcpy(l->digest, digest);
        l->size_bytes = (uint64_t)size;
    }
    return 0;
}

static int parse_object(json_t *root, struct px_manifest *m, struct px_error *err) {
    const char *recipe, *user = NULL;
    json_int_t format, created = 0, uid = 0;
    json_t *layers;
    json_error_t je;
    if (json_unpack_ex(root, &je, 0, "{s:I,s:s,s:o,s?I,s?{s:s,s:I}}", "format", &format, "recipe",
                       &recipe, "layers", &layers, "created", &created, "user", "name", &user,
                       "uid", &uid) < 0)
        return px_fail(err, -EINVAL, "%s", je.text);
    if (format != 1)
        return px_fail(err, -EINVAL, "format: expected 1, found %lld", (long long)format);
    if (uid < 0 || uid > UINT32_MAX)
        return px_fail(err, -EINVAL, "user.uid: not a uid");
    m->recipe = px_strdup(recipe);
    m->user = px_strdup_null(user);
    m->uid = (uint32_t)uid;
    m->created_s = created;
    m->json = json_incref(root);
    px_manifest_digest(root, m->digest);
    return parse_layers(layers, m, err);
}

int px_manifest_parse(const char *name, const char *text, size_t size, struct px_manifest **ret,
                      struct px_error *err) {
    json_error_t je;
    json_auto_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &je);
    if (!root)
        return px_fail(err, -EINVAL, "%s:%d: %s", name, je.line, je.text);
    px_cleanup(px_manifest_freep) struct px_manifest *m = px_new0(struct px_manifest, 1);
    int r = parse_object(root, m, err);
    if (r < 0)
        return px_wrap(err, r, "%s", name);
    *ret = px_take_ptr(m);
    return 0;
}

struct px_manifest *px_manifest_free(struct px_manifest *m) {
    if (!m)
        return NULL;
    free(m->layers);
    free(m->recipe);
    free(m->user);
    json_decref(m->json);
    free(m);
    return NULL;
}
