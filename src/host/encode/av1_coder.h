/* src/host/encode/av1_coder.h - the arithmetic coder of AV1, writing
 *
 * Symbols of 2 .. 11 kinds, whose chances change with each. Source: AV1 specification, 8.2. */
#pragma once
#include "base/buf.h"
#include <stdint.h>

struct px_av1_coder {
    struct px_buf *out;
    uint64_t low;   /* what is not yet written, the top of it may still carry */
    uint32_t range; /* 32768..65535 */
    unsigned n;     /* how many bits of low, above its last 15, wait */
};

void px_av1_coder_init(struct px_av1_coder *c, struct px_buf *out); /* appends to @out */
/* Writes 32 of the bits that wait; there are at least 32. */
void px_av1_coder_flush(struct px_av1_coder *c);
void px_av1_coder_end(struct px_av1_coder *c);

/* From @high (of what is less) to @low, of 32768; @left: how many kinds follow. */
static inline void px_av1_code(struct px_av1_coder *c, unsigned high, unsigned low, unsigned left) {
    const uint32_t r = c->range;
    const uint32_t v = ((r >> 8) * (low >> 6) >> 1) + 4 * left;
    uint32_t u = r;
    if (high < 32768)
        u = ((r >> 8) * (high >> 6) >> 1) + 4 * (left + 1);
    c->low += r - u;
    const uint32_t range = u - v;
    const int shift = __builtin_clz(range) - 16;
    c->range = range << shift;
    c->low <<= shift;
    c->n += (unsigned)shift;
    if (c->n >= 32) { /* a copy: who has @c in registers keeps it there */
        struct px_av1_coder copy = *c;
        px_av1_coder_flush(&copy);
        *c = copy;
    }
}

/* @symbol, of @n kinds, 0 the first. */
static inline __attribute__((always_inline)) void px_av1_put(struct px_av1_coder *c,
                                                             uint16_t *chances, int n, int symbol) {
    px_av1_code(c, symbol ? chances[symbol - 1] : 32768, symbol < n - 1 ? chances[symbol] : 0,
                (unsigned)(n - 1 - symbol));
    const int used = chances[n], log2 = n > 3 ? 2 : 1;
    const int rate = 3 + (used > 15) + (used > 31) + log2;
    for (int i = 0; i < n - 1; i++)
        if (i < symbol)
            chances[i] = (uint16_t)(chances[i] + ((32768 - chances[i]) >> rate));
        else
            chances[i] = (uint16_t)(chances[i] - (chances[i] >> rate));
    chances[n] = (uint16_t)(used + (used < 32));
}

/* @n bits of @value, highest first, each as likely 0 as 1. */
static inline void px_av1_put_bits(struct px_av1_coder *c, unsigned value, int n) {
    while (n-- > 0)
        if (value >> n & 1)
            px_av1_code(c, 16384, 0, 0);
        else
            px_av1_code(c, 32768, 16384, 1);
}
