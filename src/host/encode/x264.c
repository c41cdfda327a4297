/* src/host/encode/x264.c - H.264 by libx264 in software
 *
 * The quantizer of each picture is chosen here: as fine as was asked for, coarser where the line
 * has no room for that (budget.h). x264's own rate control counts in pictures of equal distance,
 * and ours come when something changes. Macroblocks outside of what changed are told to x264, which
 * skips them unless the new quantizer is finer than theirs was: so pictures stay as coarse as the
 * coarsest part until a refinement. Slices in threads, so that no picture is kept back.
 * Used directly and not through libavcodec, which copies each picture once more, cannot tell what
 * changed, and cannot change the quality of a running encoder. */
#include "host/encode/budget.h"
#include "host/encode/encoder.h"
#include "base/alloc.h"
#include <string.h>
#include <x264.h>

#define BLOCK 16
#define QP_BEST 10 /* finer is not seen */
#define QP_WORST 51
#define REFINE_STEP 6

struct avc {
    struct px_encoder base;
    x264_t *x;
    x264_param_t param;
    uint8_t *info; /* a byte for each macroblock */
    int cols, rows;
    int64_t last_pts_ms;
    struct px_budget budget;
    int coarsest_qp; /* of what the picture consists of */
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
    p->rc.i_rc_method = X264_RC_CRF; /* constant quantizers would not let a picture have its own */
}

static void avc_close(struct px_encoder *enc) {
    struct avc *a = px_container_of(enc, struct avc, base);
    if (a->x)
        x264_encoder_close(a->x);
    x264_param_cleanup(&a->param);
    free(a->info);
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
    a->info = px_calloc((size_t)a->cols, (size_t)a->rows);
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

static bool is_large(const struct avc *a, int64_t area) {
    return area * 2 >= (int64_t)a->base.opts.width * a->base.opts.height;
}

/* The quantizer of the next picture, which has @area new pixels. */
static int choose_qp(const struct avc *a, enum px_budget_kind kind, int64_t area, bool refine) {
    const struct px_encoder_opts *o = &a->base.opts;
    const int best = quantizer(o->min_quality), worst = quantizer(o->max_quality);
    const int qp = px_budget_quantizer(&a->budget, kind, area, best, worst);
    const int step = a->coarsest_qp - REFINE_STEP;
    if (refine) /* at least a step at a time, or it would be for nothing */
        return qp > step ? (step > best ? step : best) : qp;
    if (kind == PX_BUDGET_WHOLE || is_large(a, area)) /* little is left that would stay coarse */
        return qp;
    return qp < a->coarsest_qp ? a->coarsest_qp : qp;
}

static int avc_push(struct px_encoder *enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    struct avc *a = px_container_of(enc, struct avc, base);
    x264_picture_t in, out;
    x264_nal_t *nals;
    int n_nals;
    if (a->started && pts_ms <= a->last_pts_ms)
        pts_ms = a->last_pts_ms + 1;
    key |= !a->started;
    const int64_t screen = (int64_t)pic->width * pic->height;
    const int64_t area = key || !changed ? screen : px_region_area(changed);
    px_budget_pass(&a->budget, a->base.opts.rate_kbps, pts_ms);
    const enum px_budget_kind kind = key || refine ? PX_BUDGET_WHOLE : PX_BUDGET_CHANGE;
    const int qp = choose_qp(a, kind, area < screen ? area : screen, refine);
    x264_picture_init(&in);
    in.i_qpplus1 = qp + 1;
    in.i_pts = pts_ms;
    in.i_type = key ? X264_TYPE_IDR : X264_TYPE_P;
    in.img.i_csp = X264_CSP_I420;
    in.img.i_plane = 3;
    for (int i = 0; i < 3; i++) {
        in.img.plane[i] = pic->planes[i];
        in.img.i_stride[i] = pic->strides[i];
    }
    if (changed && in.i_type == X264_TYPE_P) {
        memset(a->info, X264_MBINFO_CONSTANT, (size_t)a->cols * (size_t)a->rows);
        for (int i = 0; i < changed->n; i++)
            mark(a, changed->rects[i]);
        in.prop.mb_info = a->info;
    }
    const int size = x264_encoder_encode(a->x, &nals, &n_nals, &in, &out);
    if (size < 0)
        return px_fail(err, -EIO, "libx264 does not encode");
    a->last_pts_ms = pts_ms;
    a->started = true;
    if (size == 0)
        return 0;
    px_budget_spend(&a->budget, kind, (size_t)size, area, qp);
    if (key || refine || is_large(a, area) || qp > a->coarsest_qp)
        a->coarsest_qp = qp;
    *ret = (struct px_packet){.data = nals[0].p_payload,
                              .size = (size_t)size,
                              .key = out.b_keyframe,
                              .fine = qp <= quantizer(a->base.opts.min_quality)};
    return 1;
}

static void avc_set_rate(struct px_encoder *enc) {
    /* choose_qp() looks at the options each time */
}

const struct px_encoder_ops px_encoders_x264[] = {
    {"libx264", PX_CODEC_H264, false, probe, avc_open, avc_push, avc_set_rate, avc_close},
    {0},
};
