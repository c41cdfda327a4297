/* src/spec/fuzz_recipe.c - what we accept holds what the header promises */
#include "spec/recipe.h"
#include <assert.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_recipe_freep) struct px_recipe *recipe = NULL;
    struct px_error err = {0};
    if (px_recipe_parse("x/recipe.yaml", (const char *)data, size, &recipe, &err) < 0) {
        assert(err.msg[0] && !strchr(err.msg, '\n') && !recipe);
        return 0;
    }
    assert(!recipe->from == !!recipe->suite && !recipe->from == (recipe->components.n > 0));
    for (size_t i = 0; i < recipe->n_files; i++) {
        assert(recipe->files[i].path[0] == '/' && recipe->files[i].owner);
        assert(!recipe->files[i].source != !recipe->files[i].content);
        assert((recipe->files[i].mode & ~(mode_t)07777) == 0);
    }
    for (size_t i = 0; i < recipe->n_pip; i++)
        assert(recipe->pip[i].venv[0] == '/' && recipe->pip[i].requirements[0] != '/');
    return 0;
}
