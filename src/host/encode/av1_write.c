/* src/host/encode/av1_write.c - cells to the bytes of a tile
 *
 * A tile is a column of the picture as high as it; what is written in one leans on nothing in the
 * others. Blocks are of 64x64 where all of it stays or moved alike, down to one cell, and quarters
 * of one at the picture's edges. Source: AV1 specification, 5.11 (syntax), 8.3.2 (contexts). */
#include "host/encode/av1_private.h"
#include <string.h>

enum { WHOLE, FLAT_HALVES, TALL_HALVES, QUARTERS, FLAT_A, FLAT_B, TALL_A, TALL_B, FLAT_4, TALL_4 };

#define N_CUTS 10
#define N_MODES 13
#define STRAIGHT 3 /* of the seven angles around V and H */

struct walk {
    const struct px_av1_frame *f;
    struct px_av1_tile tile;
    struct px_av1_coder coder;
    struct px_av1_chances chances;
    struct px_av1_number_chances numbers;
    struct px_av1_left left[3][16]; /* of the 64 lines at hand, for each 4 of a plane */
};

int px_av1_tile_column(const struct px_av1_frame *f, int i) {
    const int column = i * f->tile_width * 4;
    return column < f->size.columns ? column : f->size.columns;
}

static bool is_same(struct px_move a, struct px_move b) {
    return a.x == b.x && a.y == b.y;
}

/* ---- numbers ---- */

static int largest(int a, int b) {
    return a > b ? a : b;
}

/* Whether there are any in 4x4 of luma, by the sums around. */
static int none_context(int above, int left) {
    const int most = largest(above, left), smaller = above + left - most;
    if (smaller == 0)
        return most == 0 ? 1 : 2 + (most > 3);
    return most <= 3 ? 4 : smaller <= 3 ? 5 : 6;
}

static int balance(const struct px_av1_left *l, int n) {
    int sum = 0;
    for (int i = 0; i < n; i++)
        sum += l[i].sign == 1 ? -1 : l[i].sign == 2;
    return sum;
}

static bool is_any(const struct px_av1_left *l, int n) {
    bool any = false;
    for (int i = 0; i < n; i++)
        any |= l[i].sum || l[i].sign;
    return any;
}

struct part {
    int plane, side;
    int x, y; /* in 4 pixels of the plane; of the picture */
    int end;
    const int16_t *numbers;
    uint16_t *kind;
    int n_kinds;
};

static void put_part(struct walk *w, const struct part *p) {
    const int n = p->side / 4;
    struct px_av1_left *above = w->f->above[p->plane] + p->x;
    struct px_av1_left *left = w->left[p->plane] + (p->y & (p->plane ? 7 : 15)), now;
    const int none = p->plane ? 7 + is_any(above, n) + is_any(left, n)
                              : none_context(largest(above[0].sum, above[n - 1].sum),
                                             largest(left[0].sum, left[n - 1].sum));
    const int signs = balance(above, n) + balance(left, n);
    px_av1_put_numbers(&w->coder, &w->numbers, p->side, p->plane > 0, none,
                       signs < 0   ? 1
                       : signs > 0 ? 2
                                   : 0,
                       p->kind, p->n_kinds, p->end, p->numbers, &now);
    for (int i = 0; i < n; i++)
        above[i] = left[i] = now;
}

static void forget(struct walk *w, int plane, const struct px_av1_block *b) {
    const int n = plane ? 1 << b->log2 : 2 << b->log2, shift = plane ? 0 : 1;
    memset(w->f->above[plane] + (b->column << shift), 0, (size_t)n * sizeof(struct px_av1_left));
    memset(w->left[plane] + ((b->row & 7) << shift), 0, (size_t)n * sizeof(struct px_av1_left));
}

static void put_eights(struct walk *w, const struct px_av1_block *b, const struct px_av1_cell *k,
                       const px_numbers *numbers) {
    for (int i = 0; i < 4; i++) {
        const int x = i % 2 * 2, y = i / 2 * 2, part = y * 4 + x;
        put_part(w, &(struct part){.side = 8,
                                   .x = b->column * 2 + x,
                                   .y = b->row * 2 + y,
                                   .end = k->ends[part],
                                   .numbers = numbers[part],
                                   .kind = w->chances.kind_eight,
                                   .n_kinds = 5});
    }
}

static void put_luma(struct walk *w, const struct px_av1_block *b, const struct px_av1_cell *k,
                     const px_numbers *numbers) {
    static const uint8_t by_lines[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    static const uint8_t by_quarters[16] = {0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15};
    static const uint8_t of_quarter[4] = {0, 1, 4, 5};
    const bool inter = k->mode == PX_AV1_INTER;
    if (k->mode == PX_AV1_PALETTE) { /* 16x16 without any */
        px_av1_put(&w->coder, w->numbers.none[2][0], 2, 1);
        forget(w, 0, b);
        return;
    }
    if (w->f->eights && b->log2) {
        put_eights(w, b, k, numbers);
        return;
    }
    const int first = b->log2 ? 0 : (b->row & 1) * 8 + (b->column & 1) * 2;
    const uint8_t *order = b->log2 == 0 ? of_quarter : inter ? by_quarters : by_lines;
    for (int i = 0; i < (b->log2 ? 16 : 4); i++) {
        const int part = first + order[i];
        put_part(w, &(struct part){.side = 4,
                                   .x = (b->column & ~1) * 2 + part % 4,
                                   .y = (b->row & ~1) * 2 + part / 4,
                                   .end = k->ends[part],
                                   .numbers = numbers[part],
                                   .kind = inter ? w->chances.kind_moved
                                                 : w->chances.kind_inside[k->mode],
                                   .n_kinds = inter ? 2 : 5});
    }
}

static void put_residual(struct walk *w, const struct px_av1_block *b, const struct px_av1_cell *k,
                         const px_numbers *numbers) {
    if (k->skip) {
        for (int plane = 0; plane < 3; plane++)
            forget(w, plane, b);
        return;
    }
    put_luma(w, b, k, numbers);
    for (int plane = 1; plane < 3; plane++) {
        const int part = 12 + plane * 4 + (b->log2 ? 0 : (b->row & 1) * 2 + (b->column & 1));
        put_part(w, &(struct part){.plane = plane,
                                   .side = 4 << b->log2,
                                   .x = b->column,
                                   .y = b->row,
                                   .end = k->ends[part],
                                   .numbers = numbers[part]});
    }
}

/* ---- sizes of transforms ---- */

static int width_of(const struct px_av1_unit *u) {
    return u->inter ? 8 << u->log2 : u->side;
}

/* Luma's: of 4x4 or 8x8, but for a palette's that are not there. Returns their side. */
static int put_transform(struct walk *w, const struct px_av1_block *b,
                         const struct px_av1_cell *k) {
    const int side = 8 << b->log2;
    const int depth = k->mode == PX_AV1_PALETTE ? 0 : w->f->eights ? 1 : 1 + b->log2;
    if (k->mode != PX_AV1_INTER) {
        const int context =
            (b->above && width_of(b->above) >= side) + (b->left && width_of(b->left) >= side);
        if (b->log2)
            px_av1_put(&w->coder, w->chances.depth16[context], 3, depth);
        else
            px_av1_put(&w->coder, w->chances.depth8[context], 2, depth);
        return side >> depth;
    }
    if (k->skip)
        return side;
    const int first = b->log2 ? 12 : 18;
    px_av1_put(&w->coder,
               w->chances.split[first + (b->above && b->above->side < side) +
                                (b->left && b->left->side < side)],
               2, 1);
    for (int i = 0; b->log2 && i < 4; i++) {
        const int y = i / 2, x = i % 2;
        const bool above = y || (b->above && b->above[x].side < 8);
        const bool left = x || (b->left && b->left[(ptrdiff_t)y * w->f->size.mi_columns].side < 8);
        px_av1_put(&w->coder, w->chances.split[15 + above + left], 2, 1);
    }
    return 4;
}

/* ---- from neighbours ---- */

static int gather_colours(const struct px_av1_block *b, uint8_t ret[2 * PX_AV1_COLOURS_MAX]) {
    const bool above = b->row & 7; /* not beyond the 64 lines at hand */
    const struct px_av1_unit *u = above ? b->above : NULL, *v = b->left;
    const int n_above = u ? u->n_colours : 0, n_left = v ? v->n_colours : 0;
    int i = 0, k = 0, n = 0;
    while (i < n_above || k < n_left) {
        const bool take_left = i == n_above || (k < n_left && v->colours[k] < u->colours[i]);
        const uint8_t colour = take_left ? v->colours[k++] : u->colours[i++];
        if (n == 0 || ret[n - 1] != colour)
            ret[n++] = colour;
    }
    return n;
}

static int mode_context(const struct px_av1_unit *u) {
    return u && (u->mode == PX_AV1_V || u->mode == PX_AV1_H) ? u->mode : 0;
}

static void put_inside(struct walk *w, const struct px_av1_block *b, const struct px_av1_cell *k,
                       const px_numbers *numbers) {
    static const uint8_t symbols[] = {0, 1, 2, 12, 0};
    struct px_av1_chances *c = &w->chances;
    const bool palette = k->mode == PX_AV1_PALETTE;
    const int mode = palette ? PX_AV1_DC : k->mode;
    px_av1_put(&w->coder,
               w->f->key ? c->key_mode[mode_context(b->above)][mode_context(b->left)]
                         : c->mode[1 + b->log2],
               N_MODES, symbols[k->mode]);
    if (mode == PX_AV1_V || mode == PX_AV1_H)
        px_av1_put(&w->coder, c->angle[mode - PX_AV1_V], 7, STRAIGHT);
    px_av1_put(&w->coder, c->uv_mode[mode], N_MODES + 1, 0);
    if (mode == PX_AV1_DC)
        px_av1_put(&w->coder,
                   c->palette[b->log2]
                             [(b->above && b->above->n_colours) + (b->left && b->left->n_colours)],
                   2, palette);
    if (palette) {
        uint8_t around[2 * PX_AV1_COLOURS_MAX];
        px_av1_put(&w->coder, c->n_colours, PX_AV1_COLOURS_MAX - 1, k->n_colours - 2);
        px_av1_put_colours(&w->coder, k, around, gather_colours(b, around));
    }
    px_av1_put(&w->coder, c->palette_uv[palette], 2, 0);
    if (palette)
        px_av1_put_indices(&w->coder, c, k->n_colours, (const uint8_t(*)[16])numbers);
}

/* ---- from the last picture ---- */

/* A difference of whole pixels, not 0. */
static void put_distance(struct walk *w, int d, bool across) {
    struct px_av1_move_chances *c = &w->chances.move[across];
    const unsigned v = (unsigned)(d < 0 ? -d : d) - 1;
    const int n = v < 2 ? 0 : 31 - __builtin_clz(v); /* 2..3: 1, 4..7: 2 */
    px_av1_put(&w->coder, c->sign, 2, d < 0);
    px_av1_put(&w->coder, c->kind, 11, n);
    if (n == 0)
        px_av1_put(&w->coder, c->small, 2, (int)v);
    for (int i = 0; i < n; i++)
        px_av1_put(&w->coder, c->bit[i], 2, v >> i & 1);
}

static void put_move(struct walk *w, struct px_move m, struct px_move from) {
    const int x = m.x - from.x, y = m.y - from.y;
    px_av1_put(&w->coder, w->chances.joint, 4, (x != 0) + 2 * (y != 0));
    if (y)
        put_distance(w, y, false);
    if (x)
        put_distance(w, x, true);
}

/* Returns whether it was written as a move of its own. */
static bool put_moved(struct walk *w, const struct px_av1_block *b, struct px_move m) {
    const struct px_move none = {0};
    struct px_av1_chances *c = &w->chances;
    struct px_av1_around a;
    px_av1_look_around(&w->tile, b, &a);
    const bool still = is_same(m, none);
    const bool nearest = a.n_moves > 0 && is_same(m, a.moves[0]);
    const bool near = a.n_moves > 1 && is_same(m, a.moves[1]);
    const bool new = !still && !nearest && !near;
    px_av1_put(&w->coder, c->new_move[a.new_context], 2, !new);
    if (new) {
        if (a.n_moves > 1)
            px_av1_put(&w->coder, c->which_move[px_av1_which_context(&a, 0)], 2, 0);
        put_move(w, m, a.moves[0]);
        return true;
    }
    px_av1_put(&w->coder, c->still[0], 2, !still);
    if (still)
        return false;
    px_av1_put(&w->coder, c->near_move[a.near_context], 2, !nearest);
    if (!nearest && a.n_moves > 2)
        px_av1_put(&w->coder, c->which_move[px_av1_which_context(&a, 1)], 2, 0);
    return false;
}

static bool is_inter(const struct px_av1_unit *u) {
    return u && u->inter;
}

/* Whether it comes from the last picture, and that it is the last. */
static void put_source(struct walk *w, const struct px_av1_block *b, bool inter) {
    struct px_av1_chances *c = &w->chances;
    const int inside = (b->above && !is_inter(b->above)) + (b->left && !is_inter(b->left));
    const bool both = b->above && b->left;
    px_av1_put(&w->coder, c->inter[both ? (inside == 2 ? 3 : inside) : 2 * inside], 2, inter);
    if (!inter)
        return;
    uint16_t(*last)[3] = c->reference[is_inter(b->above) || is_inter(b->left) ? 2 : 1];
    px_av1_put(&w->coder, last[0], 2, 0);
    px_av1_put(&w->coder, last[2], 2, 0);
    px_av1_put(&w->coder, last[3], 2, 0);
}

/* ---- blocks ---- */

static struct px_av1_unit *unit_at(const struct walk *w, int row, int column) {
    if (row < 0 || column < w->tile.first)
        return NULL;
    return &w->f->units[(ptrdiff_t)row * w->f->size.mi_columns + column];
}

static void remember(struct walk *w, const struct px_av1_block *b, const struct px_av1_unit *u) {
    const struct px_vp9_size *z = &w->f->size;
    for (int y = b->row; y < b->row + (1 << b->log2) && y < z->mi_rows; y++)
        for (int x = b->column; x < b->column + (1 << b->log2) && x < z->mi_columns; x++)
            *unit_at(w, y, x) = *u;
}

static void put_block(struct walk *w, int row, int column, int log2) {
    const struct px_av1_frame *f = w->f;
    const struct px_av1_cell *k = &f->cells[(row >> 1) * f->size.columns + (column >> 1)];
    const px_numbers *numbers = px_av1_numbers_of(f, column >> 1, row >> 1);
    const struct px_av1_block b = {.row = row,
                                   .column = column,
                                   .log2 = log2,
                                   .above = unit_at(w, row - 1, column),
                                   .left = unit_at(w, row, column - 1)};
    const bool inter = k->mode == PX_AV1_INTER;
    struct px_av1_unit u = {.log2 = (uint8_t)log2,
                            .written = true,
                            .inter = inter,
                            .skip = k->skip,
                            .mode = k->mode,
                            .n_colours = k->mode == PX_AV1_PALETTE ? k->n_colours : 0,
                            .colours = k->colours,
                            .move = k->move};
    px_av1_put(&w->coder, w->chances.skip[(b.above && b.above->skip) + (b.left && b.left->skip)], 2,
               k->skip);
    if (!f->key)
        put_source(w, &b, inter);
    if (inter)
        u.new_move = put_moved(w, &b, k->move);
    else
        put_inside(w, &b, k, numbers);
    u.side = (uint8_t)put_transform(w, &b, k);
    put_residual(w, &b, k, numbers);
    remember(w, &b, &u);
}

/* All cells of the square are as the first, and nothing but a guess from the last picture. */
static bool is_uniform(const struct px_av1_frame *f, int row, int column, int log2) {
    const int r = row >> 1, c = column >> 1, n = 1 << log2 >> 1;
    const struct px_av1_cell *first = &f->cells[(ptrdiff_t)r * f->size.columns + c];
    for (int y = 0; y < n && r + y < f->size.rows; y++) {
        const struct px_av1_cell *k = first + (ptrdiff_t)y * f->size.columns;
        for (int x = 0; x < n && c + x < f->size.columns; x++)
            if (!k[x].skip || k[x].mode != PX_AV1_INTER || !is_same(k[x].move, first->move))
                return false;
    }
    return true;
}

/* How likely, of 32768, a cut is one of those in @cuts. */
static unsigned sum_of(const uint16_t *chances, const uint8_t cuts[6]) {
    unsigned sum = 0;
    for (int i = 0; i < 6; i++)
        sum += (unsigned)chances[cuts[i] - 1] - chances[cuts[i]];
    return sum;
}

/* Returns whether it is cut in four. */
static bool put_cut(struct walk *w, int row, int column, int log2) {
    static const uint8_t tall[6] = {TALL_HALVES, QUARTERS, FLAT_A, TALL_A, TALL_B, TALL_4};
    static const uint8_t flat[6] = {FLAT_HALVES, QUARTERS, FLAT_A, FLAT_B, TALL_A, FLAT_4};
    const struct px_av1_frame *f = w->f;
    const struct px_av1_unit *above = unit_at(w, row - 1, column);
    const struct px_av1_unit *left = unit_at(w, row, column - 1);
    const int context = 2 * (left && left->log2 < log2) + (above && above->log2 < log2);
    if (log2 == 0) {
        px_av1_put(&w->coder, w->chances.cut8[context], 4, WHOLE);
        return false;
    }
    const int half = 1 << log2 >> 1;
    const bool below = row + half < f->size.mi_rows, right = column + half < f->size.mi_columns;
    uint16_t *chances = w->chances.cut[log2 - 1][context];
    if (below && right) {
        const bool cut = log2 > 1 && !is_uniform(f, row, column, log2);
        px_av1_put(&w->coder, chances, N_CUTS, cut ? QUARTERS : WHOLE);
        return cut;
    }
    if (below || right)
        px_av1_code(&w->coder, sum_of(chances, right ? tall : flat), 0, 0);
    return true;
}

static void put_square(struct walk *w, int row, int column, int log2) {
    const struct px_vp9_size *z = &w->f->size;
    if (row >= z->mi_rows || column >= z->mi_columns)
        return;
    if (!put_cut(w, row, column, log2)) {
        put_block(w, row, column, log2);
        return;
    }
    const int half = 1 << log2 >> 1;
    for (int i = 0; i < 4; i++)
        put_square(w, row + i / 2 * half, column + i % 2 * half, log2 - 1);
}

static const struct px_av1_number_chances *chances_for(int index) {
    return &px_av1_number_chances[index <= 20 ? 0 : index <= 60 ? 1 : index <= 120 ? 2 : 3];
}

static void forget_tile(struct walk *w) {
    const struct px_av1_frame *f = w->f;
    for (int row = 0; row < f->size.mi_rows; row++)
        for (int column = w->tile.first; column < w->tile.last; column++)
            unit_at(w, row, column)->written = false;
    for (int plane = 0; plane < 3; plane++) {
        const int shift = plane ? 0 : 1, n = (w->tile.last - w->tile.first + 7) & ~7;
        memset(f->above[plane] + (w->tile.first << shift), 0,
               ((size_t)n << shift) * sizeof(struct px_av1_left));
    }
}

static int least(int a, int b) {
    return a < b ? a : b;
}

void px_av1_write_tile(const struct px_av1_frame *f, int tile, px_av1_code_fn *code, void *data,
                       struct px_buf *out) {
    struct walk w = {.f = f};
    const int last = px_av1_tile_column(f, tile + 1) * 2;
    w.tile = (struct px_av1_tile){.size = &f->size,
                                  .units = f->units,
                                  .first = px_av1_tile_column(f, tile) * 2,
                                  .last = last < f->size.mi_columns ? last : f->size.mi_columns};
    w.chances = px_av1_chances;
    w.numbers = *chances_for(f->index);
    px_av1_coder_init(&w.coder, out);
    forget_tile(&w);
    for (int row = 0; row < f->size.mi_rows; row += 8) {
        code(data, tile, row >> 1, least((row >> 1) + PX_AV1_ROWS, f->size.rows));
        memset(w.left, 0, sizeof(w.left));
        for (int column = w.tile.first; column < w.tile.last; column += 8)
            put_square(&w, row, column, 3);
    }
    px_av1_coder_end(&w.coder);
}
