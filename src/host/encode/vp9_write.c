/* src/host/encode/vp9_write.c - cells and numbers to the bytes of a tile
 *
 * A tile is a column of the picture as high as it; what is written in one leans on nothing in the
 * others. Blocks are of 64x64 where all of it stays or moved alike, down to one cell, and halves
 * and quarters of one at the picture's edges.
 * Source: see vp9_tables.h, 6.4 (syntax), 6.5 (moves of neighbours), 9.3 (contexts). */
#include "host/encode/vp9_private.h"
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { NEAREST = 4, NEAR, STILL, NEW }; /* struct px_vp9_cell's written, above enum px_vp9_mode */

struct walk {
    const struct px_vp9_frame *f;
    struct px_bits bits;
    px_vp9_counts *counts;
    int first, last;         /* columns, in units of 8 pixels: those of the tile */
    uint8_t left_sizes[8];   /* of the 64 lines at hand */
    uint8_t left_any[3][16]; /* the same, for each 4 lines of a plane */
};

int px_vp9_tile_column(const struct px_vp9_frame *f, int i) {
    const int superblocks = (f->size.mi_columns + 7) / 8;
    const int column = (i * superblocks >> f->log2_tiles) * 4;
    return column < f->size.columns ? column : f->size.columns;
}

/* ---- numbers ---- */

#define EIGHT 3 /* the order of the first of 8x8 */

static const uint8_t bands[16] = {0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 5};

/* A number of 5 and more: what the tree does not tell of it. */
INLINE void put_rest(struct px_bits *b, unsigned v) {
    static const struct {
        uint8_t from, n, chances[14];
    } kinds[] = {{5, 1, {159}},
                 {7, 2, {165, 145}},
                 {11, 3, {173, 148, 140}},
                 {19, 4, {176, 155, 140, 135}},
                 {35, 5, {180, 157, 141, 134, 130}},
                 {67, 14, {254, 254, 254, 252, 249, 243, 230, 196, 177, 153, 140, 133, 130, 129}}};
    int i = 5;
    while (v < kinds[i].from)
        i--;
    for (int k = 0; k < kinds[i].n; k++)
        px_put(b, (v - kinds[i].from) >> (kinds[i].n - 1 - k) & 1, kinds[i].chances[k]);
}

/* A number of 2 and more, without its sign. */
INLINE void put_large(struct px_bits *b, unsigned v, const uint8_t tail[8]) {
    px_put(b, v > 4, tail[0]);
    if (v <= 4) {
        px_put(b, v > 2, tail[1]);
        if (v > 2)
            px_put(b, v > 3, tail[2]);
        return;
    }
    px_put(b, v > 10, tail[3]);
    if (v <= 10)
        px_put(b, v > 6, tail[4]);
    else {
        px_put(b, v > 34, tail[5]);
        px_put(b, v > 34 ? v > 66 : v > 18, v > 34 ? tail[7] : tail[6]);
    }
    put_rest(b, v);
}

/* How much a number tells of those around it. */
static inline uint8_t weight(unsigned v) {
    static const uint8_t weights[11] = {0, 1, 2, 3, 3, 4, 4, 4, 4, 4, 4};
    return v > 10 ? 5 : weights[v];
}

/* Numbers of one part, up to @end; @context: how many of its neighbours have any. */
INLINE void put_part(struct walk *w, bool counting, const px_vp9_chances *chances, int kind,
                     int inter, int scan, int context, int end, const int16_t *numbers) {
    const uint8_t(*near)[2] = px_vp9_neighbours[scan];
    struct px_bits bits = w->bits; /* in registers */
    uint8_t weights[16];
    bool may_end = true;
    for (int i = 0; i < 16; i++) {
        if (i > 0)
            context = (1 + weights[near[i][0]] + weights[near[i][1]]) >> 1;
        const uint8_t *c = (*chances)[kind][inter][bands[i]][context];
        uint32_t(*n)[2] = counting ? (*w->counts)[kind][inter][bands[i]][context] : NULL;
        if (may_end) {
            if (counting)
                n[0][i < end]++;
            else
                px_put(&bits, i < end, c[0]);
            if (i >= end)
                break;
        }
        const int number = numbers[i];
        const unsigned v = (unsigned)(number < 0 ? -number : number);
        may_end = v > 0;
        weights[i] = weight(v);
        if (counting) {
            n[1][v > 0]++;
            if (v)
                n[2][v > 1]++;
            continue;
        }
        px_put(&bits, v > 0, c[1]);
        if (!v)
            continue;
        px_put(&bits, v > 1, c[2]);
        if (v > 1)
            put_large(&bits, v, w->f->tails[c[2]]);
        px_put(&bits, number < 0, 128);
    }
    w->bits = bits;
}

static int scan_of(const struct px_vp9_cell *k, int plane) {
    return plane ? 0 : k->mode == PX_VP9_V ? 1 : k->mode == PX_VP9_H ? 2 : 0;
}

/* Those of a plane of 8x8, in a key frame. */
INLINE void put_eights(struct walk *w, bool counting, int plane, int mi_row, int mi_column,
                       int wide, int high, const struct px_vp9_cell *k, const int16_t **numbers) {
    const struct px_vp9_frame *f = w->f;
    const int shift = px_vp9_shift(&f->size, plane), side = px_vp9_side(&f->size, plane);
    uint8_t *above = f->above_any[plane] + (mi_column * 2 >> shift);
    uint8_t *left = w->left_any[plane] + ((mi_row & 7) * 2 >> shift);
    for (int y = 0; y < high * 2 >> shift; y += 2)
        for (int x = 0; x < wide * 2 >> shift; x += 2) {
            const int part = px_vp9_first(&f->size, plane) + y * side + x;
            const int end = k->skip ? 0 : k->ends[part];
            if (!k->skip)
                put_part(w, counting, &f->chances, plane > 0, 0, EIGHT,
                         (above[x] | above[x + 1]) + (left[y] | left[y + 1]), end, *numbers);
            *numbers += end;
            above[x] = above[x + 1] = left[y] = left[y + 1] = end > 0;
        }
}

/* The numbers of a block of @wide x @high units of 8 pixels; of one cell, unless it skips. */
INLINE void put_numbers(struct walk *w, bool counting, int mi_row, int mi_column, int wide,
                        int high, int cell) {
    const struct px_vp9_frame *f = w->f;
    const struct px_vp9_cell *k = &f->cells[cell];
    const int16_t *numbers = f->numbers[cell];
    for (int plane = 0; plane < 3; plane++) {
        if (f->eights && px_vp9_has_eights(&f->size, plane, wide, high)) {
            put_eights(w, counting, plane, mi_row, mi_column, wide, high, k, &numbers);
            continue;
        }
        const px_vp9_chances *chances = f->eights ? &px_vp9_coef_chances : &f->chances;
        const int shift = px_vp9_shift(&f->size, plane), side = px_vp9_side(&f->size, plane);
        const int n_wide = wide * 2 >> shift, n_high = high * 2 >> shift;
        uint8_t *above = f->above_any[plane] + (mi_column * 2 >> shift);
        uint8_t *left = w->left_any[plane] + ((mi_row & 7) * 2 >> shift);
        if (k->skip) {
            memset(above, 0, (size_t)n_wide);
            memset(left, 0, (size_t)n_high);
            continue;
        }
        int part = px_vp9_first(&f->size, plane);
        for (int y = 0; y < n_high; y++, part += side)
            for (int x = 0; x < n_wide; x++) {
                const int end = k->ends[part + x];
                if (!counting || !f->eights) /* so few of 4x4 then, at the edges */
                    put_part(w, counting, chances, plane > 0, k->mode == PX_VP9_INTER,
                             scan_of(k, plane), above[x] + left[y], end, numbers);
                numbers += end;
                above[x] = left[y] = end > 0;
            }
    }
}

/* ---- modes ---- */

struct block {
    int mi_row, mi_column;
    int wide, high; /* in units of 8 pixels */
    int cell;
    const struct px_vp9_cell *above, *left; /* NULL: not in the tile */
};

static const struct px_vp9_cell *cell_at(const struct px_vp9_frame *f, int mi_row, int mi_column) {
    return &f->cells[(ptrdiff_t)(mi_row >> 1) * f->size.columns + (mi_column >> 1)];
}

static void put_inside(struct walk *w, const uint8_t c[5], enum px_vp9_mode m) {
    px_put(&w->bits, m != PX_VP9_DC, c[0]);
    if (m == PX_VP9_DC)
        return;
    px_put(&w->bits, m != PX_VP9_TM, c[1]);
    if (m == PX_VP9_TM)
        return;
    px_put(&w->bits, m != PX_VP9_V, c[2]);
    if (m == PX_VP9_V)
        return;
    px_put(&w->bits, false, c[3]);
    px_put(&w->bits, false, c[4]);
}

static void put_modes_inside(struct walk *w, const struct block *b, enum px_vp9_mode m) {
    const struct px_vp9_frame *f = w->f;
    const int smaller = b->wide < b->high ? b->wide : b->high;
    if (f->key) {
        const enum px_vp9_mode above = b->above ? b->above->mode : PX_VP9_DC;
        const enum px_vp9_mode left = b->left ? b->left->mode : PX_VP9_DC;
        put_inside(w, px_vp9_key_modes[above][left], m);
        put_inside(w, px_vp9_key_uv_modes[m], m);
    } else {
        put_inside(w, px_vp9_modes[smaller >= 4 ? 3 : smaller >= 2 ? 2 : 1], m);
        put_inside(w, px_vp9_uv_modes[m], m);
    }
}

/* Where moves of neighbours are looked for, and in which order: rows and columns of 8 pixels. */
static const struct {
    int8_t wide, high, places[8][2];
} searches[] = {
    {1, 1, {{-1, 0}, {0, -1}, {-1, -1}, {-2, 0}, {0, -2}, {-2, -1}, {-1, -2}, {-2, -2}}},
    {1, 2, {{0, -1}, {-1, 0}, {1, -1}, {-1, -1}, {0, -2}, {-2, 0}, {-2, -1}, {-1, -2}}},
    {2, 1, {{-1, 0}, {0, -1}, {-1, 1}, {-1, -1}, {-2, 0}, {0, -2}, {-1, -2}, {-2, -1}}},
    {2, 2, {{-1, 0}, {0, -1}, {-1, 1}, {1, -1}, {-1, -1}, {-3, 0}, {0, -3}, {-3, -3}}},
    {4, 4, {{-1, 1}, {1, -1}, {-1, 2}, {2, -1}, {-1, -1}, {-3, 0}, {0, -3}, {-3, -3}}},
    {8, 8, {{-1, 3}, {3, -1}, {-1, 4}, {4, -1}, {-1, -1}, {-1, 0}, {0, -1}, {-1, 6}}}};

struct around {
    struct px_move moves[2]; /* the nearest that differ; else none */
    int context;
};

static int bound(int v, int low, int high) {
    return v < low ? low : v > high ? high : v;
}

/* Not farther than 16 pixels beyond the picture. */
static struct px_move bounded(const struct px_vp9_size *z, const struct block *b,
                              struct px_move m) {
    m.x = (int16_t)bound(m.x, -b->mi_column * 8 - 16,
                         (z->mi_columns - b->wide - b->mi_column) * 8 + 16);
    m.y = (int16_t)bound(m.y, -b->mi_row * 8 - 16, (z->mi_rows - b->high - b->mi_row) * 8 + 16);
    return m;
}

static bool is_same(struct px_move a, struct px_move b) {
    return a.x == b.x && a.y == b.y;
}

static void look_around(const struct walk *w, const struct block *b, struct around *ret) {
    static const uint8_t contexts[19] = {[0] = 2, [1] = 3, [2] = 4,  [3] = 1,  [4] = 3,
                                         [6] = 0, [9] = 5, [10] = 5, [12] = 5, [18] = 6};
    static const uint8_t counts[] = {9, 9, 9, 9, 0, 0, 3, 1}; /* by written */
    int i = 0, n = 0, count = 0;
    while (searches[i].wide != b->wide || searches[i].high != b->high)
        i++;
    *ret = (struct around){0};
    for (int k = 0; k < 8; k++) {
        const int row = b->mi_row + searches[i].places[k][0];
        const int column = b->mi_column + searches[i].places[k][1];
        if (row < 0 || row >= w->f->size.mi_rows || column < w->first || column >= w->last)
            continue;
        const struct px_vp9_cell *c = cell_at(w->f, row, column);
        if (k < 2)
            count += counts[c->written];
        if (c->mode == PX_VP9_INTER && n < 2 && (n == 0 || !is_same(ret->moves[0], c->move)))
            ret->moves[n++] = c->move;
    }
    ret->context = contexts[count];
    for (int k = 0; k < 2; k++)
        ret->moves[k] = bounded(&w->f->size, b, ret->moves[k]);
}

/* A difference of whole pixels, not 0. */
static void put_distance(struct px_bits *b, int d, bool across) {
    static const uint8_t chances[2][10] = {{224, 144, 192, 168, 192, 176, 192, 198, 198, 245},
                                           {216, 128, 176, 160, 176, 176, 192, 198, 198, 208}};
    static const uint8_t bit_chances[10] = {136, 140, 148, 160, 176, 192, 224, 234, 234, 240};
    const uint8_t *c = chances[across];
    /* In eighths, less one: the last three bits are always 7. */
    const unsigned v = (unsigned)(d < 0 ? -d : d) - 1;
    const int n = v < 2 ? 0 : 31 - __builtin_clz(v); /* 2..3: 1, 4..7: 2 */
    px_put(b, d < 0, 128);
    px_put(b, n > 0, c[0]);
    if (n > 0) {
        px_put(b, n > 1, c[1]);
        if (n > 1) {
            px_put(b, n > 3, c[2]);
            if (n <= 3)
                px_put(b, n > 2, c[3]);
            else {
                px_put(b, n > 5, c[4]);
                if (n <= 5)
                    px_put(b, n > 4, c[5]);
                else {
                    px_put(b, n > 6, c[6]);
                    if (n > 6) {
                        px_put(b, n > 8, c[7]);
                        px_put(b, n > 8 ? n > 9 : n > 7, n > 8 ? c[9] : c[8]);
                    }
                }
            }
        }
        for (int i = 0; i < n; i++)
            px_put(b, v >> i & 1, bit_chances[i]);
    } else
        px_put(b, v & 1, across ? 208 : 216);
    static const uint8_t eighths[3][3] = {{128, 128, 64}, {96, 112, 64}, {64, 96, 64}};
    const uint8_t *e = eighths[n > 0 ? 2 : v & 1];
    for (int i = 0; i < 3; i++)
        px_put(b, true, e[i]);
}

static void put_move(struct px_bits *b, struct px_move m, struct px_move from) {
    const int x = m.x - from.x, y = m.y - from.y;
    px_put(b, x || y, 32);
    if (!x && !y)
        return;
    px_put(b, y != 0, 64);
    if (y) {
        px_put(b, x != 0, 96);
        put_distance(b, y, false);
    }
    if (x)
        put_distance(b, x, true);
}

/* Returns as what it was written. */
static int put_moved(struct walk *w, const struct block *b, struct px_move m) {
    const struct px_move none = {0};
    struct around a;
    look_around(w, b, &a);
    const uint8_t *c = px_vp9_inter_modes[a.context];
    px_put(&w->bits, !is_same(m, none), c[0]);
    if (is_same(m, none))
        return STILL;
    px_put(&w->bits, !is_same(m, a.moves[0]), c[1]);
    if (is_same(m, a.moves[0]))
        return NEAREST;
    px_put(&w->bits, !is_same(m, a.moves[1]), c[2]);
    if (is_same(m, a.moves[1]))
        return NEAR;
    put_move(&w->bits, m, a.moves[0]);
    return NEW;
}

static bool is_inter(const struct px_vp9_cell *k) {
    return k && k->mode == PX_VP9_INTER;
}

/* Whether it comes from the last picture, and that it is the last. */
static void put_source(struct walk *w, const struct block *b, bool inter) {
    static const uint8_t chances[4] = {9, 102, 187, 225};
    const int inside = (b->above && !is_inter(b->above)) + (b->left && !is_inter(b->left));
    const bool both = b->above && b->left;
    px_put(&w->bits, inter, chances[both ? (inside == 2 ? 3 : inside) : 2 * inside]);
    if (inter)
        px_put(&w->bits, false, is_inter(b->above) || is_inter(b->left) ? 238 : 142);
}

static void put_block(struct walk *w, int mi_row, int mi_column, int wide, int high) {
    static const uint8_t skips[3] = {192, 128, 64};
    const struct px_vp9_frame *f = w->f;
    struct block b = {.mi_row = mi_row,
                      .mi_column = mi_column,
                      .wide = wide,
                      .high = high,
                      .cell = (mi_row >> 1) * f->size.columns + (mi_column >> 1)};
    const struct px_vp9_cell *k = &f->cells[b.cell];
    b.above = mi_row > 0 ? cell_at(f, mi_row - 1, mi_column) : NULL;
    b.left = mi_column > w->first ? cell_at(f, mi_row, mi_column - 1) : NULL;
    px_put(&w->bits, k->skip, skips[(b.above && b.above->skip) + (b.left && b.left->skip)]);
    if (!f->key)
        put_source(w, &b, k->mode == PX_VP9_INTER);
    int written = k->mode;
    if (k->mode == PX_VP9_INTER)
        written = put_moved(w, &b, k->move);
    else
        put_modes_inside(w, &b, k->mode);
    for (int y = mi_row >> 1; y < (mi_row + high + 1) >> 1 && y < f->size.rows; y++)
        for (int x = mi_column >> 1; x < (mi_column + wide + 1) >> 1 && x < f->size.columns; x++)
            f->cells[(ptrdiff_t)y * f->size.columns + x].written = (uint8_t)written;
    put_numbers(w, false, mi_row, mi_column, wide, high, b.cell);
}

/* ---- blocks ---- */

/* All cells of @n x @n are as the first, and nothing but a guess. */
static bool is_uniform(const struct px_vp9_frame *f, int mi_row, int mi_column, int n) {
    const struct px_vp9_cell *first = cell_at(f, mi_row, mi_column);
    for (int y = 0; y < n && (mi_row >> 1) + y < f->size.rows; y++) {
        const struct px_vp9_cell *k = first + (ptrdiff_t)y * f->size.columns;
        for (int x = 0; x < n && (mi_column >> 1) + x < f->size.columns; x++)
            if (!k[x].skip || k[x].mode != first->mode || !is_same(k[x].move, first->move))
                return false;
    }
    return true;
}

enum { WHOLE, FLAT_HALVES, TALL_HALVES, QUARTERS };

static int choose_cut(const struct px_vp9_frame *f, int mi_row, int mi_column, int log2,
                      bool has_below, bool has_right) {
    if (log2 == 0)
        return WHOLE;
    if (log2 > 1)
        return has_below && has_right && is_uniform(f, mi_row, mi_column, 1 << (log2 - 1))
                   ? WHOLE
                   : QUARTERS;
    return has_below ? (has_right ? WHOLE : TALL_HALVES) : (has_right ? FLAT_HALVES : QUARTERS);
}

static void put_cut(struct walk *w, int mi_row, int mi_column, int log2, int cut, bool has_below,
                    bool has_right) {
    const int above = w->f->above_sizes[mi_column] >> log2 & 1;
    const int left = w->left_sizes[mi_row & 7] >> log2 & 1;
    const uint8_t *c =
        (w->f->key ? px_vp9_key_partitions : px_vp9_partitions)[log2 * 4 + left * 2 + above];
    if (has_below && has_right) {
        px_put(&w->bits, cut != WHOLE, c[0]);
        if (cut != WHOLE) {
            px_put(&w->bits, true, c[1]);
            px_put(&w->bits, true, c[2]);
        }
    } else if (has_right)
        px_put(&w->bits, cut == QUARTERS, c[1]);
    else if (has_below)
        px_put(&w->bits, cut == QUARTERS, c[2]);
}

/* A square of 8 << @log2 pixels. */
static void put_square(struct walk *w, int mi_row, int mi_column, int log2) {
    const struct px_vp9_size *z = &w->f->size;
    if (mi_row >= z->mi_rows || mi_column >= z->mi_columns)
        return;
    const int side = 1 << log2, half = side / 2;
    const bool has_below = mi_row + half < z->mi_rows, has_right = mi_column + half < z->mi_columns;
    const int cut = choose_cut(w->f, mi_row, mi_column, log2, has_below, has_right);
    put_cut(w, mi_row, mi_column, log2, cut, has_below, has_right);
    if (cut == QUARTERS) {
        for (int i = 0; i < 4; i++)
            put_square(w, mi_row + (i / 2) * half, mi_column + (i % 2) * half, log2 - 1);
        return;
    }
    const int wide = cut == TALL_HALVES ? half : side, high = cut == FLAT_HALVES ? half : side;
    put_block(w, mi_row, mi_column, wide, high);
    memset(w->f->above_sizes + mi_column, (15 & -2 * wide) & 15, (size_t)side);
    memset(w->left_sizes + (mi_row & 7), (15 & -2 * high) & 15, (size_t)side);
}

/* ---- tiles ---- */

static void begin(struct walk *w, const struct px_vp9_frame *f, int tile) {
    w->f = f;
    w->first = px_vp9_tile_column(f, tile) * 2;
    w->last = px_vp9_tile_column(f, tile + 1) * 2;
    if (w->last > f->size.mi_columns)
        w->last = f->size.mi_columns;
    const size_t n = (size_t)(w->last - w->first + 7) & ~(size_t)7;
    memset(f->above_sizes + w->first, 0, n);
    for (int plane = 0; plane < 3; plane++) {
        const int shift = px_vp9_shift(&f->size, plane);
        memset(f->above_any[plane] + (w->first * 2 >> shift), 0, n * 2 >> shift);
    }
}

static int least(int a, int b) {
    return a < b ? a : b;
}

void px_vp9_count_tile(const struct px_vp9_frame *f, int tile, px_vp9_counts *counts) {
    struct walk w = {.counts = counts};
    begin(&w, f, tile);
    for (int row = 0; row < f->size.mi_rows; row += 2) {
        memset(w.left_any, 0, sizeof(w.left_any));
        for (int column = w.first; column < w.last; column += 2)
            put_numbers(&w, true, row, column, least(2, f->size.mi_columns - column),
                        least(2, f->size.mi_rows - row),
                        (row >> 1) * f->size.columns + (column >> 1));
    }
}

void px_vp9_write_tile(const struct px_vp9_frame *f, int tile, struct px_buf *out) {
    struct walk w = {0};
    begin(&w, f, tile);
    px_bits_init(&w.bits, out);
    px_put(&w.bits, false, 128);
    for (int row = 0; row < f->size.mi_rows; row += 8) {
        memset(w.left_any, 0, sizeof(w.left_any));
        memset(w.left_sizes, 0, sizeof(w.left_sizes));
        for (int column = w.first; column < w.last; column += 8)
            put_square(&w, row, column, 3);
    }
    px_bits_end(&w.bits);
}
