/* src/base/alloc.h - memory of our own sizes
 *
 * These end the program when memory is out: there is nothing sensible left to do. A size that came
 * from outside has a limit checked before it reaches them. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

void *px_calloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *px_realloc_array(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *px_strdup(const char *s) __attribute__((malloc, returns_nonnull, nonnull));
/* NULL stays NULL. */
char *px_strdup_null(const char *s);
char *px_strndup(const char *s, size_t max) __attribute__((malloc, returns_nonnull, nonnull));
void *px_memdup(const void *p, size_t size) __attribute__((malloc, returns_nonnull));
char *px_asprintf(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), malloc, returns_nonnull));
char *px_vasprintf(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0), malloc, returns_nonnull));

/* n zeroed elements. */
#define px_new0(type, n) ((type *)px_calloc((n), sizeof(type)))

/* Makes room for @want elements in the array @p whose capacity is *@cap; doubles, never shrinks. */
#define px_grow(p, cap, want)                                                                      \
    do {                                                                                           \
        if (*(cap) < (want)) {                                                                     \
            size_t px_cap_ = *(cap) ? *(cap)*2 : 8;                                                \
            if (px_cap_ < (want))                                                                  \
                px_cap_ = (want);                                                                  \
            (p) = px_realloc_array((p), px_cap_, sizeof(*(p)));                                    \
            *(cap) = px_cap_;                                                                      \
        }                                                                                          \
    } while (0)
