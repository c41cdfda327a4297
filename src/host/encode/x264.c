/* src/host/encode/x264.c - H.264 by libx264 in software
 *
 * The quantizer of each picture is chosen here: as fine as was asked for, coarser where the line
 * has no room for that (budget.h). x264's own rate control counts in pictures of equal distance,
 * and ours come when something changes. Macroblocks outside of what changed are told to x264, which
 * skips them unless the new picture's quantizer is finer than the last one's. Then they are given
 * to it as they were decoded, so that there is nothing to make finer: so a change is not coarse
 * because the rest is, and a refinement takes only what is too coarse, and so much at once that it
 * is done within a few milliseconds. What each was really coded with is remembered here. Slices in
 * threads, so that no picture is kept back. Used directly and not through libavcodec, which copies
 * each picture once more, cannot tell what changed, and cannot change the quality of a running
 * encoder. */
#include "host/encode/budget.h"
#include "host/encode/encoder.h"
#include "base/alloc.h"
#include <string.h>
#include <x264.h>

#define BLOCK 16
#define QP_BEST 10 /* finer is not seen */
#define QP_WORST 51
#define REFINE_STEP 6
#define REFINE_BLOCKS 1500 /* at once, at most: some 4 ms of two cores */
#define REFINE_LEAST 200
#define REFINE_KBPS 8 /* of the line, for each block: so a part takes 40 ms of it or so */
#define LITTLE 4      /* so little finer than the last picture is not worth the trouble */

struct avc {
    struct px_encoder base;
    x264_t *x;
    x264_param_t param;
    /* for each macroblock */
    uint8_t *info;    /* X264_MBINFO_CONSTANT: as before */
    uint8_t *quality; /* its quantizer */
    int cols, rows, n_blocks;
    x264_image_t decoded; /* the last picture as decoders have it; x264's, until the next one */
    uint8_t *mixed;       /* of that and of what is new; NULL: not needed yet */
    int last_qp;          /* what x264 believes each macroblock to be coded with */
    int next_refined;     /* the macroblock at which the next refinement goes on */
    int64_t last_pts_ms;
    struct px_budget budget;
    bool started;
};

static int probe(const struct px_encoder_ops *ops, struct px_error *err) {
    return 0;
}

static int quantizer(unsigned quality) {
    return QP_BEST + (int)(quality > 100 ? 100 : quality) * (QP_WORST - QP_BEST) / 100;
}

static void configure(struct avc *a, const struct px_encoder_opts *o) {
    x264_param_t *p = &a->param;
    x264_param_default_preset(p, "ultrafast", "zerolatency");
    p->i_log_level = X264_LOG_NONE;
    p->i_csp = X264_CSP_I420;
    p->i_width = o->width;
    p->i_height = o->height;
    p->i_threads = (int)o->threads;
    p->b_sliced_threads = 1;
    p->b_vfr_input = 0; /* with it, each picture waits for the next one's time */
    p->i_keyint_max = X264_KEYINT_MAX_INFINITE;
    p->i_scenecut_threshold = 0;
    p->b_repeat_headers = 1;
    p->b_annexb = 1;
    p->vui.b_fullrange = 0;
    p->vui.i_colmatrix = p->vui.i_colorprim = p->vui.i_transfer = 6; /* BT.601 */
    p->analyse.b_mb_info = 1;
    /* Not constant quantizers, though quicker by a fifth: only with others does x264 look at
     * pictures of half the size first, where it finds what moved far. */
    p->rc.i_rc_method = X264_RC_CRF;
}

static void avc_close(struct px_encoder *enc) {
    struct avc *a = px_container_of(enc, struct avc, base);
    if (a->x)
        x264_encoder_close(a->x);
    x264_param_cleanup(&a->param);
    free(a->info);
    free(a->quality);
    free(a->mixed);
    free(a);
}

static int avc_open(const struct px_encoder_ops *ops, const struct px_encoder_opts *o,
                    struct px_encoder **ret, struct px_error *err) {
    if (o->i444)
        return px_fail(err, -ENOTSUP, "clients take H.264 in 4:2:0 only");
    if (o->width % 2 || o->height % 2)
        return px_fail(err, -ENOTSUP, "H.264 wants even sizes");
    struct avc *a = px_new0(struct avc, 1);
    configure(a, o);
    a->x = x264_encoder_open(&a->param);
    if (!a->x) {
        avc_close(&a->base);
        return px_fail(err, -ENOTSUP, "libx264 takes no %dx%d", o->width, o->height);
    }
    a->cols = (o->width + BLOCK - 1) / BLOCK;
    a->rows = (o->height + BLOCK - 1) / BLOCK;
    a->n_blocks = a->cols * a->rows;
    a->info = px_calloc((size_t)a->n_blocks, 1);
    a->quality = px_calloc((size_t)a->n_blocks, 1);
    *ret = &a->base;
    return 0;
}

static void mark(struct avc *a, struct px_rect r) {
    const int x0 = r.x / BLOCK, x1 = (r.x + r.w + BLOCK - 1) / BLOCK;
    for (int y = r.y / BLOCK; y < (r.y + r.h + BLOCK - 1) / BLOCK && y < a->rows; y++)
        if (x0 < a->cols)
            memset(a->info + (ptrdiff_t)y * a->cols + x0, 0,
                   (size_t)((x1 < a->cols ? x1 : a->cols) - x0));
}

/* Of the marked ones that are coarser than @best, the next few stay so. Returns how many are left
 * for later. */
static int pick_coarse(struct avc *a, int best) {
    const int line = (int)a->base.opts.rate_kbps / REFINE_KBPS;
    const int most = line < REFINE_LEAST    ? REFINE_LEAST
                     : line > REFINE_BLOCKS ? REFINE_BLOCKS
                                            : line;
    int n = 0, later = 0, next = a->next_refined;
    for (int k = 0; k < a->n_blocks; k++) {
        const int i = (a->next_refined + k) % a->n_blocks;
        if (a->info[i] == X264_MBINFO_CONSTANT)
            continue;
        if (a->quality[i] > best && n < most) {
            n++;
            next = i + 1;
            continue;
        }
        later += a->quality[i] > best;
        a->info[i] = X264_MBINFO_CONSTANT;
    }
    a->next_refined = next % a->n_blocks;
    return later;
}

/* What to look at. NULL @changed: everything. */
static int choose_blocks(struct avc *a, const struct px_region *changed, bool refine, int best) {
    memset(a->info, changed ? X264_MBINFO_CONSTANT : 0, (size_t)a->n_blocks);
    for (int i = 0; changed && i < changed->n; i++)
        mark(a, changed->rects[i]);
    return refine ? pick_coarse(a, best) : 0;
}

/* Of the blocks that are looked at: how many, and how coarse the coarsest is. */
static int count_active(const struct avc *a, int *ret_coarsest) {
    int n = 0;
    *ret_coarsest = 0;
    for (int i = 0; i < a->n_blocks; i++)
        if (a->info[i] != X264_MBINFO_CONSTANT) {
            n++;
            if (a->quality[i] > *ret_coarsest)
                *ret_coarsest = a->quality[i];
        }
    return n;
}

/* The quantizer of the next picture, which has @area new pixels. */
static int choose_qp(const struct avc *a, enum px_budget_kind kind, int64_t area, int coarsest,
                     bool refine) {
    const struct px_encoder_opts *o = &a->base.opts;
    const int best = quantizer(o->min_quality), worst = quantizer(o->max_quality);
    const int qp = px_budget_quantizer(&a->budget, kind, area, best, worst);
    const int step = coarsest - REFINE_STEP;
    if (refine && qp > step) /* at least a step at a time, or it would be for nothing */
        return step > best ? step : best;
    if (kind == PX_BUDGET_CHANGE && qp > best && qp < a->last_qp && qp + LITTLE > a->last_qp)
        return a->last_qp;
    return qp;
}

static void note_quality(struct avc *a, int qp) {
    for (int i = 0; i < a->n_blocks; i++)
        if (a->info[i] != X264_MBINFO_CONSTANT)
            a->quality[i] = (uint8_t)qp;
    a->last_qp = qp;
}

static void copy_rows(uint8_t *to, int to_stride, const uint8_t *from, int from_stride, int width,
                      int rows) {
    for (int y = 0; y < rows; y++)
        memcpy(to + (ptrdiff_t)y * to_stride, from + (ptrdiff_t)y * from_stride, (size_t)width);
}

/* A new macroblock into NV12 planes. */
static void put_block(const struct avc *a, const struct px_picture *pic, int col, int row,
                      uint8_t *luma, uint8_t *chroma) {
    const int x = col * BLOCK, y = row * BLOCK, stride = a->base.opts.width;
    const int w = stride - x < BLOCK ? stride - x : BLOCK;
    const int h = a->base.opts.height - y < BLOCK ? a->base.opts.height - y : BLOCK;
    copy_rows(luma + (ptrdiff_t)y * stride + x, stride,
              pic->planes[0] + (ptrdiff_t)y * pic->strides[0] + x, pic->strides[0], w, h);
    for (int i = 0; i < h / 2; i++) {
        uint8_t *to = chroma + (ptrdiff_t)(y / 2 + i) * stride + x;
        const uint8_t *u = pic->planes[1] + (ptrdiff_t)(y / 2 + i) * pic->strides[1] + x / 2;
        const uint8_t *v = pic->planes[2] + (ptrdiff_t)(y / 2 + i) * pic->strides[2] + x / 2;
        for (int k = 0; k < w / 2; k++) {
            to[2 * k] = u[k];
            to[2 * k + 1] = v[k];
        }
    }
}

/* What stays, as it was decoded; the rest from @pic. */
static void mix(struct avc *a, const struct px_picture *pic, x264_image_t *ret) {
    const int width = pic->width, height = pic->height;
    const size_t size = (size_t)width * (size_t)height;
    if (!a->mixed)
        a->mixed = px_calloc(size, 2);
    uint8_t *chroma = a->mixed + size;
    copy_rows(a->mixed, width, a->decoded.plane[0], a->decoded.i_stride[0], width, height);
    copy_rows(chroma, width, a->decoded.plane[1], a->decoded.i_stride[1], width, height / 2);
    for (int i = 0; i < a->n_blocks; i++)
        if (a->info[i] != X264_MBINFO_CONSTANT)
            put_block(a, pic, i % a->cols, i / a->cols, a->mixed, chroma);
    *ret = (x264_image_t){.i_csp = X264_CSP_NV12,
                          .i_plane = 2,
                          .i_stride = {width, width},
                          .plane = {a->mixed, chroma}};
}

static void wrap(const struct px_picture *pic, x264_image_t *ret) {
    *ret = (x264_image_t){.i_csp = X264_CSP_I420, .i_plane = 3};
    for (int i = 0; i < 3; i++) {
        ret->plane[i] = pic->planes[i];
        ret->i_stride[i] = pic->strides[i];
    }
}

static int avc_push(struct px_encoder *enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    struct avc *a = px_container_of(enc, struct avc, base);
    x264_picture_t in, out;
    x264_nal_t *nals;
    int n_nals, coarsest;
    if (a->started && pts_ms <= a->last_pts_ms)
        pts_ms = a->last_pts_ms + 1;
    key |= !a->started;
    refine &= !key;
    px_budget_pass(&a->budget, a->base.opts.rate_kbps, pts_ms);
    const int best = quantizer(a->base.opts.min_quality);
    const int n_later = choose_blocks(a, key ? NULL : changed, refine, best);
    const int64_t area = (int64_t)count_active(a, &coarsest) * BLOCK * BLOCK;
    const enum px_budget_kind kind = key || refine ? PX_BUDGET_WHOLE : PX_BUDGET_CHANGE;
    const int qp = choose_qp(a, kind, area, coarsest, refine);
    x264_picture_init(&in);
    in.i_qpplus1 = qp + 1;
    in.i_pts = pts_ms;
    in.i_type = key ? X264_TYPE_IDR : X264_TYPE_P;
    in.prop.mb_info = !key && changed ? a->info : NULL;
    if (in.prop.mb_info && qp < a->last_qp)
        mix(a, pic, &in.img);
    else
        wrap(pic, &in.img);
    const int size = x264_encoder_encode(a->x, &nals, &n_nals, &in, &out);
    if (size < 0)
        return px_fail(err, -EIO, "libx264 does not encode");
    a->last_pts_ms = pts_ms;
    a->started = true;
    if (size == 0)
        return 0;
    a->decoded = out.img;
    note_quality(a, qp);
    px_budget_spend(&a->budget, kind, (size_t)size, area, qp);
    *ret = (struct px_packet){.data = nals[0].p_payload,
                              .size = (size_t)size,
                              .key = out.b_keyframe,
                              .fine = n_later == 0 && qp <= best,
                              .more = n_later > 0};
    return 1;
}

static void avc_set_rate(struct px_encoder *enc) {
    /* choose_qp() looks at the options each time */
}

const struct px_encoder_ops px_encoders_x264[] = {
    {"libx264", PX_CODEC_H264, false, probe, avc_open, avc_push, avc_set_rate, avc_close},
    {0},
};
