/* src/host/encode/av1_palette.c - cells of few colours
 *
 * Text is of two colours, or a few: which of them each pixel has is told from what the pixels above
 * and to the left have, and the cell is exact. Source: AV1 specification, 5.11.46, 5.11.49 and
 * 5.11.50. */
#include "host/encode/av1_private.h"

#define SIDE 16

/* Which there are, as bits. Returns how many; more than there may be: some of them. */
static int see_colours(const uint8_t *p, ptrdiff_t stride, uint64_t seen[4]) {
    int n = 0;
    for (int y = 0; y < SIDE && n <= PX_AV1_COLOURS_MAX; y++, p += stride) {
        int last = -1;
        for (int x = 0; x < SIDE; x++) {
            const int v = p[x];
            if (v == last)
                continue;
            last = v;
            const uint64_t bit = UINT64_C(1) << (v & 63);
            n += !(seen[v >> 6] & bit);
            seen[v >> 6] |= bit;
        }
    }
    return n;
}

int px_av1_count_colours(const uint8_t *p, ptrdiff_t stride) {
    uint64_t seen[4] = {0};
    return see_colours(p, stride, seen);
}

bool px_av1_find_colours(const uint8_t want[SIDE][SIDE], struct px_av1_cell *ret,
                         uint8_t indices[SIDE][SIDE]) {
    uint64_t seen[4] = {0};
    uint8_t place[256];
    int n = see_colours(want[0], SIDE, seen);
    if (n < 2 || n > PX_AV1_COLOURS_MAX)
        return false;
    n = 0;
    for (int i = 0; i < 4; i++)
        for (uint64_t left = seen[i]; left; left &= left - 1) {
            ret->colours[n] = (uint8_t)(64 * i + __builtin_ctzll(left));
            place[ret->colours[n]] = (uint8_t)n;
            n++;
        }
    ret->n_colours = (uint8_t)n;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            indices[y][x] = place[want[y][x]];
    return true;
}

/* How many bits numbers below @n take. */
static int bits_of(int n) {
    return n < 2 ? 0 : 32 - __builtin_clz((unsigned)n - 1);
}

/* Those that were not around: the first as it is, the others by how much they are above. */
static void put_new(struct px_av1_coder *c, const uint8_t *colours, int n) {
    int most = 0;
    px_av1_put_bits(c, colours[0], 8);
    if (n < 2)
        return;
    for (int i = 1; i < n; i++) {
        const int step = colours[i] - colours[i - 1];
        most = step > most ? step : most;
    }
    int bits = bits_of(most);
    bits = bits < 5 ? 5 : bits;
    px_av1_put_bits(c, (unsigned)bits - 5, 2);
    for (int i = 1; i < n; i++) {
        px_av1_put_bits(c, (unsigned)(colours[i] - colours[i - 1] - 1), bits);
        const int fit = bits_of(256 - colours[i] - 1);
        bits = bits < fit ? bits : fit;
    }
}

void px_av1_put_colours(struct px_av1_coder *c, const struct px_av1_cell *cell,
                        const uint8_t *before, int n_before) {
    uint8_t left[PX_AV1_COLOURS_MAX];
    int n_left = 0, next = 0, found = 0;
    for (int i = 0; i < n_before && found < cell->n_colours; i++) {
        while (next < cell->n_colours && cell->colours[next] < before[i])
            left[n_left++] = cell->colours[next++];
        const bool same = next < cell->n_colours && cell->colours[next] == before[i];
        px_av1_put_bits(c, same, 1);
        next += same;
        found += same;
    }
    while (next < cell->n_colours)
        left[n_left++] = cell->colours[next++];
    if (n_left > 0)
        put_new(c, left, n_left);
}

/* @v by how likely its neighbours make it; *@context: how much these are alike. */
static int rank(int v, int left, int corner, int above, int *context) {
    int first, second, third;
    if (left == above) {
        first = left;
        *context = corner == left ? 4 : 3;
        second = third = corner;
    } else if (corner == left || corner == above) {
        first = corner;
        second = third = corner == left ? above : left;
        *context = 2;
    } else {
        first = left < above ? left : above;
        second = left < above ? above : left;
        third = corner;
        *context = 1;
    }
    if (v == first)
        return 0;
    if (v == second && second != first)
        return 1;
    if (v == third && third != second)
        return 2;
    return v + (first > v) + (second > v && second != first) + (third > v && third != second);
}

static inline __attribute__((always_inline)) void
put_all(struct px_av1_coder *coder, uint16_t (*chances)[10], int n, const uint8_t at[SIDE][SIDE]) {
    struct px_av1_coder c = *coder; /* in registers */
    for (int i = 1; i < 2 * SIDE - 1; i++)
        for (int x = i < SIDE ? i : SIDE - 1; x >= 0 && i - x < SIDE; x--) {
            const int y = i - x;
            int context = 0, r;
            if (x == 0 || y == 0) {
                const int near = x ? at[y][x - 1] : at[y - 1][x];
                r = at[y][x] == near ? 0 : at[y][x] + (near > at[y][x]);
            } else
                r = rank(at[y][x], at[y][x - 1], at[y - 1][x - 1], at[y - 1][x], &context);
            px_av1_put(&c, chances[context], n, r);
        }
    *coder = c;
}

/* A number below @n, each as likely. */
static void put_below(struct px_av1_coder *c, int v, int n) {
    const int bits = 32 - __builtin_clz((unsigned)n), few = (1 << bits) - n;
    if (v < few)
        px_av1_put_bits(c, (unsigned)v, bits - 1);
    else
        px_av1_put_bits(c, (unsigned)(v + few), bits);
}

void px_av1_put_indices(struct px_av1_coder *c, struct px_av1_chances *chances, int n_colours,
                        const uint8_t at[SIDE][SIDE]) {
    uint16_t(*of)[10] = chances->colour[n_colours - 2];
    put_below(c, at[0][0], n_colours);
    switch (n_colours) { /* compiled for each */
    case 2:
        put_all(c, of, 2, at);
        break;
    case 3:
        put_all(c, of, 3, at);
        break;
    case 4:
        put_all(c, of, 4, at);
        break;
    case 5:
        put_all(c, of, 5, at);
        break;
    case 6:
        put_all(c, of, 6, at);
        break;
    case 7:
        put_all(c, of, 7, at);
        break;
    default:
        put_all(c, of, 8, at);
        break;
    }
}
