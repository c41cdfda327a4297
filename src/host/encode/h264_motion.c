/* src/host/encode/h264_motion.c - where a macroblock of a film has moved to, to a quarter of a
 * pixel
 *
 * Around what the neighbours and the last picture say, in ever smaller steps. What a decoder makes
 * of quarters is bound to the bit by ITU-T H.264, 8.4.2.2. */
#include "host/encode/h264_private.h"
#include "host/encode/lanes.h"
#include "host/encode/pixels.h"
#include <stdlib.h>

#define SIDE PX_H264_SIDE
#define REACH 1     /* whole pixels around the best one whose halves are looked at */
#define STEPS_MAX 8 /* of the search for whole pixels */
#define WIDE 24     /* SIDE + 2 * REACH, in whole lanes */
#define HIGH (SIDE + 2 * REACH)
#define PLAIN_BITS 24 /* a distance worth so few is not searched for parts of pixels */
#define AROUND 32
#define TAPS 6 /* a half is made of so many pixels: two before its own, three behind */

/* What a block at whole pixels is made of, one pixel farther each way: the pixels, and the halves
 * that follow each to the right, below, and both. */
struct halves {
    uint8_t whole[HIGH][WIDE], right[HIGH][WIDE], below[HIGH][WIDE], both[HIGH][WIDE];
};

static inline v8 six(v8 a, v8 b, v8 c, v8 d, v8 e, v8 f) {
    return a + f - 5 * (b + e) + 20 * (c + d);
}

/* Of six such sums: (a - 5 b + 20 c + 512) / 1024, and never more than 16 bits at once; where they
 * do not suffice it is beyond 0 .. 255 anyway. */
static inline v8 six_of_sums(v8 r0, v8 r1, v8 r2, v8 r3, v8 r4, v8 r5) {
    const v8 a = r0 + r5, b = r1 + r4, c = r2 + r3;
    return (px_add8(px_add8(((a - b) >> 2) - b, c) >> 2, c) + 32) >> 6;
}

/* The pixels around the block at @x, @y of a plane of @width x @height, from two before those of
 * struct halves on. */
static void read_around(const uint8_t *plane, int stride, int width, int height, int x, int y,
                        uint8_t ret[HIGH + TAPS - 1][AROUND]) {
    const int left = x - REACH - 2, top = y - REACH - 2;
    const bool inside =
        left >= 0 && top >= 0 && left + AROUND <= width && top + HIGH + TAPS - 1 <= height;
    for (int i = 0; i < HIGH + TAPS - 1; i++) {
        const uint8_t *line = plane + (ptrdiff_t)px_clamp(top + i, height - 1) * stride;
        if (inside)
            memcpy(ret[i], line + left, AROUND);
        else
            for (int k = 0; k < AROUND; k++)
                ret[i][k] = line[px_clamp(left + k, width - 1)];
    }
}

static inline v8 sums_of(const uint8_t *p) {
    return six(px_load8(p), px_load8(p + 1), px_load8(p + 2), px_load8(p + 3), px_load8(p + 4),
               px_load8(p + 5));
}

/* Eight columns, from @k on. */
static void make_columns(const uint8_t from[HIGH + TAPS - 1][AROUND], int k, struct halves *ret) {
    v8 r0 = sums_of(from[0] + k), r1 = sums_of(from[1] + k), r2 = sums_of(from[2] + k);
    v8 r3 = sums_of(from[3] + k), r4 = sums_of(from[4] + k);
    v8 p0 = px_load8(from[0] + k + 2), p1 = px_load8(from[1] + k + 2);
    v8 p2 = px_load8(from[2] + k + 2), p3 = px_load8(from[3] + k + 2);
    v8 p4 = px_load8(from[4] + k + 2);
    for (int i = 0; i < HIGH; i++) {
        const v8 r5 = sums_of(from[i + 5] + k), p5 = px_load8(from[i + 5] + k + 2);
        memcpy(ret->whole[i] + k, from[i + 2] + k + 2, 8);
        px_pack8((r2 + 16) >> 5, ret->right[i] + k);
        px_pack8((six(p0, p1, p2, p3, p4, p5) + 16) >> 5, ret->below[i] + k);
        px_pack8(six_of_sums(r0, r1, r2, r3, r4, r5), ret->both[i] + k);
        r0 = r1, r1 = r2, r2 = r3, r3 = r4, r4 = r5;
        p0 = p1, p1 = p2, p2 = p3, p3 = p4, p4 = p5;
    }
}

/* Of luma around the block at @x, @y of a picture of @width x @height. */
static void make_halves(const struct px_planes *from, int width, int height, int x, int y,
                        struct halves *ret) {
    uint8_t around[HIGH + TAPS - 1][AROUND];
    read_around(from->planes[0], from->strides[0], width, height, x, y, around);
    for (int k = 0; k < WIDE; k += 8)
        make_columns(around, k, ret);
}

/* A quarter is the mean of two of these; [y & 3][x & 3]. */
static const struct quarter {
    struct {
        uint8_t of, x, y; /* 0: whole, 1: right, 2: below, 3: both; and how much farther */
    } a, b;
} quarters[4][4] = {
    {{{0, 0, 0}, {0, 0, 0}},
     {{0, 0, 0}, {1, 0, 0}},
     {{1, 0, 0}, {1, 0, 0}},
     {{1, 0, 0}, {0, 1, 0}}},
    {{{0, 0, 0}, {2, 0, 0}},
     {{1, 0, 0}, {2, 0, 0}},
     {{1, 0, 0}, {3, 0, 0}},
     {{1, 0, 0}, {2, 1, 0}}},
    {{{2, 0, 0}, {2, 0, 0}},
     {{2, 0, 0}, {3, 0, 0}},
     {{3, 0, 0}, {3, 0, 0}},
     {{3, 0, 0}, {2, 1, 0}}},
    {{{2, 0, 0}, {0, 0, 1}},
     {{2, 0, 0}, {1, 0, 1}},
     {{3, 0, 0}, {1, 0, 1}},
     {{2, 1, 0}, {1, 0, 1}}},
};

/* The two that the quarters @m from the whole pixel are made of. */
static void parts_of(const struct halves *h, struct px_move m, const uint8_t *ret[2]) {
    const struct quarter *q = &quarters[m.y & 3][m.x & 3];
    const uint8_t *const planes[] = {h->whole[0], h->right[0], h->below[0], h->both[0]};
    const int x = REACH + (m.x >> 2), y = REACH + (m.y >> 2);
    ret[0] = planes[q->a.of] + (ptrdiff_t)(y + q->a.y) * WIDE + x + q->a.x;
    ret[1] = planes[q->b.of] + (ptrdiff_t)(y + q->b.y) * WIDE + x + q->b.x;
}

static unsigned distance_of(const struct halves *h, struct px_move m, const uint8_t want[16][16]) {
    const uint8_t *p[2];
    unsigned sum = 0;
    parts_of(h, m, p);
    for (int i = 0; i < SIDE; i++) {
        uint8_t mean[SIDE];
        px_mean16(p[0] + (ptrdiff_t)i * WIDE, p[1] + (ptrdiff_t)i * WIDE, mean);
        sum += px_far16(want[i], mean);
    }
    return sum;
}

/* 8x8 of chroma, by eighths. */
static void guess_chroma(const uint8_t *plane, int stride, int width, int height, int x, int y,
                         struct px_move m, uint8_t to[8][8]) {
    uint8_t around[9][16];
    const int fx = m.x & 7, fy = m.y & 7;
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
        const v8 upper = a * (int16_t)(8 - fx) + b * (int16_t)fx;
        const v8 lower = c * (int16_t)(8 - fx) + d * (int16_t)fx;
        px_pack8((upper * (int16_t)(8 - fy) + lower * (int16_t)fy + 32) >> 6, to[i]);
    }
}

static void guess(const struct px_block_at *at, const struct halves *h, struct px_move whole,
                  struct px_move m, struct px_block *ret) {
    const struct px_planes *b = at->before;
    const uint8_t *p[2];
    const struct px_move sum = {(int16_t)(whole.x * 4 + m.x), (int16_t)(whole.y * 4 + m.y)};
    parts_of(h, m, p);
    for (int i = 0; i < SIDE; i++)
        px_mean16(p[0] + (ptrdiff_t)i * WIDE, p[1] + (ptrdiff_t)i * WIDE, ret->y[i]);
    for (int i = 0; i < 2; i++)
        guess_chroma(b->planes[1 + i], b->strides[1 + i], at->columns * 8, at->rows * 8,
                     at->column * 8 + (sum.x >> 3), at->row * 8 + (sum.y >> 3), sum, ret->uv[i]);
}

/* ---- the search ---- */

static const int8_t hexagon[][2] = {{-2, 0}, {-1, -2}, {1, -2}, {2, 0}, {1, 2}, {-1, 2}};
static const int8_t square[][2] = {{-1, -1}, {0, -1}, {1, -1}, {-1, 0},
                                   {1, 0},   {-1, 1}, {0, 1},  {1, 1}};

struct search {
    const struct px_block_at *at;
    const uint8_t (*want)[16];
    struct px_move expected; /* quarters */
    unsigned lambda;         /* what a bit is worth */
    struct px_move best;     /* whole pixels */
    unsigned cost;
};

static unsigned bits_of(int v) {
    const unsigned code = v > 0 ? 2 * (unsigned)v : 2 * (unsigned)-v + 1;
    return 2 * (31 - (unsigned)__builtin_clz(code | 1)) + 1;
}

static unsigned cost_of_move(const struct search *s, int x, int y) {
    return s->lambda * (bits_of(x - s->expected.x) + bits_of(y - s->expected.y));
}

static bool is_inside(const struct px_block_at *at, struct px_move m) {
    const int x = at->column * SIDE + m.x, y = at->row * SIDE + m.y;
    return abs(m.x) <= PX_MOVE_REACH && abs(m.y) <= PX_MOVE_REACH && x >= 0 && y >= 0 &&
           x + SIDE <= at->columns * SIDE && y + SIDE <= at->rows * SIDE;
}

static bool try_whole(struct search *s, int x, int y) {
    const struct px_block_at *at = s->at;
    const struct px_move m = {(int16_t)x, (int16_t)y};
    if (!is_inside(at, m))
        return false;
    const int stride = at->before->strides[0];
    const uint8_t *p =
        at->before->planes[0] + (ptrdiff_t)(at->row * SIDE + y) * stride + at->column * SIDE + x;
    unsigned cost = cost_of_move(s, x * 4, y * 4);
    for (int i = 0; i < SIDE && cost < s->cost; i += 4)
        for (int k = i; k < i + 4; k++)
            cost += px_far16(s->want[k], p + (ptrdiff_t)k * stride);
    if (cost >= s->cost)
        return false;
    s->cost = cost;
    s->best = m;
    return true;
}

/* Around the best one, as far as that helps. */
static void walk(struct search *s, const int8_t (*around)[2], int n, int most) {
    bool better = true;
    for (int step = 0; better && step < most; step++) {
        const struct px_move from = s->best;
        better = false;
        for (int i = 0; i < n; i++)
            better |= try_whole(s, from.x + around[i][0], from.y + around[i][1]);
    }
}

/* From the best whole pixels on to halves, then to quarters. *ret: how far from the whole ones. */
static void refine(struct search *s, const struct halves *h, struct px_move *ret) {
    for (int step = 2; step >= 1; step--) {
        const struct px_move from = *ret;
        for (int i = 0; i < 8; i++) {
            const struct px_move m = {(int16_t)(from.x + step * square[i][0]),
                                      (int16_t)(from.y + step * square[i][1])};
            const unsigned cost = cost_of_move(s, s->best.x * 4 + m.x, s->best.y * 4 + m.y) +
                                  distance_of(h, m, s->want);
            if (cost < s->cost) {
                s->cost = cost;
                *ret = m;
            }
        }
    }
}

unsigned px_h264_search(const struct px_block_at *at, const uint8_t want[16][16],
                        const struct px_move *hints, int n_hints, struct px_move expected,
                        unsigned lambda, struct px_move *ret, struct px_block *ret_guess) {
    struct search s = {
        .at = at, .want = want, .expected = expected, .lambda = lambda, .cost = UINT32_MAX};
    struct halves h;
    struct px_move part = {0};
    try_whole(&s, 0, 0);
    try_whole(&s, (expected.x + 2) >> 2, (expected.y + 2) >> 2);
    for (int i = 0; i < n_hints; i++)
        try_whole(&s, (hints[i].x + 2) >> 2, (hints[i].y + 2) >> 2);
    walk(&s, hexagon, 6, STEPS_MAX);
    walk(&s, square, 8, 1);
    make_halves(at->before, at->columns * SIDE, at->rows * SIDE, at->column * SIDE + s.best.x,
                at->row * SIDE + s.best.y, &h);
    if (s.cost > lambda * PLAIN_BITS)
        refine(&s, &h, &part);
    guess(at, &h, s.best, part, ret_guess);
    *ret = (struct px_move){(int16_t)(s.best.x * 4 + part.x), (int16_t)(s.best.y * 4 + part.y)};
    return s.cost;
}
