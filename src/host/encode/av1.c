/* src/host/encode/av1.c - AV1 for screens
 *
 * An encoder of our own, as for VP8 and VP9 (vp8.c tells why), and with what AV1 has for screens:
 * cells of few colours are exact at once and cost little, moves are of whole pixels, blocks of
 * 64x64 that stay take a part of a bit. Columns of tiles are shared by threads; nothing changes
 * pixels after they are coded. */
#include "host/encode/crew.h"
#include "host/encode/encoder.h"
#include "host/encode/lanes.h"
#include "host/encode/turn.h"
#include "host/encode/av1_private.h"
#include "base/alloc.h"
#include <string.h>

#define SIDE PX_VP9_SIDE
#define SIZE_MAX_PX 16384
#define LOG2_TILES_MAX 6
#define TILES_MAX (1 << LOG2_TILES_MAX)
#define REFINE_CELLS 600 /* at once: 9 ms of one core if they are all dense text */
#define ALONE 400        /* so few cells are not worth waking another thread */
#define MOVE_FAR 255
#define MOVE_FROM 8 /* so few cells are coded sooner than looked for */

/* Coarser than this, transforms take less than colours. */
#define PALETTE_QP 34
#define DETAILED_MAX                                                                               \
    4500        /* in a key frame that is not coarse: cells of text; others count thrice */
#define EXACT 0 /* the quality of a cell that is as it came */

typedef int16_t numbers[16];

struct av1 {
    struct px_encoder base;
    struct px_crew *crew;
    struct px_grid grid;
    struct px_av1_frame frame;        /* its size is for good, the rest each picture's */
    struct px_vp9_planes now, before; /* as the decoder has it: this picture, the last */
    uint8_t *memory, *memory_before;
    size_t n_memory;
    uint8_t *source;   /* luma of the last picture that came in, whole cells */
    numbers **numbers; /* of each cell: where they lie in @store */
    numbers *store;    /* of the cells that have any */
    struct px_turn turn;
    struct px_buf out, tiles[TILES_MAX];
    /* the picture at hand; threads only read these */
    struct px_vp9_planes in;
    struct px_vp9_steps steps;
    struct px_move moves[PX_MOVES_MAX];
    int n_moves;
};

/* ---- cells ---- */

/* Both the cell and where it came from are whole. */
static bool fits(const struct av1 *v, int column, int row, struct px_move m) {
    const struct px_vp9_size *z = &v->frame.size;
    const int x = column * SIDE, y = row * SIDE;
    return x + SIDE <= z->width && y + SIDE <= z->height && x + m.x >= 0 && y + m.y >= 0 &&
           x + m.x + SIDE <= z->width && y + m.y + SIDE <= z->height;
}

static bool was_there(const struct av1 *v, const uint8_t want[16][16], int column, int row,
                      struct px_move m) {
    const int stride = v->grid.columns * SIDE;
    const uint8_t *p = v->source + (ptrdiff_t)(row * SIDE + m.y) * stride + column * SIDE + m.x;
    for (int y = 0; y < SIDE; y++, p += stride)
        if (memcmp(p, want[y], SIDE) != 0)
            return false;
    return true;
}

struct choice {
    enum px_av1_mode mode;
    struct px_move move;
    px_vp9_pixels guess; /* with PX_AV1_INTER */
    unsigned distance;
    bool same; /* as it was, but for what it was coded too coarsely */
};

static bool find_same(const struct av1 *v, const struct px_vp9_at *at, const px_vp9_pixels want,
                      struct choice *ret) {
    for (int i = -1; i < v->n_moves; i++) {
        const struct px_move m = i < 0 ? (struct px_move){0} : v->moves[i];
        if ((i >= 0 && !fits(v, at->column, at->row, m)) ||
            !px_grid_may_take(&v->grid, at->column, at->row, m) ||
            !was_there(v, want[0], at->column, at->row, m))
            continue;
        ret->mode = PX_AV1_INTER;
        ret->move = m;
        ret->same = true;
        px_av1_guess_moved(at, m, ret->guess);
        return true;
    }
    return false;
}

static void consider(const struct px_vp9_at *at, const px_vp9_pixels want, struct px_move m,
                     struct choice *best) {
    px_vp9_pixels guess;
    px_av1_guess_moved(at, m, guess);
    const unsigned distance = px_vp9_distance(want[0], guess[0]);
    if (distance >= best->distance)
        return;
    best->mode = PX_AV1_INTER;
    best->move = m;
    best->distance = distance;
    memcpy(best->guess, guess, sizeof(guess));
}

static bool may_take(const struct av1 *v, const struct px_vp9_at *at, struct px_move m) {
    return !v->frame.key && px_grid_may_take(&v->grid, at->column, at->row, m);
}

/* Text: nothing beats its colours but what is there already. */
static bool find_colours(const struct av1 *v, const struct px_vp9_at *at, const px_vp9_pixels want,
                         struct px_av1_cell *k, numbers *n) {
    return v->turn.keep == PX_KEEP_ALL && v->turn.qp <= PALETTE_QP &&
           px_av1_is_whole(&v->frame.size, at->column, at->row) &&
           px_av1_find_colours(want[0], k, (uint8_t(*)[SIDE])n);
}

static void choose(const struct av1 *v, const struct px_vp9_at *at, const px_vp9_pixels want,
                   struct px_av1_cell *k, numbers *n, struct choice *ret) {
    const struct px_move still = {0};
    ret->distance = UINT32_MAX;
    ret->same = false;
    ret->move = still;
    if (!v->frame.key && !v->turn.refine && find_same(v, at, want, ret))
        return;
    if (may_take(v, at, still))
        consider(at, want, still, ret);
    if (ret->distance > 0 && find_colours(v, at, want, k, n)) {
        ret->mode = PX_AV1_PALETTE;
        return;
    }
    if (v->turn.refine && ret->distance != UINT32_MAX)
        return;
    if (v->n_moves > 0 && fits(v, at->column, at->row, v->moves[0]) && may_take(v, at, v->moves[0]))
        consider(at, want, v->moves[0], ret);
    unsigned distance = 0;
    enum px_av1_mode inside = PX_AV1_DC;
    if (v->turn.keep == PX_KEEP_ALL) /* else what would be won by others is not coded */
        inside = (enum px_av1_mode)px_vp9_choose_inside(at, want[0], &distance);
    if (distance < ret->distance) {
        ret->mode = inside;
        ret->move = still;
    }
}

/* Nothing is left to refine. */
static bool is_exact(const struct px_vp9_at *at, const px_vp9_pixels want) {
    for (int plane = 0; plane < 3; plane++) {
        const int shift = plane ? 1 : 0, stride = at->now->strides[plane];
        const uint8_t *p = at->now->planes[plane] + ((ptrdiff_t)at->row * SIDE >> shift) * stride +
                           (at->column * SIDE >> shift);
        for (int y = 0; y < SIDE >> shift; y++, p += stride)
            if (memcmp(p, want[plane][y], SIDE >> shift) != 0)
                return false;
    }
    return true;
}

/* The worst of the up to four cells that it came from. */
static uint8_t moved_quality(const struct av1 *v, const struct px_vp9_at *at, struct px_move m) {
    const struct px_grid *g = &v->grid;
    const int x = at->column * SIDE + m.x, y = at->row * SIDE + m.y;
    uint8_t worst = 0;
    for (int row = y / SIDE; row <= (y + SIDE - 1) / SIDE; row++)
        for (int column = x / SIDE; column <= (x + SIDE - 1) / SIDE; column++)
            if (g->quality[row * g->columns + column] > worst)
                worst = g->quality[row * g->columns + column];
    return worst;
}

/* The guess will do. Chroma that moved by half pixels is blurred a little each time. */
static bool is_good(const struct av1 *v, const px_vp9_pixels want, const struct choice *c) {
    const int near = v->steps.near, side = SIDE / 2;
    if (c->mode != PX_AV1_INTER || v->turn.refine)
        return false;
    if (!c->same && !px_vp9_is_near(want[0], c->guess[0], SIDE, near))
        return false;
    const int chroma = c->same ? 2 + near * 2 : near;
    return px_vp9_is_near(want[1], c->guess[1], side, chroma) &&
           px_vp9_is_near(want[2], c->guess[2], side, chroma);
}

static void code_cell(struct av1 *v, const struct px_vp9_at *at) {
    const int i = at->row * v->grid.columns + at->column;
    struct px_av1_cell *k = &v->frame.cells[i];
    px_vp9_pixels want;
    struct choice c;
    px_vp9_read(&v->frame.size, &v->in, at->column, at->row, want);
    choose(v, at, want, k, v->numbers[i], &c);
    k->mode = (uint8_t)c.mode;
    k->move = c.move;
    k->skip = is_good(v, want, &c);
    k->quality = k->skip && c.same ? moved_quality(v, at, c.move) : (uint8_t)v->turn.quality;
    if (k->skip)
        px_vp9_store(at, c.guess);
    else if (c.mode == PX_AV1_INTER)
        k->skip = !px_av1_code_moved(at, &v->steps, want, c.guess, k->ends, v->numbers[i]);
    else
        k->skip = !px_av1_code_inside(at, &v->steps, c.mode, want, k->ends, v->numbers[i]);
    if (k->quality > EXACT && is_exact(at, want))
        k->quality = EXACT;
}

/* What stays. Beyond the picture's edges decoders make it anew, of the last pixels. */
static void keep_cell(struct av1 *v, const struct px_vp9_at *at) {
    const struct px_vp9_size *z = &v->frame.size;
    const int i = at->row * v->grid.columns + at->column;
    v->frame.cells[i] =
        (struct px_av1_cell){.mode = PX_AV1_INTER, .skip = true, .quality = v->grid.quality[i]};
    if ((at->column + 1) * SIDE <= z->width && (at->row + 1) * SIDE <= z->height)
        return;
    px_vp9_pixels p;
    px_av1_guess_moved(at, (struct px_move){0}, p);
    px_vp9_store(at, p);
}

static void code_tile(void *data, int tile) {
    struct av1 *v = data;
    struct px_vp9_at at = {.size = &v->frame.size,
                           .now = v->turn.lone ? &v->before : &v->now,
                           .before = v->n_moves ? &v->before : &v->now,
                           .first_column = px_av1_tile_column(&v->frame, tile)};
    const int last = px_av1_tile_column(&v->frame, tile + 1);
    for (at.row = 0; at.row < v->grid.rows; at.row++)
        for (at.column = at.first_column; at.column < last; at.column++)
            if (v->grid.active[at.row * v->grid.columns + at.column])
                code_cell(v, &at);
            else
                keep_cell(v, &at);
    px_buf_reset(&v->tiles[tile]);
    px_av1_write_tile(&v->frame, tile, &v->tiles[tile]);
}

/* ---- pictures ---- */

/* Only cells with numbers need room for them, and which have is not known yet: all that are
 * looked at. */
static void place_numbers(struct av1 *v) {
    ptrdiff_t n = 0;
    for (int i = 0; i < v->grid.n; i++)
        if (v->grid.active[i])
            v->numbers[i] = v->store + PX_AV1_PARTS * n++;
}

static void set_planes(const struct av1 *v, uint8_t *memory, struct px_vp9_planes *ret) {
    const int stride = v->grid.columns * SIDE;
    const size_t luma = (size_t)v->grid.n * SIDE * SIDE;
    *ret = (struct px_vp9_planes){.planes = {memory, memory + luma, memory + luma + luma / 4},
                                  .strides = {stride, stride / 2, stride / 2}};
}

static void need_before(struct av1 *v) {
    if (v->memory_before)
        return;
    v->memory_before = px_calloc(v->n_memory, 1);
    set_planes(v, v->memory_before, &v->before);
}

static void copy_before(struct av1 *v) {
    need_before(v);
    memcpy(v->memory_before, v->memory, v->n_memory);
}

static void keep_source(struct av1 *v) {
    const int stride = v->grid.columns * SIDE;
    px_vp9_pixels p;
    for (int row = 0; row < v->grid.rows; row++)
        for (int column = 0; column < v->grid.columns; column++) {
            if (!v->grid.active[row * v->grid.columns + column])
                continue;
            px_vp9_read(&v->frame.size, &v->in, column, row, p);
            uint8_t *to = v->source + (ptrdiff_t)row * SIDE * stride + column * SIDE;
            for (int y = 0; y < SIDE; y++, to += stride)
                memcpy(to, p[0][y], SIDE);
        }
}

static void find_moves(struct av1 *v) {
    v->n_moves = 0;
    if (v->frame.key || v->turn.refine || v->grid.n_active < MOVE_FROM)
        return;
    v->n_moves = px_find_moves(v->source, v->grid.columns * SIDE, v->in.planes[0], v->in.strides[0],
                               v->frame.size.width, v->frame.size.height, v->grid.active,
                               v->grid.columns, v->grid.rows, MOVE_FAR, v->moves);
    if (v->n_moves > 0)
        copy_before(v);
}

/* VP9's quantizer whose step is as large as H.264's of the budget's scale, 0.625 * 2^(qp / 6);
 * VP9's numbers are eight times as large. */
static int index_of(int qp) {
    static const double sixths[6] = {5, 5.612, 6.3, 7.071, 7.937, 8.909};
    const double want = sixths[qp % 6] * (1 << qp / 6);
    int i = 1; /* 0 is another transform, without loss */
    while (i < 255 && px_vp9_ac_steps[i] < want)
        i++;
    return i;
}

static void cut_tiles(struct av1 *v) {
    int n = 0;
    if (v->grid.n_active > ALONE)
        while (1 << n < 2 * (int)v->base.opts.threads && n < LOG2_TILES_MAX)
            n++;
    px_av1_cut_tiles(&v->frame, n);
}

static void choose_quality(struct av1 *v) {
    const struct px_moved m = {.before = v->source,
                               .before_stride = v->grid.columns * SIDE,
                               .now = v->in.planes[0],
                               .stride = v->in.strides[0],
                               .width = v->frame.size.width,
                               .height = v->frame.size.height,
                               .moves = v->moves,
                               .n_moves = v->n_moves};
    px_turn_choose(&v->turn, &v->grid, &v->base.opts, v->turn.key || v->turn.refine ? NULL : &m);
    px_vp9_steps_init(&v->steps, index_of(v->turn.qp), v->turn.keep);
}

static void encode(struct av1 *v) {
    cut_tiles(v);
    place_numbers(v);
    find_moves(v);
    choose_quality(v);
    v->frame.index = v->steps.index;
    px_crew_run(v->crew, v->frame.n_tiles, code_tile, v);
    px_buf_reset(&v->out);
    px_av1_join(&v->frame, v->tiles, &v->out);
}

/* For those who wait: nothing of it stays but that they are there. */
static void encode_lone(struct av1 *v) {
    need_before(v);
    encode(v);
    v->grid.n_clean = 0;
}

static void encode_shared(struct av1 *v) {
    encode(v);
    keep_source(v);
    for (int i = 0; i < v->grid.n; i++)
        v->grid.quality[i] = v->frame.cells[i].quality;
    v->grid.n_clean = v->frame.key ? v->grid.n : v->grid.next_clean;
}

/* A key frame takes long: transforms thrice as long as colours. */
static bool is_detailed(const struct px_picture *pic) {
    int n = 0;
    for (int row = 0; row < pic->height / SIDE; row++)
        for (int column = 0; column < pic->width / SIDE && n <= DETAILED_MAX; column++) {
            const int colours = px_av1_count_colours(
                pic->planes[0] + (ptrdiff_t)row * SIDE * pic->strides[0] + (ptrdiff_t)column * SIDE,
                pic->strides[0]);
            n += colours > PX_AV1_COLOURS_MAX ? 3 : colours > 1;
        }
    return n > DETAILED_MAX;
}

static int av1_push(struct px_encoder *enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    struct av1 *v = px_container_of(enc, struct av1, base);
    memcpy(v->in.planes, pic->planes, sizeof(v->in.planes));
    memcpy(v->in.strides, pic->strides, sizeof(v->in.strides));
    struct px_encoder_opts o = enc->opts;
    if (key || !v->turn.started)
        o.whole_keys |= !is_detailed(pic);
    px_turn_begin(&v->turn, &v->grid, &o, pic, changed, pts_ms, key, refine, REFINE_CELLS);
    v->frame.key = v->turn.key;
    if (v->turn.lone)
        encode_lone(v);
    else
        encode_shared(v);
    px_turn_end(&v->turn, &v->grid, &enc->opts, &v->out, ret);
    return 1;
}

/* ---- life ---- */

static int probe(const struct px_encoder_ops *ops, struct px_error *err) {
    return 0;
}

static void av1_close(struct px_encoder *enc) {
    struct av1 *v = px_container_of(enc, struct av1, base);
    px_crew_free(v->crew);
    px_grid_fini(&v->grid);
    free(v->memory);
    free(v->memory_before);
    free(v->source);
    free(v->frame.cells);
    free(v->frame.units);
    for (int i = 0; i < 3; i++)
        free(v->frame.above[i]);
    free(v->numbers);
    free(v->store);
    px_buf_fini(&v->out);
    for (int i = 0; i < TILES_MAX; i++)
        px_buf_fini(&v->tiles[i]);
    free(v);
}

static void open_frame(struct px_av1_frame *f, const struct px_encoder_opts *o) {
    f->size = (struct px_vp9_size){.width = o->width,
                                   .height = o->height,
                                   .columns = (o->width + SIDE - 1) / SIDE,
                                   .rows = (o->height + SIDE - 1) / SIDE,
                                   .mi_columns = (o->width + 7) / 8,
                                   .mi_rows = (o->height + 7) / 8,
                                   .shift = 1};
    const size_t across = (size_t)(f->size.mi_columns + 7) & ~(size_t)7;
    f->cells = px_new0(struct px_av1_cell, (size_t)f->size.columns * f->size.rows);
    f->units = px_new0(struct px_av1_unit, (size_t)f->size.mi_columns * f->size.mi_rows);
    for (int i = 0; i < 3; i++)
        f->above[i] = px_new0(struct px_av1_left, 2 * across);
}

static int av1_open(const struct px_encoder_ops *ops, const struct px_encoder_opts *o,
                    struct px_encoder **ret, struct px_error *err) {
    if (o->i444)
        return px_fail(err, -ENOTSUP, "%s has no 4:4:4", ops->name);
    if (o->width > SIZE_MAX_PX || o->height > SIZE_MAX_PX)
        return px_fail(err, -ENOTSUP, "%s takes no %dx%d", ops->name, o->width, o->height);
    struct av1 *v = px_new0(struct av1, 1);
    open_frame(&v->frame, o);
    px_grid_init(&v->grid, o->width, o->height);
    const size_t n = (size_t)v->grid.n, luma = n * SIDE * SIDE;
    v->n_memory = luma + luma / 2;
    v->memory = px_calloc(v->n_memory, 1);
    set_planes(v, v->memory, &v->now);
    v->source = px_calloc(n, SIDE * SIDE);
    v->numbers = px_new0(numbers *, n);
    v->frame.numbers = v->numbers;
    v->store = px_calloc(n, PX_AV1_PARTS * sizeof(numbers));
    v->crew = px_crew_new(o->threads);
    *ret = &v->base;
    return 0;
}

static void av1_set_rate(struct px_encoder *enc) {
    /* av1_push() looks at the options each time */
}

const struct px_encoder_ops px_encoders_av1[] = {
    {"phoenix-av1", PX_CODEC_AV1, false, probe, av1_open, av1_push, av1_set_rate, av1_close},
    {0},
};
