/* src/image/deb822.h - paragraphs of "Field: value" lines, as apt and dpkg write them
 *
 * Paragraphs are apart by blank lines; a line that starts with a blank goes on with the value
 * above; lines that start with '#' are comments. Field names compare without case. Nothing is
 * copied: a paragraph points into the text. Pure, any thread. Source: deb822(5). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct px_deb822 { /* one paragraph; lent by the text */
    const char *text;
    size_t size;
};

/* The next paragraph at or after *@at, which moves behind it. false: there is none. */
bool px_deb822_next(const char *text, size_t size, size_t *at, struct px_deb822 *ret);
/* Value of @field, blanks around it taken off, further lines joined as they stand (their newline
 * and leading blank kept); the caller's. NULL: not there. */
char *px_deb822_get(const struct px_deb822 *p, const char *field);
