/* src/base/error.h - one error: a code, what happened, what to do next
 *
 * Whatever can fail returns int: 0 or more is good, less is a negative errno with *err filled in.
 * A struct px_error lives on the caller's stack: nothing to allocate or free, long text is cut.
 * Pass NULL when only the code matters. Printed as one line:
 *
 *     phoenix: desktop 'gpu-7': no free block of 65536 ids (hint: remove a desktop)
 *
 * Control characters in what is quoted become blanks and broken UTF-8 '?', so that names from
 * outside cannot forge a second line or reach the terminal. Thread-safe as long as two threads do
 * not share one struct. */
#pragma once
#include <errno.h>
#include <stdarg.h>

#define PX_ERROR_MSG_MAX 1024
#define PX_ERROR_HINT_MAX 512

struct px_error {
    int code; /* negative errno, 0: no error */
    char msg[PX_ERROR_MSG_MAX];
    char hint[PX_ERROR_HINT_MAX]; /* "" when there is none */
};

/* Each returns @code, so that a failure is one `return`. @code is a negative errno. */

/* Starts an error; forgets what @err held. No "failed to", no full stop, no newline. */
int px_fail(struct px_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, and adds the system's reason for @code: "cannot open 'x': Permission denied". */
int px_fail_sys(struct px_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "what we were doing: " in front. */
int px_wrap(struct px_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds advice: a next step the reader can take. The first (innermost) hint stays. */
int px_hint(struct px_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
