/* src/base/log.c - one line per event on stderr */
#include "base/log.h"
#include "base/cleanup.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic int log_level = PX_LOG_WARNING;

static pthread_rwlock_t writer_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct {
    void (*func)(void *data, enum px_log_level level, const char *line);
    void *data;
} writer; /* under writer_lock */

static const struct {
    const char *word;
    int priority; /* syslog(3) */
} levels[] = {
    [PX_LOG_ERROR] = {"error", 3},
    [PX_LOG_WARNING] = {"warning", 4},
    [PX_LOG_INFO] = {"info", 6},
    [PX_LOG_DEBUG] = {"debug", 7},
};

void px_log_set_level(enum px_log_level level) {
    atomic_store(&log_level, (int)level);
}

enum px_log_level px_log_get_level(void) {
    return (enum px_log_level)atomic_load(&log_level);
}

int px_log_parse_level(const char *word, enum px_log_level *ret, struct px_error *err) {
    for (size_t i = 0; i < PX_N_ELEMENTS(levels); i++)
        if (strcmp(word, levels[i].word) == 0) {
            *ret = (enum px_log_level)i;
            return 0;
        }
    return px_fail(err, -EINVAL, "log level '%s' is not one of error, warning, info, debug", word);
}

void px_log_set_writer(void (*func)(void *data, enum px_log_level level, const char *line),
                       void *data) {
    pthread_rwlock_wrlock(&writer_lock);
    writer.func = func;
    writer.data = data;
    pthread_rwlock_unlock(&writer_lock);
}

void px_log_forked(void) {
    writer_lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    writer.func = NULL;
}

static bool give_to_writer(enum px_log_level level, const char *line) {
    pthread_rwlock_rdlock(&writer_lock);
    const bool taken = writer.func != NULL;
    if (taken)
        writer.func(writer.data, level, line);
    pthread_rwlock_unlock(&writer_lock);
    return taken;
}

void px_log_line(enum px_log_level level, const char *fmt, ...) {
    char line[2048];
    size_t used = 0;
    if (getenv("JOURNAL_STREAM"))
        used = (size_t)snprintf(line, sizeof(line), "<%d>", levels[level].priority);
    else
        used = (size_t)snprintf(line, sizeof(line), "%s: ", levels[level].word);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line + used, sizeof(line) - used - 1, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    used += (size_t)n;
    if (used > sizeof(line) - 2)
        used = sizeof(line) - 2;
    for (char *p = line; p < line + used; p++) /* one event stays one line */
        if (*p == '\n' || *p == '\r')
            *p = ' ';
    line[used] = '\0';
    if (give_to_writer(level, line))
        return;
    line[used++] = '\n';
    /* One write: lines of several threads do not mix. */
    if (write(STDERR_FILENO, line, used) < 0)
        return;
}
