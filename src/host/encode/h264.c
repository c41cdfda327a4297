/* src/host/encode/h264.c - H.264 for screens
 *
 * An encoder of our own, as for VP8 and VP9 (vp8.c tells why and how): blocks that stay are not
 * looked at, content that moved by whole pixels is found exactly, what is new is coded without a
 * search, and refinements and late viewers get parts. Bands of the picture are slices, each guessed
 * and written by one thread.
 *
 * A lone key frame is coded aside. It begins its decoder's count of pictures anew (frame_num), and
 * the pictures that follow go on with the stream's: so behind it come pictures in which all stays,
 * as many as the count lacks (at most 15, of some 10 bytes each). */
#include "host/encode/block.h"
#include "host/encode/crew.h"
#include "host/encode/encoder.h"
#include "host/encode/h264_private.h"
#include "host/encode/lanes.h"
#include "base/alloc.h"
#include <string.h>

#define SIDE PX_H264_SIDE
#define BANDS_MAX 8
#define MOVE_FAR 255
#define INSIDE_BITS 12 /* of a film: so much more than a move it takes to guess from inside */
_Static_assert(MOVE_FAR <= PX_H264_MOVE_MAX && PX_MOVE_REACH < PX_H264_MOVE_MAX, "of the levels");

struct h264 {
    struct px_encoder base;
    struct px_crew *crew;
    struct px_surface s;
    struct px_h264_block *blocks;
    struct px_h264_slice slices[BANDS_MAX];
    struct px_buf out;
    unsigned frame_num; /* of the last picture that all got */
    unsigned key_id;    /* neighbouring key frames have different ones */
    size_t after[PX_H264_FRAME_NUMS];
    unsigned n_after; /* pictures behind a lone key frame, their bytes */
    /* the picture at hand; threads only read these */
    struct px_h264_steps steps;
    int n_bands, first_row[BANDS_MAX + 1];
    struct px_h264_picture picture;
};

/* ---- blocks ---- */

struct choice {
    enum px_h264_mode mode;
    struct px_move move;     /* whole pixels */
    struct px_move quarters; /* the same, or finer */
    struct px_block guess;
    unsigned distance;
    bool same; /* as it was, but for what it was coded too coarsely */
};

static struct px_move quarters_of(struct px_move m) {
    return (struct px_move){(int16_t)(m.x * 4), (int16_t)(m.y * 4)};
}

static void consider(const struct px_block_at *at, const struct px_block *want,
                     enum px_h264_mode mode, struct px_move move, struct choice *best) {
    struct choice c = {.mode = mode, .move = move, .quarters = quarters_of(move)};
    px_h264_guess(at, mode, move, &c.guess);
    c.distance = px_block_distance(want->y, c.guess.y);
    if (c.distance < best->distance)
        *best = c;
}

static bool find_same(const struct h264 *v, const struct px_block_at *at,
                      const struct px_block *want, struct choice *ret) {
    if (!px_surface_find_same(&v->s, at->column, at->row, want->y, &ret->move))
        return false;
    ret->mode = PX_H264_INTER;
    ret->same = true;
    ret->quarters = quarters_of(ret->move);
    px_h264_guess(at, PX_H264_INTER, ret->move, &ret->guess);
    return true;
}

/* In a film content moves by parts of pixels, and each macroblock for itself. */
static void search(const struct h264 *v, const struct px_block_at *at, const struct px_block *want,
                   struct choice *best) {
    const int columns = v->s.grid.columns;
    const struct px_h264_block *k = &v->blocks[at->row * columns + at->column];
    struct px_move hints[4] = {k->move}; /* of the last picture */
    int n = 1;
    const bool above = at->row > 0 && !at->cut;
    struct choice c = {.mode = PX_H264_INTER};
    if (at->column > 0)
        hints[n++] = k[-1].move;
    if (above)
        hints[n++] = k[-columns].move;
    c.distance =
        px_h264_search(at, want->y, hints, n, px_h264_expect(k, columns, at->column, above),
                       v->steps.lambda, &c.quarters, &c.guess);
    if (c.distance < best->distance)
        *best = c;
}

static void choose(const struct h264 *v, const struct px_block_at *at, const struct px_block *want,
                   struct choice *ret) {
    const struct px_move still = {0};
    ret->distance = UINT32_MAX;
    ret->same = false;
    if (!v->s.turn.key && !v->s.turn.refine && find_same(v, at, want, ret))
        return;
    if (v->s.film) {
        search(v, at, want, ret);
        ret->distance -= ret->distance < INSIDE_BITS * v->steps.lambda
                             ? ret->distance
                             : INSIDE_BITS * v->steps.lambda;
    } else if (px_surface_may_stay(&v->s, at->column, at->row)) {
        consider(at, want, PX_H264_INTER, still, ret);
        if (v->s.turn.refine)
            return;
    }
    if (!v->s.film && px_surface_may_move(&v->s, at->column, at->row))
        consider(at, want, PX_H264_INTER, v->s.moves[0], ret);
    consider(at, want, PX_H264_DC, still, ret);
    if (v->s.turn.keep < PX_KEEP_ALL) /* what would be won by others is not coded */
        return;
    if (at->column > 0)
        consider(at, want, PX_H264_H, still, ret);
    if (at->row > 0 && !at->cut)
        consider(at, want, PX_H264_V, still, ret);
}

static bool is_good(const struct h264 *v, const struct px_block *want, const struct choice *c) {
    const bool moved = c->mode == PX_H264_INTER && !v->s.turn.refine && (c->same || !v->s.film);
    return moved && px_block_will_do(want, &c->guess, c->same, v->steps.near);
}

static void code_block(struct h264 *v, const struct px_block_at *at, px_h264_numbers numbers) {
    const int i = at->row * v->s.grid.columns + at->column;
    struct px_h264_block *k = &v->blocks[i];
    struct px_block want;
    struct choice c;
    px_block_read(&v->s.in, v->s.width, v->s.height, at->column, at->row, &want);
    choose(v, at, &want, &c);
    *k = (struct px_h264_block){.mode = (uint8_t)c.mode, .move = c.quarters};
    const bool good = is_good(v, &want, &c);
    v->s.quality[i] = good && c.same ? px_surface_moved_quality(&v->s, at->column, at->row, c.move)
                                     : (uint8_t)v->s.turn.quality;
    if (good)
        memset(numbers[PX_H264_LUMA_MEANS], 0, sizeof(numbers[0]));
    else
        px_h264_code(&v->steps, &want, &c.guess, k, numbers);
    px_block_store(at, &c.guess);
}

/* Noise at a fine quantizer takes more as numbers than as pixels, and more than a macroblock may
 * (ITU-T H.264, A.3.1). */
static void code_raw(struct h264 *v, struct px_h264_slice *s, const struct px_block_at *at) {
    const int i = at->row * v->s.grid.columns + at->column;
    struct px_h264_block *k = &v->blocks[i];
    struct px_block b;
    px_block_read(&v->s.in, v->s.width, v->s.height, at->column, at->row, &b);
    *k = (struct px_h264_block){.mode = PX_H264_RAW};
    memset(k->n, 16, sizeof(k->n));
    v->s.quality[i] = 0;
    px_h264_slice_add_raw(s, &b);
    px_block_store(at, &b);
}

static void keep_block(struct h264 *v, int i) {
    v->blocks[i] = (struct px_h264_block){.mode = PX_H264_INTER};
    v->s.quality[i] = v->s.grid.quality[i];
}

static void code_band(void *data, int band) {
    struct h264 *v = data;
    struct px_h264_slice *s = &v->slices[band];
    px_h264_numbers numbers;
    struct px_block_at at = {.now = px_surface_target(&v->s),
                             .before = px_surface_last(&v->s),
                             .columns = v->s.grid.columns,
                             .rows = v->s.grid.rows};
    if (v->first_row[band] == v->first_row[band + 1])
        return;
    px_h264_slice_begin(s, &v->picture, v->blocks, v->first_row[band]);
    for (at.row = v->first_row[band]; at.row < v->first_row[band + 1]; at.row++)
        for (at.column = 0; at.column < v->s.grid.columns; at.column++) {
            at.cut = at.row > 0 && at.row == v->first_row[band];
            const int i = at.row * v->s.grid.columns + at.column;
            if (v->s.grid.active[i])
                code_block(v, &at, numbers);
            else
                keep_block(v, i);
            if (!px_h264_slice_add(s, at.column, at.row, numbers))
                code_raw(v, s, &at);
        }
    px_h264_slice_end(s);
}

/* ---- pictures ---- */

static void encode(struct h264 *v) {
    v->picture.key = v->s.turn.key;
    v->picture.frame_num = v->s.turn.key ? 0 : (v->frame_num + 1) % PX_H264_FRAME_NUMS;
    v->key_id ^= v->s.turn.key;
    v->picture.key_id = v->key_id;
    v->n_bands = px_surface_cut_bands(&v->s, v->base.opts.threads, BANDS_MAX, v->first_row);
    px_surface_look(&v->s, &v->base.opts);
    px_h264_steps_init(&v->steps, v->s.turn.qp, v->s.turn.keep, v->s.film);
    v->picture.qp = v->s.turn.qp;
    px_crew_run(v->crew, v->n_bands, code_band, v);
    px_buf_reset(&v->out);
    if (v->s.turn.key)
        px_h264_write_headers(&v->picture, &v->out);
    for (int i = 0; i < v->n_bands; i++)
        if (v->first_row[i] < v->first_row[i + 1])
            px_h264_write_slice(&v->slices[i], &v->out);
}

/* What stands behind a lone key frame. */
static void catch_up(struct h264 *v) {
    v->picture.key = false;
    for (unsigned i = 1; i <= v->frame_num; i++) {
        const size_t size = v->out.size;
        v->picture.frame_num = i;
        px_h264_write_same(&v->picture, &v->out);
        v->after[v->n_after++] = v->out.size - size;
    }
}

static int h264_push(struct px_encoder *enc, const struct px_picture *pic,
                     const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                     struct px_packet *ret, struct px_error *err) {
    struct h264 *v = px_container_of(enc, struct h264, base);
    px_surface_begin(&v->s, &enc->opts, pic, changed, pts_ms, key, refine, PX_SURFACE_REFINE);
    v->n_after = 0;
    encode(v);
    if (v->s.turn.lone)
        catch_up(v);
    else
        v->frame_num = v->picture.frame_num;
    px_surface_end(&v->s, &enc->opts, &v->out, ret);
    ret->after = v->after;
    ret->n_after = v->n_after;
    for (unsigned i = 0; i < v->n_after; i++)
        ret->size -= v->after[i];
    return 1;
}

/* ---- life ---- */

static void h264_close(struct px_encoder *enc) {
    struct h264 *v = px_container_of(enc, struct h264, base);
    px_crew_free(v->crew);
    free(v->blocks);
    px_surface_fini(&v->s);
    px_buf_fini(&v->out);
    for (int i = 0; i < BANDS_MAX; i++)
        px_buf_fini(&v->slices[i].out);
    free(v);
}

static int h264_open(const struct px_encoder_ops *ops, const struct px_encoder_opts *o,
                     struct px_encoder **ret, struct px_error *err) {
    if (o->i444)
        return px_fail(err, -ENOTSUP, "clients take H.264 in 4:2:0 only");
    if (o->width % 2 || o->height % 2)
        return px_fail(err, -ENOTSUP, "H.264 wants even sizes");
    struct h264 *v = px_new0(struct h264, 1);
    /* On small pictures little moves farther. */
    px_surface_init(&v->s, o, 1, false, o->height > 576 ? MOVE_FAR : PX_MOVE_REACH);
    v->s.searches = true;
    if (!px_h264_has_size(v->s.grid.columns, v->s.grid.rows)) {
        h264_close(&v->base);
        return px_fail(err, -ENOTSUP, "H.264 takes no %dx%d", o->width, o->height);
    }
    v->blocks = px_new0(struct px_h264_block, (size_t)v->s.grid.n);
    v->picture = (struct px_h264_picture){.width = o->width,
                                          .height = o->height,
                                          .columns = v->s.grid.columns,
                                          .rows = v->s.grid.rows};
    v->crew = px_crew_new(o->threads);
    *ret = &v->base;
    return 0;
}

const struct px_encoder_ops px_encoders_h264[] = {
    {"phoenix-h264", PX_CODEC_H264, false, NULL, h264_open, h264_push, NULL, h264_close},
    {0},
};
