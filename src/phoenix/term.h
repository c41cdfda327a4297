/* src/phoenix/term.h - what the output goes to, and text on it
 *
 * Text from outside (names, logs, command lines) is cleaned of control characters before it reaches
 * a terminal. Source: console_codes(4), https://no-color.org. */
#pragma once
#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>

enum px_colour { PX_PLAIN, PX_GOOD, PX_WARN, PX_BAD, PX_DIM, PX_BOLD };

struct px_term {
    int fd;         /* lent */
    bool tty;       /* a person reads it */
    bool colour;    /* escape sequences are welcome */
    unsigned width; /* columns; 0: no limit (not a terminal) */
    unsigned height;
    int *error; /* the first negative errno of writing to it; lent, NULL: nobody asks */
};

/* @when: "auto", "always", "never" (--color); NULL is auto, which heeds NO_COLOR and TERM=dumb. */
struct px_term px_term_of(int fd, const char *when);

/* Writes all of it, or notes in @term->error why not. */
void px_term_write(const struct px_term *term, const void *data, size_t size);

/* Columns that UTF-8 @text takes; bytes that are no UTF-8 and control characters count as one. */
size_t px_text_width(const char *text);
/* Adds @text with what could steer a terminal (and bad UTF-8) as '?', cut to @max columns ("…"
 * marks the cut); @max 0: all of it. Returns the columns used. */
size_t px_text_add(struct px_buf *out, const char *text, size_t max);
/* The escape sequence that switches @colour on, "" when @on is false; and back. */
const char *px_colour_on(enum px_colour colour, bool on);
const char *px_colour_off(enum px_colour colour, bool on);
/* Adds @text with lines broken at blanks so that none is wider than @width; each line starts with
 * @indent blanks. An empty line stays one. Ends with a newline. */
void px_text_wrap(struct px_buf *out, const char *text, unsigned indent, unsigned width);
