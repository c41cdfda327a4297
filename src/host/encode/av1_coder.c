/* src/host/encode/av1_coder.c - the arithmetic coder of AV1, writing */
#include "host/encode/av1_coder.h"

#define WINDOW 15

void px_av1_coder_init(struct px_av1_coder *c, struct px_buf *out) {
    *c = (struct px_av1_coder){.out = out, .range = 32768};
}

/* @n bytes of @v; what is above them is added to what was written before. */
static void write_out(struct px_buf *out, uint64_t v, int n) {
    uint8_t bytes[8];
    size_t at = out->size;
    for (uint64_t more = v >> 8 * n; more; more >>= 8) { /* up to 2: the range is of 16 bits */
        more += (uint8_t)out->data[--at];
        out->data[at] = (char)more;
    }
    for (int i = 0; i < n; i++)
        bytes[i] = (uint8_t)(v >> 8 * (n - 1 - i));
    px_buf_add(out, bytes, (size_t)n);
}

void px_av1_coder_flush(struct px_av1_coder *c) {
    const unsigned below = c->n - 32 + WINDOW;
    write_out(c->out, c->low >> below, 4);
    c->low &= (UINT64_C(1) << below) - 1;
    c->n -= 32;
}

/* As many bits as tell where in the range it is, the last of them a 1. */
void px_av1_coder_end(struct px_av1_coder *c) {
    const uint64_t mask = (1 << (WINDOW - 1)) - 1;
    const uint64_t end = ((c->low + mask) & ~mask) | (mask + 1);
    const int n = (int)c->n + 1, bytes = (n + 7) / 8;
    write_out(c->out, end >> (WINDOW - 1) << (8 * bytes - n), bytes);
}
