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
#include "host/encode/crew.h"
#include "host/encode/encoder.h"
#include "host/encode/lanes.h"
#include "host/encode/turn.h"
#include "host/encode/vp8_private.h"
#include "host/encode/vp8_tables.h"
#include "base/alloc.h"
#include <string.h>

#define SIDE PX_VP8_SIDE
#define SIZE_MAX_PX 16383
#define BANDS_MAX PX_VP8_STREAMS_MAX
#define REFINE_BLOCKS 600 /* at once: 9 ms of one core if they are all dense text */
#define ALONE 400         /* so few blocks are not worth waking another thread */
#define ADAPT_FROM 16
#define MOVE_FAR 255 /* the format tells no larger difference of two moves */
#define MOVE_FROM 8  /* so few blocks are coded sooner than looked for */
#define NUMBERS_BYTES (PX_VP8_PARTS * 16 * sizeof(int16_t))

typedef int16_t numbers[16];

struct vp8 {
    struct px_encoder base;
    struct px_crew *crew;
    struct px_grid grid;
    struct px_vp8_planes now, before; /* as the decoder has it: this picture, the last */
    uint8_t *memory, *memory_before;
    uint8_t *source; /* luma of the last picture that came in, whole blocks */
    struct px_vp8_block *blocks;
    numbers **numbers; /* of each block: where they lie in @store */
    numbers *store;    /* of the blocks that have any */
    px_vp8_counts counts[PX_VP8_STREAMS_MAX];
    struct px_turn turn;
    struct px_buf modes, streams[PX_VP8_STREAMS_MAX], out;
    bool joined; /* a lone key frame was the last */
    /* the picture at hand; threads only read these */
    struct px_vp8_planes in;
    struct px_vp8_steps steps;
    struct px_move moves[PX_MOVES_MAX];
    int n_moves, n_bands, first_row[BANDS_MAX + 1];
    struct px_vp8_frame frame;
};

/* ---- blocks ---- */

static bool fits(const struct vp8 *v, int column, int row, struct px_move m) {
    const int x = column * SIDE + m.x, y = row * SIDE + m.y;
    return x >= 0 && y >= 0 && x <= (v->grid.columns - 1) * SIDE && y <= (v->grid.rows - 1) * SIDE;
}

static bool was_there(const struct vp8 *v, const struct px_vp8_pixels *want, int column, int row,
                      struct px_move m) {
    const int stride = v->grid.columns * SIDE;
    const uint8_t *p = v->source + (ptrdiff_t)(row * SIDE + m.y) * stride + column * SIDE + m.x;
    for (int y = 0; y < SIDE; y++, p += stride)
        if (memcmp(p, want->y[y], SIDE) != 0)
            return false;
    return true;
}

struct choice {
    enum px_vp8_mode mode;
    struct px_move move;
    struct px_vp8_pixels guess;
    unsigned distance;
    bool same; /* as it was, but for what it was coded too coarsely */
};

static void consider(const struct px_vp8_at *at, const struct px_vp8_pixels *want,
                     enum px_vp8_mode mode, struct px_move move, struct choice *best) {
    struct choice c = {.mode = mode, .move = move};
    px_vp8_guess(at, mode, move, &c.guess);
    c.distance = px_vp8_distance(want->y, c.guess.y);
    if (c.distance < best->distance)
        *best = c;
}

static bool find_same(const struct vp8 *v, const struct px_vp8_at *at,
                      const struct px_vp8_pixels *want, struct choice *ret) {
    const struct px_move still = {0};
    for (int i = -1; i < v->n_moves; i++) {
        const struct px_move m = i < 0 ? still : v->moves[i];
        if (!fits(v, at->column, at->row, m) ||
            !px_grid_may_take(&v->grid, at->column, at->row, m) ||
            !was_there(v, want, at->column, at->row, m))
            continue;
        ret->mode = PX_VP8_INTER;
        ret->move = m;
        ret->same = true;
        px_vp8_guess(at, PX_VP8_INTER, m, &ret->guess);
        return true;
    }
    return false;
}

static void choose_intra(const struct px_vp8_at *at, const struct px_vp8_pixels *want,
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

static void choose(const struct vp8 *v, const struct px_vp8_at *at,
                   const struct px_vp8_pixels *want, struct choice *ret) {
    const struct px_move still = {0};
    ret->distance = UINT32_MAX;
    ret->same = false;
    if (!v->turn.key && !v->turn.refine && find_same(v, at, want, ret))
        return;
    if (!v->turn.key && px_grid_may_take(&v->grid, at->column, at->row, still)) {
        consider(at, want, PX_VP8_INTER, still, ret);
        if (v->turn.refine)
            return;
    }
    if (v->n_moves > 0 && fits(v, at->column, at->row, v->moves[0]) &&
        px_grid_may_take(&v->grid, at->column, at->row, v->moves[0]))
        consider(at, want, PX_VP8_INTER, v->moves[0], ret);
    if (v->turn.keep < PX_KEEP_ALL && !at->cut) /* what would be won by others is not coded */
        consider(at, want, PX_VP8_DC, still, ret);
    else
        choose_intra(at, want, ret);
}

/* The worst of the up to four blocks that it came from. */
static uint8_t moved_quality(const struct vp8 *v, const struct px_vp8_at *at, struct px_move m) {
    const int x = at->column * SIDE + m.x, y = at->row * SIDE + m.y;
    uint8_t worst = 0;
    for (int row = y / SIDE; row <= (y + SIDE - 1) / SIDE; row++)
        for (int column = x / SIDE; column <= (x + SIDE - 1) / SIDE; column++)
            if (v->grid.quality[row * v->grid.columns + column] > worst)
                worst = v->grid.quality[row * v->grid.columns + column];
    return worst;
}

/* The guess will do. Chroma that moved by half pixels is blurred a little each time. */
static bool is_good(const struct vp8 *v, const struct px_vp8_pixels *want, const struct choice *c) {
    const int near = v->steps.near;
    if (c->same)
        return px_vp8_is_near(want->uv[0][0], c->guess.uv[0][0], sizeof(want->uv), 2 + near * 2);
    return !v->turn.refine && c->mode == PX_VP8_INTER &&
           px_vp8_is_near(want->y[0], c->guess.y[0], sizeof(want->y), near) &&
           px_vp8_is_near(want->uv[0][0], c->guess.uv[0][0], sizeof(want->uv), near);
}

static void code_block(struct vp8 *v, const struct px_vp8_at *at) {
    const int i = at->row * v->grid.columns + at->column;
    struct px_vp8_block *k = &v->blocks[i];
    struct px_vp8_pixels want;
    struct choice c;
    px_vp8_read(&v->in, v->frame.width, v->frame.height, at->column, at->row, &want);
    choose(v, at, &want, &c);
    k->mode = (uint8_t)c.mode;
    k->move = c.move;
    k->skip = is_good(v, &want, &c);
    k->quality = k->skip && c.same ? moved_quality(v, at, c.move) : (uint8_t)v->turn.quality;
    if (!k->skip)
        k->skip = !px_vp8_code(&v->steps, &want, &c.guess, k->ends, v->numbers[i]);
    px_vp8_store(at, &c.guess);
}

static void code_band(void *data, int band) {
    struct vp8 *v = data;
    struct px_vp8_at at = {.now = v->turn.lone ? &v->before : &v->now,
                           .before = v->n_moves ? &v->before : &v->now,
                           .columns = v->grid.columns,
                           .rows = v->grid.rows};
    for (at.row = v->first_row[band]; at.row < v->first_row[band + 1]; at.row++)
        for (at.column = 0; at.column < v->grid.columns; at.column++) {
            at.cut = at.row > 0 && at.row == v->first_row[band];
            const int i = at.row * v->grid.columns + at.column;
            if (v->grid.active[i])
                code_block(v, &at);
            else
                v->blocks[i] = (struct px_vp8_block){
                    .mode = PX_VP8_INTER, .skip = true, .quality = v->grid.quality[i]};
        }
}

static void count_part(void *data, int i) {
    struct vp8 *v = data;
    px_vp8_count_tokens(&v->frame, i, &v->counts[i]);
}

/* Only what is large has anything to gain. */
static void adapt(struct vp8 *v) {
    if (v->turn.key)
        memcpy(&v->frame.chances, &px_vp8_coef_probs, sizeof(v->frame.chances));
    memcpy(&v->frame.chances_before, &v->frame.chances, sizeof(v->frame.chances));
    if (v->grid.n_active < ADAPT_FROM)
        return;
    memset(v->counts, 0, sizeof(v->counts));
    px_crew_run(v->crew, v->frame.n_streams, count_part, v);
    uint32_t *sum = (uint32_t *)&v->counts[0];
    for (int i = 1; i < v->frame.n_streams; i++)
        for (size_t k = 0; k < sizeof(v->counts[0]) / sizeof(*sum); k++)
            sum[k] += ((const uint32_t *)&v->counts[i])[k];
    px_vp8_adapt(&v->counts[0], &v->frame.chances);
}

static void write_part(void *data, int i) {
    struct vp8 *v = data;
    if (i == 0)
        px_vp8_write_modes(&v->frame, &v->modes);
    else
        px_vp8_write_tokens(&v->frame, i - 1, &v->streams[i - 1]);
}

/* Bands have about as many blocks to code each. */
static void cut_bands(struct vp8 *v) {
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

/* Only blocks with numbers need room for them, and which have is not known yet: all that are
 * looked at. */
static void place_numbers(struct vp8 *v) {
    int n = 0;
    for (int i = 0; i < v->grid.n; i++)
        if (v->grid.active[i])
            v->numbers[i] = v->store + (ptrdiff_t)PX_VP8_PARTS * n++;
}

/* ---- pictures ---- */

static void need_before(struct vp8 *v) {
    const size_t luma = (size_t)v->grid.n * SIDE * SIDE;
    if (v->memory_before)
        return;
    v->memory_before = px_calloc(luma, 3);
    v->before.planes[0] = v->memory_before;
    v->before.planes[1] = v->memory_before + luma;
    v->before.planes[2] = v->memory_before + luma + luma / 4;
    memcpy(v->before.strides, v->now.strides, sizeof(v->now.strides));
}

static void copy_before(struct vp8 *v) {
    const size_t luma = (size_t)v->grid.n * SIDE * SIDE;
    need_before(v);
    memcpy(v->memory_before, v->memory, luma + luma / 2);
}

static void keep_source(struct vp8 *v) {
    const int stride = v->grid.columns * SIDE;
    struct px_vp8_pixels p;
    for (int row = 0; row < v->grid.rows; row++)
        for (int column = 0; column < v->grid.columns; column++) {
            if (!v->grid.active[row * v->grid.columns + column])
                continue;
            px_vp8_read(&v->in, v->frame.width, v->frame.height, column, row, &p);
            uint8_t *to = v->source + (ptrdiff_t)row * SIDE * stride + column * SIDE;
            for (int y = 0; y < SIDE; y++, to += stride)
                memcpy(to, p.y[y], SIDE);
        }
}

static void find_moves(struct vp8 *v) {
    v->n_moves = 0;
    if (v->turn.key || v->turn.refine || v->grid.n_active < MOVE_FROM)
        return;
    v->n_moves = px_find_moves(v->source, v->grid.columns * SIDE, v->in.planes[0], v->in.strides[0],
                               v->frame.width, v->frame.height, v->grid.active, v->grid.columns,
                               v->grid.rows, MOVE_FAR, v->moves);
    if (v->n_moves > 0)
        copy_before(v);
}

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

static void choose_quality(struct vp8 *v) {
    const struct px_moved m = {.before = v->source,
                               .before_stride = v->grid.columns * SIDE,
                               .now = v->in.planes[0],
                               .stride = v->in.strides[0],
                               .width = v->frame.width,
                               .height = v->frame.height,
                               .moves = v->moves,
                               .n_moves = v->n_moves};
    px_turn_choose(&v->turn, &v->grid, &v->base.opts, v->turn.key || v->turn.refine ? NULL : &m);
    px_vp8_steps_init(&v->steps, index_of(v->turn.qp), v->turn.keep);
}

static void encode(struct vp8 *v) {
    cut_bands(v);
    place_numbers(v);
    find_moves(v);
    choose_quality(v);
    px_crew_run(v->crew, v->n_bands, code_band, v);
    v->frame.key = v->turn.key;
    v->frame.passing = v->turn.lone;
    v->frame.joined = v->joined && !v->turn.key;
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

/* For those who wait: nothing of it stays but that they are there. */
static void encode_lone(struct vp8 *v) {
    px_vp8_chances kept;
    memcpy(&kept, &v->frame.chances, sizeof(kept));
    need_before(v);
    encode(v);
    memcpy(&v->frame.chances, &kept, sizeof(kept));
    v->grid.n_clean = 0;
    v->joined = true;
}

static void encode_shared(struct vp8 *v) {
    encode(v);
    keep_source(v);
    for (int i = 0; i < v->grid.n; i++)
        v->grid.quality[i] = v->blocks[i].quality;
    v->grid.n_clean = v->turn.key ? v->grid.n : v->grid.next_clean;
    v->joined = false;
}

static int vp8_push(struct px_encoder *enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    struct vp8 *v = px_container_of(enc, struct vp8, base);
    memcpy(v->in.planes, pic->planes, sizeof(v->in.planes));
    memcpy(v->in.strides, pic->strides, sizeof(v->in.strides));
    px_turn_begin(&v->turn, &v->grid, &enc->opts, pic, changed, pts_ms, key, refine, REFINE_BLOCKS);
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

static void vp8_close(struct px_encoder *enc) {
    struct vp8 *v = px_container_of(enc, struct vp8, base);
    px_crew_free(v->crew);
    free(v->memory);
    free(v->memory_before);
    free(v->source);
    free(v->blocks);
    free(v->numbers);
    free(v->store);
    px_grid_fini(&v->grid);
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
    px_grid_init(&v->grid, o->width, o->height);
    const size_t n = (size_t)v->grid.n, luma = n * SIDE * SIDE;
    v->memory = px_calloc(luma, 3);
    v->now =
        (struct px_vp8_planes){.planes = {v->memory, v->memory + luma, v->memory + luma + luma / 4},
                               .strides = {v->grid.columns * SIDE, v->grid.columns * SIDE / 2,
                                           v->grid.columns * SIDE / 2}};
    v->source = px_calloc(n, SIDE * SIDE);
    v->blocks = px_new0(struct px_vp8_block, n);
    v->numbers = px_new0(numbers *, n);
    v->store = px_calloc(n, NUMBERS_BYTES);
    v->frame = (struct px_vp8_frame){.width = o->width,
                                     .height = o->height,
                                     .columns = v->grid.columns,
                                     .rows = v->grid.rows,
                                     .blocks = v->blocks,
                                     .numbers = v->numbers};
    v->crew = px_crew_new(o->threads);
    *ret = &v->base;
    return 0;
}

static void vp8_set_rate(struct px_encoder *enc) {
    /* vp8_push() looks at the options each time */
}

const struct px_encoder_ops px_encoders_vp8[] = {
    {"phoenix-vp8", PX_CODEC_VP8, false, probe, vp8_open, vp8_push, vp8_set_rate, vp8_close},
    {0},
};
