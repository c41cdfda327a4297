/* src/desktop/locale.h - keyboard layouts and time zones: their spelling, and what an image has
 *
 * An image with no layouts or zones at all (no X server, no tzdata) takes every wish, for there it
 * means nothing. Reads below @trees only, the layers of an image, and follows no path out of them.
 * Source: setxkbmap(1), xkeyboard-config(7), tzfile(5). */
#pragma once
#include "base/error.h"
#include <stddef.h>

/* "us,de(nodeadkeys)" as setxkbmap takes it: layouts "us,de", variants ",nodeadkeys" ("" where no
 * layout has one). Both are the caller's. */
void px_keyboard_split(const char *text, char **ret_layouts, char **ret_variants);

/* -EINVAL: the image has X, but a layout or variant of @text is not there; the message names it. */
int px_keyboard_check(char *const *trees, size_t n_trees, const char *text, struct px_error *err);
/* -EINVAL: the image has time zones, but not @zone. */
int px_timezone_check(char *const *trees, size_t n_trees, const char *zone, struct px_error *err);
