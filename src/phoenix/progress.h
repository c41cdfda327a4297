/* src/phoenix/progress.h - long work, shown while it goes on
 *
 * On a terminal: a block of lines at the bottom, one for each thing in progress, drawn again at
 * most ten times a second; what is finished moves up and stays. Elsewhere (a log, CI): one line
 * with the time of day whenever a text changes. Log lines (base/log.h) go through it while it
 * lives, so that the two do not overwrite each other. ⠹ alice    waiting for the X server 1.2 s ⠹
 * desktop  installing packages   ██████░░░░  61%  48.0 s Any thread may call; one progress at a
 * time per process. */
#pragma once
#include "base/cleanup.h"
#include "phoenix/term.h"
#include <stdbool.h>
#include <stdint.h>

struct px_progress;

enum px_progress_end { PX_PROGRESS_OK, PX_PROGRESS_FAILED, PX_PROGRESS_SKIPPED };

/* @quiet: says nothing but failures. */
struct px_progress *px_progress_new(const struct px_term *term, bool quiet);
/* Takes the block off the screen. */
struct px_progress *px_progress_free(struct px_progress *progress);
PX_DEFINE_CLEANUP(struct px_progress *, px_progress_free)

/* @key is at work on @text; @fraction 0..1, or less than 0 where nobody knows. @detail (a package,
 * a file; NULL: none) changes often and is shown on a terminal only. */
void px_progress_set(struct px_progress *progress, const char *key, double fraction,
                     const char *text, const char *detail);
/* @key has ended; @text says how ("started in 0.4 s"). */
void px_progress_done(struct px_progress *progress, const char *key, enum px_progress_end how,
                      const char *text);
/* A line of its own that stays. */
void px_progress_say(struct px_progress *progress, const char *line);

/* The drawing itself, pure: one line, without a newline, at most @width columns. */
struct px_progress_line {
    const char *key, *text, *detail; /* detail may be NULL */
    double fraction;                 /* < 0: not known */
    int64_t elapsed_us;
};
void px_progress_draw(struct px_buf *out, const struct px_progress_line *line, size_t key_width,
                      unsigned frame, unsigned width, bool colour);
