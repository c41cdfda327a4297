/* src/host/encode/vp8_block.c - one block of 16x16: guessed, and the rest as numbers
 *
 * What a decoder computes (guesses, inverse transforms) is bound to the bit by RFC 6386, 12, 14 and
 * 18; forward transforms are our own, the inverse of those. They work on two parts of 4x4 side by
 * side, eight numbers at a time. */
#include "host/encode/lanes.h"
#include "host/encode/pixels.h"
#include "host/encode/vp8_private.h"
#include "host/encode/vp8_tables.h"
#include <string.h>

/* ---- quantizers ---- */

static void step_init(struct px_vp8_steps *s, int kind, int dc, int ac) {
    s->dc[kind] = (int16_t)dc;
    s->ac[kind] = (int16_t)ac;
    s->dc_per[kind] = (int16_t)(65536 / dc);
    s->ac_per[kind] = (int16_t)(65536 / ac);
    s->dc_round[kind] = (int16_t)(dc / 2);
    s->ac_round[kind] = (int16_t)(ac * 3 / 8); /* small numbers cost more than they show */
}

void px_vp8_steps_init(struct px_vp8_steps *s, int index, int keep) {
    const int dc = px_vp8_dc_steps[index], ac = px_vp8_ac_steps[index];
    const int means = ac * 155 / 100;
    *s = (struct px_vp8_steps){.index = index, .keep = keep};
    step_init(s, 0, dc, ac);
    step_init(s, 1, dc > 132 ? 132 : dc, ac);
    step_init(s, 2, dc * 2, means < 8 ? 8 : means);
    s->near = ac / 4; /* half a step, and numbers are twice what pixels are */
}

/* ---- guesses ---- */

static void guess_mean(const struct px_block_at *at, const uint8_t *corner, int stride, int side,
                       uint8_t *to) {
    unsigned sum = 0, n = 0;
    if (at->row > 0)
        for (int i = 0; i < side; i++, n++)
            sum += corner[i - stride];
    if (at->column > 0)
        for (int i = 0; i < side; i++, n++)
            sum += corner[(ptrdiff_t)i * stride - 1];
    memset(to, n ? (int)((sum + n / 2) / n) : 128, (size_t)(side * side));
}

/* Only where there are neighbours: what stands for pixels beyond the edges is not needed then. */
static void guess_inside(const struct px_block_at *at, enum px_vp8_mode mode, int plane,
                         uint8_t *to) {
    const int side = plane ? 8 : 16, stride = at->now->strides[plane];
    const uint8_t *corner =
        at->now->planes[plane] + (ptrdiff_t)at->row * side * stride + at->column * side;
    const uint8_t *above = corner - stride;
    if (mode == PX_VP8_DC) {
        guess_mean(at, corner, stride, side, to);
        return;
    }
    for (int y = 0; y < side; y++, to += side, corner += stride) {
        if (mode == PX_VP8_V)
            memcpy(to, above, (size_t)side);
        else if (mode == PX_VP8_H)
            memset(to, at->column > 0 ? corner[-1] : 129, (size_t)side);
        else {
            const int slope = corner[-1] - above[-1];
            for (int x = 0; x < side; x++) {
                const int v = above[x] + slope;
                to[x] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
            }
        }
    }
}

#define TAPS 6
#define LINES (8 + TAPS - 1)

/* Half way between c and d, the format's filter: 3, -16, 77, 77, -16, 3, of 128. The sum may pass
 * 32767 and not 40864: it is kept 128 * 128 less, and on the way it may wrap. */
static inline v8 half(v8 a, v8 b, v8 c, v8 d, v8 e, v8 f) {
    const w8 sum = 3 * (w8)(a + f) - 16 * (w8)(b + e) + 77 * (w8)(c + d);
    return ((v8)(sum + (uint16_t)(64 - 128 * 128)) >> 7) + 128;
}

/* Chroma that moved by half pixels: 8x8 from @x, @y, and what the filter wants around it. */
static void guess_half(const uint8_t *plane, int stride, int width, int height, int x, int y,
                       bool half_x, bool half_y, uint8_t to[8][8]) {
    uint8_t around[LINES][16], across[LINES][8];
    const bool inside = x >= 2 && y >= 2 && x + 14 <= width && y + 11 <= height;
    for (int i = 0; i < LINES; i++) {
        const uint8_t *line = plane + (ptrdiff_t)px_clamp(y - 2 + i, height - 1) * stride;
        if (inside)
            memcpy(around[i], line + x - 2, 16);
        else
            for (int k = 0; k < LINES; k++)
                around[i][k] = line[px_clamp(x - 2 + k, width - 1)];
    }
    for (int i = 0; i < LINES; i++) {
        const uint8_t *p = around[i];
        if (half_x)
            px_pack8(half(px_load8(p), px_load8(p + 1), px_load8(p + 2), px_load8(p + 3),
                          px_load8(p + 4), px_load8(p + 5)),
                     across[i]);
        else
            memcpy(across[i], p + 2, 8);
    }
    for (int i = 0; i < 8; i++)
        if (half_y)
            px_pack8(half(px_load8(across[i]), px_load8(across[i + 1]), px_load8(across[i + 2]),
                          px_load8(across[i + 3]), px_load8(across[i + 4]),
                          px_load8(across[i + 5])),
                     to[i]);
        else
            memcpy(to[i], across[i + 2], 8);
}

void px_vp8_guess(const struct px_block_at *at, enum px_vp8_mode mode, struct px_move move,
                  struct px_block *ret) {
    if (mode == PX_VP8_INTER) {
        px_block_guess_moved(at, move, guess_half, ret);
        return;
    }
    guess_inside(at, mode, 0, ret->y[0]);
    for (int i = 0; i < 2; i++)
        guess_inside(at, mode, 1 + i, ret->uv[i][0]);
}

/* ---- transforms ---- */

/* @a * @k / 65536, rounded down. */
static inline v8 high(v8 a, int16_t k) {
    return px_high8(a, (v8){0} + k);
}

/* cos and sin of 22.5 degrees times the root of 2, 1.30656 and 0.541196, as the inverse has them;
 * first eight times too large, so that rounding does not show, then half as large as the pixels'
 * sum. Columns in turn: the result's lanes are lines. */
static void forward(v8 r[4]) {
    v8 s = r[0] + r[3], t = r[1] + r[2], d = r[0] - r[3], e = r[1] - r[2];
    r[0] = (s + t) << 3;
    r[2] = (s - t) << 3;
    d <<= 5;
    e <<= 5;
    r[1] = high(d, 21407) + high(e, 8867);
    r[3] = high(d, 8867) - high(e, 21407);
    px_turn8(r);
    s = r[0] + r[3];
    t = r[1] + r[2];
    d = r[0] - r[3];
    e = r[1] - r[2];
    r[0] = (s + t + 8) >> 4;
    r[2] = (s - t + 8) >> 4;
    r[1] = high(d, 5352) + high(e, 2217) + 1;
    r[3] = high(d, 2217) - high(e, 5352);
}

static inline v8 by_cos(v8 a) {
    return a + high(a, 20091);
}

static inline v8 by_sin(v8 a) {
    return a + high(a, (int16_t)(35468 - 65536));
}

static inline void inverse_once(v8 r[4]) {
    const v8 a = r[0] + r[2], b = r[0] - r[2];
    const v8 c = by_sin(r[1]) - by_cos(r[3]), d = by_cos(r[1]) + by_sin(r[3]);
    r[0] = a + d;
    r[1] = b + c;
    r[2] = b - c;
    r[3] = a - d;
}

/* From lanes that are lines to pixels' lines. */
static void inverse(v8 r[4]) {
    px_turn8(r);
    inverse_once(r);
    px_turn8(r);
    inverse_once(r);
    for (int i = 0; i < 4; i++)
        r[i] = (r[i] + 4) >> 3;
    px_turn8(r);
}

/* Where the numbers of a part lie in r[4] of forward(), in zigzag order. */
static const uint8_t turned_zigzag[16] = {0, 8, 1, 2, 9, 16, 24, 17, 10, 3, 11, 18, 25, 26, 19, 27};

/* Returns one past the last number that is not 0; @first and below: none. */
static int gather(const int16_t *from, int first, int16_t *to) {
    int end = 0;
    for (int i = first; i < 16; i++) {
        to[i] = from[turned_zigzag[i]];
        if (to[i])
            end = i + 1;
    }
    return end;
}

/* Means of luma: the Walsh-Hadamard transform, its own inverse but for the scale. */
static void walsh(const int16_t in[16], int round, int shift, int16_t out[16]) {
    int t[16];
    for (int i = 0; i < 4; i++) {
        const int a = in[i] + in[12 + i], b = in[4 + i] + in[8 + i];
        const int c = in[4 + i] - in[8 + i], d = in[i] - in[12 + i];
        t[i] = a + b;
        t[4 + i] = c + d;
        t[8 + i] = a - b;
        t[12 + i] = d - c;
    }
    for (int i = 0; i < 16; i += 4) {
        const int a = t[i] + t[i + 3], b = t[i + 1] + t[i + 2];
        const int c = t[i + 1] - t[i + 2], d = t[i] - t[i + 3];
        out[i] = (int16_t)((a + b + round) >> shift);
        out[i + 1] = (int16_t)((c + d + round) >> shift);
        out[i + 2] = (int16_t)((a - b + round) >> shift);
        out[i + 3] = (int16_t)((d - c + round) >> shift);
    }
}

static int one(int value, int per, int round) {
    const int q = (abs(value) + round) * per >> 16;
    return value < 0 ? -q : q;
}

/* @means of luma's parts to numbers, and to what the decoder makes of those. */
static int code_means(const struct px_vp8_steps *s, int16_t means[16], int16_t numbers[16]) {
    int16_t t[16];
    int end = 0;
    walsh(means, 1, 1, t);
    for (int i = 0; i < 16; i++) {
        const int at = px_vp8_zigzag[i];
        const int n =
            i ? one(t[at], s->ac_per[2], s->ac_round[2]) : one(t[at], s->dc_per[2], s->dc_round[2]);
        numbers[i] = (int16_t)n;
        t[at] = (int16_t)(n * (i ? s->ac[2] : s->dc[2]));
        if (n)
            end = i + 1;
    }
    if (end)
        walsh(t, 3, 3, means);
    else
        memset(means, 0, 16 * sizeof(means[0]));
    return end;
}

struct pair {
    v8 r[4]; /* what is added back */
    bool any;
};

/* Two parts side by side, of the pixels at @want and @guess. @means NULL: with their own. */
static void code_pair(const struct px_vp8_steps *s, const uint8_t *want, const uint8_t *guess,
                      int stride, int16_t *means, uint8_t *ends, int16_t (*numbers)[16],
                      struct pair *ret) {
    const int kind = means ? 0 : 1, first = means ? 1 : 0;
    v8 *r = ret->r;
    for (int i = 0; i < 4; i++)
        r[i] = px_load8(want + (ptrdiff_t)i * stride) - px_load8(guess + (ptrdiff_t)i * stride);
    ends[0] = ends[1] = 0;
    ret->any = false;
    if (px_is_zero8(r)) {
        if (means)
            means[0] = means[1] = 0;
        return;
    }
    forward(r);
    if (means) {
        means[0] = r[0][0];
        means[1] = r[0][4];
        r[0][0] = r[0][4] = 0;
    }
    const v8 zero = {0}, per = zero + s->ac_per[kind], round = zero + s->ac_round[kind];
    v8 per0 = per, round0 = round, step0 = zero + s->ac[kind];
    per0[0] = per0[4] = s->dc_per[kind];
    round0[0] = round0[4] = s->dc_round[kind];
    step0[0] = step0[4] = s->dc[kind];
    r[0] = px_quantize8(r[0], per0, round0);
    for (int i = 1; i < 4; i++)
        r[i] = px_quantize8(r[i], per, round);
    px_keep_low8(r, s->keep);
    if (px_is_zero8(r))
        return;
    int16_t flat[4][8];
    memcpy(flat, r, sizeof(flat));
    for (int i = 0; i < 2; i++)
        ends[i] = (uint8_t)gather(&flat[0][4 * i], first, numbers[i]);
    r[0] *= step0;
    for (int i = 1; i < 4; i++)
        r[i] *= s->ac[kind];
    ret->any = true;
}

static void add_pair(struct pair *p, uint8_t *to, int stride) {
    inverse(p->r);
    for (int i = 0; i < 4; i++)
        px_pack8(px_load8(to + (ptrdiff_t)i * stride) + p->r[i], to + (ptrdiff_t)i * stride);
}

/* The means of two parts side by side, as forward() has them. */
static void find_means(const uint8_t *want, const uint8_t *guess, int stride, int16_t ret[2]) {
    v8 sum = {0};
    int a = 1, b = 1;
    for (int i = 0; i < 4; i++)
        sum += px_load8(want + (ptrdiff_t)i * stride) - px_load8(guess + (ptrdiff_t)i * stride);
    for (int i = 0; i < 4; i++) {
        a += sum[i];
        b += sum[4 + i];
    }
    ret[0] = (int16_t)(a >> 1);
    ret[1] = (int16_t)(b >> 1);
}

/* And back. */
static void add_means(const int16_t means[2], uint8_t *to, int stride) {
    const int16_t a = (int16_t)((means[0] + 4) >> 3), b = (int16_t)((means[1] + 4) >> 3);
    const v8 both = {a, a, a, a, b, b, b, b};
    for (int i = 0; i < 4; i++, to += stride)
        px_pack8(px_load8(to) + both, to);
}

/* px_vp8_code() where nothing but means is kept. */
static bool code_only_means(const struct px_vp8_steps *s, const struct px_block *want,
                            struct px_block *guess, uint8_t ends[PX_VP8_PARTS],
                            int16_t (*numbers)[16]) {
    int16_t means[PX_VP8_MEANS];
    bool any = false;
    memset(ends, 0, PX_VP8_MEANS);
    for (int part = 0; part < 16; part += 2)
        find_means(&want->y[part & ~3][part % 4 * 4], &guess->y[part & ~3][part % 4 * 4], 16,
                   means + part);
    ends[PX_VP8_MEANS] = (uint8_t)code_means(s, means, numbers[PX_VP8_MEANS]);
    for (int part = 16; part < PX_VP8_MEANS; part += 2) {
        const int i = part / 4 % 2, y = part % 4 * 2;
        find_means(want->uv[i][y], guess->uv[i][y], 8, means + part);
        for (int k = part; k < part + 2; k++) {
            const int n = one(means[k], s->dc_per[1], s->dc_round[1]);
            numbers[k][0] = (int16_t)n;
            ends[k] = n != 0;
            any |= n != 0;
            means[k] = (int16_t)(n * s->dc[1]);
        }
        add_means(means + part, guess->uv[i][y], 8);
    }
    if (ends[PX_VP8_MEANS])
        for (int part = 0; part < 16; part += 2)
            add_means(means + part, &guess->y[part & ~3][part % 4 * 4], 16);
    return any || ends[PX_VP8_MEANS];
}

bool px_vp8_code(const struct px_vp8_steps *s, const struct px_block *want, struct px_block *guess,
                 uint8_t ends[PX_VP8_PARTS], int16_t (*numbers)[16]) {
    if (s->keep == 1)
        return code_only_means(s, want, guess, ends, numbers);
    struct pair luma[4][2], chroma[2][2];
    int16_t means[16];
    bool any = false;
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 2; x++) {
            const int part = y * 4 + x * 2;
            code_pair(s, &want->y[y * 4][x * 8], &guess->y[y * 4][x * 8], 16, means + part,
                      ends + part, numbers + part, &luma[y][x]);
            any |= luma[y][x].any;
        }
    for (int i = 0; i < 2; i++)
        for (int y = 0; y < 2; y++) {
            const int part = 16 + i * 4 + y * 2;
            code_pair(s, want->uv[i][y * 4], guess->uv[i][y * 4], 8, NULL, ends + part,
                      numbers + part, &chroma[i][y]);
            any |= chroma[i][y].any;
        }
    ends[PX_VP8_MEANS] = (uint8_t)code_means(s, means, numbers[PX_VP8_MEANS]);
    if (!any && !ends[PX_VP8_MEANS])
        return false;
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 2; x++) {
            struct pair *p = &luma[y][x];
            const int16_t a = means[y * 4 + x * 2], b = means[y * 4 + x * 2 + 1];
            if (!p->any && !a && !b)
                continue;
            if (!p->any)
                memset(p->r, 0, sizeof(p->r));
            p->r[0][0] = a;
            p->r[0][4] = b;
            add_pair(p, &guess->y[y * 4][x * 8], 16);
        }
    for (int i = 0; i < 2; i++)
        for (int y = 0; y < 2; y++)
            if (chroma[i][y].any)
                add_pair(&chroma[i][y], guess->uv[i][y * 4], 8);
    return true;
}
