/* src/host/encode/eight.h - 8x8 pixels as three numbers, as VP9 and AV1 code them
 *
 * Of coarse key frames: the mean, and how much it rises down and across. It shows more than the
 * means of four parts of 4x4, and is one transform for the decoder, not four. What the decoder
 * computes is bound to the bit by the formats; with three numbers most of their transforms falls
 * away. */
#pragma once
#include "host/encode/vp9_parts.h"

/* cos of 45, 11.25 and 78.75 degrees, * 2^bits; bits lost between lines and columns, and after. */
struct px_eight_format {
    int bits, c45, c11, c78, between, after;
    int down, across; /* where these numbers lie */
    bool down_first;  /* in the order of coding */
};

static inline int px_eight_mul(const struct px_eight_format *f, int v, int k) {
    return (v * k + (1 << (f->bits - 1))) >> f->bits;
}

/* What @rise adds to the first four of eight; from the others as much is taken, the last first. */
static inline void px_eight_slope(const struct px_eight_format *f, int rise, int ret[4]) {
    ret[0] = px_eight_mul(f, rise, f->c11);
    ret[3] = px_eight_mul(f, rise, f->c78);
    ret[1] = px_eight_mul(f, ret[0] + ret[3], f->c45);
    ret[2] = px_eight_mul(f, ret[0] - ret[3], f->c45);
}

static inline int px_eight_quantize(int v, int per, int round) {
    const int n = (abs(v) + round) * per >> 16;
    return v < 0 ? -n : n;
}

/* The three numbers of @r, eight times what the format's sums are of. */
static inline void px_eight_sum(const v8 r[8], int *mean, int *down, int *across) {
    /* the root of 2 times cos of 11.25, 33.75, 56.25, 78.75 degrees, * 2^12 */
    enum { W0 = 5681, W1 = 4816, W2 = 3218, W3 = 1130 };
    const v8 weights = {W0, W1, W2, W3, -W3, -W2, -W1, -W0};
    const v8 sum = (r[0] + r[1]) + (r[2] + r[3]) + (r[4] + r[5]) + (r[6] + r[7]);
    const v8 rise = px_mix8(r[0] - r[7], r[1] - r[6], W0, W1, 10) +
                    px_mix8(r[2] - r[5], r[3] - r[4], W2, W3, 10);
    int d = 2, a = 1 << 11;
    *mean = 0;
    for (int i = 0; i < 8; i++) {
        *mean += sum[i];
        d += rise[i];
        a += sum[i] * weights[i];
    }
    *down = d >> 2;
    *across = a >> 12;
}

/* The three numbers into the picture at @to, on top of @guess. */
static inline void px_eight_show(const struct px_eight_format *f, int mean, int down, int across,
                                 int guess, uint8_t *to, int stride) {
    const int round = (1 << f->between) >> 1;
    const v8 zero = {0};
    int slope[4];
    v8 line, even;
    mean = px_eight_mul(f, mean, f->c45);
    down = (px_eight_mul(f, down, f->c45) + round) >> f->between;
    px_eight_slope(f, across, slope);
    for (int i = 0; i < 4; i++) {
        line[i] = (int16_t)((mean + slope[i] + round) >> f->between);
        line[7 - i] = (int16_t)((mean - slope[i] + round) >> f->between);
    }
    even = px_mix8(line, zero, (int16_t)f->c45, 0, f->bits) + (int16_t)(1 << f->after >> 1);
    px_eight_slope(f, down, slope);
    for (int i = 0; i < 4; i++) {
        const int16_t rise = (int16_t)slope[i], g = (int16_t)guess;
        px_pack8(((even + rise) >> f->after) + g, to + (ptrdiff_t)i * stride);
        px_pack8(((even - rise) >> f->after) + g, to + (ptrdiff_t)(7 - i) * stride);
    }
}

/* 8x8 of @want, whose lines are 16 apart, guessed to be @guess all over. Returns how many numbers
 * there are, in the order of coding. */
static inline int px_eight_code(const struct px_eight_format *f, const struct px_vp9_steps *s,
                                const uint8_t *want, int guess, uint8_t *to, int stride,
                                int16_t *numbers) {
    const v8 g = (v8){0} + (int16_t)guess;
    v8 r[8];
    int mean, down, across;
    for (int i = 0; i < 8; i++)
        r[i] = px_load8(want + (ptrdiff_t)16 * i) - g;
    px_eight_sum(r, &mean, &down, &across);
    mean = px_eight_quantize(mean, s->dc_per, s->dc_round);
    down = px_eight_quantize(down, s->ac_per, s->ac_round);
    across = px_eight_quantize(across, s->ac_per, s->ac_round);
    numbers[0] = (int16_t)mean;
    numbers[f->down] = (int16_t)down;
    numbers[f->across] = (int16_t)across;
    px_eight_show(f, mean * s->dc, down * s->ac, across * s->ac, guess, to, stride);
    return (f->down_first ? across : down) ? 3 : (f->down_first ? down : across) ? 2 : mean ? 1 : 0;
}

/* All of a plane of the cell that lies in the picture. What is coded lies with the first of the
 * four parts. False: there are no numbers. */
static inline bool px_eight_code_plane(const struct px_eight_format *f, const struct px_vp9_size *z,
                                       const struct px_vp9_steps *s, const struct px_cell *c,
                                       int plane, const px_vp9_pixels want, uint8_t *ends,
                                       px_numbers *numbers) {
    const int stride = c->stride[plane];
    bool any = false;
    if (px_cell_put_flat(z, c, plane, want, ends))
        return false;
    memset(ends + px_vp9_first(z, plane), 0,
           (size_t)(px_vp9_first(z, plane + 1) - px_vp9_first(z, plane)));
    for (int y = 0; y < c->high[plane]; y += 2)
        for (int x = 0; x < c->wide[plane]; x += 2) {
            const int part = px_vp9_first(z, plane) + y * px_vp9_side(z, plane) + x;
            uint8_t *to = c->corner[plane] + (ptrdiff_t)y * 4 * stride + x * 4;
            const int guess = px_mean_around(to, stride, !c->top || y > 0, !c->edge || x > 0, 8);
            ends[part] = (uint8_t)px_eight_code(f, s, &want[plane][y * 4][x * 4], guess, to, stride,
                                                numbers[part]);
            any |= ends[part] > 0;
        }
    return any;
}
