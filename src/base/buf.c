/* src/base/buf.c - bytes that grow */
#include "base/buf.h"
#include "base/alloc.h"
#include <assert.h>
#include <string.h>

void px_buf_fini(struct px_buf *b) {
    free(b->data);
    *b = (struct px_buf){0};
}

void px_buf_reset(struct px_buf *b) {
    b->size = 0;
    if (b->data)
        b->data[0] = '\0';
}

void *px_buf_reserve(struct px_buf *b, size_t size) {
    assert(size < SIZE_MAX / 4 && b->size < SIZE_MAX / 4);
    px_grow(b->data, &b->cap, b->size + size + 1);
    return b->data + b->size;
}

void px_buf_add(struct px_buf *b, const void *data, size_t size) {
    char *at = px_buf_reserve(b, size);
    if (size > 0)
        memcpy(at, data, size);
    b->size += size;
    b->data[b->size] = '\0';
}

void px_buf_puts(struct px_buf *b, const char *s) {
    px_buf_add(b, s, strlen(s));
}

void px_buf_putc(struct px_buf *b, char c) {
    px_buf_add(b, &c, 1);
}

void px_buf_vprintf(struct px_buf *b, const char *fmt, va_list ap) {
    px_cleanup_free char *s = px_vasprintf(fmt, ap);
    px_buf_puts(b, s);
}

void px_buf_printf(struct px_buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    px_buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void px_buf_drop(struct px_buf *b, size_t size) {
    assert(size <= b->size);
    if (size == 0)
        return;
    memmove(b->data, b->data + size, b->size - size);
    b->size -= size;
    b->data[b->size] = '\0';
}

char *px_buf_take(struct px_buf *b) {
    char *s = b->data ? b->data : px_strdup("");
    *b = (struct px_buf){0};
    return s;
}
