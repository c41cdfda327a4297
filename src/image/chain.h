/* src/image/chain.h - a recipe and those below it ("from"), the lowest first */
#pragma once
#include "base/cleanup.h"
#include "spec/recipe.h"

struct px_chain {
    struct px_recipe **items;
    size_t n;
};

/* @recipe: a name below @recipes_dir, or a path that has a '/'. -ENOENT; -ELOOP: from goes round.
 */
int px_chain_load(const char *recipes_dir, const char *recipe, struct px_chain *ret,
                  struct px_error *err);
void px_chain_fini(struct px_chain *chain);

/* Digest of what a lock is made for: suite, components, packages, pip requirements of @recipe. */
int px_recipe_inputs(const struct px_recipe *recipe, char *ret_digest, struct px_error *err);
