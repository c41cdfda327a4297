/* src/host/encode/vp9_parts.h - parts of 4x4 in a cell, two at a time, as VP9 and AV1 code them */
#pragma once
#include "host/encode/lanes.h"
#include "host/encode/pixels.h"
#include "host/encode/vp9_private.h"

/* (@a * @ka + @b * @kb) / 2^@bits, rounded. */
PX_PIXELS_INLINE v8 px_mix8(v8 a, v8 b, int16_t ka, int16_t kb, int bits) {
#ifdef __SSE2__
    const __m128i k = _mm_set1_epi32((int32_t)((uint32_t)(uint16_t)kb << 16 | (uint16_t)ka));
    const __m128i round = _mm_set1_epi32(1 << (bits - 1));
    const __m128i lo = _mm_madd_epi16(_mm_unpacklo_epi16((__m128i)a, (__m128i)b), k);
    const __m128i hi = _mm_madd_epi16(_mm_unpackhi_epi16((__m128i)a, (__m128i)b), k);
    return (v8)_mm_packs_epi32(_mm_srai_epi32(_mm_add_epi32(lo, round), bits),
                               _mm_srai_epi32(_mm_add_epi32(hi, round), bits));
#else
    v8 r;
    for (int i = 0; i < 8; i++)
        r[i] = (int16_t)((a[i] * ka + b[i] * kb + (1 << (bits - 1))) >> bits);
    return r;
#endif
}

/* ---- two parts ---- */

struct px_two {
    const uint8_t *want[2]; /* lines 16 apart */
    uint8_t *to[2];
    int stride;
    uint8_t *ends[2];
    int16_t *numbers[2];
};

static inline v8 px_load_two(const uint8_t *a, const uint8_t *b) {
    uint8_t both[8];
    memcpy(both, a, 4);
    memcpy(both + 4, b, 4);
    return px_load8(both);
}

static inline void px_save_two(v8 v, uint8_t *a, uint8_t *b) {
    uint8_t both[8];
    px_pack8(v, both);
    memcpy(b, both + 4, 4);
    memcpy(a, both, 4);
}

static inline v8 px_two_of(int a, int b) {
    const int16_t x = (int16_t)a, y = (int16_t)b;
    return (v8){x, x, x, x, y, y, y, y};
}

/* What is left of @want beyond @guess; false: nothing. */
PX_PIXELS_INLINE bool px_two_differ(const struct px_two *t, const v8 guess[4], v8 r[4]) {
    for (int i = 0; i < 4; i++)
        r[i] =
            px_load_two(t->want[0] + (ptrdiff_t)16 * i, t->want[1] + (ptrdiff_t)16 * i) - guess[i];
    *t->ends[0] = *t->ends[1] = 0;
    return !px_is_zero8(r);
}

/* What forward transforms made of them, twice the format's numbers, to the format's. False: none.
 */
PX_PIXELS_INLINE bool px_two_quantize(const struct px_vp9_steps *s, v8 r[4]) {
    const v8 zero = {0};
    v8 per = zero + s->ac_per, round = zero + s->ac_round;
    for (int i = 1; i < 4; i++)
        r[i] = px_quantize8((r[i] + 1) >> 1, per, round);
    per[0] = per[4] = s->dc_per;
    round[0] = round[4] = s->dc_round;
    r[0] = px_quantize8((r[0] + 1) >> 1, per, round);
    px_keep_low8(r, s->keep);
    return !px_is_zero8(r);
}

/* And back, for the inverse ones. */
PX_PIXELS_INLINE void px_two_scale(const struct px_vp9_steps *s, v8 r[4]) {
    v8 step = (v8){0} + s->ac;
    for (int i = 1; i < 4; i++)
        r[i] *= step;
    step[0] = step[4] = s->dc;
    r[0] *= step;
}

/* Into the picture: @guess and what is left of it, 16 times as large; NULL: nothing is. */
PX_PIXELS_INLINE void px_two_show(const struct px_two *t, const v8 guess[4], const v8 *r) {
    for (int i = 0; i < 4; i++)
        px_save_two(r ? guess[i] + ((r[i] + 8) >> 4) : guess[i],
                    t->to[0] + (ptrdiff_t)i * t->stride, t->to[1] + (ptrdiff_t)i * t->stride);
}

/* ---- a cell ---- */

struct px_cell {
    uint8_t *corner[3];
    int stride[3], wide[3], high[3]; /* parts that lie in the picture */
    bool top, edge;                  /* nothing is above; to the left */
};

static inline void px_cell_init(const struct px_vp9_at *at, struct px_cell *c) {
    const struct px_vp9_size *z = at->size;
    c->top = at->row == 0;
    c->edge = at->column == at->first_column;
    for (int i = 0; i < 3; i++) {
        const int shift = px_vp9_shift(z, i);
        c->stride[i] = at->now->strides[i];
        c->corner[i] = at->now->planes[i] + ((ptrdiff_t)at->row * 16 >> shift) * c->stride[i] +
                       (at->column * 16 >> shift);
        c->wide[i] = px_least(2, z->mi_columns - at->column * 2) * 2 >> shift;
        c->high[i] = px_least(2, z->mi_rows - at->row * 2) * 2 >> shift;
    }
}

/* Part @x, @y of @plane becomes the first or the second of two. */
static inline void px_two_set(struct px_two *t, int i, const struct px_vp9_size *z,
                              const struct px_cell *c, int plane, int x, int y,
                              const px_vp9_pixels want, uint8_t *ends, px_numbers *numbers) {
    const int part = px_vp9_first(z, plane) + y * px_vp9_side(z, plane) + x;
    t->want[i] = &want[plane][y * 4][x * 4];
    t->to[i] = c->corner[plane] + (ptrdiff_t)y * 4 * c->stride[plane] + x * 4;
    t->stride = c->stride[plane];
    t->ends[i] = ends + part;
    t->numbers[i] = numbers[part];
}

/* The mean of what is above and left of @side x @side pixels. */
PX_PIXELS_INLINE int px_mean_around(const uint8_t *p, int stride, bool above, bool left, int side) {
    int sum = 0;
    if (above)
        for (int i = 0; i < side; i++)
            sum += p[i - stride];
    if (left)
        for (int i = 0; i < side; i++)
            sum += p[(ptrdiff_t)i * stride - 1];
    return above && left   ? (sum + side) / (2 * side)
           : above || left ? (sum + side / 2) / side
                           : 128;
}

/* @want and its neighbours are all of one colour: whatever the mode, the guess is it. Into the
 * picture with it, then. */
static inline bool px_cell_put_flat(const struct px_vp9_size *z, const struct px_cell *c, int plane,
                                    const px_vp9_pixels want, uint8_t *ends) {
    const int side = px_vp9_side(z, plane) * 4, stride = c->stride[plane];
    uint8_t *corner = c->corner[plane];
    uint8_t flat[16];
    memset(flat, want[plane][0][0], sizeof(flat));
    if ((c->top && c->edge) ||
        (!c->top && memcmp(corner - stride - !c->edge, flat, (size_t)side) != 0) ||
        (!c->top && corner[side - 1 - stride] != flat[0]))
        return false;
    for (int y = 0; y < side; y++)
        if (memcmp(want[plane][y], flat, (size_t)side) != 0 ||
            (!c->edge && corner[(ptrdiff_t)y * stride - 1] != flat[0]))
            return false;
    for (int y = 0; y < side; y++)
        memcpy(corner + (ptrdiff_t)y * stride, flat, (size_t)side);
    memset(ends + px_vp9_first(z, plane), 0,
           (size_t)(px_vp9_first(z, plane + 1) - px_vp9_first(z, plane)));
    return true;
}

/* The next parts of luma that do not need each other, in an order in which what each needs is
 * there; *above, *left: whether each has such neighbours. A lone one stands twice.
 * @i: 0 .. PX_LUMA_PAIRS - 1. False: neither lies in the picture. */
#define PX_LUMA_PAIRS 9
PX_PIXELS_INLINE bool px_two_of_luma(struct px_two *t, int i, const struct px_vp9_size *z,
                                     const struct px_cell *c, const px_vp9_pixels want,
                                     uint8_t *ends, px_numbers *numbers, bool above[2],
                                     bool left[2]) {
    static const struct {
        uint8_t x[2], y[2];
    } pairs[PX_LUMA_PAIRS] = {{{0, 0}, {0, 0}}, {{1, 0}, {0, 1}}, {{2, 1}, {0, 1}},
                              {{0, 3}, {2, 0}}, {{2, 1}, {1, 2}}, {{3, 0}, {1, 3}},
                              {{2, 1}, {2, 3}}, {{3, 2}, {2, 3}}, {{3, 3}, {3, 3}}};
    int n = 0;
    for (int k = 0; k < 2; k++) {
        const int x = pairs[i].x[k], y = pairs[i].y[k];
        if (x >= c->wide[0] || y >= c->high[0])
            continue;
        for (int to = n; to < 2; to++) { /* a lone one twice */
            px_two_set(t, to, z, c, 0, x, y, want, ends, numbers);
            above[to] = !c->top || y > 0;
            left[to] = !c->edge || x > 0;
        }
        n++;
    }
    return n > 0;
}
