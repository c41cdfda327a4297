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

/* Names of the recipes below @recipes_dir, sorted; each is the caller's. Returns how many, at most
 * @max; none where there is no such folder. */
#define PX_RECIPES_MAX 64
int px_recipe_names(const char *recipes_dir, char **ret, size_t max);

/* Digest of what a lock is made for: suite, components, packages, pip requirements of @recipe. */
int px_recipe_inputs(const struct px_recipe *recipe, char *ret_digest, struct px_error *err);
