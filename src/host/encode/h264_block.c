/* src/host/encode/h264_block.c - one macroblock: guessed, and the rest as numbers
 *
 * What a decoder computes (guesses, inverse transforms) is bound to the bit by ITU-T H.264, 8.3.3,
 * 8.3.4, 8.4.2 and 8.5; forward transforms are our own, the inverse of those. They work on two
 * parts of 4x4 side by side, eight numbers at a time. */
#include "host/encode/h264_private.h"
#include "host/encode/lanes.h"
#include "host/encode/pixels.h"
#include <stdlib.h>
#include <string.h>

/* ---- quantizers ---- */

#define SMALL 9 /* of 24: numbers so small become 0 */
#define SMALL_FILM 4

static void step_init(struct px_h264_step *s, int qp, int small) {
    s->sixth = qp % 6;
    s->octave = qp / 6;
    for (int x = 0; x < 4; x++)
        for (int y = 0; y < 8; y++) {
            const int which = x % 2 && y % 2 ? 1 : x % 2 || y % 2 ? 2 : 0;
            const int per = 2 * px_h264_scales[s->sixth][which] >> s->octave;
            s->per[x][y] = (int16_t)per;
            s->round[x][y] =
                (int16_t)(65536 / per * small / 24); /* small ones cost more than they show */
            s->step[x][y] = (int16_t)(px_h264_steps_of[s->sixth][which] << s->octave);
        }
}

void px_h264_steps_init(struct px_h264_steps *s, int qp, int keep, bool film) {
    *s = (struct px_h264_steps){.qp = qp, .keep = keep};
    const int small = film ? SMALL_FILM : SMALL;
    step_init(&s->of[0], qp, small);
    step_init(&s->of[1], px_h264_chroma_qp[qp], small);
    s->lambda = 1 + (px_h264_steps_of[qp % 6][0] << qp / 6) / 40;
    s->near = px_h264_steps_of[qp % 6][0] << qp / 6 >> 5; /* half a step of a pixel */
}

/* ---- guesses ---- */

struct edge {
    const uint8_t *corner; /* the first pixel of the macroblock */
    int stride;
    bool above, left; /* there is a neighbour in the slice */
};

static unsigned sum_above(const struct edge *e, int x, int n) {
    unsigned sum = 0;
    for (int i = 0; i < n; i++)
        sum += e->corner[x + i - e->stride];
    return sum;
}

static unsigned sum_left(const struct edge *e, int y, int n) {
    unsigned sum = 0;
    for (int i = 0; i < n; i++)
        sum += e->corner[(ptrdiff_t)(y + i) * e->stride - 1];
    return sum;
}

static int luma_mean(const struct edge *e) {
    if (e->above && e->left)
        return (int)(sum_above(e, 0, 16) + sum_left(e, 0, 16) + 16) >> 5;
    if (e->above || e->left)
        return (int)((e->above ? sum_above(e, 0, 16) : sum_left(e, 0, 16)) + 8) >> 4;
    return 128;
}

/* Each quarter of chroma has its own: on the diagonal of both edges, else of the nearer one. */
static int chroma_mean(const struct edge *e, int x, int y) {
    const bool both = (x > 0) == (y > 0);
    if (both && e->above && e->left)
        return (int)(sum_above(e, x, 4) + sum_left(e, y, 4) + 4) >> 3;
    if (e->above && (!e->left || x > 0))
        return (int)(sum_above(e, x, 4) + 2) >> 2;
    if (e->left)
        return (int)(sum_left(e, y, 4) + 2) >> 2;
    return 128;
}

static void guess_inside(const struct edge *e, enum px_h264_mode mode, int side, uint8_t *to) {
    for (int y = 0; y < side; y++) {
        uint8_t *line = to + (ptrdiff_t)y * side;
        if (mode == PX_H264_V)
            memcpy(line, e->corner - e->stride, (size_t)side);
        else
            memset(line, e->corner[(ptrdiff_t)y * e->stride - 1], (size_t)side);
    }
}

static void guess_means(const struct edge *e, int side, uint8_t *to) {
    if (side == 16) {
        memset(to, luma_mean(e), 256);
        return;
    }
    for (int y = 0; y < 8; y += 4)
        for (int x = 0; x < 8; x += 4) {
            const int mean = chroma_mean(e, x, y);
            for (int i = 0; i < 4; i++)
                memset(to + (ptrdiff_t)(y + i) * 8 + x, mean, 4);
        }
}

/* Chroma that moved by half pixels: 8x8 from @x, @y. */
static void guess_half(const uint8_t *plane, int stride, int width, int height, int x, int y,
                       bool half_x, bool half_y, uint8_t to[8][8]) {
    uint8_t around[9][16];
    const bool inside = x >= 0 && y >= 0 && x + 16 <= width && y + 9 <= height;
    for (int i = 0; i < 9; i++) {
        const uint8_t *line = plane + (ptrdiff_t)px_clamp(y + i, height - 1) * stride;
        if (inside)
            memcpy(around[i], line + x, 16);
        else
            for (int k = 0; k < 9; k++)
                around[i][k] = line[px_clamp(x + k, width - 1)];
    }
    for (int i = 0; i < 8; i++) {
        const v8 a = px_load8(around[i]), b = px_load8(around[i] + 1);
        const v8 c = px_load8(around[i + 1]), d = px_load8(around[i + 1] + 1);
        if (half_x && half_y)
            px_pack8((a + b + c + d + 2) >> 2, to[i]);
        else
            px_pack8((a + (half_x ? b : c) + 1) >> 1, to[i]);
    }
}

void px_h264_guess(const struct px_block_at *at, enum px_h264_mode mode, struct px_move move,
                   struct px_block *ret) {
    if (mode == PX_H264_INTER) {
        px_block_guess_moved(at, move, guess_half, ret);
        return;
    }
    for (int plane = 0; plane < 3; plane++) {
        const int side = plane ? 8 : 16, stride = at->now->strides[plane];
        uint8_t *to = plane ? ret->uv[plane - 1][0] : ret->y[0];
        const struct edge e = {.corner = at->now->planes[plane] +
                                         (ptrdiff_t)at->row * side * stride + at->column * side,
                               .stride = stride,
                               .above = at->row > 0 && !at->cut,
                               .left = at->column > 0};
        if (mode == PX_H264_DC)
            guess_means(&e, side, to);
        else
            guess_inside(&e, mode, side, to);
    }
}

/* ---- transforms ---- */

static inline void forward_once(v8 r[4]) {
    const v8 s = r[0] + r[3], t = r[1] + r[2], d = r[0] - r[3], e = r[1] - r[2];
    r[0] = s + t;
    r[1] = 2 * d + e;
    r[2] = s - t;
    r[3] = d - 2 * e;
}

/* Columns in turn: the result's lanes are lines. */
static inline void forward(v8 r[4]) {
    forward_once(r);
    px_turn8(r);
    forward_once(r);
}

static inline void inverse_once(v8 r[4]) {
    const v8 a = r[0] + r[2], b = r[0] - r[2];
    const v8 c = (r[1] >> 1) - r[3], d = r[1] + (r[3] >> 1);
    r[0] = a + d;
    r[1] = b + c;
    r[2] = b - c;
    r[3] = a - d;
}

/* From lanes that are lines to pixels' lines. */
static inline void inverse(v8 r[4]) {
    inverse_once(r);
    px_turn8(r);
    inverse_once(r);
    for (int i = 0; i < 4; i++)
        r[i] = (r[i] + 32) >> 6;
}

static inline v8 load(const int16_t p[8]) {
    v8 v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* ---- numbers ---- */

/* Where the numbers of a part lie in r[4] of forward(), in zigzag order. */
static const uint8_t turned_zigzag[16] = {0, 8, 1, 2, 9, 16, 24, 17, 10, 3, 11, 18, 25, 26, 19, 27};

/* Returns how many are not 0. */
static uint8_t gather(const int16_t *from, int16_t to[16]) {
    int n = 0;
    for (int i = 0; i < 16; i++) {
        to[i] = from[turned_zigzag[i]];
        n += to[i] != 0;
    }
    return (uint8_t)n;
}

struct pair {
    v8 r[4]; /* what is added back */
    bool any;
};

/* Two parts side by side, of the pixels at @want and @guess. @means not NULL: without their own,
 * which go there. */
static void code_pair(const struct px_h264_step *s, int keep, const uint8_t *want,
                      const uint8_t *guess, int stride, int *means, uint8_t *n,
                      int16_t (*numbers)[16], struct pair *ret) {
    v8 *r = ret->r;
    for (int i = 0; i < 4; i++)
        r[i] = px_load8(want + (ptrdiff_t)i * stride) - px_load8(guess + (ptrdiff_t)i * stride);
    n[0] = n[1] = 0;
    ret->any = false;
    if (means)
        means[0] = means[1] = 0;
    if (px_is_zero8(r))
        return;
    forward(r);
    if (means) {
        means[0] = r[0][0];
        means[1] = r[0][4];
        r[0][0] = r[0][4] = 0;
    }
    px_keep_low8(r, keep);
    for (int i = 0; i < 4; i++)
        r[i] = px_quantize8(r[i], load(s->per[i]), load(s->round[i]));
    if (px_is_zero8(r))
        return;
    int16_t flat[4][8];
    memcpy(flat, r, sizeof(flat));
    for (int i = 0; i < 2; i++)
        n[i] = gather(&flat[0][4 * i], numbers[i]);
    for (int i = 0; i < 4; i++)
        r[i] *= load(s->step[i]);
    ret->any = true;
}

static void add_pair(struct pair *p, uint8_t *to, int stride) {
    inverse(p->r);
    for (int i = 0; i < 4; i++)
        px_pack8(px_load8(to + (ptrdiff_t)i * stride) + p->r[i], to + (ptrdiff_t)i * stride);
}

/* A mean's number; @sum: what it is, times @more steps of the transform. */
static int one(const struct px_h264_step *s, int sum, int more) {
    const int shift = 15 + s->octave + more;
    const int64_t q =
        ((int64_t)abs(sum) * px_h264_scales[s->sixth][0] + (INT64_C(3) << (shift - 3))) >> shift;
    return (int)(sum < 0 ? -q : q);
}

/* The Hadamard transform, its own inverse but for the scale. */
static void hadamard(int v[16]) {
    for (int step = 1; step <= 4; step *= 4)
        for (int i = 0; i < 4; i++) {
            int *p = v + i * (step == 1 ? 4 : 1);
            const int a = p[0] + p[3 * step], b = p[step] + p[2 * step];
            const int c = p[step] - p[2 * step], d = p[0] - p[3 * step];
            p[0] = a + b;
            p[step] = d + c;
            p[2 * step] = a - b;
            p[3 * step] = d - c;
        }
}

/* @means of luma's parts to numbers, and to what the decoder makes of those. */
static void code_luma_means(const struct px_h264_step *s, int means[16], int16_t numbers[16]) {
    const int scale = px_h264_steps_of[s->sixth][0] * 16;
    bool any = false;
    hadamard(means);
    int t[16];
    for (int i = 0; i < 16; i++) {
        const int at = px_h264_zigzag[i];
        t[at] = numbers[i] = (int16_t)one(s, means[at], 2);
        any |= numbers[i] != 0;
    }
    if (!any) {
        memset(means, 0, 16 * sizeof(means[0]));
        return;
    }
    hadamard(t);
    for (int i = 0; i < 16; i++)
        means[i] = s->octave >= 6 ? t[i] * scale * (1 << (s->octave - 6))
                                  : (t[i] * scale + (1 << (5 - s->octave))) >> (6 - s->octave);
}

static void square(int v[4]) {
    const int a = v[0] + v[1], b = v[0] - v[1], c = v[2] + v[3], d = v[2] - v[3];
    v[0] = a + c;
    v[1] = b + d;
    v[2] = a - c;
    v[3] = b - d;
}

/* Returns whether there are numbers. */
static bool code_chroma_means(const struct px_h264_step *s, int means[4], int16_t numbers[16]) {
    const int scale = px_h264_steps_of[s->sixth][0] * 16;
    bool any = false;
    square(means);
    for (int i = 0; i < 4; i++) {
        means[i] = numbers[i] = (int16_t)one(s, means[i], 1);
        any |= numbers[i] != 0;
    }
    square(means);
    for (int i = 0; i < 4; i++)
        means[i] = (means[i] * scale * (1 << s->octave)) >> 5;
    return any;
}

static void add_means(struct pair *p, const int means[2], uint8_t *to, int stride) {
    if (!p->any && !means[0] && !means[1])
        return;
    if (!p->any)
        memset(p->r, 0, sizeof(p->r));
    p->r[0][0] = (int16_t)means[0];
    p->r[0][4] = (int16_t)means[1];
    add_pair(p, to, stride);
}

static void code_luma(const struct px_h264_steps *s, const struct px_block *want,
                      struct px_block *guess, struct px_h264_block *k, px_h264_numbers numbers) {
    struct pair luma[4][2];
    const bool inside = k->mode != PX_H264_INTER;
    int means[16];
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 2; x++) {
            const int part = y * 4 + x * 2;
            code_pair(&s->of[0], s->keep, &want->y[y * 4][x * 8], &guess->y[y * 4][x * 8], 16,
                      inside ? means + part : NULL, k->n + part, numbers + part, &luma[y][x]);
            if (luma[y][x].any)
                k->luma |= (uint8_t)(inside ? 15 : 1 << (y / 2 * 2 + x));
        }
    if (inside)
        code_luma_means(&s->of[0], means, numbers[PX_H264_LUMA_MEANS]);
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 2; x++)
            if (inside)
                add_means(&luma[y][x], means + y * 4 + x * 2, &guess->y[y * 4][x * 8], 16);
            else if (luma[y][x].any)
                add_pair(&luma[y][x], &guess->y[y * 4][x * 8], 16);
}

static void code_chroma(const struct px_h264_steps *s, const struct px_block *want,
                        struct px_block *guess, struct px_h264_block *k, px_h264_numbers numbers) {
    struct pair chroma[2][2];
    int means[2][4];
    for (int i = 0; i < 2; i++) {
        for (int y = 0; y < 2; y++) {
            const int part = PX_H264_CHROMA + i * 4 + y * 2;
            code_pair(&s->of[1], s->keep, want->uv[i][y * 4], guess->uv[i][y * 4], 8,
                      &means[i][y * 2], k->n + part, numbers + part, &chroma[i][y]);
            if (chroma[i][y].any)
                k->chroma = 2;
        }
        if (code_chroma_means(&s->of[1], means[i], numbers[PX_H264_CHROMA_MEANS + i]) && !k->chroma)
            k->chroma = 1;
    }
    for (int i = 0; i < 2; i++)
        for (int y = 0; y < 2; y++)
            add_means(&chroma[i][y], &means[i][y * 2], guess->uv[i][y * 4], 8);
}

void px_h264_code(const struct px_h264_steps *s, const struct px_block *want,
                  struct px_block *guess, struct px_h264_block *k, px_h264_numbers numbers) {
    k->luma = k->chroma = 0;
    code_luma(s, want, guess, k, numbers);
    code_chroma(s, want, guess, k, numbers);
}
