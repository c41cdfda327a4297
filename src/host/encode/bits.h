/* src/host/encode/bits.h - the arithmetic coder of VP8 and VP9, writing
 *
 * Each bit comes with the chance, of 256, that it is 0. Source: RFC 6386, 7; VP9's is
 * the same behind a first bit that is 0. */
#pragma once
#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

struct px_bits {
    struct px_buf *out;
    uint64_t low;   /* what is not yet written, the top of it may still carry */
    uint32_t range; /* 128..255 */
    unsigned n;     /* how many bits of low, above its last 8, wait */
};

void px_bits_init(struct px_bits *b, struct px_buf *out); /* appends to @out */
/* Writes 32 of the bits that wait; there are at least 40. */
void px_bits_flush(struct px_bits *b);
void px_bits_end(struct px_bits *b);

static inline void px_put(struct px_bits *b, bool bit, unsigned chance) {
    const uint32_t split = 1 + ((b->range - 1) * chance >> 8);
    const uint32_t range = bit ? b->range - split : split;
    b->low += bit ? split : 0;
    const int shift = __builtin_clz(range) - 24;
    b->range = range << shift;
    b->low <<= shift;
    b->n += (unsigned)shift;
    if (b->n >= 40) { /* a copy: who has @b in registers keeps it there */
        struct px_bits copy = *b;
        px_bits_flush(&copy);
        *b = copy;
    }
}

/* @n bits of @value, highest first, each as likely 0 as 1. */
static inline void px_put_value(struct px_bits *b, unsigned value, int n) {
    while (n-- > 0)
        px_put(b, value >> n & 1, 128);
}
