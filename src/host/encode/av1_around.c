/* src/host/encode/av1_around.c - what decoders expect of a block from those around it
 *
 * The moves of the blocks above and to the left are gathered and weighed as decoders do it. All
 * blocks are squares of 8 pixels and more, there is one reference, and nothing is remembered from
 * other pictures: most of the format's process falls away. Source: AV1 specification, 7.10.2. */
#include "host/encode/av1_private.h"

#define MOVES_MAX 8
#define CLOSE 640 /* more weight than those that are not next to the block can have */

struct search {
    const struct px_av1_tile *t;
    const struct px_av1_block *b;
    struct px_av1_around *a;
    bool found;
    int n_new;
};

static int least(int a, int b) {
    return a < b ? a : b;
}

static bool is_same(struct px_move a, struct px_move b) {
    return a.x == b.x && a.y == b.y;
}

static const struct px_av1_unit *unit_at(const struct px_av1_tile *t, int row, int column) {
    if (row < 0 || row >= t->size->mi_rows || column < t->first || column >= t->last)
        return NULL;
    return &t->units[(ptrdiff_t)row * t->size->mi_columns + column];
}

static void add(struct search *s, const struct px_av1_unit *u, int weight) {
    struct px_av1_around *a = s->a;
    if (!u->inter)
        return;
    s->found = true;
    s->n_new += u->new_move;
    for (int i = 0; i < a->n_moves; i++)
        if (is_same(a->moves[i], u->move)) {
            a->weights[i] += weight;
            return;
        }
    if (a->n_moves == MOVES_MAX)
        return;
    a->moves[a->n_moves] = u->move;
    a->weights[a->n_moves++] = weight;
}

/* Along the upper (@down 0) or left side, @away units from it. Weights count in 4 pixels, twice. */
static bool scan(struct search *s, int away, bool down) {
    const struct px_av1_block *b = s->b;
    const int side = 1 << b->log2;
    const int end = down ? least(side, s->t->size->mi_rows - b->row)
                         : least(side, s->t->size->mi_columns - b->column);
    s->found = false;
    for (int i = 0; i < end;) {
        const struct px_av1_unit *u = down ? unit_at(s->t, b->row + i, b->column - away)
                                           : unit_at(s->t, b->row - away, b->column + i);
        if (!u)
            break;
        int n = least(side, 1 << u->log2);
        if (side >= 8 && n < 2)
            n = 2;
        add(s, u, 4 * n);
        i += n;
    }
    return s->found;
}

static bool look_at(struct search *s, int row, int column) {
    const struct px_av1_unit *u = unit_at(s->t, row, column);
    s->found = false;
    if (u && u->written)
        add(s, u, 4);
    return s->found;
}

static void sort(struct px_av1_around *a, int from, int to) {
    while (to > from) {
        int end = from;
        for (int i = from + 1; i < to; i++)
            if (a->weights[i - 1] < a->weights[i]) {
                const struct px_move m = a->moves[i];
                const int weight = a->weights[i];
                a->moves[i] = a->moves[i - 1];
                a->weights[i] = a->weights[i - 1];
                a->moves[i - 1] = m;
                a->weights[i - 1] = weight;
                end = i;
            }
        to = end;
    }
}

static int bound(int v, int low, int high) {
    return v < low ? low : v > high ? high : v;
}

/* Not farther than 16 pixels and its own side beyond the picture. */
static struct px_move bounded(const struct px_vp9_size *z, const struct px_av1_block *b,
                              struct px_move m) {
    const int side = 1 << b->log2, border = 16 + 8 * side;
    m.x = (int16_t)bound(m.x, -b->column * 8 - border,
                         (z->mi_columns - side - b->column) * 8 + border);
    m.y = (int16_t)bound(m.y, -b->row * 8 - border, (z->mi_rows - side - b->row) * 8 + border);
    return m;
}

void px_av1_look_around(const struct px_av1_tile *t, const struct px_av1_block *b,
                        struct px_av1_around *ret) {
    struct search s = {.t = t, .b = b, .a = ret};
    const int side = 1 << b->log2;
    ret->n_moves = 0;
    bool above = scan(&s, 1, false), left = scan(&s, 1, true);
    above |= look_at(&s, b->row - 1, b->column + side);
    const int close = above + left, n_close = ret->n_moves;
    const bool has_new = s.n_new > 0;
    for (int i = 0; i < n_close; i++)
        ret->weights[i] += CLOSE;
    above |= look_at(&s, b->row - 1, b->column - 1);
    above |= scan(&s, 2, false);
    left |= scan(&s, 2, true);
    above |= scan(&s, 3, false);
    left |= scan(&s, 3, true);
    const int all = above + left;
    sort(ret, 0, n_close);
    sort(ret, n_close, ret->n_moves);
    for (int i = 0; i < ret->n_moves; i++)
        ret->moves[i] = bounded(t->size, b, ret->moves[i]);
    for (int i = ret->n_moves; i < 2; i++)
        ret->moves[i] = (struct px_move){0};
    ret->new_context = close == 0 ? all > 0 : 2 * close + 1 - has_new;
    ret->near_context = close == 0 ? all : close == 1 ? 2 + all : 5;
}

int px_av1_which_context(const struct px_av1_around *a, int i) {
    if (i + 1 >= a->n_moves)
        return 0;
    return a->weights[i] < CLOSE ? 2 : a->weights[i + 1] < CLOSE;
}
