/* src/host/encode/bits.c - the arithmetic coder of VP8 and VP9, writing */
#include "host/encode/bits.h"

#define AHEAD 4

void px_bits_init(struct px_bits *b, struct px_buf *out) {
    *b = (struct px_bits){.out = out, .range = 255};
}

static void carry(struct px_buf *out) {
    for (size_t i = out->size; i-- > 0;)
        if (++out->data[i] != 0)
            break;
}

static void write_top(struct px_bits *b, unsigned n_bytes) {
    const unsigned left = b->n + 8 - 8 * n_bytes;
    const uint64_t top = b->low >> left;
    if (top >> 8 * n_bytes)
        carry(b->out);
    uint8_t *to = px_buf_reserve(b->out, n_bytes);
    for (unsigned i = 0; i < n_bytes; i++)
        to[i] = (uint8_t)(top >> 8 * (n_bytes - 1 - i));
    b->out->size += n_bytes;
    b->low &= (UINT64_C(1) << left) - 1;
    b->n -= 8 * n_bytes;
}

void px_bits_flush(struct px_bits *b) {
    write_top(b, 4);
}

void px_bits_end(struct px_bits *b) {
    const unsigned odd = (8 - b->n % 8) % 8;
    b->low <<= odd;
    b->n += odd;
    write_top(b, b->n / 8 + 1);
    /* Decoders read ahead, and some take the end of the bytes for damage while many blocks are
     * still to come, each a fraction of a bit. */
    px_buf_add(b->out, (uint8_t[AHEAD]){0}, AHEAD);
}
