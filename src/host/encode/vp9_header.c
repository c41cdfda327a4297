/* src/host/encode/vp9_header.c - what stands in front of the tiles
 *
 *     plain bits | size of the next | coded: chances that changed | size, tile | .. | last tile
 *
 * Frames stand alone but for the picture before: chances begin with the format's each time
 * (error_resilient_mode), and decoders learn nothing from what they decode.
 * Source: see vp9_tables.h, 6.2 and 6.3. */
#include "host/encode/vp8_tables.h" /* px_vp8_costs */
#include "host/encode/vp9_private.h"
#include <string.h>

#define UPDATE 252 /* how likely a chance stays */

/* ---- chances ---- */

static int recentred(int v, int m) {
    return v > 2 * m ? v : v >= m ? 2 * (v - m) : 2 * (m - v) - 1;
}

/* The number that stands for a change from @old to @now: rough steps are the smallest numbers. */
static int change_number(int now, int old) {
    const int v = now - 1, m = old - 1;
    const int i = (2 * m <= 255 ? recentred(v, m) : recentred(254 - v, 254 - m)) - 1;
    if (i % 13 == 6 && i < 254)
        return i / 13;
    return i == 253 ? 19 : 20 + i - (i + 6) / 13;
}

static int change_bits(int number) {
    return number < 16 ? 5 : number < 32 ? 6 : number < 64 ? 8 : number < 64 + 65 ? 10 : 11;
}

static void put_change(struct px_bits *b, int number) {
    px_put(b, number >= 16, 128);
    if (number < 16) {
        px_put_value(b, (unsigned)number, 4);
        return;
    }
    px_put(b, number >= 32, 128);
    if (number < 32) {
        px_put_value(b, (unsigned)number - 16, 4);
        return;
    }
    px_put(b, number >= 64, 128);
    if (number < 64) {
        px_put_value(b, (unsigned)number - 32, 5);
        return;
    }
    const unsigned v = (unsigned)number - 64;
    px_put_value(b, v < 65 ? v : 65 + (v - 65) / 2, 7);
    if (v >= 65)
        px_put(b, (v - 65) & 1, 128);
}

static int64_t cost(const uint32_t n[2], unsigned chance_of_0) {
    return (int64_t)n[0] * px_vp8_costs[chance_of_0] +
           (int64_t)n[1] * px_vp8_costs[256 - chance_of_0];
}

static unsigned chance(const uint32_t n[2]) {
    const uint64_t of = (uint64_t)n[0] + n[1];
    const unsigned c = of ? (unsigned)(n[0] * UINT64_C(256) / of) : 128;
    return c < 1 ? 1 : c > 255 ? 255 : c;
}

void px_vp9_adapt(const px_vp9_counts *counts, px_vp9_chances *chances) {
    const uint32_t(*n)[2] = (const void *)counts;
    uint8_t *c = (void *)chances;
    for (size_t i = 0; i < sizeof(*chances); i++) {
        if (n[i][0] + n[i][1] == 0) /* nor is there a chance where the format has no such context */
            continue;
        const unsigned now = chance(n[i]);
        if (now == c[i])
            continue;
        const int64_t price = change_bits(change_number((int)now, c[i])) * 256 +
                              px_vp8_costs[256 - UPDATE] - px_vp8_costs[UPDATE];
        if (cost(n[i], c[i]) - cost(n[i], now) > price)
            c[i] = (uint8_t)now;
    }
}

/* ---- the coded part ---- */

static void put_same(struct px_bits *b, int n) {
    while (n-- > 0)
        px_put(b, false, UPDATE);
}

static void put_chances(struct px_bits *b, const px_vp9_chances *chances,
                        const px_vp9_chances *before) {
    const bool any = memcmp(chances, before, sizeof(*chances)) != 0;
    px_put(b, any, 128);
    for (int i = 0; any && i < 4 * PX_VP9_BANDS * PX_VP9_CONTEXTS; i++) {
        const int band = i / PX_VP9_CONTEXTS % PX_VP9_BANDS, context = i % PX_VP9_CONTEXTS;
        if (band == 0 && context > 2) /* there are no such */
            continue;
        for (int node = 0; node < PX_VP9_NODES; node++) {
            const int at = i * PX_VP9_NODES + node;
            const int now = ((const uint8_t *)chances)[at];
            const int old = ((const uint8_t *)before)[at];
            px_put(b, now != old, UPDATE);
            if (now != old)
                put_change(b, change_number(now, old));
        }
    }
}

static void write_coded(const struct px_vp9_frame *f, struct px_buf *out) {
    struct px_bits b;
    px_bits_init(&b, out);
    px_put(&b, false, 128);
    px_put_value(&b, f->eights, 2); /* transforms of 4x4 only; of up to 8x8 */
    if (f->eights)
        put_chances(&b, &px_vp9_coef_chances, &px_vp9_coef_chances);
    put_chances(&b, &f->chances, f->eights ? &px_vp9_coef_chances8 : &px_vp9_coef_chances);
    put_same(&b, 3); /* whether blocks skip */
    if (!f->key) {
        put_same(&b, 7 * 3 + 4 + 5 * 2);  /* ways to move, moved or not, which reference */
        put_same(&b, 4 * 9 + 16 * 3);     /* modes, sizes of blocks */
        put_same(&b, 3 + 2 * 22 + 2 * 9); /* moves */
    }
    px_bits_end(&b);
}

/* ---- the plain part ---- */

struct plain {
    uint8_t bytes[32];
    int n; /* bits */
};

static void put_plain(struct plain *p, unsigned value, int n) {
    while (n-- > 0) {
        p->bytes[p->n / 8] |= (uint8_t)((value >> n & 1) << (7 - p->n % 8));
        p->n++;
    }
}

static void put_key(struct plain *p, const struct px_vp9_size *z) {
    put_plain(p, 0x498342, 24);
    put_plain(p, 1, 3); /* BT.601 */
    put_plain(p, 0, 1); /* limited range */
    if (!z->shift)
        put_plain(p, 0, 3); /* chroma in full, across and down; reserved */
    put_plain(p, (unsigned)z->width - 1, 16);
    put_plain(p, (unsigned)z->height - 1, 16);
    put_plain(p, 0, 1); /* shown at that size */
}

static void put_inter(struct plain *p) {
    put_plain(p, 0xff, 8); /* it replaces all references */
    for (int i = 0; i < 3; i++)
        put_plain(p, 0, 3 + 1); /* which are the first */
    put_plain(p, 1, 1);         /* of the first's size */
    put_plain(p, 0, 1);
    put_plain(p, 0, 1); /* moves by quarters of a pixel at least */
    put_plain(p, 0, 1); /* one filter for all between pixels: the middle one */
    put_plain(p, 1, 2);
}

static int superblocks(const struct px_vp9_size *z) {
    return (z->mi_columns + 7) / 8;
}

int px_vp9_log2_tiles_min(const struct px_vp9_size *size) {
    int n = 0;
    while (64 << n < superblocks(size))
        n++;
    return n;
}

int px_vp9_log2_tiles_max(const struct px_vp9_size *size) {
    int n = 1;
    while (superblocks(size) >> n >= 4)
        n++;
    return n - 1;
}

static void write_plain(const struct px_vp9_frame *f, size_t coded, struct px_buf *out) {
    struct plain p = {0};
    put_plain(&p, 2, 2);
    put_plain(&p, f->size.shift ? 0 : 2, 2); /* profile, its lower bit first */
    put_plain(&p, 0, 1);
    put_plain(&p, !f->key, 1);
    put_plain(&p, 1, 1); /* shown */
    put_plain(&p, 1, 1); /* error_resilient_mode */
    if (f->key)
        put_key(&p, &f->size);
    else
        put_inter(&p);
    put_plain(&p, 0, 2);         /* frame_context_idx */
    put_plain(&p, 0, 6 + 3 + 1); /* no loop filter */
    put_plain(&p, (unsigned)f->index, 8);
    put_plain(&p, 0, 3); /* the same for all planes, means and others */
    put_plain(&p, 0, 1); /* no segments */
    for (int i = px_vp9_log2_tiles_min(&f->size); i < f->log2_tiles; i++)
        put_plain(&p, 1, 1);
    if (f->log2_tiles < px_vp9_log2_tiles_max(&f->size))
        put_plain(&p, 0, 1);
    put_plain(&p, 0, 1); /* not cut across */
    put_plain(&p, (unsigned)coded, 16);
    px_buf_add(out, p.bytes, (size_t)(p.n + 7) / 8);
}

void px_vp9_join(const struct px_vp9_frame *f, const struct px_buf *tiles, struct px_buf *scratch,
                 struct px_buf *out) {
    px_buf_reset(scratch);
    write_coded(f, scratch);
    write_plain(f, scratch->size, out);
    px_buf_add(out, scratch->data, scratch->size);
    for (int i = 0; i < 1 << f->log2_tiles; i++) {
        const size_t n = tiles[i].size;
        if (i + 1 < 1 << f->log2_tiles)
            px_buf_add(
                out,
                (uint8_t[4]){(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n},
                4);
        px_buf_add(out, tiles[i].data, n);
    }
}
