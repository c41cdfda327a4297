/* src/base/buf.h - bytes that grow; also strings being put together
 *
 * Zeroed is empty: `px_cleanup(px_buf_fini) struct px_buf b = {0};`. There is always a NUL behind
 * the last byte once something was added, so data serves as a C string. Not thread-safe. */
#pragma once
#include "base/cleanup.h"
#include <stdarg.h>
#include <stdint.h>

struct px_buf {
    char *data; /* NULL while nothing was ever added */
    size_t size, cap;
};

void px_buf_fini(struct px_buf *b);
void px_buf_reset(struct px_buf *b); /* empties, keeps the memory */
void px_buf_add(struct px_buf *b, const void *data, size_t size);
void px_buf_puts(struct px_buf *b, const char *s);
void px_buf_putc(struct px_buf *b, char c);
void px_buf_printf(struct px_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void px_buf_vprintf(struct px_buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
/* Room for @size more bytes behind the end; add to b->size what was used. */
void *px_buf_reserve(struct px_buf *b, size_t size);
/* Drops @size bytes from the front. */
void px_buf_drop(struct px_buf *b, size_t size);
/* The string (never NULL), now the caller's; @b is empty again. */
char *px_buf_take(struct px_buf *b);
/* The string, lent; "" when empty. */
static inline const char *px_buf_str(const struct px_buf *b) {
    return b->data ? b->data : "";
}
