/* src/host/encode/surface.c - a screen as an encoder of our own knows it */
#include "host/encode/surface.h"
#include "base/alloc.h"
#include <string.h>

#define SIDE PX_SURFACE_SIDE
#define MOVE_FROM 8 /* so few cells are coded sooner than looked for */

/* ---- life ---- */

static void make_planes(const struct px_surface *s, struct px_planes *ret) {
    const int stride = s->grid.columns * SIDE;
    const size_t luma = (size_t)s->grid.n * SIDE * SIDE;
    uint8_t *memory = px_calloc(s->n_memory, 1);
    *ret = (struct px_planes){
        .planes = {memory, memory + luma, memory + luma + (luma >> 2 * s->shift)},
        .strides = {stride, stride >> s->shift, stride >> s->shift}};
}

static void need_before(struct px_surface *s) {
    if (!s->before.planes[0])
        make_planes(s, &s->before);
}

void px_surface_init(struct px_surface *s, const struct px_encoder_opts *o, int shift, bool cut,
                     int far) {
    *s = (struct px_surface){.width = o->width, .height = o->height, .shift = shift, .far = far};
    px_grid_init(&s->grid, o->width, o->height);
    const size_t luma = (size_t)s->grid.n * SIDE * SIDE;
    s->reach_width = cut ? o->width : s->grid.columns * SIDE;
    s->reach_height = cut ? o->height : s->grid.rows * SIDE;
    s->n_memory = luma + 2 * (luma >> 2 * shift);
    make_planes(s, &s->now);
    s->source = px_calloc(luma, 1);
    s->quality = px_calloc((size_t)s->grid.n, 1);
}

void px_surface_fini(struct px_surface *s) {
    px_grid_fini(&s->grid);
    free(s->now.planes[0]);
    free(s->before.planes[0]);
    free(s->source);
    free(s->quality);
}

/* ---- a picture ---- */

void px_surface_begin(struct px_surface *s, const struct px_encoder_opts *o,
                      const struct px_picture *pic, const struct px_region *changed, int64_t pts_ms,
                      bool key, bool refine, int most) {
    memcpy(s->in.planes, pic->planes, sizeof(s->in.planes));
    memcpy(s->in.strides, pic->strides, sizeof(s->in.strides));
    px_turn_begin(&s->turn, &s->grid, o, pic, changed, pts_ms, key, refine, most);
    if (s->turn.lone)
        need_before(s);
}

static void find_moves(struct px_surface *s) {
    s->n_moves = 0;
    if (s->turn.key || s->turn.refine || s->grid.n_active < MOVE_FROM)
        return;
    s->n_moves = px_find_moves(s->source, s->grid.columns * SIDE, s->in.planes[0], s->in.strides[0],
                               s->width, s->height, s->grid.active, s->grid.columns, s->grid.rows,
                               s->far, s->moves);
}

/* What is referred to, for cells that are coded already are as they will be. */
static void keep_before(struct px_surface *s) {
    need_before(s);
    memcpy(s->before.planes[0], s->now.planes[0], s->n_memory);
}

void px_surface_look(struct px_surface *s, const struct px_encoder_opts *o) {
    find_moves(s);
    const struct px_moved m = {.before = s->source,
                               .before_stride = s->grid.columns * SIDE,
                               .now = s->in.planes[0],
                               .stride = s->in.strides[0],
                               .width = s->width,
                               .height = s->height,
                               .moves = s->moves,
                               .n_moves = s->n_moves};
    px_turn_choose(&s->turn, &s->grid, o, s->turn.key || s->turn.refine ? NULL : &m);
    s->film = s->searches && s->turn.film && s->grid.n_clean == s->grid.n;
    if (s->n_moves > 0 || s->film)
        keep_before(s);
}

static int least(int a, int b) {
    return a < b ? a : b;
}

/* Beyond the picture's edges its last pixel goes on. */
static void keep_line(struct px_surface *s, int column, int y) {
    const int x = column * SIDE, n = least(SIDE, s->width - x);
    const uint8_t *from =
        s->in.planes[0] + (ptrdiff_t)least(y, s->height - 1) * s->in.strides[0] + x;
    uint8_t *to = s->source + (ptrdiff_t)y * s->grid.columns * SIDE + x;
    memcpy(to, from, (size_t)n);
    memset(to + n, from[n - 1], (size_t)(SIDE - n));
}

static void keep_source(struct px_surface *s) {
    for (int row = 0; row < s->grid.rows; row++)
        for (int column = 0; column < s->grid.columns; column++)
            if (s->grid.active[row * s->grid.columns + column])
                for (int y = 0; y < SIDE; y++)
                    keep_line(s, column, row * SIDE + y);
}

void px_surface_end(struct px_surface *s, const struct px_encoder_opts *o, const struct px_buf *out,
                    struct px_packet *ret) {
    struct px_grid *g = &s->grid;
    if (s->turn.lone) { /* for those who wait: nothing of it stays but that they are there */
        g->n_clean = 0;
    } else {
        keep_source(s);
        memcpy(g->quality, s->quality, (size_t)g->n);
        g->n_clean = s->turn.key ? g->n : g->next_clean;
    }
    px_turn_end(&s->turn, g, o, out, ret);
}

int px_surface_cut_bands(const struct px_surface *s, unsigned threads, int most, int *first_row) {
    const struct px_grid *g = &s->grid;
    const int want = g->n_active <= PX_SURFACE_ALONE ? 1 : (int)threads;
    const int n_bands = least(want, most);
    int n = 0, band = 1;
    first_row[0] = 0;
    for (int row = 0; row < g->rows && band < n_bands; row++) {
        for (int i = 0; i < g->columns; i++)
            n += g->active[row * g->columns + i];
        if (n * n_bands >= g->n_active * band)
            first_row[band++] = row + 1;
    }
    while (band <= n_bands)
        first_row[band++] = g->rows;
    return n_bands;
}

/* ---- a cell ---- */

static bool fits(const struct px_surface *s, int column, int row, struct px_move m) {
    const int x = column * SIDE, y = row * SIDE;
    return x + SIDE <= s->reach_width && y + SIDE <= s->reach_height && x + m.x >= 0 &&
           y + m.y >= 0 && x + m.x + SIDE <= s->reach_width && y + m.y + SIDE <= s->reach_height;
}

bool px_surface_may_stay(const struct px_surface *s, int column, int row) {
    return !s->turn.key && px_grid_may_take(&s->grid, column, row, (struct px_move){0});
}

bool px_surface_may_move(const struct px_surface *s, int column, int row) {
    return s->n_moves > 0 && fits(s, column, row, s->moves[0]) &&
           px_grid_may_take(&s->grid, column, row, s->moves[0]);
}

static bool was_there(const struct px_surface *s, const uint8_t want[16][16], int column, int row,
                      struct px_move m) {
    const int stride = s->grid.columns * SIDE;
    const uint8_t *p = s->source + (ptrdiff_t)(row * SIDE + m.y) * stride + column * SIDE + m.x;
    for (int y = 0; y < SIDE; y++, p += stride)
        if (memcmp(p, want[y], SIDE) != 0)
            return false;
    return true;
}

bool px_surface_find_same(const struct px_surface *s, int column, int row,
                          const uint8_t want[16][16], struct px_move *ret) {
    for (int i = -1; i < s->n_moves; i++) {
        const struct px_move m = i < 0 ? (struct px_move){0} : s->moves[i];
        if ((i >= 0 && !fits(s, column, row, m)) || !px_grid_may_take(&s->grid, column, row, m) ||
            !was_there(s, want, column, row, m))
            continue;
        *ret = m;
        return true;
    }
    return false;
}

uint8_t px_surface_moved_quality(const struct px_surface *s, int column, int row,
                                 struct px_move m) {
    const struct px_grid *g = &s->grid;
    const int x = column * SIDE + m.x, y = row * SIDE + m.y;
    uint8_t worst = 0;
    for (int i = y / SIDE; i <= (y + SIDE - 1) / SIDE; i++)
        for (int k = x / SIDE; k <= (x + SIDE - 1) / SIDE; k++)
            if (g->quality[i * g->columns + k] > worst)
                worst = g->quality[i * g->columns + k];
    return worst;
}
