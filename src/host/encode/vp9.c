/* src/host/encode/vp9.c - VP9 for screens
 *
 * An encoder of our own, as for VP8 (vp8.c tells why), and with what VP9 has beyond: screens of up
 * to 16384 pixels, blocks of 64x64 that stay for a part of a bit, moves without bounds, 4:4:4.
 * Transforms are of 4x4 only, which is what text wants and what is quickest; columns of tiles are
 * shared by threads; there is no loop filter. */
#include "host/encode/crew.h"
#include "host/encode/encoder.h"
#include "host/encode/lanes.h"
#include "host/encode/turn.h"
#include "host/encode/vp9_private.h"
#include "base/alloc.h"
#include <string.h>

#define SIDE PX_VP9_SIDE
#define SIZE_MAX_PX 16384
#define TILES_MAX 64
#define REFINE_CELLS 600 /* at once: 9 ms of one core if they are all dense text */
#define REFINE_CELLS_444 400
#define ALONE 400 /* so few cells are not worth waking another thread */
#define ADAPT_FROM 16
#define MOVE_FAR 1023
#define MOVE_FROM 8 /* so few cells are coded sooner than looked for */

typedef int16_t numbers[16];

struct vp9 {
    struct px_encoder base;
    struct px_crew *crew;
    struct px_grid grid;
    struct px_vp9_frame frame;        /* its size is for good, the rest each picture's */
    struct px_vp9_planes now, before; /* as the decoder has it: this picture, the last */
    uint8_t *memory, *memory_before;
    size_t n_memory;
    uint8_t *source;               /* luma of the last picture that came in, whole cells */
    numbers **numbers;             /* of each cell: where they lie in @store */
    numbers *store;                /* of the cells that have any */
    px_vp9_counts *counts;         /* of each tile */
    px_vp9_chances coarse_chances; /* of the last coarse key frame: the next is much alike */
    bool had_coarse;
    int n_tiles_max;
    struct px_turn turn;
    struct px_buf coded, out, tiles[TILES_MAX];
    /* the picture at hand; threads only read these */
    struct px_vp9_planes in;
    struct px_vp9_steps steps;
    struct px_move moves[PX_MOVES_MAX];
    int n_moves;
};

/* ---- cells ---- */

/* Both the cell and where it came from are whole. */
static bool fits(const struct vp9 *v, int column, int row, struct px_move m) {
    const struct px_vp9_size *z = &v->frame.size;
    const int x = column * SIDE, y = row * SIDE;
    return x + SIDE <= z->width && y + SIDE <= z->height && x + m.x >= 0 && y + m.y >= 0 &&
           x + m.x + SIDE <= z->width && y + m.y + SIDE <= z->height;
}

static bool was_there(const struct vp9 *v, const uint8_t want[16][16], int column, int row,
                      struct px_move m) {
    const int stride = v->grid.columns * SIDE;
    const uint8_t *p = v->source + (ptrdiff_t)(row * SIDE + m.y) * stride + column * SIDE + m.x;
    for (int y = 0; y < SIDE; y++, p += stride)
        if (memcmp(p, want[y], SIDE) != 0)
            return false;
    return true;
}

struct choice {
    enum px_vp9_mode mode;
    struct px_move move;
    px_vp9_pixels guess; /* with PX_VP9_INTER */
    unsigned distance;
    bool same; /* as it was, but for what it was coded too coarsely */
};

static bool find_same(const struct vp9 *v, const struct px_vp9_at *at, const px_vp9_pixels want,
                      struct choice *ret) {
    for (int i = -1; i < v->n_moves; i++) {
        const struct px_move m = i < 0 ? (struct px_move){0} : v->moves[i];
        if ((i >= 0 && !fits(v, at->column, at->row, m)) ||
            !px_grid_may_take(&v->grid, at->column, at->row, m) ||
            !was_there(v, want[0], at->column, at->row, m))
            continue;
        ret->mode = PX_VP9_INTER;
        ret->move = m;
        ret->same = true;
        px_vp9_guess_moved(at, m, ret->guess);
        return true;
    }
    return false;
}

static void consider(const struct px_vp9_at *at, const px_vp9_pixels want, struct px_move m,
                     struct choice *best) {
    px_vp9_pixels guess;
    px_vp9_guess_moved(at, m, guess);
    const unsigned distance = px_vp9_distance(want[0], guess[0]);
    if (distance >= best->distance)
        return;
    best->mode = PX_VP9_INTER;
    best->move = m;
    best->distance = distance;
    memcpy(best->guess, guess, sizeof(guess));
}

static void choose(const struct vp9 *v, const struct px_vp9_at *at, const px_vp9_pixels want,
                   struct choice *ret) {
    const struct px_move still = {0};
    ret->distance = UINT32_MAX;
    ret->same = false;
    ret->move = still;
    if (!v->frame.key && !v->turn.refine && find_same(v, at, want, ret))
        return;
    if (!v->frame.key && px_grid_may_take(&v->grid, at->column, at->row, still)) {
        consider(at, want, still, ret);
        if (v->turn.refine)
            return;
    }
    if (v->n_moves > 0 && fits(v, at->column, at->row, v->moves[0]) &&
        px_grid_may_take(&v->grid, at->column, at->row, v->moves[0]))
        consider(at, want, v->moves[0], ret);
    unsigned distance = 0;
    enum px_vp9_mode inside = PX_VP9_DC;
    if (v->turn.keep == PX_KEEP_ALL) /* else what would be won by others is not coded */
        inside = px_vp9_choose_inside(at, want[0], &distance);
    if (distance < ret->distance) {
        ret->mode = inside;
        ret->move = still;
    }
}

/* The worst of the up to four cells that it came from. */
static uint8_t moved_quality(const struct vp9 *v, const struct px_vp9_at *at, struct px_move m) {
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
static bool is_good(const struct vp9 *v, const px_vp9_pixels want, const struct choice *c) {
    const int near = v->steps.near, side = SIDE >> v->frame.size.shift;
    if (c->mode != PX_VP9_INTER || v->turn.refine)
        return false;
    if (!c->same && !px_vp9_is_near(want[0], c->guess[0], SIDE, near))
        return false;
    const int chroma = c->same ? 2 + near * 2 : near;
    return px_vp9_is_near(want[1], c->guess[1], side, chroma) &&
           px_vp9_is_near(want[2], c->guess[2], side, chroma);
}

static void code_cell(struct vp9 *v, const struct px_vp9_at *at) {
    const int i = at->row * v->grid.columns + at->column;
    struct px_vp9_cell *k = &v->frame.cells[i];
    px_vp9_pixels want;
    struct choice c;
    px_vp9_read(&v->frame.size, &v->in, at->column, at->row, want);
    choose(v, at, want, &c);
    k->mode = (uint8_t)c.mode;
    k->move = c.move;
    k->skip = is_good(v, want, &c);
    k->quality = k->skip && c.same ? moved_quality(v, at, c.move) : (uint8_t)v->turn.quality;
    if (k->skip)
        px_vp9_store(at, c.guess);
    else if (c.mode == PX_VP9_INTER)
        k->skip = !px_vp9_code_moved(at, &v->steps, want, c.guess, k->ends, v->numbers[i]);
    else
        k->skip = !px_vp9_code_inside(at, &v->steps, c.mode, want, k->ends, v->numbers[i]);
}

/* What stays. Beyond the picture's edges decoders make it anew, of the last pixels. */
static void keep_cell(struct vp9 *v, const struct px_vp9_at *at) {
    const struct px_vp9_size *z = &v->frame.size;
    const int i = at->row * v->grid.columns + at->column;
    v->frame.cells[i] =
        (struct px_vp9_cell){.mode = PX_VP9_INTER, .skip = true, .quality = v->grid.quality[i]};
    if ((at->column + 1) * SIDE <= z->width && (at->row + 1) * SIDE <= z->height)
        return;
    px_vp9_pixels p;
    px_vp9_guess_moved(at, (struct px_move){0}, p);
    px_vp9_store(at, p);
}

static void code_tile(void *data, int tile) {
    struct vp9 *v = data;
    struct px_vp9_at at = {.size = &v->frame.size,
                           .now = v->turn.lone ? &v->before : &v->now,
                           .before = v->n_moves ? &v->before : &v->now,
                           .first_column = px_vp9_tile_column(&v->frame, tile)};
    const int last = px_vp9_tile_column(&v->frame, tile + 1);
    for (at.row = 0; at.row < v->grid.rows; at.row++)
        for (at.column = at.first_column; at.column < last; at.column++)
            if (v->grid.active[at.row * v->grid.columns + at.column])
                code_cell(v, &at);
            else
                keep_cell(v, &at);
}

static void count_tile(void *data, int i) {
    struct vp9 *v = data;
    px_vp9_count_tile(&v->frame, i, &v->counts[i]);
}

/* Only what is large has anything to gain. */
static void adapt(struct vp9 *v) {
    const int n = 1 << v->frame.log2_tiles;
    memcpy(&v->frame.chances, &px_vp9_coef_chances, sizeof(v->frame.chances));
    if (v->grid.n_active < ADAPT_FROM)
        return;
    if (v->turn.coarse && v->had_coarse) {
        memcpy(&v->frame.chances, &v->coarse_chances, sizeof(v->frame.chances));
        return;
    }
    memset(v->counts, 0, (size_t)n * sizeof(v->counts[0]));
    px_crew_run(v->crew, n, count_tile, v);
    uint32_t *sum = (uint32_t *)&v->counts[0];
    for (int i = 1; i < n; i++)
        for (size_t k = 0; k < sizeof(v->counts[0]) / sizeof(*sum); k++)
            sum[k] += ((const uint32_t *)&v->counts[i])[k];
    px_vp9_adapt(&v->counts[0], &v->frame.chances);
    if (v->turn.coarse) {
        memcpy(&v->coarse_chances, &v->frame.chances, sizeof(v->coarse_chances));
        v->had_coarse = true;
    }
}

static void write_tile(void *data, int i) {
    struct vp9 *v = data;
    px_vp9_write_tile(&v->frame, i, &v->tiles[i]);
}

/* ---- pictures ---- */

/* Only cells with numbers need room for them, and which have is not known yet: all that are
 * looked at. */
static void place_numbers(struct vp9 *v) {
    const int n_parts = px_vp9_n_parts(&v->frame.size);
    ptrdiff_t n = 0;
    for (int i = 0; i < v->grid.n; i++)
        if (v->grid.active[i])
            v->numbers[i] = v->store + n_parts * n++;
}

static void set_planes(const struct vp9 *v, uint8_t *memory, struct px_vp9_planes *ret) {
    const int shift = v->frame.size.shift, stride = v->grid.columns * SIDE;
    const size_t luma = (size_t)v->grid.n * SIDE * SIDE;
    *ret = (struct px_vp9_planes){
        .planes = {memory, memory + luma, memory + luma + (luma >> 2 * shift)},
        .strides = {stride, stride >> shift, stride >> shift}};
}

static void need_before(struct vp9 *v) {
    if (v->memory_before)
        return;
    v->memory_before = px_calloc(v->n_memory, 1);
    set_planes(v, v->memory_before, &v->before);
}

static void copy_before(struct vp9 *v) {
    need_before(v);
    memcpy(v->memory_before, v->memory, v->n_memory);
}

static void keep_source(struct vp9 *v) {
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

static void find_moves(struct vp9 *v) {
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

static void cut_tiles(struct vp9 *v) {
    const struct px_vp9_size *z = &v->frame.size;
    const int most = px_vp9_log2_tiles_max(z);
    int n = px_vp9_log2_tiles_min(z);
    if (v->grid.n_active > ALONE)
        while (n < most && 1 << n < 2 * (int)v->base.opts.threads)
            n++;
    v->frame.log2_tiles = n;
}

static void choose_quality(struct vp9 *v) {
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

static void encode(struct vp9 *v) {
    cut_tiles(v);
    const int n_tiles = 1 << v->frame.log2_tiles;
    place_numbers(v);
    find_moves(v);
    choose_quality(v);
    px_crew_run(v->crew, n_tiles, code_tile, v);
    v->frame.index = v->steps.index;
    adapt(v);
    for (int i = 0; i < n_tiles; i++)
        px_buf_reset(&v->tiles[i]);
    px_crew_run(v->crew, n_tiles, write_tile, v);
    px_buf_reset(&v->out);
    px_vp9_join(&v->frame, v->tiles, &v->coded, &v->out);
}

/* For those who wait: nothing of it stays but that they are there. */
static void encode_lone(struct vp9 *v) {
    need_before(v);
    encode(v);
    v->grid.n_clean = 0;
}

static void encode_shared(struct vp9 *v) {
    encode(v);
    keep_source(v);
    for (int i = 0; i < v->grid.n; i++)
        v->grid.quality[i] = v->frame.cells[i].quality;
    v->grid.n_clean = v->frame.key ? v->grid.n : v->grid.next_clean;
}

static int vp9_push(struct px_encoder *enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    struct vp9 *v = px_container_of(enc, struct vp9, base);
    memcpy(v->in.planes, pic->planes, sizeof(v->in.planes));
    memcpy(v->in.strides, pic->strides, sizeof(v->in.strides));
    px_turn_begin(&v->turn, &v->grid, &enc->opts, pic, changed, pts_ms, key, refine,
                  v->frame.size.shift ? REFINE_CELLS : REFINE_CELLS_444);
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

static void vp9_close(struct px_encoder *enc) {
    struct vp9 *v = px_container_of(enc, struct vp9, base);
    px_crew_free(v->crew);
    px_grid_fini(&v->grid);
    free(v->memory);
    free(v->memory_before);
    free(v->source);
    free(v->frame.cells);
    free(v->frame.above_sizes);
    for (int i = 0; i < 3; i++)
        free(v->frame.above_any[i]);
    free(v->numbers);
    free(v->store);
    free(v->counts);
    px_buf_fini(&v->coded);
    px_buf_fini(&v->out);
    for (int i = 0; i < TILES_MAX; i++)
        px_buf_fini(&v->tiles[i]);
    free(v);
}

static void open_frame(struct px_vp9_frame *f, const struct px_encoder_opts *o) {
    f->size = (struct px_vp9_size){.width = o->width,
                                   .height = o->height,
                                   .columns = (o->width + SIDE - 1) / SIDE,
                                   .rows = (o->height + SIDE - 1) / SIDE,
                                   .mi_columns = (o->width + 7) / 8,
                                   .mi_rows = (o->height + 7) / 8,
                                   .shift = o->i444 ? 0 : 1};
    const size_t across = (size_t)(f->size.mi_columns + 7) & ~(size_t)7;
    f->cells = px_new0(struct px_vp9_cell, (size_t)f->size.columns * f->size.rows);
    f->above_sizes = px_calloc(across, 1);
    for (int i = 0; i < 3; i++)
        f->above_any[i] = px_calloc(across, 2);
    for (int i = 1; i < 256; i++)
        for (int k = 0; k < 8; k++)
            f->tails[i][k] =
                i & 1 ? px_vp9_tails[i / 2][k]
                      : (uint8_t)((px_vp9_tails[i / 2 - 1][k] + px_vp9_tails[i / 2][k]) / 2);
}

static int vp9_open(const struct px_encoder_ops *ops, const struct px_encoder_opts *o,
                    struct px_encoder **ret, struct px_error *err) {
    if (o->width > SIZE_MAX_PX || o->height > SIZE_MAX_PX)
        return px_fail(err, -ENOTSUP, "%s takes no %dx%d", ops->name, o->width, o->height);
    struct vp9 *v = px_new0(struct vp9, 1);
    open_frame(&v->frame, o);
    px_grid_init(&v->grid, o->width, o->height);
    const size_t n = (size_t)v->grid.n, luma = n * SIDE * SIDE;
    v->n_memory = luma + 2 * (luma >> 2 * v->frame.size.shift);
    v->memory = px_calloc(v->n_memory, 1);
    set_planes(v, v->memory, &v->now);
    v->source = px_calloc(n, SIDE * SIDE);
    v->numbers = px_new0(numbers *, n);
    v->frame.numbers = v->numbers;
    v->store = px_calloc(n, (size_t)px_vp9_n_parts(&v->frame.size) * sizeof(numbers));
    v->counts = px_new0(px_vp9_counts, (size_t)1 << px_vp9_log2_tiles_max(&v->frame.size));
    v->crew = px_crew_new(o->threads);
    *ret = &v->base;
    return 0;
}

static void vp9_set_rate(struct px_encoder *enc) {
    /* vp9_push() looks at the options each time */
}

const struct px_encoder_ops px_encoders_vp9[] = {
    {"phoenix-vp9", PX_CODEC_VP9, false, probe, vp9_open, vp9_push, vp9_set_rate, vp9_close},
    {0},
};
