/* src/host/encode/av1_numbers.c - numbers to bytes
 *
 * From the last to the first, each by how large those are that came before it on the right and
 * below; then the signs. Source: AV1 specification, 5.11.39 and 8.3.2. */
#include "host/encode/av1_private.h"
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define BASE_MAX 2 /* what the first symbol tells */
#define STEP 3     /* what each of the next adds */
#define LEVEL_MAX 14
#define PAD 4

static inline int least(int a, int b) {
    return a < b ? a : b;
}

/* How many there are: the power of two that it lies behind, and where from there. */
INLINE void put_end(struct px_av1_coder *c, struct px_av1_number_chances *p, int side, bool chroma,
                    int end) {
    const int group = end < 3 ? end - 1 : 32 - __builtin_clz((unsigned)end - 1);
    if (side == 4)
        px_av1_put(c, p->end16[chroma], 5, group);
    else
        px_av1_put(c, p->end64[chroma], 7, group);
    if (group < 2)
        return;
    const int rest = end - 1 - (1 << (group - 1)), bits = group - 1;
    px_av1_put(c, p->end_more[side == 8][chroma][group - 2], 2, rest >> (bits - 1) & 1);
    px_av1_put_bits(c, (unsigned)rest & ((1u << (bits - 1)) - 1), bits - 1);
}

static void put_golomb(struct px_av1_coder *c, unsigned v) {
    const int n = 32 - __builtin_clz(v);
    px_av1_put_bits(c, 0, n - 1);
    px_av1_put_bits(c, v, n);
}

/* Each with the levels to its right and below, in lines of side + PAD. */
INLINE int base_context(const uint8_t *l, int stride, int row, int column) {
    const int sum = least(l[1], 3) + least(l[2], 3) + least(l[stride], 3) +
                    least(l[stride + 1], 3) + least(l[2 * stride], 3);
    const int i = least((sum + 1) >> 1, 4), away = row + column;
    return away == 0 ? 0 : away < 2 ? i + 1 : away < 4 ? i + 6 : i + 21;
}

INLINE int more_context(const uint8_t *l, int stride, int row, int column) {
    const int i = least((l[1] + l[stride] + l[stride + 1] + 1) >> 1, 6);
    return row + column == 0 ? i : row < 2 && column < 2 ? i + 7 : i + 14;
}

INLINE int last_context(int i, int n) {
    return i == 0 ? 0 : i <= n / 8 ? 1 : i <= n / 4 ? 2 : 3;
}

INLINE void put_level(struct px_av1_coder *c, uint16_t *chances, int level) {
    level -= BASE_MAX + 1;
    for (int i = 0; i < 4; i++, level -= STEP) {
        px_av1_put(c, chances, 4, least(level, STEP));
        if (level < STEP)
            return;
    }
}

INLINE void put_all(struct px_av1_coder *coder, struct px_av1_number_chances *p, int side,
                    bool chroma, int sign, int end, const int16_t *numbers,
                    struct px_av1_left *ret) {
    const int stride = side + PAD, shift = side == 4 ? 2 : 3;
    const uint8_t *scan = side == 4 ? px_av1_scan4 : px_av1_scan8;
    uint8_t levels[12 * 12];
    struct px_av1_coder c = *coder; /* in registers */
    unsigned sum = 0;
    memset(levels, 0, (size_t)stride * (size_t)stride);
    put_end(&c, p, side, chroma, end);
    for (int i = end - 1; i >= 0; i--) {
        const int at = scan[i], row = at >> shift, column = at & (side - 1);
        uint8_t *l = levels + (ptrdiff_t)row * stride + column;
        const int level = least(abs(numbers[at]), LEVEL_MAX + 1);
        if (i == end - 1)
            px_av1_put(&c, p->last[side == 8][chroma][last_context(i, side * side)], 3,
                       least(level, BASE_MAX + 1) - 1);
        else
            px_av1_put(&c, p->base[side == 8][chroma][base_context(l, stride, row, column)], 4,
                       least(level, BASE_MAX + 1));
        if (level > BASE_MAX)
            put_level(&c, p->more[side == 8][chroma][more_context(l, stride, row, column)], level);
        *l = (uint8_t)level;
    }
    for (int i = 0; i < end; i++) {
        const int v = numbers[scan[i]];
        const unsigned level = (unsigned)abs(v);
        if (level == 0)
            continue;
        if (i == 0)
            px_av1_put(&c, p->dc_sign[chroma][sign], 2, v < 0);
        else
            px_av1_put_bits(&c, v < 0, 1);
        if (level > LEVEL_MAX)
            put_golomb(&c, level - LEVEL_MAX);
        sum += level;
    }
    *coder = c;
    ret->sum = (uint8_t)(sum > 63 ? 63 : sum);
    ret->sign = numbers[0] < 0 ? 1 : numbers[0] > 0 ? 2 : 0;
}

void px_av1_put_numbers(struct px_av1_coder *c, struct px_av1_number_chances *chances, int side,
                        bool chroma, int none, int sign, uint16_t *kind, int n_kinds, int end,
                        const int16_t *numbers, struct px_av1_left *ret) {
    px_av1_put(c, chances->none[side == 8][none], 2, end == 0);
    *ret = (struct px_av1_left){0};
    if (end == 0)
        return;
    if (kind && n_kinds == 2)
        px_av1_put(c, kind, 2, 1);
    else if (kind)
        px_av1_put(c, kind, 5, 1);
    if (side == 4 && chroma) /* compiled for each */
        put_all(c, chances, 4, true, sign, end, numbers, ret);
    else if (side == 4)
        put_all(c, chances, 4, false, sign, end, numbers, ret);
    else if (chroma)
        put_all(c, chances, 8, true, sign, end, numbers, ret);
    else
        put_all(c, chances, 8, false, sign, end, numbers, ret);
}
