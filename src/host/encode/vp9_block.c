/* src/host/encode/vp9_block.c - cells of 16x16: guessed from what is there, and the rest as numbers
 *
 * What a decoder computes (guesses, inverse transforms) is bound to the bit by the format; forward
 * transforms are our own, the inverse of those. Two parts of 4x4 are coded at a time, eight numbers
 * in a line: neighbours where all of the guess is known before, parts that do not need each other
 * where it comes from what was coded just now. Source: see vp9_tables.h, 8.5 to 8.7. */
#include "host/encode/eight.h"
#include "host/encode/vp9_parts.h"
#include "host/encode/vp9_private.h"

#define INLINE static inline __attribute__((always_inline))

/* The quantizer whose step is as large as H.264's of the budget's scale, 0.625 * 2^(qp / 6); the
 * numbers are eight times as large. */
static int index_of(int qp) {
    static const double sixths[6] = {5, 5.612, 6.3, 7.071, 7.937, 8.909};
    const double want = sixths[qp % 6] * (1 << qp / 6);
    int i = 1; /* 0 is another transform, without loss */
    while (i < 255 && px_vp9_ac_steps[i] < want)
        i++;
    return i;
}

void px_vp9_steps_init(struct px_vp9_steps *s, int qp, int keep) {
    const int index = index_of(qp);
    const int dc = px_vp9_dc_steps[index], ac = px_vp9_ac_steps[index];
    *s = (struct px_vp9_steps){
        .index = index,
        .keep = keep,
        .dc = (int16_t)dc,
        .ac = (int16_t)ac,
        .dc_per = (int16_t)(65536 / dc),
        .ac_per = (int16_t)(65536 / ac),
        .dc_round = (int16_t)(dc / 2),
        .ac_round = (int16_t)(ac * 3 / 8), /* small numbers cost more than they show */
        .near = ac / 16, /* half a step, and numbers are eight times the pixels' */
    };
}

/* ---- pixels in and out ---- */

/* All planes of a cell, from pixel @x, @y of luma on; even where chroma has half as many. */
static void read_at(const struct px_vp9_size *z, const struct px_planes *from, int x, int y,
                    px_vp9_pixels ret) {
    px_read_square(from->planes[0], from->strides[0], z->width, z->height, x, y, 16, ret[0][0], 16);
    for (int i = 1; i < 3; i++)
        if (z->shift)
            px_read_square(from->planes[i], from->strides[i], (z->width + 1) / 2,
                           (z->height + 1) / 2, x >> 1, y >> 1, 8, ret[i][0], 16);
        else
            px_read_square(from->planes[i], from->strides[i], z->width, z->height, x, y, 16,
                           ret[i][0], 16);
}

void px_vp9_read(const struct px_vp9_size *size, const struct px_planes *from, int column, int row,
                 px_vp9_pixels ret) {
    read_at(size, from, column * 16, row * 16, ret);
}

void px_vp9_store(const struct px_vp9_at *at, const px_vp9_pixels p) {
    for (int i = 0; i < 3; i++) {
        const int shift = px_vp9_shift(at->size, i), stride = at->now->strides[i];
        uint8_t *to = at->now->planes[i] + ((ptrdiff_t)at->row * 16 >> shift) * stride +
                      (at->column * 16 >> shift);
        if (shift)
            px_copy_square(to, stride, p[i][0], 16, 8);
        else
            px_copy_square(to, stride, p[i][0], 16, 16);
    }
}

/* ---- guesses from the last picture ---- */

#define TAPS 8
#define LINES (8 + TAPS - 1)

/* Half way between d and e, the format's filter: -1, 6, -19, 78, 78, -19, 6, -1, of 128. The sum
 * may pass 32767 and not 42908: it is kept 128 * 128 less, and on the way it may wrap. */
static inline v8 half(const uint8_t *p, int step) {
    const v8 a = px_load8(p), b = px_load8(p + step), c = px_load8(p + (ptrdiff_t)2 * step),
             d = px_load8(p + (ptrdiff_t)3 * step), e = px_load8(p + (ptrdiff_t)4 * step),
             f = px_load8(p + (ptrdiff_t)5 * step), g = px_load8(p + (ptrdiff_t)6 * step),
             h = px_load8(p + (ptrdiff_t)7 * step);
    const w8 sum = 6 * (w8)(b + g) - (w8)(a + h) - 19 * (w8)(c + f) + 78 * (w8)(d + e);
    return ((v8)(sum + (uint16_t)(64 - 128 * 128)) >> 7) + 128;
}

/* Chroma that moved by half pixels: 8x8 from @x, @y, and what the filter wants around it. */
static void guess_half(const uint8_t *plane, int stride, int width, int height, int x, int y,
                       bool half_x, bool half_y, uint8_t to[16][16]) {
    uint8_t around[LINES][16], across[LINES][8];
    const bool inside = x >= 3 && y >= 3 && x + 13 <= width && y + 12 <= height;
    for (int i = 0; i < LINES; i++) {
        const uint8_t *line = plane + (ptrdiff_t)px_clamp(y - 3 + i, height - 1) * stride;
        if (inside)
            memcpy(around[i], line + x - 3, 16);
        else
            for (int k = 0; k < 16; k++)
                around[i][k] = line[px_clamp(x - 3 + k, width - 1)];
    }
    for (int i = 0; i < LINES; i++)
        if (half_x)
            px_pack8(half(around[i], 1), across[i]);
        else
            memcpy(across[i], around[i] + 3, 8);
    for (int i = 0; i < 8; i++)
        if (half_y)
            px_pack8(half(across[i], 8), to[i]);
        else
            memcpy(to[i], across[i + 3], 8);
}

void px_vp9_guess_moved(const struct px_vp9_at *at, struct px_move m, px_vp9_pixels ret) {
    const struct px_vp9_size *z = at->size;
    const int x = at->column * 16 + m.x, y = at->row * 16 + m.y;
    read_at(z, at->before, x, y, ret);
    if (z->shift && (m.x & 1 || m.y & 1))
        for (int i = 1; i < 3; i++)
            guess_half(at->before->planes[i], at->before->strides[i], (z->width + 1) / 2,
                       (z->height + 1) / 2, x >> 1, y >> 1, m.x & 1, m.y & 1, ret[i]);
}

/* ---- transforms ---- */

INLINE v8 mix4(const v8 r[4], int16_t k0, int16_t k1, int16_t k2, int16_t k3) {
#ifdef __SSE2__
    const __m128i a = (__m128i)r[0], b = (__m128i)r[1], c = (__m128i)r[2], d = (__m128i)r[3];
    const __m128i k = _mm_set1_epi32((int32_t)((uint32_t)(uint16_t)k1 << 16 | (uint16_t)k0));
    const __m128i l = _mm_set1_epi32((int32_t)((uint32_t)(uint16_t)k3 << 16 | (uint16_t)k2));
    const __m128i round = _mm_set1_epi32(1 << 13);
    const __m128i lo = _mm_add_epi32(_mm_madd_epi16(_mm_unpacklo_epi16(a, b), k),
                                     _mm_madd_epi16(_mm_unpacklo_epi16(c, d), l));
    const __m128i hi = _mm_add_epi32(_mm_madd_epi16(_mm_unpackhi_epi16(a, b), k),
                                     _mm_madd_epi16(_mm_unpackhi_epi16(c, d), l));
    return (v8)_mm_packs_epi32(_mm_srai_epi32(_mm_add_epi32(lo, round), 14),
                               _mm_srai_epi32(_mm_add_epi32(hi, round), 14));
#else
    v8 out;
    for (int i = 0; i < 8; i++)
        out[i] =
            (int16_t)((r[0][i] * k0 + r[1][i] * k1 + r[2][i] * k2 + r[3][i] * k3 + (1 << 13)) >>
                      14);
    return out;
#endif
}

/* cos of 45, 22.5 and 67.5 degrees; sin of 20, 40, 60 and 80 times the root of 8 / 9; all * 2^14 */
enum { C45 = 11585, C22 = 15137, C67 = 6270, S1 = 5283, S2 = 9929, S3 = 13377, S4 = 15212 };

INLINE void forward(v8 r[4], bool sine) {
    const v8 in[4] = {r[0], r[1], r[2], r[3]};
    if (sine) {
        r[0] = mix4(in, S1, S2, S3, S4);
        r[1] = mix4(in, S3, S3, 0, -S3);
        r[2] = mix4(in, S4, -S1, -S3, S2);
        r[3] = mix4(in, S2, -S4, S3, -S1);
    } else {
        r[0] = mix4(in, C45, C45, C45, C45);
        r[1] = mix4(in, C22, C67, -C67, -C22);
        r[2] = mix4(in, C45, -C45, -C45, C45);
        r[3] = mix4(in, C67, -C22, C22, -C67);
    }
}

INLINE void inverse(v8 r[4], bool sine) {
    const v8 in[4] = {r[0], r[1], r[2], r[3]};
    if (sine) {
        r[0] = mix4(in, S1, S3, S4, S2);
        r[1] = mix4(in, S2, S3, -S1, -S4);
        r[2] = mix4(in, S3, 0, -S3, S3);
        r[3] = mix4(in, S4, -S3, S2, -S1);
    } else {
        const v8 a = px_mix8(in[0], in[2], C45, C45, 14), b = px_mix8(in[0], in[2], C45, -C45, 14);
        const v8 c = px_mix8(in[1], in[3], C67, -C22, 14), d = px_mix8(in[1], in[3], C22, C67, 14);
        r[0] = a + d;
        r[1] = b + c;
        r[2] = b - c;
        r[3] = a - d;
    }
}

/* Which way a part is transformed by sines, and the order of its numbers. */
struct kind {
    bool down, across;
    int scan;
};

static const struct kind kinds[] = {[PX_VP9_DC] = {false, false, 0},
                                    [PX_VP9_V] = {true, false, 1},
                                    [PX_VP9_H] = {false, true, 2},
                                    [PX_VP9_TM] = {true, true, 0},
                                    [PX_VP9_INTER] = {false, false, 0}};

/* px_vp9_scans, of the first of two parts whose lines and columns are exchanged. */
static const uint8_t turned_scans[3][16] = {
    {0, 1, 8, 9, 2, 16, 3, 10, 24, 17, 11, 18, 25, 19, 26, 27},
    {0, 8, 1, 16, 9, 24, 17, 2, 10, 25, 3, 18, 11, 26, 19, 27},
    {0, 1, 2, 8, 3, 9, 10, 16, 11, 17, 18, 24, 25, 19, 26, 27}};

static int gather(const int16_t *from, const uint8_t *scan, int16_t *to) {
    int end = 0;
    for (int i = 0; i < 16; i++) {
        to[i] = from[scan[i]];
        end = to[i] ? i + 1 : end;
    }
    return end;
}

/* What is left of @want beyond @guess to numbers, and back. Returns whether there are any. */
INLINE bool code_two(const struct px_vp9_steps *s, enum px_vp9_mode mode, const struct px_two *t,
                     const v8 guess[4]) {
    const struct kind k = kinds[mode];
    v8 r[4];
    bool any = px_two_differ(t, guess, r);
    if (any) {
        /* Eight times as large, so that rounding does not show; each way makes it 1.41 times that,
         * and the format's numbers are 8 times. */
        for (int i = 0; i < 4; i++)
            r[i] <<= 3;
        forward(r, k.down);
        px_turn8(r);
        forward(r, k.across);
        any = px_two_quantize(s, r);
    }
    if (any) {
        int16_t flat[4][8];
        memcpy(flat, r, sizeof(flat));
        for (int i = 0; i < 2; i++)
            *t->ends[i] = (uint8_t)gather(&flat[0][4 * i], turned_scans[k.scan], t->numbers[i]);
        px_two_scale(s, r);
        inverse(r, k.across);
        px_turn8(r);
        inverse(r, k.down);
    }
    px_two_show(t, guess, any ? r : NULL);
    return any;
}

/* ---- cells ---- */

bool px_vp9_code_moved(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                       const px_vp9_pixels want, const px_vp9_pixels guess, uint8_t *ends,
                       int16_t (*numbers)[16]) {
    struct px_cell c;
    struct px_two t;
    bool any = false;
    v8 g[4];
    px_cell_init(at, &c);
    for (int plane = 0; plane < 3; plane++)
        for (int y = 0; y < c.high[plane]; y++)
            for (int x = 0; x < c.wide[plane]; x += 2) {
                /* A lone last one is coded twice. */
                const int next = px_least(x + 1, c.wide[plane] - 1);
                px_two_set(&t, 0, at->size, &c, plane, x, y, want, ends, numbers);
                px_two_set(&t, 1, at->size, &c, plane, next, y, want, ends, numbers);
                for (int i = 0; i < 4; i++)
                    g[i] = px_load_two(&guess[plane][y * 4 + i][x * 4],
                                       &guess[plane][y * 4 + i][next * 4]);
                any |= code_two(s, PX_VP9_INTER, &t, g);
            }
    return any;
}

/* @above, @left: whether each of the parts has such neighbours. */
INLINE void guess_inside(enum px_vp9_mode mode, const struct px_two *t, const bool above[2],
                         const bool left[2], v8 g[4]) {
    const uint8_t *a = t->to[0], *b = t->to[1];
    const int stride = t->stride;
    if (mode == PX_VP9_DC) {
        g[0] = g[1] = g[2] = g[3] = px_two_of(px_mean_around(a, stride, above[0], left[0], 4),
                                              px_mean_around(b, stride, above[1], left[1], 4));
        return;
    }
    const v8 over = mode == PX_VP9_H ? (v8){0} : px_load_two(a - stride, b - stride);
    for (int i = 0; i < 4; i++) {
        const ptrdiff_t line = (ptrdiff_t)i * stride - 1;
        if (mode == PX_VP9_V)
            g[i] = over;
        else if (mode == PX_VP9_H)
            g[i] = px_two_of(a[line], b[line]);
        else {
            uint8_t bytes[8];
            px_pack8(over + px_two_of(a[line] - a[-stride - 1], b[line] - b[-stride - 1]), bytes);
            g[i] = px_load8(bytes);
        }
    }
}

INLINE bool code_luma(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                      enum px_vp9_mode mode, const struct px_cell *c, const px_vp9_pixels want,
                      uint8_t *ends, px_numbers *numbers) {
    bool any = false;
    if (px_cell_put_flat(at->size, c, 0, want, ends))
        return false;
    for (int i = 0; i < PX_LUMA_PAIRS; i++) {
        struct px_two t;
        bool above[2], left[2];
        v8 g[4];
        if (!px_two_of_luma(&t, i, at->size, c, want, ends, numbers, above, left))
            continue;
        guess_inside(mode, &t, above, left, g);
        any |= code_two(s, mode, &t, g);
    }
    return any;
}

INLINE bool code_chroma(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                        enum px_vp9_mode mode, const struct px_cell *c, const px_vp9_pixels want,
                        uint8_t *ends, int16_t (*numbers)[16]) {
    bool any = false;
    if (px_cell_put_flat(at->size, c, 1, want, ends) &&
        px_cell_put_flat(at->size, c, 2, want, ends))
        return false;
    for (int y = 0; y < c->high[1]; y++)
        for (int x = 0; x < c->wide[1]; x++) {
            const bool above[2] = {!c->top || y > 0, !c->top || y > 0};
            const bool left[2] = {!c->edge || x > 0, !c->edge || x > 0};
            struct px_two t;
            v8 g[4];
            px_two_set(&t, 0, at->size, c, 1, x, y, want, ends, numbers);
            px_two_set(&t, 1, at->size, c, 2, x, y, want, ends, numbers);
            guess_inside(mode, &t, above, left, g);
            any |= code_two(s, PX_VP9_DC, &t, g); /* cosines, whatever the mode */
        }
    return any;
}

static bool code_eights(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                        const struct px_cell *c, const px_vp9_pixels want, uint8_t *ends,
                        int16_t (*numbers)[16]) {
    static const struct px_eight_format format = {.bits = 14,
                                                  .c45 = C45,
                                                  .c11 = 16069,
                                                  .c78 = 3196,
                                                  .after = 5,
                                                  .down = 1,
                                                  .across = 2,
                                                  .down_first = true};
    const bool chroma = px_vp9_has_eights(at->size, 1, c->wide[0] / 2, c->high[0] / 2);
    bool any = px_eight_code_plane(&format, at->size, s, c, 0, want, ends, numbers);
    if (!chroma)
        return code_chroma(at, s, PX_VP9_DC, c, want, ends, numbers) || any;
    for (int plane = 1; plane < 3; plane++)
        any |= px_eight_code_plane(&format, at->size, s, c, plane, want, ends, numbers);
    return any;
}

bool px_vp9_code_inside(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                        enum px_vp9_mode mode, const px_vp9_pixels want, uint8_t *ends,
                        int16_t (*numbers)[16]) {
    struct px_cell c;
    bool luma = false;
    px_cell_init(at, &c);
    if (s->eights)
        return code_eights(at, s, &c, want, ends, numbers);
    /* Compiled for each mode. */
    switch (mode) {
    case PX_VP9_V:
        luma = code_luma(at, s, PX_VP9_V, &c, want, ends, numbers);
        return code_chroma(at, s, PX_VP9_V, &c, want, ends, numbers) || luma;
    case PX_VP9_H:
        luma = code_luma(at, s, PX_VP9_H, &c, want, ends, numbers);
        return code_chroma(at, s, PX_VP9_H, &c, want, ends, numbers) || luma;
    case PX_VP9_TM:
        luma = code_luma(at, s, PX_VP9_TM, &c, want, ends, numbers);
        return code_chroma(at, s, PX_VP9_TM, &c, want, ends, numbers) || luma;
    case PX_VP9_DC:
    case PX_VP9_INTER:
        break;
    }
    luma = code_luma(at, s, PX_VP9_DC, &c, want, ends, numbers);
    return code_chroma(at, s, PX_VP9_DC, &c, want, ends, numbers) || luma;
}
