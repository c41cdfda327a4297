/* src/spec/recipe_fields.h - the tables of a recipe
 *
 * For spec/recipe.c only. */
#pragma once
#include "spec/recipe.h"
#include "spec/schema.h"

extern const struct px_field px_recipe_fields[]; /* of struct px_recipe */
