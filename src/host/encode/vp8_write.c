/* src/host/encode/vp8_write.c - blocks and numbers to a frame's bytes
 *
 *     3 bytes | 7 more in a key frame | modes of all blocks | sizes | streams of numbers
 *
 * Source: RFC 6386, 9 (frame header), 11 (modes), 13 (numbers), 17 (moves), 19 (all of it). */
#include "host/encode/bits.h"
#include "host/encode/vp8_private.h"
#include "host/encode/vp8_tables.h"
#include <assert.h>
#include <string.h>

#define FIRST_MAX (1u << 19)

/* ---- numbers ---- */

/* Writes, or only counts what it would write: one walk for both, compiled twice. */
struct walk {
    struct px_bits bits;
    const px_vp8_chances *chances;
    px_vp8_counts *counts;
};

#define INLINE static inline __attribute__((always_inline))

struct node {
    int type, band, context;
};

INLINE void put_node(struct walk *w, bool counting, struct node at, int node, bool bit) {
    if (counting)
        (*w->counts)[at.type][at.band][at.context][node][bit]++;
    else
        px_put(&w->bits, bit, (*w->chances)[at.type][at.band][at.context][node]);
}

static void put_extra(struct px_bits *b, unsigned value, const uint8_t *chances, int n) {
    for (int i = 0; i < n; i++)
        px_put(b, value >> (n - 1 - i) & 1, chances[i]);
}

/* What of a number of 5 and more the tree does not tell. */
static void put_rest(struct px_bits *b, unsigned v) {
    static const struct {
        uint8_t from, n, chances[11];
    } kinds[] = {{5, 1, {159}},
                 {7, 2, {165, 145}},
                 {11, 3, {173, 148, 140}},
                 {19, 4, {176, 155, 140, 135}},
                 {35, 5, {180, 157, 141, 134, 130}},
                 {67, 11, {254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129}}};
    int i = 5;
    while (v < kinds[i].from)
        i--;
    put_extra(b, v - kinds[i].from, kinds[i].chances, kinds[i].n);
}

/* A number of 2 and more, without its sign. */
INLINE void put_large(struct walk *w, bool counting, struct node at, unsigned v) {
    put_node(w, counting, at, 3, v > 4);
    if (v <= 4) {
        put_node(w, counting, at, 4, v > 2);
        if (v > 2)
            put_node(w, counting, at, 5, v == 4);
        return;
    }
    put_node(w, counting, at, 6, v > 10);
    if (v <= 10)
        put_node(w, counting, at, 7, v > 6);
    else {
        put_node(w, counting, at, 8, v > 34);
        if (v <= 34)
            put_node(w, counting, at, 9, v > 18);
        else
            put_node(w, counting, at, 10, v > 66);
    }
    if (!counting)
        put_rest(&w->bits, v);
}

/* The numbers @first..@end-1 of a part; @context: how many of its neighbours have any. */
INLINE void put_part(struct walk *w, bool counting, int type, int context, int first, int end,
                     const int16_t *numbers) {
    struct node at = {type, px_vp8_band[first], context};
    bool may_end = true;
    for (int i = first; i < 16; i++) {
        if (may_end) {
            put_node(w, counting, at, 0, i < end);
            if (i >= end)
                return;
        }
        const int n = numbers[i];
        const unsigned v = (unsigned)(n < 0 ? -n : n);
        put_node(w, counting, at, 1, v > 0);
        may_end = v > 0;
        if (v > 0) {
            put_node(w, counting, at, 2, v > 1);
            if (v > 1)
                put_large(w, counting, at, v);
            if (!counting)
                px_put(&w->bits, n < 0, 128);
        }
        at.band = px_vp8_band[i < 15 ? i + 1 : 15];
        at.context = v > 1 ? 2 : (int)v;
    }
}

/* How many numbers those parts have that are written after luma's means and lie before them. */
static int n_before_means(const struct px_vp8_block *k) {
    int n = 0;
    for (int i = 0; i < PX_VP8_MEANS; i++)
        n += k->ends[i];
    return n;
}

/* Whether a part of a neighbour has numbers; NULL: there is no neighbour. */
static int has(const struct px_vp8_block *k, int part) {
    return k && !k->skip && k->ends[part] > 0;
}

INLINE void put_parts(struct walk *w, bool counting, const struct px_vp8_block *k,
                      const struct px_vp8_block *above, const struct px_vp8_block *left, int type,
                      int base, int side, const int16_t **numbers) {
    const int first = type == 0 ? 1 : 0;
    for (int i = 0; i < side * side; i++) {
        const int at = base + i;
        const int up = i < side ? has(above, at + side * (side - 1)) : has(k, at - side);
        const int back = i % side == 0 ? has(left, at + side - 1) : has(k, at - 1);
        put_part(w, counting, type, up + back, first, k->ends[at], *numbers);
        *numbers += k->ends[at];
    }
}

/* Luma without any but means: the end of each part. */
INLINE void put_no_luma(struct walk *w, bool counting) {
    const struct node at = {0, px_vp8_band[1], 0};
    for (int i = 0; i < 16; i++)
        put_node(w, counting, at, 0, false);
}

INLINE void walk_rows(struct walk *w, bool counting, const struct px_vp8_frame *f, int stream) {
    for (int row = stream; row < f->rows; row += f->n_streams)
        for (int column = 0; column < f->columns; column++) {
            const int i = row * f->columns + column;
            const struct px_vp8_block *k = &f->blocks[i];
            const struct px_vp8_block *above = row ? k - f->columns : NULL;
            const struct px_vp8_block *left = column ? k - 1 : NULL;
            if (k->skip)
                continue;
            const int16_t *numbers = f->numbers[i];
            put_part(w, counting, 1, has(above, PX_VP8_MEANS) + has(left, PX_VP8_MEANS), 0,
                     k->ends[PX_VP8_MEANS], numbers + n_before_means(k));
            if (f->only_means)
                put_no_luma(w, counting);
            else
                put_parts(w, counting, k, above, left, 0, 0, 4, &numbers);
            put_parts(w, counting, k, above, left, 2, 16, 2, &numbers);
            put_parts(w, counting, k, above, left, 2, 20, 2, &numbers);
        }
}

void px_vp8_count_tokens(const struct px_vp8_frame *f, int stream, px_vp8_counts *counts) {
    struct walk w = {.counts = counts};
    walk_rows(&w, true, f, stream);
}

void px_vp8_write_tokens(const struct px_vp8_frame *f, int stream, struct px_buf *out) {
    struct walk w = {.chances = &f->chances};
    px_bits_init(&w.bits, out);
    walk_rows(&w, false, f, stream);
    px_bits_end(&w.bits);
}

/* ---- chances ---- */

static unsigned chance(unsigned n, unsigned of) {
    const unsigned c = of ? (unsigned)((uint64_t)n * 256 / of) : 128;
    return c < 1 ? 1 : c > 255 ? 255 : c;
}

static int64_t cost(const uint32_t n[2], unsigned chance_of_0) {
    return (int64_t)n[0] * px_vp8_costs[chance_of_0] +
           (int64_t)n[1] * px_vp8_costs[256 - chance_of_0];
}

void px_vp8_adapt(const px_vp8_counts *counts, px_vp8_chances *chances) {
    const uint32_t(*n)[2] = (const void *)counts;
    const uint8_t *update = (const void *)px_vp8_coef_update_probs;
    uint8_t *c = (void *)chances;
    for (size_t i = 0; i < sizeof(*chances); i++) {
        const unsigned now = chance(n[i][0], n[i][0] + n[i][1]);
        const int64_t price = 8 * 256 + px_vp8_costs[256 - update[i]] - px_vp8_costs[update[i]];
        if (cost(n[i], c[i]) - cost(n[i], now) > price)
            c[i] = (uint8_t)now;
    }
}

/* ---- modes ---- */

struct kinds {
    unsigned skip, intra; /* that a block does not skip; that it is not from the last picture */
};

static void put_intra(struct px_bits *b, bool key, enum px_vp8_mode m) {
    static const uint8_t key_y[] = {145, 156, 163, 128}, key_uv[] = {142, 114, 183};
    static const uint8_t y[] = {112, 86, 140, 37}, uv[] = {162, 101, 204};
    const uint8_t *c = key ? key_uv : uv;
    const bool upper = m == PX_VP8_H || m == PX_VP8_TM;
    if (key) {
        px_put(b, true, key_y[0]); /* not a mode for each part */
        px_put(b, upper, key_y[1]);
        if (upper)
            px_put(b, m == PX_VP8_TM, key_y[3]);
        else
            px_put(b, m == PX_VP8_V, key_y[2]);
    } else {
        px_put(b, m != PX_VP8_DC, y[0]);
        if (m != PX_VP8_DC)
            px_put(b, m == PX_VP8_TM, y[1]);
        if (m == PX_VP8_TM)
            px_put(b, false, y[3]);
        else if (m != PX_VP8_DC)
            px_put(b, m == PX_VP8_H, y[2]);
    }
    px_put(b, m != PX_VP8_DC, c[0]);
    if (m == PX_VP8_DC)
        return;
    px_put(b, m != PX_VP8_V, c[1]);
    if (m != PX_VP8_V)
        px_put(b, m != PX_VP8_H, c[2]);
}

static bool equal(struct px_move a, struct px_move b) {
    return a.x == b.x && a.y == b.y;
}

/* What the neighbours' moves foretell of a block's. */
struct foretold {
    struct px_move best, nearest, near;
    int counts[4];
};

static struct px_move bounded(const struct px_vp8_frame *f, int column, int row, struct px_move m) {
    const int left = -(column + 1) * 16, right = (f->columns - column) * 16;
    const int top = -(row + 1) * 16, bottom = (f->rows - row) * 16;
    m.x = (int16_t)(m.x < left ? left : m.x > right ? right : m.x);
    m.y = (int16_t)(m.y < top ? top : m.y > bottom ? bottom : m.y);
    return m;
}

static void foretell(const struct px_vp8_frame *f, int column, int row, struct foretold *ret) {
    const struct px_vp8_block *k = &f->blocks[row * f->columns + column];
    const struct px_vp8_block *around[3] = {row ? k - f->columns : NULL, column ? k - 1 : NULL,
                                            row && column ? k - f->columns - 1 : NULL};
    static const int weights[3] = {2, 2, 1};
    struct px_move moves[4] = {0};
    int counts[4] = {0}, n = 0;
    for (int i = 0; i < 3; i++) {
        if (!around[i] || around[i]->mode != PX_VP8_INTER)
            continue;
        const struct px_move m = around[i]->move;
        if (m.x == 0 && m.y == 0) {
            counts[0] += weights[i];
            continue;
        }
        if (n == 0 || !equal(m, moves[n]))
            moves[++n] = m;
        counts[n] += weights[i];
    }
    if (counts[3] && equal(moves[3], moves[1]))
        counts[1]++;
    counts[3] = 0; /* how many neighbours are split: none ever is */
    const bool swap = counts[2] > counts[1];
    const int first = swap ? 2 : 1, second = swap ? 1 : 2;
    ret->counts[0] = counts[0];
    ret->counts[1] = counts[first];
    ret->counts[2] = counts[second];
    ret->counts[3] = 0;
    ret->nearest = bounded(f, column, row, moves[first]);
    ret->near = bounded(f, column, row, moves[second]);
    ret->best = counts[first] >= counts[0] ? ret->nearest : (struct px_move){0};
}

/* How far a move is from what was foretold, one way; in quarters of a pixel. */
static void put_distance(struct px_bits *b, const uint8_t *p, int quarters) {
    const unsigned v = (unsigned)(quarters < 0 ? -quarters : quarters);
    const uint8_t *tree = p + 2, *bits = p + 9;
    assert(v < 1024);
    px_put(b, v >= 8, p[0]);
    if (v < 8) {
        px_put(b, v >> 2 & 1, tree[0]);
        px_put(b, v >> 1 & 1, tree[v & 4 ? 4 : 1]);
        px_put(b, v & 1, tree[(v & 4 ? 5 : 2) + (v >> 1 & 1)]);
        if (v == 0)
            return;
    } else {
        for (int i = 0; i < 3; i++)
            px_put(b, v >> i & 1, bits[i]);
        for (int i = 9; i > 3; i--)
            px_put(b, v >> i & 1, bits[i]);
        if (v > 15)
            px_put(b, v >> 3 & 1, bits[3]);
    }
    px_put(b, quarters < 0, p[1]);
}

static void put_move(struct px_bits *b, const struct px_vp8_frame *f, int column, int row,
                     struct px_move m) {
    struct foretold t;
    foretell(f, column, row, &t);
    const bool still = m.x == 0 && m.y == 0;
    px_put(b, !still, px_vp8_mode_probs[t.counts[0]][0]);
    if (still)
        return;
    px_put(b, !equal(m, t.nearest), px_vp8_mode_probs[t.counts[1]][1]);
    if (equal(m, t.nearest))
        return;
    px_put(b, !equal(m, t.near), px_vp8_mode_probs[t.counts[2]][2]);
    if (equal(m, t.near))
        return;
    px_put(b, false, px_vp8_mode_probs[t.counts[3]][3]);
    put_distance(b, px_vp8_mv_probs[0], 4 * (m.y - t.best.y));
    put_distance(b, px_vp8_mv_probs[1], 4 * (m.x - t.best.x));
}

static void put_updates(struct px_bits *b, const struct px_vp8_frame *f) {
    const uint8_t *update = (const void *)px_vp8_coef_update_probs;
    const uint8_t *was = (const void *)&f->chances_before, *now = (const void *)&f->chances;
    const uint8_t *at_first = f->joined ? (const void *)px_vp8_coef_probs : was;
    for (size_t i = 0; i < sizeof(f->chances); i++) {
        const bool differs = now[i] != was[i] || now[i] != at_first[i];
        px_put(b, differs, update[i]);
        if (differs)
            px_put_value(b, now[i], 8);
    }
}

static void put_header(struct px_bits *b, const struct px_vp8_frame *f, const struct kinds *c) {
    if (f->key)
        px_put_value(b, 0, 2);                      /* colours; decoders clamp */
    px_put_value(b, 0, 1);                          /* no segments */
    px_put_value(b, 0, 1 + 6 + 3);                  /* no loop filter: text stays as it is */
    px_put_value(b, 0, 1);                          /* nor adjustments to it */
    px_put_value(b, (unsigned)f->n_streams / 2, 2); /* the logarithm of 1, 2, 4 */
    px_put_value(b, (unsigned)f->index, 7);
    px_put_value(b, 0, 5); /* all kinds of numbers by the same quantizer */
    if (!f->key)
        px_put_value(b, 0, 2 + 2 + 2 + 2); /* golden and the other picture stay */
    px_put_value(b, !f->passing, 1);       /* chances stay for the next frame */
    if (!f->key)
        px_put_value(b, 1, 1); /* the next picture refers to this one */
    put_updates(b, f);
    px_put_value(b, 1, 1);
    px_put_value(b, c->skip, 8);
    if (f->key)
        return;
    px_put_value(b, c->intra, 8);
    px_put_value(b, 255, 8); /* from the last picture, and not golden */
    px_put_value(b, 128, 8);
    px_put_value(b, 0, 2); /* chances of intra modes stay */
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < PX_VP8_MV_PROBS; k++)
            px_put(b, false, px_vp8_mv_update_probs[i][k]);
}

void px_vp8_write_modes(const struct px_vp8_frame *f, struct px_buf *out) {
    struct px_bits b;
    const unsigned n = (unsigned)(f->columns * f->rows);
    unsigned n_full = 0, n_intra = 0;
    for (unsigned i = 0; i < n; i++) {
        n_full += !f->blocks[i].skip;
        n_intra += f->blocks[i].mode != PX_VP8_INTER;
    }
    const struct kinds c = {.skip = chance(n_full, n), .intra = chance(n_intra, n)};
    px_bits_init(&b, out);
    put_header(&b, f, &c);
    for (int row = 0; row < f->rows; row++)
        for (int column = 0; column < f->columns; column++) {
            const struct px_vp8_block *k = &f->blocks[row * f->columns + column];
            px_put(&b, k->skip, c.skip);
            if (!f->key) {
                px_put(&b, k->mode == PX_VP8_INTER, c.intra);
                if (k->mode == PX_VP8_INTER)
                    px_put(&b, false, 255);
            }
            if (k->mode == PX_VP8_INTER)
                put_move(&b, f, column, row, k->move);
            else
                put_intra(&b, f->key, (enum px_vp8_mode)k->mode);
        }
    px_bits_end(&b);
}

/* ---- all of it ---- */

void px_vp8_join(const struct px_vp8_frame *f, const struct px_buf *modes,
                 const struct px_buf *streams, struct px_buf *out) {
    const unsigned first = (unsigned)modes->size;
    assert(first < FIRST_MAX);
    const unsigned tag = (f->key ? 0u : 1u) | 1u << 4 | first << 5; /* version 0, shown */
    const uint8_t head[10] = {(uint8_t)tag,
                              (uint8_t)(tag >> 8),
                              (uint8_t)(tag >> 16),
                              0x9d,
                              0x01,
                              0x2a,
                              (uint8_t)f->width,
                              (uint8_t)(f->width >> 8),
                              (uint8_t)f->height,
                              (uint8_t)(f->height >> 8)};
    px_buf_add(out, head, f->key ? 10 : 3);
    px_buf_add(out, modes->data, modes->size);
    for (int i = 0; i + 1 < f->n_streams; i++) {
        const size_t n = streams[i].size;
        px_buf_add(out, (uint8_t[]){(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16)}, 3);
    }
    for (int i = 0; i < f->n_streams; i++)
        px_buf_add(out, streams[i].data, streams[i].size);
}
