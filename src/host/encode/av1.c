/* src/host/encode/av1.c - AV1 for screens
 *
 * An encoder of our own, as for VP8 and VP9 (vp8.c tells why), and with what AV1 has for screens:
 * cells of few colours are exact at once and cost little, moves are of whole pixels, blocks of
 * 64x64 that stay take a part of a bit. Columns of tiles are shared by threads; nothing changes
 * pixels after they are coded. */
#include "host/encode/crew.h"
#include "host/encode/encoder.h"
#include "host/encode/lanes.h"
#include "host/encode/av1_private.h"
#include "base/alloc.h"
#include <string.h>

#define SIDE PX_VP9_SIDE
#define SIZE_MAX_PX 16384
#define LOG2_TILES_MAX 6
#define TILES_MAX (1 << LOG2_TILES_MAX)
#define MOVE_FAR 255

/* Coarser than this, transforms take less than colours. */
#define PALETTE_QP 34
#define DETAILED_MAX                                                                               \
    4500        /* in a key frame that is not coarse: cells of text; others count thrice */
#define EXACT 0 /* the quality of a cell that is as it came */

struct av1 {
    struct px_encoder base;
    struct px_crew *crew;
    struct px_surface s;
    struct px_av1_frame frame; /* its size is for good, the rest each picture's */
    struct px_buf out, tiles[TILES_MAX];
    /* the picture at hand; threads only read these */
    struct px_vp9_steps steps;
};

/* ---- cells ---- */

struct choice {
    enum px_av1_mode mode;
    struct px_move move;
    px_vp9_pixels guess; /* with PX_AV1_INTER */
    unsigned distance;
    bool same; /* as it was, but for what it was coded too coarsely */
};

static bool find_same(const struct av1 *v, const struct px_vp9_at *at, const px_vp9_pixels want,
                      struct choice *ret) {
    if (!px_surface_find_same(&v->s, at->column, at->row, want[0], &ret->move))
        return false;
    ret->mode = PX_AV1_INTER;
    ret->same = true;
    px_av1_guess_moved(at, ret->move, ret->guess);
    return true;
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

/* Text: nothing beats its colours but what is there already. */
static bool find_colours(const struct av1 *v, const struct px_vp9_at *at, const px_vp9_pixels want,
                         struct px_av1_cell *k, px_numbers *n) {
    return v->s.turn.keep == PX_KEEP_ALL && v->s.turn.qp <= PALETTE_QP &&
           px_av1_is_whole(&v->frame.size, at->column, at->row) &&
           px_av1_find_colours(want[0], k, (uint8_t(*)[SIDE])n);
}

static void choose(const struct av1 *v, const struct px_vp9_at *at, const px_vp9_pixels want,
                   struct px_av1_cell *k, px_numbers *n, struct choice *ret) {
    const struct px_move still = {0};
    ret->distance = UINT32_MAX;
    ret->same = false;
    ret->move = still;
    if (!v->s.turn.key && !v->s.turn.refine && find_same(v, at, want, ret))
        return;
    if (px_surface_may_stay(&v->s, at->column, at->row))
        consider(at, want, still, ret);
    if (ret->distance > 0 && find_colours(v, at, want, k, n)) {
        ret->mode = PX_AV1_PALETTE;
        return;
    }
    if (v->s.turn.refine && ret->distance != UINT32_MAX)
        return;
    if (px_surface_may_move(&v->s, at->column, at->row))
        consider(at, want, v->s.moves[0], ret);
    unsigned distance = 0;
    enum px_av1_mode inside = PX_AV1_DC;
    if (v->s.turn.keep == PX_KEEP_ALL) /* else what would be won by others is not coded */
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

static bool is_good(const struct av1 *v, const px_vp9_pixels want, const struct choice *c) {
    const bool moved = c->mode == PX_AV1_INTER && !v->s.turn.refine;
    return moved && px_vp9_will_do(&v->frame.size, want, c->guess, c->same, v->steps.near);
}

static void code_cell(struct av1 *v, const struct px_vp9_at *at) {
    const int i = at->row * v->s.grid.columns + at->column;
    struct px_av1_cell *k = &v->frame.cells[i];
    px_vp9_pixels want;
    px_numbers *numbers = px_av1_numbers_of(&v->frame, at->column, at->row);
    struct choice c;
    px_vp9_read(&v->frame.size, &v->s.in, at->column, at->row, want);
    choose(v, at, want, k, numbers, &c);
    k->mode = (uint8_t)c.mode;
    k->move = c.move;
    k->skip = is_good(v, want, &c);
    v->s.quality[i] = k->skip && c.same
                          ? px_surface_moved_quality(&v->s, at->column, at->row, c.move)
                          : (uint8_t)v->s.turn.quality;
    if (k->skip)
        px_vp9_store(at, c.guess);
    else if (c.mode == PX_AV1_INTER)
        k->skip = !px_av1_code_moved(at, &v->steps, want, c.guess, k->ends, numbers);
    else
        k->skip = !px_av1_code_inside(at, &v->steps, c.mode, want, k->ends, numbers);
    if (v->s.quality[i] > EXACT && is_exact(at, want))
        v->s.quality[i] = EXACT;
}

/* What stays. Beyond the picture's edges decoders make it anew, of the last pixels. */
static void keep_cell(struct av1 *v, const struct px_vp9_at *at) {
    const struct px_vp9_size *z = &v->frame.size;
    const int i = at->row * v->s.grid.columns + at->column;
    v->frame.cells[i] = (struct px_av1_cell){.mode = PX_AV1_INTER, .skip = true};
    v->s.quality[i] = v->s.grid.quality[i];
    if ((at->column + 1) * SIDE <= z->width && (at->row + 1) * SIDE <= z->height)
        return;
    px_vp9_pixels p;
    px_av1_guess_moved(at, (struct px_move){0}, p);
    px_vp9_store(at, p);
}

static void code_rows(void *data, int tile, int first_row, int last_row) {
    struct av1 *v = data;
    struct px_vp9_at at = {.size = &v->frame.size,
                           .now = px_surface_target(&v->s),
                           .before = px_surface_last(&v->s),
                           .first_column = px_av1_tile_column(&v->frame, tile)};
    const int last = px_av1_tile_column(&v->frame, tile + 1);
    for (at.row = first_row; at.row < last_row; at.row++)
        for (at.column = at.first_column; at.column < last; at.column++)
            if (v->s.grid.active[at.row * v->s.grid.columns + at.column])
                code_cell(v, &at);
            else
                keep_cell(v, &at);
}

static void code_tile(void *data, int tile) {
    struct av1 *v = data;
    px_buf_reset(&v->tiles[tile]);
    px_av1_write_tile(&v->frame, tile, code_rows, v, &v->tiles[tile]);
}

/* ---- pictures ---- */

static void cut_tiles(struct av1 *v) {
    int n = 0;
    if (v->s.grid.n_active > PX_SURFACE_ALONE)
        while (1 << n < 2 * (int)v->base.opts.threads && n < LOG2_TILES_MAX)
            n++;
    px_av1_cut_tiles(&v->frame, n);
}

static void encode(struct av1 *v) {
    cut_tiles(v);
    px_surface_look(&v->s, &v->base.opts);
    px_vp9_steps_init(&v->steps, v->s.turn.qp + (v->s.turn.coarse ? PX_EIGHT_QP : 0),
                      v->s.turn.keep);
    v->frame.index = v->steps.index;
    v->frame.eights = v->steps.eights = v->s.turn.coarse;
    px_crew_run(v->crew, v->frame.n_tiles, code_tile, v);
    px_buf_reset(&v->out);
    px_av1_join(&v->frame, v->tiles, &v->out);
}

#define COUNT_EVERY 3 /* column is looked at */

/* A key frame takes long: transforms thrice as long as colours. */
static bool is_detailed(const struct px_picture *pic) {
    int n = 0;
    for (int row = 0; row < pic->height / SIDE; row++)
        for (int column = 0; column < pic->width / SIDE && n * COUNT_EVERY <= DETAILED_MAX;
             column += COUNT_EVERY) {
            const int colours = px_av1_count_colours(
                pic->planes[0] + (ptrdiff_t)row * SIDE * pic->strides[0] + (ptrdiff_t)column * SIDE,
                pic->strides[0]);
            n += colours > PX_AV1_COLOURS_MAX ? 3 : colours > 1;
        }
    return n * COUNT_EVERY > DETAILED_MAX;
}

static int av1_push(struct px_encoder *enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    struct av1 *v = px_container_of(enc, struct av1, base);
    struct px_encoder_opts o = enc->opts;
    if (key || !v->s.turn.started)
        o.whole_keys |= !is_detailed(pic);
    px_surface_begin(&v->s, &o, pic, changed, pts_ms, key, refine, PX_SURFACE_REFINE);
    v->frame.key = v->s.turn.key;
    encode(v);
    px_surface_end(&v->s, &enc->opts, &v->out, ret);
    return 1;
}

/* ---- life ---- */

static void av1_close(struct px_encoder *enc) {
    struct av1 *v = px_container_of(enc, struct av1, base);
    px_crew_free(v->crew);
    px_surface_fini(&v->s);
    free(v->frame.cells);
    free(v->frame.units);
    for (int i = 0; i < 3; i++)
        free(v->frame.above[i]);
    free(v->frame.numbers);
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
    f->numbers = px_new0(px_av1_numbers, (size_t)f->size.columns * PX_AV1_ROWS);
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
    px_surface_init(&v->s, o, 1, true, MOVE_FAR);
    v->crew = px_crew_new(o->threads);
    *ret = &v->base;
    return 0;
}

const struct px_encoder_ops px_encoders_av1[] = {
    {"phoenix-av1", PX_CODEC_AV1, false, NULL, av1_open, av1_push, NULL, av1_close},
    {0},
};
