/* src/host/encode/vp9.c - VP9 for screens
 *
 * An encoder of our own, as for VP8 (vp8.c tells why), and with what VP9 has beyond: screens of up
 * to 16384 pixels, blocks of 64x64 that stay for a part of a bit, moves without bounds, 4:4:4.
 * Transforms are of 4x4 only, which is what text wants and what is quickest; columns of tiles are
 * shared by threads; there is no loop filter. */
#include "host/encode/crew.h"
#include "host/encode/encoder.h"
#include "host/encode/lanes.h"
#include "host/encode/vp9_private.h"
#include "base/alloc.h"
#include <string.h>

#define SIDE PX_VP9_SIDE
#define SIZE_MAX_PX 16384
#define TILES_MAX 64
#define REFINE_CELLS_444 400
#define ADAPT_FROM 16
#define MOVE_FAR 1023

struct vp9 {
    struct px_encoder base;
    struct px_crew *crew;
    struct px_surface s;
    struct px_vp9_frame frame;     /* its size is for good, the rest each picture's */
    const int16_t **numbers;       /* of each cell that has any: where they begin in @store */
    px_numbers *store;             /* untouched, mostly: see px_numbers_keep() */
    px_vp9_counts *counts;         /* of each tile */
    px_vp9_chances coarse_chances; /* of the last coarse key frame: the next is much alike */
    bool had_coarse;
    struct px_buf coded, out, tiles[TILES_MAX];
    /* the picture at hand; threads only read these */
    struct px_vp9_steps steps;
};

/* ---- cells ---- */

struct choice {
    enum px_vp9_mode mode;
    struct px_move move;
    px_vp9_pixels guess; /* with PX_VP9_INTER */
    unsigned distance;
    bool same; /* as it was, but for what it was coded too coarsely */
};

static bool find_same(const struct vp9 *v, const struct px_vp9_at *at, const px_vp9_pixels want,
                      struct choice *ret) {
    if (!px_surface_find_same(&v->s, at->column, at->row, want[0], &ret->move))
        return false;
    ret->mode = PX_VP9_INTER;
    ret->same = true;
    px_vp9_guess_moved(at, ret->move, ret->guess);
    return true;
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
    if (!v->s.turn.key && !v->s.turn.refine && find_same(v, at, want, ret))
        return;
    if (px_surface_may_stay(&v->s, at->column, at->row)) {
        consider(at, want, still, ret);
        if (v->s.turn.refine)
            return;
    }
    if (px_surface_may_move(&v->s, at->column, at->row))
        consider(at, want, v->s.moves[0], ret);
    unsigned distance = 0;
    enum px_vp9_mode inside = PX_VP9_DC;
    if (v->s.turn.keep == PX_KEEP_ALL) /* else what would be won by others is not coded */
        inside = px_vp9_choose_inside(at, want[0], &distance);
    if (distance < ret->distance) {
        ret->mode = inside;
        ret->move = still;
    }
}

static bool is_good(const struct vp9 *v, const px_vp9_pixels want, const struct choice *c) {
    const bool moved = c->mode == PX_VP9_INTER && !v->s.turn.refine;
    return moved && px_vp9_will_do(&v->frame.size, want, c->guess, c->same, v->steps.near);
}

/* @store: where its numbers go. */
static void code_cell(struct vp9 *v, const struct px_vp9_at *at, int16_t **store) {
    const int i = at->row * v->s.grid.columns + at->column;
    struct px_vp9_cell *k = &v->frame.cells[i];
    px_vp9_pixels want;
    px_numbers numbers[PX_VP9_PARTS_MAX];
    struct choice c;
    px_vp9_read(&v->frame.size, &v->s.in, at->column, at->row, want);
    choose(v, at, want, &c);
    k->mode = (uint8_t)c.mode;
    k->move = c.move;
    k->skip = is_good(v, want, &c);
    v->s.quality[i] = k->skip && c.same
                          ? px_surface_moved_quality(&v->s, at->column, at->row, c.move)
                          : (uint8_t)v->s.turn.quality;
    if (k->skip)
        px_vp9_store(at, c.guess);
    else if (c.mode == PX_VP9_INTER)
        k->skip = !px_vp9_code_moved(at, &v->steps, want, c.guess, k->ends, numbers);
    else
        k->skip = !px_vp9_code_inside(at, &v->steps, c.mode, want, k->ends, numbers);
    if (!k->skip)
        v->numbers[i] = px_numbers_keep(store, numbers, k->ends, px_vp9_n_parts(&v->frame.size));
}

/* What stays. Beyond the picture's edges decoders make it anew, of the last pixels. */
static void keep_cell(struct vp9 *v, const struct px_vp9_at *at) {
    const struct px_vp9_size *z = &v->frame.size;
    const int i = at->row * v->s.grid.columns + at->column;
    v->frame.cells[i] = (struct px_vp9_cell){.mode = PX_VP9_INTER, .skip = true};
    v->s.quality[i] = v->s.grid.quality[i];
    if ((at->column + 1) * SIDE <= z->width && (at->row + 1) * SIDE <= z->height)
        return;
    px_vp9_pixels p;
    px_vp9_guess_moved(at, (struct px_move){0}, p);
    px_vp9_store(at, p);
}

static void code_tile(void *data, int tile) {
    struct vp9 *v = data;
    struct px_vp9_at at = {.size = &v->frame.size,
                           .now = px_surface_target(&v->s),
                           .before = px_surface_last(&v->s),
                           .first_column = px_vp9_tile_column(&v->frame, tile)};
    const int last = px_vp9_tile_column(&v->frame, tile + 1);
    int16_t *store =
        v->store[(ptrdiff_t)at.first_column * v->s.grid.rows * px_vp9_n_parts(&v->frame.size)];
    for (at.row = 0; at.row < v->s.grid.rows; at.row++)
        for (at.column = at.first_column; at.column < last; at.column++)
            if (v->s.grid.active[at.row * v->s.grid.columns + at.column])
                code_cell(v, &at, &store);
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
    memcpy(&v->frame.chances, v->frame.eights ? &px_vp9_coef_chances8 : &px_vp9_coef_chances,
           sizeof(v->frame.chances));
    if (v->s.grid.n_active < ADAPT_FROM)
        return;
    if (v->s.turn.coarse && v->had_coarse) {
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
    if (v->s.turn.coarse) {
        memcpy(&v->coarse_chances, &v->frame.chances, sizeof(v->coarse_chances));
        v->had_coarse = true;
    }
}

static void write_tile(void *data, int i) {
    struct vp9 *v = data;
    px_vp9_write_tile(&v->frame, i, &v->tiles[i]);
}

/* ---- pictures ---- */

static void cut_tiles(struct vp9 *v) {
    const struct px_vp9_size *z = &v->frame.size;
    const int most = px_vp9_log2_tiles_max(z);
    int n = px_vp9_log2_tiles_min(z);
    if (v->s.grid.n_active > PX_SURFACE_ALONE)
        while (n < most && 1 << n < 2 * (int)v->base.opts.threads)
            n++;
    v->frame.log2_tiles = n;
}

static void encode(struct vp9 *v) {
    cut_tiles(v);
    const int n_tiles = 1 << v->frame.log2_tiles;
    px_surface_look(&v->s, &v->base.opts);
    px_vp9_steps_init(&v->steps, v->s.turn.qp + (v->s.turn.coarse ? PX_EIGHT_QP : 0),
                      v->s.turn.keep);
    v->frame.eights = v->steps.eights = v->s.turn.coarse;
    px_crew_run(v->crew, n_tiles, code_tile, v);
    v->frame.index = v->steps.index;
    adapt(v);
    for (int i = 0; i < n_tiles; i++)
        px_buf_reset(&v->tiles[i]);
    px_crew_run(v->crew, n_tiles, write_tile, v);
    px_buf_reset(&v->out);
    px_vp9_join(&v->frame, v->tiles, &v->coded, &v->out);
}

static int vp9_push(struct px_encoder *enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    struct vp9 *v = px_container_of(enc, struct vp9, base);
    px_surface_begin(&v->s, &enc->opts, pic, changed, pts_ms, key, refine,
                     v->frame.size.shift ? PX_SURFACE_REFINE : REFINE_CELLS_444);
    v->frame.key = v->s.turn.key;
    encode(v);
    px_surface_end(&v->s, &enc->opts, &v->out, ret);
    return 1;
}

/* ---- life ---- */

static void vp9_close(struct px_encoder *enc) {
    struct vp9 *v = px_container_of(enc, struct vp9, base);
    px_crew_free(v->crew);
    px_surface_fini(&v->s);
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
    px_surface_init(&v->s, o, v->frame.size.shift, true, MOVE_FAR);
    const size_t n = (size_t)v->s.grid.n;
    v->numbers = px_new0(const int16_t *, n);
    v->frame.numbers = v->numbers;
    v->store = px_calloc(n, (size_t)px_vp9_n_parts(&v->frame.size) * sizeof(px_numbers));
    v->counts = px_new0(px_vp9_counts, (size_t)1 << px_vp9_log2_tiles_max(&v->frame.size));
    v->crew = px_crew_new(o->threads);
    *ret = &v->base;
    return 0;
}

const struct px_encoder_ops px_encoders_vp9[] = {
    {"phoenix-vp9", PX_CODEC_VP9, false, NULL, vp9_open, vp9_push, NULL, vp9_close},
    {0},
};
