/* src/host/encode/vp8.c - VP8 for screens
 *
 * An encoder of our own, because what a desktop shows is not what libvpx expects: most blocks stay
 * (they cost a bit each here, and no look), much of the rest moved by whole pixels and is the same
 * to the bit, and what is new is mostly text, for which searching is lost time. No loop filter, so
 * that text stays sharp and decoders have less to do. The quantizer is chosen per picture by the
 * budget (budget.h), as for H.264, and remembered per block: a refinement takes only blocks that
 * are too coarse, and so many that it is done within a few milliseconds.
 *
 * A key frame is a picture like any other, only with nothing to refer to. Where that would take
 * long (much detail) it is a coarse one, and a refinement in parts follows at once. Who was there
 * already does not get it: it is coded aside, from nothing that the stream has (a lone key frame),
 * and the parts that follow are the same for all, whole blocks that refer to nothing but each
 * other. They go from the top to the bottom: what is above @n_clean is the same in all decoders,
 * what is below may not be referred to from above. So the picture of who was there stays as it is,
 * and who came has all of it after the last part. */
#include "host/encode/block.h"
#include "host/encode/crew.h"
#include "host/encode/encoder.h"
#include "host/encode/lanes.h"
#include "host/encode/vp8_private.h"
#include "host/encode/vp8_tables.h"
#include "base/alloc.h"
#include <string.h>

#define SIDE PX_VP8_SIDE
#define SIZE_MAX_PX 16383
#define BANDS_MAX PX_VP8_STREAMS_MAX
#define ADAPT_FROM 16
#define MOVE_FAR 255 /* the format tells no larger difference of two moves */

struct vp8 {
    struct px_encoder base;
    struct px_crew *crew;
    struct px_surface s;
    struct px_vp8_block *blocks;
    const int16_t **numbers; /* of each block that has any: where they begin in @store */
    px_numbers *store;       /* untouched, mostly: see px_numbers_keep() */
    px_vp8_counts counts[PX_VP8_STREAMS_MAX];
    struct px_buf modes, streams[PX_VP8_STREAMS_MAX], out;
    px_vp8_chances coarse_chances; /* of the last coarse key frame: the next is much alike */
    bool had_coarse;
    bool joined; /* a lone key frame was the last */
    /* the picture at hand; threads only read these */
    struct px_vp8_steps steps;
    int n_bands, first_row[BANDS_MAX + 1];
    struct px_vp8_frame frame;
};

/* ---- blocks ---- */

struct choice {
    enum px_vp8_mode mode;
    struct px_move move;
    struct px_block guess;
    unsigned distance;
    bool same; /* as it was, but for what it was coded too coarsely */
};

static void consider(const struct px_block_at *at, const struct px_block *want,
                     enum px_vp8_mode mode, struct px_move move, struct choice *best) {
    struct choice c = {.mode = mode, .move = move};
    px_vp8_guess(at, mode, move, &c.guess);
    c.distance = px_block_distance(want->y, c.guess.y);
    if (c.distance < best->distance)
        *best = c;
}

static bool find_same(const struct vp8 *v, const struct px_block_at *at,
                      const struct px_block *want, struct choice *ret) {
    if (!px_surface_find_same(&v->s, at->column, at->row, want->y, &ret->move))
        return false;
    ret->mode = PX_VP8_INTER;
    ret->same = true;
    px_vp8_guess(at, PX_VP8_INTER, ret->move, &ret->guess);
    return true;
}

static void choose_intra(const struct px_block_at *at, const struct px_block *want,
                         struct choice *ret) {
    const struct px_move still = {0};
    if (!at->cut)
        consider(at, want, PX_VP8_DC, still, ret);
    if (at->column > 0 || at->cut)
        consider(at, want, PX_VP8_H, still, ret);
    if (at->row > 0 && !at->cut) {
        consider(at, want, PX_VP8_V, still, ret);
        if (at->column > 0)
            consider(at, want, PX_VP8_TM, still, ret);
    }
}

static void choose(const struct vp8 *v, const struct px_block_at *at, const struct px_block *want,
                   struct choice *ret) {
    const struct px_move still = {0};
    ret->distance = UINT32_MAX;
    ret->same = false;
    if (!v->s.turn.key && !v->s.turn.refine && find_same(v, at, want, ret))
        return;
    if (px_surface_may_stay(&v->s, at->column, at->row)) {
        consider(at, want, PX_VP8_INTER, still, ret);
        if (v->s.turn.refine)
            return;
    }
    if (px_surface_may_move(&v->s, at->column, at->row))
        consider(at, want, PX_VP8_INTER, v->s.moves[0], ret);
    if (v->s.turn.keep < PX_KEEP_ALL && !at->cut) /* what would be won by others is not coded */
        consider(at, want, PX_VP8_DC, still, ret);
    else
        choose_intra(at, want, ret);
}

static bool is_good(const struct vp8 *v, const struct px_block *want, const struct choice *c) {
    const bool moved = c->mode == PX_VP8_INTER && !v->s.turn.refine;
    return moved && px_block_will_do(want, &c->guess, c->same, v->steps.near);
}

/* @store: where its numbers go. */
static void code_block(struct vp8 *v, const struct px_block_at *at, int16_t **store) {
    const int i = at->row * v->s.grid.columns + at->column;
    struct px_vp8_block *k = &v->blocks[i];
    struct px_block want;
    px_numbers numbers[PX_VP8_PARTS];
    struct choice c;
    px_block_read(&v->s.in, v->s.width, v->s.height, at->column, at->row, &want);
    choose(v, at, &want, &c);
    k->mode = (uint8_t)c.mode;
    k->move = c.move;
    k->skip = is_good(v, &want, &c);
    v->s.quality[i] = k->skip && c.same
                          ? px_surface_moved_quality(&v->s, at->column, at->row, c.move)
                          : (uint8_t)v->s.turn.quality;
    if (!k->skip)
        k->skip = !px_vp8_code(&v->steps, &want, &c.guess, k->ends, numbers);
    if (!k->skip)
        v->numbers[i] = px_numbers_keep(store, numbers, k->ends, PX_VP8_PARTS);
    px_block_store(at, &c.guess);
}

static void keep_block(struct vp8 *v, int i) {
    v->blocks[i] = (struct px_vp8_block){.mode = PX_VP8_INTER, .skip = true};
    v->s.quality[i] = v->s.grid.quality[i];
}

static void code_band(void *data, int band) {
    struct vp8 *v = data;
    struct px_block_at at = {.now = px_surface_target(&v->s),
                             .before = px_surface_last(&v->s),
                             .columns = v->s.grid.columns,
                             .rows = v->s.grid.rows};
    int16_t *store = v->store[(ptrdiff_t)v->first_row[band] * at.columns * PX_VP8_PARTS];
    for (at.row = v->first_row[band]; at.row < v->first_row[band + 1]; at.row++)
        for (at.column = 0; at.column < v->s.grid.columns; at.column++) {
            at.cut = at.row > 0 && at.row == v->first_row[band];
            const int i = at.row * v->s.grid.columns + at.column;
            if (v->s.grid.active[i])
                code_block(v, &at, &store);
            else
                keep_block(v, i);
        }
}

static void count_part(void *data, int i) {
    struct vp8 *v = data;
    px_vp8_count_tokens(&v->frame, i, &v->counts[i]);
}

/* Only what is large has anything to gain. */
static void adapt(struct vp8 *v) {
    if (v->s.turn.key)
        memcpy(&v->frame.chances, &px_vp8_coef_probs, sizeof(v->frame.chances));
    memcpy(&v->frame.chances_before, &v->frame.chances, sizeof(v->frame.chances));
    if (v->s.grid.n_active < ADAPT_FROM)
        return;
    if (v->s.turn.coarse && v->had_coarse) {
        memcpy(&v->frame.chances, &v->coarse_chances, sizeof(v->frame.chances));
        return;
    }
    memset(v->counts, 0, sizeof(v->counts));
    px_crew_run(v->crew, v->frame.n_streams, count_part, v);
    uint32_t *sum = (uint32_t *)&v->counts[0];
    for (int i = 1; i < v->frame.n_streams; i++)
        for (size_t k = 0; k < sizeof(v->counts[0]) / sizeof(*sum); k++)
            sum[k] += ((const uint32_t *)&v->counts[i])[k];
    px_vp8_adapt(&v->counts[0], &v->frame.chances);
    if (v->s.turn.coarse) {
        memcpy(&v->coarse_chances, &v->frame.chances, sizeof(v->coarse_chances));
        v->had_coarse = true;
    }
}

static void write_part(void *data, int i) {
    struct vp8 *v = data;
    if (i == 0)
        px_vp8_write_modes(&v->frame, &v->modes);
    else
        px_vp8_write_tokens(&v->frame, i - 1, &v->streams[i - 1]);
}

/* ---- pictures ---- */

/* VP8's quantizer whose step is as large as H.264's of the budget's scale, 0.625 * 2^(qp / 6);
 * VP8's numbers are twice as large. */
static int index_of(int qp) {
    static const double sixths[6] = {1.25, 1.403, 1.575, 1.768, 1.984, 2.227};
    const double want = sixths[qp % 6] * (1 << qp / 6);
    int i = 0;
    while (i < 127 && px_vp8_ac_steps[i] < want)
        i++;
    return i;
}

static void encode(struct vp8 *v) {
    v->n_bands = px_surface_cut_bands(&v->s, v->base.opts.threads, BANDS_MAX, v->first_row);
    px_surface_look(&v->s, &v->base.opts);
    px_vp8_steps_init(&v->steps, index_of(v->s.turn.qp), v->s.turn.keep);
    px_crew_run(v->crew, v->n_bands, code_band, v);
    v->frame.key = v->s.turn.key;
    v->frame.only_means = v->s.turn.coarse;
    v->frame.passing = v->s.turn.lone;
    v->frame.joined = v->joined && !v->s.turn.key;
    v->frame.index = v->steps.index;
    v->frame.n_streams = v->n_bands > 2 ? 4 : v->n_bands;
    adapt(v);
    px_buf_reset(&v->modes);
    px_buf_reset(&v->out);
    for (int i = 0; i < PX_VP8_STREAMS_MAX; i++)
        px_buf_reset(&v->streams[i]);
    px_crew_run(v->crew, 1 + v->frame.n_streams, write_part, v);
    px_vp8_join(&v->frame, &v->modes, v->streams, &v->out);
}

/* A lone key frame's chances are its own. */
static void encode_lone(struct vp8 *v) {
    px_vp8_chances kept;
    memcpy(&kept, &v->frame.chances, sizeof(kept));
    encode(v);
    memcpy(&v->frame.chances, &kept, sizeof(kept));
}

static int vp8_push(struct px_encoder *enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    struct vp8 *v = px_container_of(enc, struct vp8, base);
    px_surface_begin(&v->s, &enc->opts, pic, changed, pts_ms, key, refine, PX_SURFACE_REFINE);
    if (v->s.turn.lone)
        encode_lone(v);
    else
        encode(v);
    v->joined = v->s.turn.lone;
    px_surface_end(&v->s, &enc->opts, &v->out, ret);
    return 1;
}

/* ---- life ---- */

static void vp8_close(struct px_encoder *enc) {
    struct vp8 *v = px_container_of(enc, struct vp8, base);
    px_crew_free(v->crew);
    free(v->blocks);
    free(v->numbers);
    free(v->store);
    px_surface_fini(&v->s);
    px_buf_fini(&v->modes);
    px_buf_fini(&v->out);
    for (int i = 0; i < PX_VP8_STREAMS_MAX; i++)
        px_buf_fini(&v->streams[i]);
    free(v);
}

static int vp8_open(const struct px_encoder_ops *ops, const struct px_encoder_opts *o,
                    struct px_encoder **ret, struct px_error *err) {
    if (o->i444)
        return px_fail(err, -ENOTSUP, "VP8 has no 4:4:4");
    if (o->width > SIZE_MAX_PX || o->height > SIZE_MAX_PX)
        return px_fail(err, -ENOTSUP, "VP8 takes no %dx%d", o->width, o->height);
    struct vp8 *v = px_new0(struct vp8, 1);
    px_surface_init(&v->s, o, 1, false, MOVE_FAR);
    const size_t n = (size_t)v->s.grid.n;
    v->blocks = px_new0(struct px_vp8_block, n);
    v->numbers = px_new0(const int16_t *, n);
    v->store = px_calloc(n, PX_VP8_PARTS * sizeof(px_numbers));
    v->frame = (struct px_vp8_frame){.width = o->width,
                                     .height = o->height,
                                     .columns = v->s.grid.columns,
                                     .rows = v->s.grid.rows,
                                     .blocks = v->blocks,
                                     .numbers = v->numbers};
    v->crew = px_crew_new(o->threads);
    *ret = &v->base;
    return 0;
}

const struct px_encoder_ops px_encoders_vp8[] = {
    {"phoenix-vp8", PX_CODEC_VP8, false, NULL, vp8_open, vp8_push, NULL, vp8_close},
    {0},
};
