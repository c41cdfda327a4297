/* src/host/encode/av1_block.c - cells of 16x16: guessed from what is there, and the rest as numbers
 *
 * What a decoder computes (guesses, inverse transforms) is bound to the bit by the format; forward
 * transforms are our own, the inverse of those. Two parts of 4x4 are coded at a time, as in
 * vp9_block.c. Source: AV1 specification, 7.11 to 7.13. */
#include "host/encode/av1_private.h"
#include "host/encode/eight.h"
#include "host/encode/vp9_parts.h"
#include <stdlib.h>

#define INLINE static inline __attribute__((always_inline))

/* ---- guesses from the last picture ---- */

#define BEFORE 2 /* lines that the filter wants before, and after: the outer two are not used */
#define AROUND (8 + 5)

/* Between c and d, half way: 2, -14, 76, 76, -14, 2, of 128. */
INLINE int half(int a, int b, int c, int d, int e, int f) {
    return 2 * (a + f) - 14 * (b + e) + 76 * (c + d);
}

/* Chroma that moved by half pixels: 8x8 from @x, @y. */
static void guess_half(const uint8_t *plane, int stride, int width, int height, int x, int y,
                       bool half_x, bool half_y, uint8_t to[16][16]) {
    int16_t across[AROUND][8];
    for (int i = 0; i < AROUND; i++) {
        const uint8_t *line = plane + (ptrdiff_t)px_clamp(y - BEFORE + i, height - 1) * stride;
        uint8_t around[16];
        if (x >= BEFORE && x - BEFORE + 16 <= width)
            memcpy(around, line + x - BEFORE, 16);
        else
            for (int k = 0; k < AROUND; k++)
                around[k] = line[px_clamp(x - BEFORE + k, width - 1)];
        for (int k = 0; k < 8; k++)
            across[i][k] = (int16_t)(half_x ? (half(around[k], around[k + 1], around[k + 2],
                                                    around[k + 3], around[k + 4], around[k + 5]) +
                                               4) >>
                                                  3
                                            : around[k + BEFORE] * 16);
    }
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 8; k++) {
            const int v = half_y ? (half(across[i][k], across[i + 1][k], across[i + 2][k],
                                         across[i + 3][k], across[i + 4][k], across[i + 5][k]) +
                                    1024) >>
                                       11
                                 : (across[i + BEFORE][k] + 8) >> 4;
            to[i][k] = (uint8_t)px_clamp(v, 255);
        }
}

void px_av1_guess_moved(const struct px_vp9_at *at, struct px_move m, px_vp9_pixels ret) {
    const struct px_vp9_size *z = at->size;
    px_vp9_guess_moved(at, m, ret);
    if (m.x & 1 || m.y & 1)
        for (int i = 1; i < 3; i++)
            guess_half(at->before->planes[i], at->before->strides[i], (z->width + 1) / 2,
                       (z->height + 1) / 2, (at->column * 16 + m.x) >> 1, (at->row * 16 + m.y) >> 1,
                       m.x & 1, m.y & 1, ret[i]);
}

/* ---- transforms ---- */

/* cos of 45, 22.5 .. degrees, * 2^14: ours */
enum { C45 = 11585, C22 = 15137, C67 = 6270, C11 = 16069, C33 = 13623, C56 = 9102, C78 = 3196 };
/* and * 2^12: the format's */
enum { D45 = 2896, D22 = 3784, D67 = 1567, D11 = 4017, D33 = 3406, D56 = 2276, D78 = 799 };

INLINE void forward4(v8 r[4]) {
    const v8 a = r[0] + r[3], b = r[1] + r[2], c = r[0] - r[3], d = r[1] - r[2];
    r[0] = px_mix8(a, b, C45, C45, 14);
    r[1] = px_mix8(c, d, C22, C67, 14);
    r[2] = px_mix8(a, b, C45, -C45, 14);
    r[3] = px_mix8(c, d, C67, -C22, 14);
}

INLINE void inverse4(v8 r[4]) {
    const v8 a = px_mix8(r[0], r[2], D45, D45, 12), b = px_mix8(r[0], r[2], D45, -D45, 12);
    const v8 c = px_mix8(r[1], r[3], D67, -D22, 12), d = px_mix8(r[1], r[3], D22, D67, 12);
    r[0] = a + d;
    r[1] = b + c;
    r[2] = b - c;
    r[3] = a - d;
}

INLINE void forward8(v8 r[8]) {
    v8 even[4], o[4];
    for (int i = 0; i < 4; i++) {
        even[i] = r[i] + r[7 - i];
        o[i] = r[i] - r[7 - i];
    }
    forward4(even);
    for (int i = 0; i < 4; i++)
        r[2 * i] = even[i];
    r[1] = px_mix8(o[0], o[1], C11, C33, 14) + px_mix8(o[2], o[3], C56, C78, 14);
    r[3] = px_mix8(o[0], o[1], C33, -C78, 14) + px_mix8(o[2], o[3], -C11, -C56, 14);
    r[5] = px_mix8(o[0], o[1], C56, -C11, 14) + px_mix8(o[2], o[3], C78, C33, 14);
    r[7] = px_mix8(o[0], o[1], C78, -C56, 14) + px_mix8(o[2], o[3], C33, -C11, 14);
}

INLINE void inverse8(v8 r[8]) {
    v8 even[4] = {r[0], r[2], r[4], r[6]};
    inverse4(even);
    const v8 a = px_mix8(r[1], r[7], D78, -D11, 12), d = px_mix8(r[1], r[7], D11, D78, 12);
    const v8 b = px_mix8(r[5], r[3], D33, -D56, 12), c = px_mix8(r[5], r[3], D56, D33, 12);
    const v8 u = d - c, v = a - b;
    const v8 o[4] = {d + c, px_mix8(u, v, D45, D45, 12), px_mix8(u, v, D45, -D45, 12), a + b};
    for (int i = 0; i < 4; i++) {
        r[i] = even[i] + o[i];
        r[7 - i] = even[i] - o[i];
    }
}

/* Lines of 8x8 to columns, and back. */
INLINE void turn8x8(v8 r[8]) {
    v8 a[8], b[8];
    for (int i = 0; i < 4; i++) {
        a[2 * i] = __builtin_shufflevector(r[i], r[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        a[2 * i + 1] = __builtin_shufflevector(r[i], r[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    for (int i = 0; i < 4; i++) {
        b[2 * i] = __builtin_shufflevector(a[i], a[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    for (int i = 0; i < 4; i++) {
        r[2 * i] = __builtin_shufflevector(b[i], b[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
        r[2 * i + 1] = __builtin_shufflevector(b[i], b[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
}

static int find_end(const int16_t *numbers, const uint8_t *scan, int n) {
    while (n > 0 && numbers[scan[n - 1]] == 0)
        n--;
    return n;
}

/* What is left of @want beyond @guess to numbers, and back. Returns whether there are any. */
static bool code_two(const struct px_vp9_steps *s, const struct px_two *t, const v8 guess[4]) {
    v8 r[4];
    bool any = px_two_differ(t, guess, r);
    if (any) {
        /* Eight times as large, so that rounding does not show; each way makes it 1.41 times that,
         * and the format's numbers are 8 times. */
        for (int i = 0; i < 4; i++)
            r[i] <<= 3;
        forward4(r);
        px_turn8(r);
        forward4(r);
        any = px_two_quantize(s, r);
    }
    if (any) {
        v8 lines[4] = {r[0], r[1], r[2], r[3]};
        px_turn8(lines);
        for (int i = 0; i < 4; i++) {
            memcpy(t->numbers[0] + (ptrdiff_t)4 * i, &lines[i], 8);
            memcpy(t->numbers[1] + (ptrdiff_t)4 * i, (const int16_t *)&lines[i] + 4, 8);
        }
        for (int i = 0; i < 2; i++)
            *t->ends[i] = (uint8_t)find_end(t->numbers[i], px_av1_scan4, 16);
        px_two_scale(s, r);
        inverse4(r);
        px_turn8(r);
        inverse4(r);
    }
    px_two_show(t, guess, any ? r : NULL);
    return any;
}

/* Of 8x8 numbers about as many of the lowest as of four parts of 4x4. */
static void keep_low_eight(v8 r[8], int keep) {
    if (keep == PX_KEEP_ALL)
        return;
    const int16_t some = keep > 1 ? -1 : 0;
    r[0] &= (v8){-1, some, some, some, 0, 0, 0, 0};
    for (int i = 1; i < 4; i++)
        r[i] &= (v8){some, some, some, some, 0, 0, 0, 0};
    r[4] = r[5] = r[6] = r[7] = (v8){0};
}

/* The same of 8x8. */
static bool code_eight(const struct px_vp9_steps *s, const uint8_t *want, const v8 guess[8],
                       uint8_t *to, int stride, uint8_t *end, int16_t *numbers) {
    const v8 zero = {0};
    v8 r[8];
    bool any = false;
    for (int i = 0; i < 8; i++)
        r[i] = px_load8(want + (ptrdiff_t)16 * i) - guess[i];
    *end = 0;
    if (!px_is_zero8(r) || !px_is_zero8(r + 4)) {
        for (int i = 0; i < 8; i++)
            r[i] <<= 1; /* each way doubles it */
        forward8(r);
        turn8x8(r);
        forward8(r);
        v8 per = zero + s->ac_per, round = zero + s->ac_round, step = zero + s->ac;
        for (int i = 1; i < 8; i++)
            r[i] = px_quantize8(r[i], per, round);
        per[0] = s->dc_per;
        round[0] = s->dc_round;
        r[0] = px_quantize8(r[0], per, round);
        keep_low_eight(r, s->keep);
        any = !px_is_zero8(r) || !px_is_zero8(r + 4);
        if (any) {
            v8 lines[8];
            memcpy(lines, r, sizeof(lines));
            turn8x8(lines);
            memcpy(numbers, lines, sizeof(lines));
            *end = (uint8_t)find_end(numbers, px_av1_scan8, 64);
            for (int i = 1; i < 8; i++)
                r[i] *= step;
            step[0] = s->dc;
            r[0] *= step;
            inverse8(r);
            for (int i = 0; i < 8; i++)
                r[i] = (r[i] + 1) >> 1;
            turn8x8(r);
            inverse8(r);
            for (int i = 0; i < 8; i++)
                r[i] = (r[i] + 8) >> 4;
        }
    }
    for (int i = 0; i < 8; i++)
        px_pack8(any ? guess[i] + r[i] : guess[i], to + (ptrdiff_t)i * stride);
    return any;
}

/* ---- cells ---- */

bool px_av1_code_moved(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                       const px_vp9_pixels want, const px_vp9_pixels guess, uint8_t *ends,
                       px_av1_numbers numbers) {
    struct px_cell c;
    struct px_two t;
    bool any = false;
    v8 g[8];
    px_cell_init(at, &c);
    for (int plane = 0; plane < 3; plane++) {
        if (plane > 0 && px_av1_is_whole(at->size, at->column, at->row)) {
            for (int i = 0; i < 8; i++)
                g[i] = px_load8(guess[plane][i]);
            any |= code_eight(s, want[plane][0], g, c.corner[plane], c.stride[plane],
                              ends + px_vp9_first(at->size, plane),
                              numbers[px_vp9_first(at->size, plane)]);
            continue;
        }
        for (int y = 0; y < c.high[plane]; y++)
            for (int x = 0; x < c.wide[plane]; x += 2) {
                /* A lone last one is coded twice. */
                const int next = px_least(x + 1, c.wide[plane] - 1);
                px_two_set(&t, 0, at->size, &c, plane, x, y, want, ends, numbers);
                px_two_set(&t, 1, at->size, &c, plane, next, y, want, ends, numbers);
                for (int i = 0; i < 4; i++)
                    g[i] = px_load_two(&guess[plane][y * 4 + i][x * 4],
                                       &guess[plane][y * 4 + i][next * 4]);
                any |= code_two(s, &t, g);
            }
    }
    return any;
}

/* What is nearest to above + left - corner. */
static inline int16_t paeth(int above, int left, int corner) {
    const int base = above + left - corner;
    const int far_left = abs(base - left), far_above = abs(base - above);
    const int far_corner = abs(base - corner);
    return (int16_t)(far_left <= far_above && far_left <= far_corner ? left
                     : far_above <= far_corner                       ? above
                                                                     : corner);
}

/* @above, @left: whether each of the parts has such neighbours. */
INLINE void guess_inside(enum px_av1_mode mode, const struct px_two *t, const bool above[2],
                         const bool left[2], v8 g[4]) {
    const uint8_t *a = t->to[0], *b = t->to[1];
    const int stride = t->stride;
    if (mode == PX_AV1_DC) {
        g[0] = g[1] = g[2] = g[3] = px_two_of(px_mean_around(a, stride, above[0], left[0], 4),
                                              px_mean_around(b, stride, above[1], left[1], 4));
        return;
    }
    const v8 over = mode == PX_AV1_H ? (v8){0} : px_load_two(a - stride, b - stride);
    for (int i = 0; i < 4; i++) {
        const ptrdiff_t line = (ptrdiff_t)i * stride - 1;
        if (mode == PX_AV1_V)
            g[i] = over;
        else if (mode == PX_AV1_H)
            g[i] = px_two_of(a[line], b[line]);
        else
            for (int k = 0; k < 8; k++) {
                const uint8_t *p = k < 4 ? a : b;
                g[i][k] = paeth(over[k], p[line], p[-stride - 1]);
            }
    }
}

INLINE bool code_luma(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                      enum px_av1_mode mode, const struct px_cell *c, const px_vp9_pixels want,
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
        any |= code_two(s, &t, g);
    }
    return any;
}

static bool code_chroma(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                        const struct px_cell *c, const px_vp9_pixels want, uint8_t *ends,
                        px_av1_numbers numbers) {
    bool any = false;
    for (int plane = 1; plane < 3; plane++) {
        if (px_cell_put_flat(at->size, c, plane, want, ends))
            continue;
        if (px_av1_is_whole(at->size, at->column, at->row)) {
            const int m = px_mean_around(c->corner[plane], c->stride[plane], !c->top, !c->edge, 8);
            v8 g[8];
            for (int i = 0; i < 8; i++)
                g[i] = px_two_of(m, m);
            any |= code_eight(s, want[plane][0], g, c->corner[plane], c->stride[plane],
                              ends + px_vp9_first(at->size, plane),
                              numbers[px_vp9_first(at->size, plane)]);
            continue;
        }
        for (int y = 0; y < c->high[plane]; y++)
            for (int x = 0; x < c->wide[plane]; x++) {
                const bool above[2] = {!c->top || y > 0, !c->top || y > 0};
                const bool left[2] = {!c->edge || x > 0, !c->edge || x > 0};
                struct px_two t;
                v8 g[4];
                px_two_set(&t, 0, at->size, c, plane, x, y, want, ends, numbers);
                px_two_set(&t, 1, at->size, c, plane, x, y, want, ends, numbers);
                guess_inside(PX_AV1_DC, &t, above, left, g);
                any |= code_two(s, &t, g);
            }
    }
    return any;
}

static bool code_eights(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                        const struct px_cell *c, const px_vp9_pixels want, uint8_t *ends,
                        px_av1_numbers numbers) {
    static const struct px_eight_format format = {.bits = 12,
                                                  .c45 = D45,
                                                  .c11 = D11,
                                                  .c78 = D78,
                                                  .between = 1,
                                                  .after = 4,
                                                  .down = 8,
                                                  .across = 1};
    bool any = false;
    for (int plane = 0; plane < 3; plane++)
        any |= px_eight_code_plane(&format, at->size, s, c, plane, want, ends, numbers);
    return any;
}

bool px_av1_code_inside(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                        enum px_av1_mode mode, const px_vp9_pixels want, uint8_t *ends,
                        px_av1_numbers numbers) {
    struct px_cell c;
    bool luma = false;
    px_cell_init(at, &c);
    if (s->eights && px_av1_is_whole(at->size, at->column, at->row))
        return code_eights(at, s, &c, want, ends, numbers);
    switch (mode) { /* compiled for each mode */
    case PX_AV1_V:
        luma = code_luma(at, s, PX_AV1_V, &c, want, ends, numbers);
        break;
    case PX_AV1_H:
        luma = code_luma(at, s, PX_AV1_H, &c, want, ends, numbers);
        break;
    case PX_AV1_PAETH:
        luma = code_luma(at, s, PX_AV1_PAETH, &c, want, ends, numbers);
        break;
    case PX_AV1_DC:
        luma = code_luma(at, s, PX_AV1_DC, &c, want, ends, numbers);
        break;
    case PX_AV1_PALETTE: /* as it is */
        for (int y = 0; y < 16; y++)
            memcpy(c.corner[0] + (ptrdiff_t)y * c.stride[0], want[0][y], 16);
        memset(ends, 0, 16);
        break;
    case PX_AV1_INTER:
        break;
    }
    return code_chroma(at, s, &c, want, ends, numbers) || luma;
}
