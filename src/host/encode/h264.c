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
#include "host/encode/crew.h"
#include "host/encode/encoder.h"
#include "host/encode/h264_private.h"
#include "host/encode/lanes.h"
#include "host/encode/turn.h"
#include "base/alloc.h"
#include <string.h>

#define SIDE PX_H264_SIDE
#define BANDS_MAX 8
#define REFINE_BLOCKS 600 /* at once */
#define ALONE 400         /* so few blocks are not worth waking another thread */
#define MOVE_FAR 255
#define MOVE_FROM 8 /* so few blocks are coded sooner than looked for */

struct h264 {
    struct px_encoder base;
    struct px_crew *crew;
    struct px_grid grid;
    struct px_vp8_planes now, before; /* as the decoder has it: this picture, the last */
    uint8_t *memory, *memory_before;
    uint8_t *source; /* luma of the last picture that came in, whole blocks */
    struct px_h264_block *blocks;
    struct px_turn turn;
    struct px_h264_slice slices[BANDS_MAX];
    struct px_buf out;
    unsigned frame_num; /* of the last picture that all got */
    unsigned key_id;    /* neighbouring key frames have different ones */
    size_t after[PX_H264_FRAME_NUMS];
    unsigned n_after; /* pictures behind a lone key frame, their bytes */
    /* the picture at hand; threads only read these */
    struct px_vp8_planes in;
    struct px_h264_steps steps;
    struct px_move moves[PX_MOVES_MAX];
    int n_moves, n_bands, first_row[BANDS_MAX + 1];
    struct px_h264_picture picture;
};

/* ---- blocks ---- */

static bool fits(const struct h264 *v, int column, int row, struct px_move m) {
    const int x = column * SIDE + m.x, y = row * SIDE + m.y;
    return x >= 0 && y >= 0 && x <= (v->grid.columns - 1) * SIDE && y <= (v->grid.rows - 1) * SIDE;
}

static bool was_there(const struct h264 *v, const struct px_vp8_pixels *want, int column, int row,
                      struct px_move m) {
    const int stride = v->grid.columns * SIDE;
    const uint8_t *p = v->source + (ptrdiff_t)(row * SIDE + m.y) * stride + column * SIDE + m.x;
    for (int y = 0; y < SIDE; y++, p += stride)
        if (memcmp(p, want->y[y], SIDE) != 0)
            return false;
    return true;
}

struct choice {
    enum px_h264_mode mode;
    struct px_move move;
    struct px_vp8_pixels guess;
    unsigned distance;
    bool same; /* as it was, but for what it was coded too coarsely */
};

static void consider(const struct px_vp8_at *at, const struct px_vp8_pixels *want,
                     enum px_h264_mode mode, struct px_move move, struct choice *best) {
    struct choice c = {.mode = mode, .move = move};
    px_h264_guess(at, mode, move, &c.guess);
    c.distance = px_vp8_distance(want->y, c.guess.y);
    if (c.distance < best->distance)
        *best = c;
}

static bool find_same(const struct h264 *v, const struct px_vp8_at *at,
                      const struct px_vp8_pixels *want, struct choice *ret) {
    const struct px_move still = {0};
    for (int i = -1; i < v->n_moves; i++) {
        const struct px_move m = i < 0 ? still : v->moves[i];
        if (!fits(v, at->column, at->row, m) ||
            !px_grid_may_take(&v->grid, at->column, at->row, m) ||
            !was_there(v, want, at->column, at->row, m))
            continue;
        ret->mode = PX_H264_INTER;
        ret->move = m;
        ret->same = true;
        px_h264_guess(at, PX_H264_INTER, m, &ret->guess);
        return true;
    }
    return false;
}

static void choose(const struct h264 *v, const struct px_vp8_at *at,
                   const struct px_vp8_pixels *want, struct choice *ret) {
    const struct px_move still = {0};
    ret->distance = UINT32_MAX;
    ret->same = false;
    if (!v->turn.key && !v->turn.refine && find_same(v, at, want, ret))
        return;
    if (!v->turn.key && px_grid_may_take(&v->grid, at->column, at->row, still)) {
        consider(at, want, PX_H264_INTER, still, ret);
        if (v->turn.refine)
            return;
    }
    if (v->n_moves > 0 && fits(v, at->column, at->row, v->moves[0]) &&
        px_grid_may_take(&v->grid, at->column, at->row, v->moves[0]))
        consider(at, want, PX_H264_INTER, v->moves[0], ret);
    consider(at, want, PX_H264_DC, still, ret);
    if (v->turn.keep < PX_KEEP_ALL) /* what would be won by others is not coded */
        return;
    if (at->column > 0)
        consider(at, want, PX_H264_H, still, ret);
    if (at->row > 0 && !at->cut)
        consider(at, want, PX_H264_V, still, ret);
}

/* The worst of the up to four blocks that it came from. */
static uint8_t moved_quality(const struct h264 *v, const struct px_vp8_at *at, struct px_move m) {
    const int x = at->column * SIDE + m.x, y = at->row * SIDE + m.y;
    uint8_t worst = 0;
    for (int row = y / SIDE; row <= (y + SIDE - 1) / SIDE; row++)
        for (int column = x / SIDE; column <= (x + SIDE - 1) / SIDE; column++)
            if (v->grid.quality[row * v->grid.columns + column] > worst)
                worst = v->grid.quality[row * v->grid.columns + column];
    return worst;
}

/* The guess will do. Chroma that moved by half pixels is blurred a little each time. */
static bool is_good(const struct h264 *v, const struct px_vp8_pixels *want,
                    const struct choice *c) {
    const int near = v->steps.near;
    if (c->same)
        return px_vp8_is_near(want->uv[0][0], c->guess.uv[0][0], sizeof(want->uv), 2 + near * 2);
    return !v->turn.refine && c->mode == PX_H264_INTER &&
           px_vp8_is_near(want->y[0], c->guess.y[0], sizeof(want->y), near) &&
           px_vp8_is_near(want->uv[0][0], c->guess.uv[0][0], sizeof(want->uv), near);
}

static void code_block(struct h264 *v, const struct px_vp8_at *at, px_h264_numbers numbers) {
    struct px_h264_block *k = &v->blocks[at->row * v->grid.columns + at->column];
    struct px_vp8_pixels want;
    struct choice c;
    px_vp8_read(&v->in, v->picture.width, v->picture.height, at->column, at->row, &want);
    choose(v, at, &want, &c);
    *k = (struct px_h264_block){.mode = (uint8_t)c.mode, .move = c.move};
    const bool good = is_good(v, &want, &c);
    k->quality = good && c.same ? moved_quality(v, at, c.move) : (uint8_t)v->turn.quality;
    if (good)
        memset(numbers[PX_H264_LUMA_MEANS], 0, sizeof(numbers[0]));
    else
        px_h264_code(&v->steps, &want, &c.guess, k, numbers);
    px_vp8_store(at, &c.guess);
}

static void code_band(void *data, int band) {
    struct h264 *v = data;
    struct px_h264_slice *s = &v->slices[band];
    px_h264_numbers numbers;
    struct px_vp8_at at = {.now = v->turn.lone ? &v->before : &v->now,
                           .before = v->n_moves ? &v->before : &v->now,
                           .columns = v->grid.columns,
                           .rows = v->grid.rows};
    if (v->first_row[band] == v->first_row[band + 1])
        return;
    px_h264_slice_begin(s, &v->picture, v->blocks, v->first_row[band]);
    for (at.row = v->first_row[band]; at.row < v->first_row[band + 1]; at.row++)
        for (at.column = 0; at.column < v->grid.columns; at.column++) {
            at.cut = at.row > 0 && at.row == v->first_row[band];
            const int i = at.row * v->grid.columns + at.column;
            if (v->grid.active[i])
                code_block(v, &at, numbers);
            else
                v->blocks[i] =
                    (struct px_h264_block){.mode = PX_H264_INTER, .quality = v->grid.quality[i]};
            px_h264_slice_add(s, at.column, at.row, numbers);
        }
    px_h264_slice_end(s);
}

/* Bands have about as many blocks to code each. */
static void cut_bands(struct h264 *v) {
    const int n_active = v->grid.n_active;
    const int want = n_active <= ALONE ? 1 : (int)v->base.opts.threads;
    v->n_bands = want > BANDS_MAX ? BANDS_MAX : want;
    int n = 0, band = 1;
    v->first_row[0] = 0;
    for (int row = 0; row < v->grid.rows && band < v->n_bands; row++) {
        for (int i = 0; i < v->grid.columns; i++)
            n += v->grid.active[row * v->grid.columns + i];
        if (n * v->n_bands >= n_active * band)
            v->first_row[band++] = row + 1;
    }
    while (band <= v->n_bands)
        v->first_row[band++] = v->grid.rows;
}

/* ---- pictures ---- */

static void need_before(struct h264 *v) {
    const size_t luma = (size_t)v->grid.n * SIDE * SIDE;
    if (v->memory_before)
        return;
    v->memory_before = px_calloc(luma, 3);
    v->before.planes[0] = v->memory_before;
    v->before.planes[1] = v->memory_before + luma;
    v->before.planes[2] = v->memory_before + luma + luma / 4;
    memcpy(v->before.strides, v->now.strides, sizeof(v->now.strides));
}

static void copy_before(struct h264 *v) {
    const size_t luma = (size_t)v->grid.n * SIDE * SIDE;
    need_before(v);
    memcpy(v->memory_before, v->memory, luma + luma / 2);
}

static void keep_source(struct h264 *v) {
    const int stride = v->grid.columns * SIDE;
    struct px_vp8_pixels p;
    for (int row = 0; row < v->grid.rows; row++)
        for (int column = 0; column < v->grid.columns; column++) {
            if (!v->grid.active[row * v->grid.columns + column])
                continue;
            px_vp8_read(&v->in, v->picture.width, v->picture.height, column, row, &p);
            uint8_t *to = v->source + (ptrdiff_t)row * SIDE * stride + column * SIDE;
            for (int y = 0; y < SIDE; y++, to += stride)
                memcpy(to, p.y[y], SIDE);
        }
}

static void find_moves(struct h264 *v) {
    /* The levels of small pictures have no larger moves. */
    const int far = v->picture.height > 576 ? MOVE_FAR : PX_MOVE_REACH;
    v->n_moves = 0;
    if (v->turn.key || v->turn.refine || v->grid.n_active < MOVE_FROM)
        return;
    v->n_moves = px_find_moves(v->source, v->grid.columns * SIDE, v->in.planes[0], v->in.strides[0],
                               v->picture.width, v->picture.height, v->grid.active, v->grid.columns,
                               v->grid.rows, far, v->moves);
    if (v->n_moves > 0)
        copy_before(v);
}

static void choose_quality(struct h264 *v) {
    const struct px_moved m = {.before = v->source,
                               .before_stride = v->grid.columns * SIDE,
                               .now = v->in.planes[0],
                               .stride = v->in.strides[0],
                               .width = v->picture.width,
                               .height = v->picture.height,
                               .moves = v->moves,
                               .n_moves = v->n_moves};
    px_turn_choose(&v->turn, &v->grid, &v->base.opts, v->turn.key || v->turn.refine ? NULL : &m);
    px_h264_steps_init(&v->steps, v->turn.qp, v->turn.keep);
}

static void encode(struct h264 *v) {
    v->picture.key = v->turn.key;
    v->picture.frame_num = v->turn.key ? 0 : (v->frame_num + 1) % PX_H264_FRAME_NUMS;
    v->key_id ^= v->turn.key;
    v->picture.key_id = v->key_id;
    cut_bands(v);
    find_moves(v);
    choose_quality(v);
    v->picture.qp = v->turn.qp;
    px_crew_run(v->crew, v->n_bands, code_band, v);
    px_buf_reset(&v->out);
    if (v->turn.key)
        px_h264_write_headers(&v->picture, &v->out);
    for (int i = 0; i < v->n_bands; i++)
        if (v->first_row[i] < v->first_row[i + 1])
            px_h264_write_slice(&v->slices[i], &v->out);
}

/* For those who wait: nothing of it stays but that they are there. */
static void encode_lone(struct h264 *v) {
    need_before(v);
    encode(v);
    v->grid.n_clean = 0;
    v->picture.key = false;
    for (unsigned i = 1; i <= v->frame_num; i++) {
        const size_t size = v->out.size;
        v->picture.frame_num = i;
        px_h264_write_same(&v->picture, &v->out);
        v->after[v->n_after++] = v->out.size - size;
    }
}

static void encode_shared(struct h264 *v) {
    encode(v);
    keep_source(v);
    v->frame_num = v->picture.frame_num;
    for (int i = 0; i < v->grid.n; i++)
        v->grid.quality[i] = v->blocks[i].quality;
    v->grid.n_clean = v->turn.key ? v->grid.n : v->grid.next_clean;
}

static int h264_push(struct px_encoder *enc, const struct px_picture *pic,
                     const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                     struct px_packet *ret, struct px_error *err) {
    struct h264 *v = px_container_of(enc, struct h264, base);
    memcpy(v->in.planes, pic->planes, sizeof(v->in.planes));
    memcpy(v->in.strides, pic->strides, sizeof(v->in.strides));
    px_turn_begin(&v->turn, &v->grid, &enc->opts, pic, changed, pts_ms, key, refine, REFINE_BLOCKS);
    v->n_after = 0;
    if (v->turn.lone)
        encode_lone(v);
    else
        encode_shared(v);
    px_turn_end(&v->turn, &v->grid, &enc->opts, &v->out, ret);
    ret->after = v->after;
    ret->n_after = v->n_after;
    for (unsigned i = 0; i < v->n_after; i++)
        ret->size -= v->after[i];
    return 1;
}

/* ---- life ---- */

static int probe(const struct px_encoder_ops *ops, struct px_error *err) {
    return 0;
}

static void h264_close(struct px_encoder *enc) {
    struct h264 *v = px_container_of(enc, struct h264, base);
    px_crew_free(v->crew);
    free(v->memory);
    free(v->memory_before);
    free(v->source);
    free(v->blocks);
    px_grid_fini(&v->grid);
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
    px_grid_init(&v->grid, o->width, o->height);
    if (!px_h264_has_size(v->grid.columns, v->grid.rows)) {
        h264_close(&v->base);
        return px_fail(err, -ENOTSUP, "H.264 takes no %dx%d", o->width, o->height);
    }
    const size_t n = (size_t)v->grid.n, luma = n * SIDE * SIDE;
    v->memory = px_calloc(luma, 3);
    v->now =
        (struct px_vp8_planes){.planes = {v->memory, v->memory + luma, v->memory + luma + luma / 4},
                               .strides = {v->grid.columns * SIDE, v->grid.columns * SIDE / 2,
                                           v->grid.columns * SIDE / 2}};
    v->source = px_calloc(n, SIDE * SIDE);
    v->blocks = px_new0(struct px_h264_block, n);
    v->picture = (struct px_h264_picture){
        .width = o->width, .height = o->height, .columns = v->grid.columns, .rows = v->grid.rows};
    v->crew = px_crew_new(o->threads);
    *ret = &v->base;
    return 0;
}

static void h264_set_rate(struct px_encoder *enc) {
    /* h264_push() looks at the options each time */
}

const struct px_encoder_ops px_encoders_h264[] = {
    {"phoenix-h264", PX_CODEC_H264, false, probe, h264_open, h264_push, h264_set_rate, h264_close},
    {0},
};
