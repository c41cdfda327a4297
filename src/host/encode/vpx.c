/* src/host/encode/vpx.c - VP8 and VP9 by libvpx in real time
 *
 * The active map tells libvpx which blocks changed; it does not look at the others. Constant bit
 * rate with the quantizer bounded on both sides: on a fast line the lower bound rules (the picture
 * is as good as was asked for, and no better), on a slow one the rate does. */
#include "host/encode/encoder.h"
#include "base/alloc.h"
#include <string.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

#define BLOCK 16             /* of the active map */
#define RATE_MAX_KBPS 200000 /* faster lines are all the same to it */
#define FINE 4               /* this near to the best quantizer is as good as the best */
#define VP8_SPEED_SMALL -12
/* Faster than this, VP8 stops finding that a screen of text has moved: dearer in the end. */
#define VP8_SPEED_LARGE -4
#define STEP 12 /* of a refinement's quantizer, at least */

struct vpx {
    struct px_encoder base;
    vpx_codec_ctx_t ctx;
    vpx_codec_enc_cfg_t cfg;
    vpx_active_map_t map;
    bool map_on, bounds_new, large;
    unsigned coarsest; /* quantizer of what is coarsest in the picture, 0..63 */
    int64_t last_pts_ms;
    bool started;
};

static vpx_codec_iface_t *iface_of(enum px_codec codec) {
    return codec == PX_CODEC_VP8 ? vpx_codec_vp8_cx() : vpx_codec_vp9_cx();
}

static int probe(const struct px_encoder_ops *ops, struct px_error *err) {
    vpx_codec_enc_cfg_t cfg;
    if (vpx_codec_enc_config_default(iface_of(ops->codec), &cfg, 0) != VPX_CODEC_OK)
        return px_fail(err, -ENOTSUP, "libvpx was built without %s", px_codec_name(ops->codec));
    return 0;
}

static unsigned quantizer(unsigned quality) {
    return quality >= 100 ? 63 : quality * 63 / 100;
}

static void set_bounds(struct vpx *v, const struct px_encoder_opts *o) {
    v->cfg.rc_target_bitrate = o->rate_kbps < RATE_MAX_KBPS ? o->rate_kbps : RATE_MAX_KBPS;
    v->cfg.rc_min_quantizer = quantizer(o->min_quality);
    v->cfg.rc_max_quantizer = quantizer(o->max_quality);
}

/* A refinement comes at least a good step nearer to the best, or it would be for nothing. */
static void bound(struct vpx *v, bool refine) {
    const unsigned best = quantizer(v->base.opts.min_quality);
    unsigned worst = quantizer(v->base.opts.max_quality);
    if (refine)
        worst = v->coarsest > best + FINE + STEP ? v->coarsest - STEP : best + FINE;
    if (worst == v->cfg.rc_max_quantizer && !v->bounds_new)
        return;
    v->bounds_new = false;
    set_bounds(v, &v->base.opts);
    v->cfg.rc_max_quantizer = worst;
    vpx_codec_enc_config_set(&v->ctx, &v->cfg);
}

static void configure(struct vpx *v, const struct px_encoder_opts *o) {
    vpx_codec_enc_cfg_t *c = &v->cfg;
    c->g_w = (unsigned)o->width;
    c->g_h = (unsigned)o->height;
    c->g_profile = o->i444 ? 1 : 0;
    c->g_timebase = (vpx_rational_t){1, 1000};
    /* VP8's threads wait for each other by spinning: on busy cores that costs a hundred times more
     * than they bring. */
    c->g_threads = o->codec == PX_CODEC_VP8 ? 1 : o->threads;
    c->g_lag_in_frames = 0;
    c->g_error_resilient = 0; /* TCP loses nothing */
    c->g_pass = VPX_RC_ONE_PASS;
    c->rc_end_usage = VPX_CBR;
    c->rc_dropframe_thresh = 0; /* we drop before encoding, never after */
    c->rc_undershoot_pct = 100;
    c->rc_overshoot_pct = 50;
    c->rc_buf_sz = 1000;
    c->rc_buf_initial_sz = 500;
    c->rc_buf_optimal_sz = 600;
    c->kf_mode = VPX_KF_DISABLED; /* on request only */
    set_bounds(v, o);
}

static void set_controls(struct vpx *v, const struct px_encoder_opts *o) {
    vpx_codec_ctx_t *x = &v->ctx;
    vpx_codec_control(x, VP8E_SET_STATIC_THRESHOLD, 1);
    if (o->codec == PX_CODEC_VP8) {
        vpx_codec_control(x, VP8E_SET_CPUUSED, VP8_SPEED_SMALL); /* set_speed() */
        vpx_codec_control(x, VP8E_SET_SCREEN_CONTENT_MODE, 1);
        vpx_codec_control(x, VP8E_SET_TOKEN_PARTITIONS, 1);
        vpx_codec_control(x, VP8E_SET_NOISE_SENSITIVITY, 0);
        return;
    }
    vpx_codec_control(x, VP8E_SET_CPUUSED, 9);
    vpx_codec_control(x, VP9E_SET_TUNE_CONTENT, VP9E_CONTENT_SCREEN);
    vpx_codec_control(x, VP9E_SET_AQ_MODE, 3);
    vpx_codec_control(x, VP9E_SET_ROW_MT, 1);
    vpx_codec_control(x, VP9E_SET_TILE_COLUMNS, o->width >= 512 ? 1 : 0);
    vpx_codec_control(x, VP9E_SET_FRAME_PARALLEL_DECODING, 0);
    vpx_codec_control(x, VP9E_SET_GF_CBR_BOOST_PCT, 0);
    vpx_codec_control(x, VP9E_SET_NOISE_SENSITIVITY, 0);
    vpx_codec_control(x, VP9E_SET_COLOR_SPACE, VPX_CS_BT_601);
    vpx_codec_control(x, VP9E_SET_COLOR_RANGE, VPX_CR_STUDIO_RANGE);
}

static int vpx_open(const struct px_encoder_ops *ops, const struct px_encoder_opts *o,
                    struct px_encoder **ret, struct px_error *err) {
    if (o->codec == PX_CODEC_VP8 && o->i444)
        return px_fail(err, -ENOTSUP, "VP8 has no 4:4:4");
    struct vpx *v = px_new0(struct vpx, 1);
    vpx_codec_enc_config_default(iface_of(o->codec), &v->cfg, 0);
    configure(v, o);
    vpx_codec_err_t e = vpx_codec_enc_init(&v->ctx, iface_of(o->codec), &v->cfg, 0);
    if (e != VPX_CODEC_OK) {
        free(v);
        return px_fail(err, -ENOTSUP, "libvpx: %s at %dx%d: %s", px_codec_name(o->codec), o->width,
                       o->height, vpx_codec_err_to_string(e));
    }
    set_controls(v, o);
    v->map.cols = (unsigned)(o->width + BLOCK - 1) / BLOCK;
    v->map.rows = (unsigned)(o->height + BLOCK - 1) / BLOCK;
    v->map.active_map = px_calloc(v->map.cols, v->map.rows);
    *ret = &v->base;
    return 0;
}

static void mark(struct vpx *v, struct px_rect r) {
    const unsigned x0 = (unsigned)r.x / BLOCK, y0 = (unsigned)r.y / BLOCK;
    const unsigned x1 = (unsigned)(r.x + r.w + BLOCK - 1) / BLOCK;
    const unsigned y1 = (unsigned)(r.y + r.h + BLOCK - 1) / BLOCK;
    for (unsigned y = y0; y < y1 && y < v->map.rows; y++)
        for (unsigned x = x0; x < x1 && x < v->map.cols; x++)
            v->map.active_map[y * v->map.cols + x] = 1;
}

/* NULL @changed: everything. */
static void set_map(struct vpx *v, const struct px_region *changed) {
    if (!changed) {
        if (v->map_on) {
            memset(v->map.active_map, 1, (size_t)v->map.cols * v->map.rows);
            vpx_codec_control(&v->ctx, VP8E_SET_ACTIVEMAP, &v->map);
        }
        v->map_on = false;
        return;
    }
    memset(v->map.active_map, 0, (size_t)v->map.cols * v->map.rows);
    for (int i = 0; i < changed->n; i++)
        mark(v, changed->rects[i]);
    vpx_codec_control(&v->ctx, VP8E_SET_ACTIVEMAP, &v->map);
    v->map_on = true;
}

/* VP8 looks farther for moved blocks when most of the screen changes. */
static void set_speed(struct vpx *v, const struct px_region *changed) {
    const struct px_encoder_opts *o = &v->base.opts;
    const bool large = changed && px_region_area(changed) * 2 >= (int64_t)o->width * o->height;
    if (o->codec == PX_CODEC_VP8 && large != v->large)
        vpx_codec_control(&v->ctx, VP8E_SET_CPUUSED, large ? VP8_SPEED_LARGE : VP8_SPEED_SMALL);
    v->large = large;
}

static void wrap(vpx_image_t *img, const struct px_picture *pic) {
    memset(img, 0, sizeof(*img));
    img->fmt = pic->i444 ? VPX_IMG_FMT_I444 : VPX_IMG_FMT_I420;
    img->cs = VPX_CS_BT_601;
    img->range = VPX_CR_STUDIO_RANGE;
    img->w = img->d_w = (unsigned)pic->width;
    img->h = img->d_h = (unsigned)pic->height;
    img->x_chroma_shift = img->y_chroma_shift = pic->i444 ? 0 : 1;
    img->bit_depth = 8;
    img->bps = pic->i444 ? 24 : 12;
    for (int i = 0; i < 3; i++) {
        img->planes[i] = pic->planes[i];
        img->stride[i] = pic->strides[i];
    }
}

/* How good the packet is, and the picture with it. */
static void judge(struct vpx *v, struct px_packet *p, bool refine) {
    int q = 63;
    vpx_codec_control(&v->ctx, VP8E_GET_LAST_QUANTIZER_64, &q);
    p->fine = q <= (int)(quantizer(v->base.opts.min_quality) + FINE);
    if (p->key || refine || (unsigned)q > v->coarsest)
        v->coarsest = (unsigned)q;
}

static int vpx_push(struct px_encoder *enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    struct vpx *v = px_container_of(enc, struct vpx, base);
    vpx_image_t img;
    wrap(&img, pic);
    set_map(v, key || !v->started ? NULL : changed);
    bound(v, refine);
    set_speed(v, changed);
    if (v->started && pts_ms <= v->last_pts_ms)
        pts_ms = v->last_pts_ms + 1;
    /* The rate control pays out bits by duration; after a pause it must not think it is rich. */
    int64_t duration = v->started ? pts_ms - v->last_pts_ms : 33;
    if (duration > 100)
        duration = 100;
    const vpx_codec_err_t e = vpx_codec_encode(&v->ctx, &img, pts_ms, (unsigned long)duration,
                                               key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME);
    if (e != VPX_CODEC_OK)
        return px_fail(err, -EIO, "libvpx: %s", vpx_codec_err_to_string(e));
    v->last_pts_ms = pts_ms;
    v->started = true;
    vpx_codec_iter_t it = NULL;
    const vpx_codec_cx_pkt_t *pkt;
    while ((pkt = vpx_codec_get_cx_data(&v->ctx, &it)))
        if (pkt->kind == VPX_CODEC_CX_FRAME_PKT) {
            *ret = (struct px_packet){.data = pkt->data.frame.buf,
                                      .size = pkt->data.frame.sz,
                                      .key = pkt->data.frame.flags & VPX_FRAME_IS_KEY};
            judge(v, ret, refine);
            return 1;
        }
    return 0;
}

static void vpx_set_rate(struct px_encoder *enc) {
    struct vpx *v = px_container_of(enc, struct vpx, base);
    v->bounds_new = true;
}

static void vpx_close(struct px_encoder *enc) {
    struct vpx *v = px_container_of(enc, struct vpx, base);
    vpx_codec_destroy(&v->ctx);
    free(v->map.active_map);
    free(v);
}

const struct px_encoder_ops px_encoders_vpx[] = {
    {"libvpx-vp9", PX_CODEC_VP9, false, probe, vpx_open, vpx_push, vpx_set_rate, vpx_close},
    {"libvpx-vp8", PX_CODEC_VP8, false, probe, vpx_open, vpx_push, vpx_set_rate, vpx_close},
    {0},
};
