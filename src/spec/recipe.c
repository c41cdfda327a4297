/* src/spec/recipe.c - a recipe: what an image is built from */
#include "spec/recipe.h"
#include "base/alloc.h"
#include "base/file.h"
#include "spec/recipe_fields.h"
#include <string.h>
#include <sys/stat.h>

static int check_whole(const struct px_at *at, const struct px_node *root, struct px_recipe *recipe,
                       struct px_error *err) {
    static const char *const root_only[] = {"suite", "components"};
    for (size_t i = 0; recipe->from && i < PX_N_ELEMENTS(root_only); i++) {
        const struct px_node *node = px_node_get(root, root_only[i]);
        const struct px_at here = {.up = at, .key = root_only[i]};
        if (node)
            return px_at_fail(&here, node, err, "comes from the recipe '%s' below: remove it",
                              recipe->from);
    }
    if (recipe->from && strcmp(recipe->from, recipe->name) == 0)
        return px_at_fail(&(struct px_at){.up = at, .key = "from"}, px_node_get(root, "from"), err,
                          "a recipe cannot build on itself");
    const struct px_node *user = px_node_get(root, "user");
    if (user && !recipe->user.name && !recipe->from)
        return px_at_fail(&(struct px_at){.up = at, .key = "user"}, user, err,
                          "key 'name' is missing");
    return 0;
}

static void fill_in(struct px_recipe *recipe) {
    if (recipe->from)
        return;
    if (!recipe->suite)
        recipe->suite = px_strdup("trixie");
    if (recipe->components.n > 0)
        return;
    recipe->components.items = px_new0(char *, 1);
    recipe->components.items[0] = px_strdup("main");
    recipe->components.n = 1;
}

static void set_dir(struct px_recipe *recipe, const char *dir) {
    recipe->dir = px_strdup(dir);
    const char *base = strrchr(dir, '/');
    recipe->name = px_strdup(base ? base + 1 : dir);
}

static int exists_in(const struct px_at *at, const struct px_node *entry, const char *key,
                     const char *dir, const char *path, struct px_error *err) {
    px_cleanup_free char *full = px_asprintf("%s/%s", dir, path);
    struct stat st;
    if (stat(full, &st) == 0)
        return 0;
    const int r = errno;
    const struct px_at here = {.up = at, .key = key};
    return px_at_fail(&here, px_node_get(entry, key), err, "cannot use '%s': %s", full,
                      strerrordesc_np(r));
}

/* What the recipe names in its folder is there. */
static int check_sources(const struct px_at *at, const struct px_node *root,
                         const struct px_recipe *recipe, struct px_error *err) {
    const struct px_at files = {.up = at, .key = "files"}, pips = {.up = at, .key = "pip"};
    const struct px_node *list = px_node_get(root, "files");
    const struct px_node *n = list ? list->child : NULL;
    for (size_t i = 0; i < recipe->n_files && n; i++, n = n->next) {
        const struct px_at here = {.up = &files, .index = i};
        const char *source = recipe->files[i].source;
        int r = source ? exists_in(&here, n, "source", recipe->dir, source, err) : 0;
        if (r < 0)
            return r;
    }
    list = px_node_get(root, "pip");
    n = list ? list->child : NULL;
    for (size_t i = 0; i < recipe->n_pip && n; i++, n = n->next) {
        const struct px_at here = {.up = &pips, .index = i};
        int r = exists_in(&here, n, "requirements", recipe->dir, recipe->pip[i].requirements, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int parse(const char *name, const char *dir, const char *text, size_t size, bool look,
                 struct px_recipe **ret, struct px_error *err) {
    const struct px_at at = {.key = name};
    px_cleanup(px_node_freep) struct px_node *root = NULL;
    px_cleanup(px_recipe_freep) struct px_recipe *recipe = px_new0(struct px_recipe, 1);
    set_dir(recipe, dir);
    px_schema_defaults(px_recipe_fields, recipe);
    int r = px_yaml_parse(name, text, size, false, &root, err);
    if (r == 0)
        r = px_schema_load(&at, px_recipe_fields, root, recipe, err);
    if (r == 0)
        r = check_whole(&at, root, recipe, err);
    if (r == 0 && look)
        r = check_sources(&at, root, recipe, err);
    if (r < 0)
        return r;
    fill_in(recipe);
    *ret = px_take_ptr(recipe);
    return 0;
}

int px_recipe_parse(const char *name, const char *text, size_t size, struct px_recipe **ret,
                    struct px_error *err) {
    const char *slash = strrchr(name, '/');
    px_cleanup_free char *dir = slash ? px_strndup(name, (size_t)(slash - name)) : px_strdup(".");
    return parse(name, dir, text, size, false, ret, err);
}

int px_recipe_load(const char *dir, struct px_recipe **ret, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    px_cleanup_free char *path = px_asprintf("%s/recipe.yaml", dir);
    int r = px_file_read(AT_FDCWD, path, PX_RECIPE_MAX_BYTES, &text, &size, err);
    if (r < 0)
        return r;
    px_cleanup_free char *real = realpath(dir, NULL); /* "." has a name too */
    return parse(path, real ? real : dir, text, size, true, ret, err);
}

struct px_recipe *px_recipe_free(struct px_recipe *recipe) {
    if (!recipe)
        return NULL;
    px_schema_fini(px_recipe_fields, recipe);
    free(recipe->name);
    free(recipe->dir);
    free(recipe);
    return NULL;
}

char *px_recipe_schema(void) {
    return px_schema_json(px_recipe_fields, "phoenix recipe", "What an image is built from");
}

char *px_recipe_keys(void) {
    return px_schema_markdown(px_recipe_fields);
}
