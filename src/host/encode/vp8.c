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
#include "host/encode/budget.h"
#include "host/encode/crew.h"
#include "host/encode/encoder.h"
#include "host/encode/vp8_private.h"
#include "host/encode/vp8_tables.h"
#include "base/alloc.h"
#include <string.h>

#define SIDE PX_VP8_SIDE
#define SIZE_MAX_PX 16383
#define BANDS_MAX PX_VP8_STREAMS_MAX
#define QP_BEST 10 /* of the budget's scale: finer is not seen */
#define QP_WORST 51
#define QP_COARSE 34
#define ROUGH (QP_WORST + 1) /* the quality of a block of a coarse key frame */
#define DETAILED_MAX 1500    /* blocks with something in them, in a key frame that is not coarse */
#define PLAIN 8              /* pixels of a block without anything in it differ by less */
#define REFINE_STEP 6
#define REFINE_BLOCKS 600 /* at once: 9 ms of one core if they are all dense text */
#define CLEAN_MIN 64      /* blocks of a part that all decoders get, on a slow line */
#define CLEAN_KBPS 20     /* one more of these for so much of the line's rate: 50 ms of it */
#define CLEAN_ALONG 64    /* with a change, so that changes do not keep the rest away for ever */
#define ALONE 400         /* so few blocks are not worth waking another thread */
#define ADAPT_FROM 200
#define MOVE_FROM 8 /* so few blocks are coded sooner than looked for */
#define NUMBERS_BYTES (PX_VP8_PARTS * 16 * sizeof(int16_t))

typedef int16_t numbers[16];

struct vp8 {
    struct px_encoder base;
    struct px_crew *crew;
    int columns, rows, n_blocks;
    struct px_vp8_planes now, before; /* as the decoder has it: this picture, the last */
    uint8_t *memory, *memory_before;
    uint8_t *source; /* luma of the last picture that came in, whole blocks */
    struct px_vp8_block *blocks;
    numbers **numbers; /* of each block: where they lie in @store */
    numbers *store;    /* of the blocks that have any */
    uint8_t *active;   /* blocks to look at */
    uint8_t *quality;  /* of each block in the last picture, see struct px_vp8_block */
    px_vp8_counts counts[PX_VP8_STREAMS_MAX];
    struct px_budget budget;
    struct px_buf modes, streams[PX_VP8_STREAMS_MAX], out;
    int next_refined; /* the block at which the next refinement goes on */
    int n_clean;      /* blocks, from the first, that are the same in all decoders */
    bool joined;      /* a lone key frame was the last */
    int64_t last_pts_ms;
    bool started;
    /* the picture at hand; threads only read these */
    struct px_vp8_planes in;
    struct px_vp8_steps steps;
    struct px_move moves[PX_MOVES_MAX];
    int n_moves, n_bands, first_row[BANDS_MAX + 1];
    struct px_vp8_frame frame;
    int qp, n_later; /* coarse blocks that wait for the next part of a refinement */
    int next_clean;  /* n_clean after it */
    bool key, refine, coarse, lone;
};

/* ---- blocks ---- */

static bool fits(const struct vp8 *v, int column, int row, struct px_move m) {
    const int x = column * SIDE + m.x, y = row * SIDE + m.y;
    return x >= 0 && y >= 0 && x <= (v->columns - 1) * SIDE && y <= (v->rows - 1) * SIDE;
}

/* Whether all decoders have the same there, where that matters. A half of a chroma pixel is made of
 * six, so a little more than the block counts. */
static bool may_take(const struct vp8 *v, int column, int row, struct px_move m) {
    const int i = row * v->columns + column;
    if (i >= v->next_clean)
        return true;
    const int edge = SIDE - 1 + (m.x || m.y ? 6 : 0);
    int right = (column * SIDE + m.x + edge) / SIDE, low = (row * SIDE + m.y + edge) / SIDE;
    right = right < v->columns ? right : v->columns - 1;
    low = low < v->rows ? low : v->rows - 1;
    return i < v->n_clean && low * v->columns + right < v->n_clean;
}

static bool was_there(const struct vp8 *v, const struct px_vp8_pixels *want, int column, int row,
                      struct px_move m) {
    const int stride = v->columns * SIDE;
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
        if (!fits(v, at->column, at->row, m) || !may_take(v, at->column, at->row, m) ||
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
    if (!v->key && !v->refine && find_same(v, at, want, ret))
        return;
    if (!v->key && may_take(v, at->column, at->row, still)) {
        consider(at, want, PX_VP8_INTER, still, ret);
        if (v->refine)
            return;
    }
    if (v->n_moves > 0 && fits(v, at->column, at->row, v->moves[0]) &&
        may_take(v, at->column, at->row, v->moves[0]))
        consider(at, want, PX_VP8_INTER, v->moves[0], ret);
    if (v->coarse && !at->cut) /* what would be won by others is not coded */
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
            if (v->quality[row * v->columns + column] > worst)
                worst = v->quality[row * v->columns + column];
    return worst;
}

/* The guess will do. Chroma that moved by half pixels is blurred a little each time. */
static bool is_good(const struct vp8 *v, const struct px_vp8_pixels *want, const struct choice *c) {
    const int near = v->steps.near;
    if (c->same)
        return px_vp8_is_near(want->uv[0][0], c->guess.uv[0][0], sizeof(want->uv), 2 + near * 2);
    return !v->refine && c->mode == PX_VP8_INTER &&
           px_vp8_is_near(want->y[0], c->guess.y[0], sizeof(want->y), near) &&
           px_vp8_is_near(want->uv[0][0], c->guess.uv[0][0], sizeof(want->uv), near);
}

static void code_block(struct vp8 *v, const struct px_vp8_at *at) {
    const int i = at->row * v->columns + at->column;
    struct px_vp8_block *k = &v->blocks[i];
    struct px_vp8_pixels want;
    struct choice c;
    px_vp8_read(&v->in, v->frame.width, v->frame.height, at->column, at->row, &want);
    choose(v, at, &want, &c);
    k->mode = (uint8_t)c.mode;
    k->move = c.move;
    k->skip = is_good(v, &want, &c);
    k->quality = k->skip && c.same ? moved_quality(v, at, c.move)
                 : v->coarse       ? ROUGH
                                   : (uint8_t)v->qp;
    if (!k->skip)
        k->skip = !px_vp8_code(&v->steps, &want, &c.guess, k->ends, v->numbers[i]);
    px_vp8_store(at, &c.guess);
}

static void code_band(void *data, int band) {
    struct vp8 *v = data;
    struct px_vp8_at at = {.now = v->lone ? &v->before : &v->now,
                           .before = v->n_moves ? &v->before : &v->now,
                           .columns = v->columns,
                           .rows = v->rows};
    for (at.row = v->first_row[band]; at.row < v->first_row[band + 1]; at.row++)
        for (at.column = 0; at.column < v->columns; at.column++) {
            at.cut = at.row > 0 && at.row == v->first_row[band];
            const int i = at.row * v->columns + at.column;
            if (v->active[i])
                code_block(v, &at);
            else
                v->blocks[i] = (struct px_vp8_block){
                    .mode = PX_VP8_INTER, .skip = true, .quality = v->quality[i]};
        }
}

static void count_part(void *data, int i) {
    struct vp8 *v = data;
    px_vp8_count_tokens(&v->frame, i, &v->counts[i]);
}

/* Only what is large has anything to gain. */
static void adapt(struct vp8 *v, int n_active) {
    if (v->key)
        memcpy(&v->frame.chances, &px_vp8_coef_probs, sizeof(v->frame.chances));
    memcpy(&v->frame.chances_before, &v->frame.chances, sizeof(v->frame.chances));
    if (n_active < ADAPT_FROM)
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

/* ---- which blocks ---- */

static void mark(struct vp8 *v, struct px_rect r) {
    const int x0 = r.x / SIDE, x1 = (r.x + r.w + SIDE - 1) / SIDE;
    const int y1 = (r.y + r.h + SIDE - 1) / SIDE;
    for (int y = r.y / SIDE; y < y1 && y < v->rows; y++)
        if (x0 < v->columns)
            memset(v->active + (ptrdiff_t)y * v->columns + x0, 1,
                   (size_t)((x1 < v->columns ? x1 : v->columns) - x0));
}

/* Of what shall look better, the next so many that do not look as good as @best. Returns how many
 * are left for another time. */
static int pick_coarse(struct vp8 *v, int best) {
    int left = REFINE_BLOCKS, later = 0, next = 0;
    for (int n = 0; n < v->n_blocks; n++) {
        const int i = (v->next_refined + n) % v->n_blocks;
        if (!v->active[i])
            continue;
        if (left == 0 || v->quality[i] <= best) {
            later += v->quality[i] > best;
            v->active[i] = 0;
        } else if (--left == 0)
            next = i + 1;
    }
    v->next_refined = next % v->n_blocks;
    return later;
}

/* The next blocks that all decoders shall have. Returns how many are left for another time. */
static int pick_unclean(struct vp8 *v, int best) {
    const unsigned room = v->base.opts.rate_kbps / CLEAN_KBPS;
    const int most = v->refine ? REFINE_BLOCKS : CLEAN_ALONG;
    const int n = room < CLEAN_MIN ? CLEAN_MIN : room > (unsigned)most ? most : (int)room;
    v->next_clean = v->n_clean + n < v->n_blocks ? v->n_clean + n : v->n_blocks;
    if (v->refine)
        memset(v->active, 0, (size_t)v->n_blocks);
    memset(v->active + v->n_clean, 1, (size_t)(v->next_clean - v->n_clean));
    int later = v->n_blocks - v->next_clean;
    for (int i = 0; i < v->n_clean; i++)
        later += v->quality[i] > best;
    return later;
}

/* NULL @changed: everything. Returns how many blocks. */
static int choose_blocks(struct vp8 *v, const struct px_region *changed, int best) {
    int n = 0;
    memset(v->active, !changed, (size_t)v->n_blocks);
    for (int i = 0; changed && i < changed->n; i++)
        mark(v, changed->rects[i]);
    v->next_clean = v->n_clean;
    v->n_later = 0;
    if (!v->key && v->n_clean < v->n_blocks)
        v->n_later = pick_unclean(v, best);
    else if (v->refine)
        v->n_later = pick_coarse(v, best);
    for (int i = 0; i < v->n_blocks; i++)
        n += v->active[i];
    return n;
}

static bool is_plain(const struct px_vp8_pixels *p) {
    uint8_t low = 255, high = 0;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            low = p->y[y][x] < low ? p->y[y][x] : low;
            high = p->y[y][x] > high ? p->y[y][x] : high;
        }
    return high - low < PLAIN;
}

/* There is too much in the picture for a key frame that shall be there at once. */
static bool is_detailed(const struct vp8 *v) {
    struct px_vp8_pixels p;
    int n = 0;
    for (int i = 0; i < v->n_blocks && n <= DETAILED_MAX; i++) {
        px_vp8_read(&v->in, v->frame.width, v->frame.height, i % v->columns, i / v->columns, &p);
        n += !is_plain(&p);
    }
    return n > DETAILED_MAX;
}

/* Bands have about as many blocks to code each. */
static void cut_bands(struct vp8 *v, int n_active) {
    const int want = n_active <= ALONE ? 1 : (int)v->base.opts.threads;
    v->n_bands = want > BANDS_MAX ? BANDS_MAX : want;
    int n = 0, band = 1;
    v->first_row[0] = 0;
    for (int row = 0; row < v->rows && band < v->n_bands; row++) {
        for (int i = 0; i < v->columns; i++)
            n += v->active[row * v->columns + i];
        if (n * v->n_bands >= n_active * band)
            v->first_row[band++] = row + 1;
    }
    while (band <= v->n_bands)
        v->first_row[band++] = v->rows;
}

/* Only blocks with numbers need room for them, and which have is not known yet: all that are
 * looked at. */
static void place_numbers(struct vp8 *v) {
    int n = 0;
    for (int i = 0; i < v->n_blocks; i++)
        if (v->active[i])
            v->numbers[i] = v->store + (ptrdiff_t)PX_VP8_PARTS * n++;
}

/* ---- pictures ---- */

static void need_before(struct vp8 *v) {
    const size_t luma = (size_t)v->n_blocks * SIDE * SIDE;
    if (v->memory_before)
        return;
    v->memory_before = px_calloc(luma, 3);
    v->before.planes[0] = v->memory_before;
    v->before.planes[1] = v->memory_before + luma;
    v->before.planes[2] = v->memory_before + luma + luma / 4;
    memcpy(v->before.strides, v->now.strides, sizeof(v->now.strides));
}

static void copy_before(struct vp8 *v) {
    const size_t luma = (size_t)v->n_blocks * SIDE * SIDE;
    need_before(v);
    memcpy(v->memory_before, v->memory, luma + luma / 2);
}

static void keep_source(struct vp8 *v) {
    const int stride = v->columns * SIDE;
    struct px_vp8_pixels p;
    for (int row = 0; row < v->rows; row++)
        for (int column = 0; column < v->columns; column++) {
            if (!v->active[row * v->columns + column])
                continue;
            px_vp8_read(&v->in, v->frame.width, v->frame.height, column, row, &p);
            uint8_t *to = v->source + (ptrdiff_t)row * SIDE * stride + column * SIDE;
            for (int y = 0; y < SIDE; y++, to += stride)
                memcpy(to, p.y[y], SIDE);
        }
}

static void find_moves(struct vp8 *v, int n_active) {
    v->n_moves = 0;
    if (v->key || v->refine || n_active < MOVE_FROM)
        return;
    v->n_moves =
        px_find_moves(v->source, v->columns * SIDE, v->in.planes[0], v->in.strides[0],
                      v->frame.width, v->frame.height, v->active, v->columns, v->rows, v->moves);
    if (v->n_moves > 0)
        copy_before(v);
}

static int quantizer(unsigned quality) {
    return QP_BEST + (int)(quality > 100 ? 100 : quality) * (QP_WORST - QP_BEST) / 100;
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

/* Of the blocks that were looked at. */
static int coarsest_active(const struct vp8 *v) {
    int worst = 0;
    for (int i = 0; i < v->n_blocks; i++)
        if (v->active[i] && v->quality[i] > worst)
            worst = v->quality[i];
    return worst;
}

static enum px_budget_kind kind_of(const struct vp8 *v) {
    return v->coarse ? PX_BUDGET_COARSE : v->key || v->refine ? PX_BUDGET_WHOLE : PX_BUDGET_CHANGE;
}

static int choose_qp(const struct vp8 *v, int64_t area, int best) {
    const int worst = quantizer(v->base.opts.max_quality);
    if (v->coarse)
        return px_budget_quantizer(&v->budget, PX_BUDGET_COARSE, area, QP_COARSE, QP_WORST);
    const int qp = px_budget_quantizer(&v->budget, kind_of(v), area, best, worst);
    const int coarsest = coarsest_active(v), step = coarsest - REFINE_STEP;
    if (v->refine && v->n_clean < v->n_blocks) /* nobody gets worse than he had */
        return qp < coarsest ? qp : coarsest > best ? coarsest : best;
    if (v->refine && qp > step) /* at least a step at a time, or it would be for nothing */
        return step > best ? step : best;
    return qp;
}

static void encode(struct vp8 *v, int n_active) {
    cut_bands(v, n_active);
    place_numbers(v);
    find_moves(v, n_active);
    px_crew_run(v->crew, v->n_bands, code_band, v);
    v->frame.key = v->key;
    v->frame.passing = v->lone;
    v->frame.joined = v->joined && !v->key;
    v->frame.index = v->steps.index;
    v->frame.n_streams = v->n_bands > 2 ? 4 : v->n_bands;
    adapt(v, n_active);
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
    encode(v, v->n_blocks);
    memcpy(&v->frame.chances, &kept, sizeof(kept));
    v->n_clean = 0;
    v->joined = true;
}

static void encode_shared(struct vp8 *v, int n_active) {
    encode(v, n_active);
    keep_source(v);
    for (int i = 0; i < v->n_blocks; i++)
        v->quality[i] = v->blocks[i].quality;
    v->n_clean = v->key ? v->n_blocks : v->next_clean;
    v->joined = false;
}

static bool owes(const struct vp8 *v) {
    if (v->n_clean < v->n_blocks)
        return true;
    for (int i = 0; i < v->n_blocks; i++)
        if (v->quality[i] >= ROUGH)
            return true;
    return false;
}

static int vp8_push(struct px_encoder *enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    struct vp8 *v = px_container_of(enc, struct vp8, base);
    const int best = quantizer(enc->opts.min_quality);
    v->key = key || !v->started;
    v->refine = refine && !v->key;
    memcpy(v->in.planes, pic->planes, sizeof(v->in.planes));
    memcpy(v->in.strides, pic->strides, sizeof(v->in.strides));
    if (v->started && pts_ms <= v->last_pts_ms)
        pts_ms = v->last_pts_ms + 1;
    v->last_pts_ms = pts_ms;
    v->coarse = v->key && !enc->opts.whole_keys && is_detailed(v);
    v->lone = v->coarse && v->started;
    v->started = true;
    px_budget_pass(&v->budget, enc->opts.rate_kbps, pts_ms);
    const int n_active = choose_blocks(v, v->key ? NULL : changed, best);
    const int64_t area = (int64_t)n_active * SIDE * SIDE;
    const int qp = v->qp = choose_qp(v, area, best);
    px_vp8_steps_init(&v->steps, index_of(qp), v->coarse);
    if (v->lone)
        encode_lone(v);
    else
        encode_shared(v, n_active);
    px_budget_spend(&v->budget, kind_of(v), v->out.size, area, qp);
    *ret = (struct px_packet){.data = (const uint8_t *)v->out.data,
                              .size = v->out.size,
                              .key = v->key,
                              .fine = v->n_later == 0 && !v->coarse && coarsest_active(v) <= best,
                              .more = v->n_later > 0,
                              .lone = v->lone,
                              .owes = owes(v)};
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
    free(v->active);
    free(v->quality);
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
    v->columns = (o->width + SIDE - 1) / SIDE;
    v->rows = (o->height + SIDE - 1) / SIDE;
    v->n_blocks = v->columns * v->rows;
    const size_t n = (size_t)v->n_blocks, luma = n * SIDE * SIDE;
    v->memory = px_calloc(luma, 3);
    v->now = (struct px_vp8_planes){
        .planes = {v->memory, v->memory + luma, v->memory + luma + luma / 4},
        .strides = {v->columns * SIDE, v->columns * SIDE / 2, v->columns * SIDE / 2}};
    v->source = px_calloc(n, SIDE * SIDE);
    v->blocks = px_new0(struct px_vp8_block, n);
    v->numbers = px_new0(numbers *, n);
    v->store = px_calloc(n, NUMBERS_BYTES);
    v->active = px_calloc(n, 1);
    v->quality = px_calloc(n, 1);
    v->frame = (struct px_vp8_frame){.width = o->width,
                                     .height = o->height,
                                     .columns = v->columns,
                                     .rows = v->rows,
                                     .blocks = v->blocks,
                                     .numbers = v->numbers};
    v->crew = px_crew_new(o->threads);
    *ret = &v->base;
    return 0;
}

static void vp8_set_rate(struct px_encoder *enc) {
    /* choose_qp() looks at the options each time */
}

const struct px_encoder_ops px_encoders_vp8[] = {
    {"phoenix-vp8", PX_CODEC_VP8, false, probe, vp8_open, vp8_push, vp8_set_rate, vp8_close},
    {0},
};
