/* src/base/log.h - one line per event on stderr (or the journal), subject first, then fields
 *
 *     relay: session 4f1c closed: reason=idle rx_bytes=83112 age_ms=30004
 *
 * Levels are for readers: error (act), warning (look), info (operator), debug (us). The level (and
 * the writer) are the program's only globals. Lines carry a <N> priority prefix when stderr is the
 * journal (JOURNAL_STREAM set), see sd-daemon(3). No secrets, no raw bytes of peers. Thread-safe.
 */
#pragma once
#include "base/error.h"

enum px_log_level { PX_LOG_ERROR, PX_LOG_WARNING, PX_LOG_INFO, PX_LOG_DEBUG };

void px_log_set_level(enum px_log_level level); /* default: PX_LOG_WARNING */
enum px_log_level px_log_get_level(void);
/* -EINVAL: not one of error, warning, info, debug. */
int px_log_parse_level(const char *word, enum px_log_level *ret, struct px_error *err);

void px_log_line(enum px_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Lines go to @writer (without their newline) instead of stderr, from any thread; NULL: stderr
 * again. For a progress display that shares the terminal. Returns when no other thread is in the
 * old one. */
void px_log_set_writer(void (*writer)(void *data, enum px_log_level level, const char *line),
                       void *data);
/* First thing in a child process that goes on to work: lines go to stderr again. The writer's locks
 * may have been held by a thread that this process does not have. */
void px_log_forked(void);

#define px_log(level, ...)                                                                         \
    do {                                                                                           \
        if ((level) <= px_log_get_level())                                                         \
            px_log_line((level), __VA_ARGS__);                                                     \
    } while (0)
#define px_error(...) px_log(PX_LOG_ERROR, __VA_ARGS__)
#define px_warning(...) px_log(PX_LOG_WARNING, __VA_ARGS__)
#define px_info(...) px_log(PX_LOG_INFO, __VA_ARGS__)
#define px_debug(...) px_log(PX_LOG_DEBUG, __VA_ARGS__)
