/* src/base/alloc.c - memory of our own sizes */
#include "base/alloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_die(void *p) {
    if (!p) {
        fputs("phoenix: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *px_calloc(size_t n, size_t size) {
    return or_die(calloc(n ? n : 1, size ? size : 1));
}

void *px_realloc_array(void *p, size_t n, size_t size) {
    return or_die(reallocarray(p, n ? n : 1, size ? size : 1));
}

char *px_strdup(const char *s) {
    return or_die(strdup(s));
}

char *px_strdup_null(const char *s) {
    return s ? px_strdup(s) : NULL;
}

char *px_strndup(const char *s, size_t max) {
    return or_die(strndup(s, max));
}

void *px_memdup(const void *p, size_t size) {
    void *copy = px_calloc(1, size);
    if (size > 0)
        memcpy(copy, p, size);
    return copy;
}

char *px_vasprintf(const char *fmt, va_list ap) {
    char *s = NULL;
    if (vasprintf(&s, fmt, ap) < 0)
        s = NULL;
    return or_die(s);
}

char *px_asprintf(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *s = px_vasprintf(fmt, ap);
    va_end(ap);
    return s;
}
