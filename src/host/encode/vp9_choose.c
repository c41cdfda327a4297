/* src/host/encode/vp9_choose.c - what a cell is guessed from
 *
 * How good a mode would be is measured on the picture that came in, not on what is coded: the parts
 * of a cell need not be coded to know, and the choice is nearly always the same. */
#include "host/encode/lanes.h"
#include "host/encode/vp9_private.h"
#include <stdlib.h>

#define INLINE static inline __attribute__((always_inline))

/* The mean of the neighbours leaves what is flat flat, and even a rough picture few numbers; the
 * other ways carry the neighbours' text into the part. They must be so many times nearer. */
#define DC_BONUS 2

typedef uint8_t b16 __attribute__((vector_size(16)));

INLINE b16 load16(const uint8_t *p) {
    b16 v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Sum of how far 16 pixels are from each other. */
INLINE unsigned apart(b16 a, b16 b) {
#ifdef __SSE2__
    const __m128i s = _mm_sad_epu8((__m128i)a, (__m128i)b);
    return (unsigned)(_mm_cvtsi128_si32(s) + _mm_cvtsi128_si32(_mm_srli_si128(s, 8)));
#else
    unsigned sum = 0;
    for (int i = 0; i < 16; i++)
        sum += (unsigned)abs(a[i] - b[i]);
    return sum;
#endif
}

unsigned px_vp9_distance(const uint8_t a[16][16], const uint8_t b[16][16]) {
    unsigned sum = 0;
    for (int y = 0; y < 16; y++)
        sum += apart(load16(a[y]), load16(b[y]));
    return sum;
}

/* No pixel of @side x @side is farther than @near. */
static bool is_near(const uint8_t a[16][16], const uint8_t b[16][16], int side, int near) {
    const b16 most = (b16){0} + (uint8_t)near;
    for (int y = 0; y < side; y++) {
        const b16 p = load16(a[y]), q = load16(b[y]);
        const b16 more = (b16)(p > q), far = (b16)(((more & (p - q)) | (~more & (q - p))) > most);
        uint64_t words[2];
        memcpy(words, &far, sizeof(words));
        if (words[0] | (side > 8 ? words[1] : 0))
            return false;
    }
    return true;
}

bool px_vp9_will_do(const struct px_vp9_size *z, const px_vp9_pixels want,
                    const px_vp9_pixels guess, bool same, int near) {
    const int side = 16 >> z->shift, chroma = same ? 2 + near * 2 : near;
    return (same || is_near(want[0], guess[0], 16, near)) &&
           is_near(want[1], guess[1], side, chroma) && is_near(want[2], guess[2], side, chroma);
}

/* Every pixel: the last one of the part to the left. @before: the pixel left of the line. */
INLINE b16 from_left(const uint8_t line[16], uint8_t before) {
    typedef uint32_t w4 __attribute__((vector_size(16)));
    w4 w;
    memcpy(&w, line, sizeof(w));
    w = (w4){(uint32_t)before << 24, w[0], w[1], w[2]} >> 24;
    w |= w << 8;
    return (b16)(w | w << 16);
}

/* @over + @left - @corner, each of the 16, within 0..255. */
INLINE b16 slope(b16 over, b16 left, b16 corner) {
    uint8_t o[16], l[16], c[16], r[16];
    memcpy(o, &over, 16);
    memcpy(l, &left, 16);
    memcpy(c, &corner, 16);
    for (int i = 0; i < 16; i += 8)
        px_pack8(px_load8(o + i) + px_load8(l + i) - px_load8(c + i), r + i);
    return load16(r);
}

/* The means of what is above and left of each of four parts. */
static b16 means(const uint8_t over[16], const uint8_t want[4][16], const uint8_t before[4]) {
    uint8_t r[16];
    for (int k = 0; k < 4; k++) {
        int sum = 4;
        for (int i = 0; i < 4; i++)
            sum += over[4 * k + i] + (k ? want[i][4 * k - 1] : before[i]);
        memset(r + (ptrdiff_t)4 * k, sum >> 3, 4);
    }
    return load16(r);
}

enum px_vp9_mode px_vp9_choose_inside(const struct px_vp9_at *at, const uint8_t want[16][16],
                                      unsigned *ret) {
    const int stride = at->now->strides[0];
    const uint8_t *corner =
        at->now->planes[0] + (ptrdiff_t)at->row * 16 * stride + (ptrdiff_t)at->column * 16;
    const bool top = at->row == 0, edge = at->column == at->first_column;
    unsigned sums[4] = {0};
    uint8_t over[17];
    /* What is above and left beyond the edges is not used but for the mean, which is near then. */
    memcpy(over + 1, top ? want[0] : corner - stride, 16);
    for (int group = 0; group < 16; group += 4) {
        uint8_t before[4];
        for (int i = 0; i < 4; i++)
            before[i] = edge ? want[group + i][0] : corner[(ptrdiff_t)(group + i) * stride - 1];
        if (group)
            memcpy(over + 1, want[group - 1], 16);
        over[0] =
            edge || (top && group == 0) ? before[0] : corner[(ptrdiff_t)(group - 1) * stride - 1];
        const b16 above = load16(over + 1), corners = from_left(over + 1, over[0]);
        const b16 mean = means(over + 1, &want[group], before);
        for (int i = 0; i < 4; i++) {
            const b16 line = load16(want[group + i]);
            const b16 left = from_left(want[group + i], before[i]);
            sums[PX_VP9_DC] += apart(line, mean);
            sums[PX_VP9_V] += apart(line, above);
            sums[PX_VP9_H] += apart(line, left);
            sums[PX_VP9_TM] += apart(line, slope(above, left, corners));
        }
    }
    enum px_vp9_mode best = PX_VP9_DC;
    sums[PX_VP9_DC] /= DC_BONUS;
    if (!top && sums[PX_VP9_V] < sums[best])
        best = PX_VP9_V;
    if (!edge && sums[PX_VP9_H] < sums[best])
        best = PX_VP9_H;
    if (!top && !edge && sums[PX_VP9_TM] < sums[best])
        best = PX_VP9_TM;
    *ret = best == PX_VP9_DC ? sums[best] * DC_BONUS : sums[best];
    return best;
}
