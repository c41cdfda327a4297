/* src/image/chain.c - a recipe and those below it */
#include "image/chain.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "image/digest.h"
#include <string.h>

#define CHAIN_MAX 10
#define REQUIREMENTS_MAX_BYTES (1024 * 1024)

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int px_recipe_names(const char *recipes_dir, char **ret, size_t max) {
    size_t n = 0;
    px_cleanup_closedir DIR *dir = opendir(recipes_dir);
    const struct dirent *d;
    while (dir && n < max && (d = readdir(dir))) {
        px_cleanup_free char *file = px_asprintf("%s/recipe.yaml", d->d_name);
        if (d->d_name[0] != '.' && px_exists(dirfd(dir), file))
            ret[n++] = px_strdup(d->d_name);
    }
    qsort(ret, n, sizeof(*ret), by_text);
    return (int)n;
}

/* The recipe nearest to @recipe, for a hint; the caller's. NULL: none is near. */
static char *suggest(const char *recipes_dir, const char *recipe) {
    char *names[PX_RECIPES_MAX];
    const int n = px_recipe_names(recipes_dir, names, PX_N_ELEMENTS(names));
    char *near = px_strdup_null(px_suggest(recipe, (const char *const *)names, (size_t)n));
    for (int i = 0; i < n; i++)
        free(names[i]);
    return near;
}

static int load_one(const char *recipes_dir, const char *recipe, struct px_recipe **ret,
                    struct px_error *err) {
    const bool is_path = strchr(recipe, '/') != NULL;
    px_cleanup_free char *dir =
        is_path ? px_strdup(recipe) : px_asprintf("%s/%s", recipes_dir, recipe);
    if (px_exists(AT_FDCWD, dir) || is_path)
        return px_recipe_load(dir, ret, err);
    px_cleanup_free char *near = suggest(recipes_dir, recipe);
    px_fail(err, -ENOENT, "there is no recipe '%s' in '%s'", recipe, recipes_dir);
    return near ? px_hint(err, -ENOENT, "did you mean '%s'?", near)
                : px_hint(err, -ENOENT,
                          "recipes_dir of the host file says where they lie; a folder elsewhere is "
                          "named by its path, such as ./%s",
                          recipe);
}

int px_chain_load(const char *recipes_dir, const char *recipe, struct px_chain *ret,
                  struct px_error *err) {
    px_cleanup(px_chain_fini) struct px_chain chain = {.items =
                                                           px_new0(struct px_recipe *, CHAIN_MAX)};
    const char *want = recipe;
    while (want) {
        if (chain.n == CHAIN_MAX)
            return px_fail(err, -ELOOP, "recipe '%s': 'from' goes round, or more than %d deep",
                           recipe, CHAIN_MAX);
        memmove(chain.items + 1, chain.items, chain.n * sizeof(*chain.items));
        chain.items[0] = NULL;
        chain.n++;
        int r = load_one(recipes_dir, want, &chain.items[0], err);
        if (r < 0)
            return strcmp(want, recipe) == 0 ? r : px_wrap(err, r, "recipe '%s'", recipe);
        want = chain.items[0]->from;
    }
    *ret = chain;
    chain = (struct px_chain){0};
    return 0;
}

void px_chain_fini(struct px_chain *chain) {
    for (size_t i = 0; i < chain->n; i++)
        px_recipe_free(chain->items[i]);
    free(chain->items);
    *chain = (struct px_chain){0};
}

static void put_strings(struct px_buf *b, const char *key, const struct px_strings *s) {
    for (size_t i = 0; i < s->n; i++)
        px_buf_printf(b, "%s %s\n", key, s->items[i]);
}

int px_recipe_inputs(const struct px_recipe *recipe, char *ret_digest, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    if (!recipe->from) {
        px_buf_printf(&b, "suite %s\n", recipe->suite);
        put_strings(&b, "component", &recipe->components);
    }
    put_strings(&b, "package", &recipe->packages);
    for (size_t i = 0; i < recipe->n_pip; i++) {
        px_cleanup_free char *path = px_asprintf("%s/%s", recipe->dir, recipe->pip[i].requirements);
        px_cleanup_free char *text = NULL;
        size_t size = 0;
        int r = px_file_read(AT_FDCWD, path, REQUIREMENTS_MAX_BYTES, &text, &size, err);
        if (r < 0)
            return r;
        px_buf_printf(&b, "pip %s %d %zu\n", recipe->pip[i].venv, recipe->pip[i].system_site, size);
        px_buf_add(&b, text, size);
    }
    px_digest_bytes(px_buf_str(&b), b.size, ret_digest);
    return 0;
}
