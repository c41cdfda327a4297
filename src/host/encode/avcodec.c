/* src/host/encode/avcodec.c - AV1 in software, and NVENC once more, by libavcodec
 *
 * NVENC's H.264 and H.265 are nvenc.c's; here they stand behind it, should it not get along with a
 * driver. AV1 is here alone: NVIDIA's headers of Debian 12 do not know it yet.
 * What libavcodec was built with is looked up by name at run time; whether a card is there shows
 * when a small encoder opens. */
#include "host/encode/av.h"
#include "host/encode/budget.h"
#include "host/encode/encoder.h"
#include "base/alloc.h"
#include <libavutil/intreadwrite.h>
#include <string.h>

#define RATE_MAX_KBPS 200000 /* faster lines are all the same to them */

struct av {
    struct px_encoder base;
    struct px_av lib;
    AVCodecContext *ctx;
    AVFrame *frame;
    AVPacket *packet;
    int64_t last_pts_ms;
    int last_qp; /* of a refinement; 0: none yet */
    bool started;
};

static bool named(const AVCodec *c, const char *part) {
    return strstr(c->name, part) != NULL;
}

static void set(const struct px_av *lib, AVCodecContext *c, const char *key, const char *value) {
    (void)lib->av_opt_set(c->priv_data, key, value, 0); /* not all versions know all of them */
}

static void tune(const struct px_av *lib, AVCodecContext *c) {
    if (named(c->codec, "nvenc")) {
        set(lib, c, "preset", "p2");
        set(lib, c, "tune", "ull");
        /* Not "cbr": that fills each picture up to its share of the rate, and knows no quantizers.
         */
        set(lib, c, "rc", "vbr");
        set(lib, c, "surfaces", "2");
        set(lib, c, "zerolatency", "1");
        set(lib, c, "delay", "0");
        set(lib, c, "forced-idr", "1");
    } else if (named(c->codec, "libaom")) {
        set(lib, c, "usage", "realtime");
        set(lib, c, "row-mt", "1");
        set(lib, c, "lag-in-frames", "0");
        /* Text is made of few colours: with palettes, guesses from neighbours other than straight
         * ones bring no byte, but take two thirds of a key frame's time. Costs of modes and numbers
         * are told anew only at key frames: a sixth of typing's time. */
        set(lib, c, "aom-params",
            "cpu-used=10:tune-content=screen:enable-palette=1:enable-intrabc=0:aq-mode=3:"
            "enable-smooth-intra=0:enable-paeth-intra=0:enable-cfl-intra=0:enable-angle-delta=0:"
            "enable-filter-intra=0:enable-diagonal-intra=0:"
            "coeff-cost-upd-freq=3:mode-cost-upd-freq=3:mv-cost-upd-freq=3");
    }
}

static int quantizer_max(const AVCodec *c) {
    return named(c, "av1") ? (named(c, "nvenc") ? 255 : 63) : 51;
}

static void set_bounds(AVCodecContext *c, unsigned rate_kbps, unsigned min_q, unsigned max_q) {
    const unsigned kbps = rate_kbps < RATE_MAX_KBPS ? rate_kbps : RATE_MAX_KBPS;
    c->bit_rate = (int64_t)kbps * 1000;
    c->rc_max_rate = c->bit_rate;
    c->rc_buffer_size = (int)(kbps * PX_BUDGET_MS);
    c->qmin = (int)min_q * quantizer_max(c->codec) / 100;
    c->qmax = (int)max_q * quantizer_max(c->codec) / 100;
}

static int open_ctx(const struct px_av *lib, const char *name, const struct px_encoder_opts *o,
                    AVCodecContext **ret, struct px_error *err) {
    const AVCodec *codec = lib->avcodec_find_encoder_by_name(name);
    if (!codec)
        return px_fail(err, -ENOTSUP, "libavcodec was built without %s", name);
    AVCodecContext *c = lib->avcodec_alloc_context3(codec);
    c->width = o->width;
    c->height = o->height;
    c->time_base = (AVRational){1, 1000};
    c->framerate = (AVRational){60, 1};
    c->pix_fmt = o->i444 ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P;
    c->color_range = AVCOL_RANGE_MPEG;
    c->colorspace = AVCOL_SPC_SMPTE170M;
    c->color_primaries = AVCOL_PRI_SMPTE170M;
    c->color_trc = AVCOL_TRC_SMPTE170M;
    c->gop_size = named(codec, "nvenc") ? 1 << 30 : 100000;
    c->max_b_frames = 0;
    c->has_b_frames = 0;
    c->thread_count = (int)o->threads;
    c->thread_type = FF_THREAD_SLICE; /* threads by frame would keep a picture back each */
    c->flags |= AV_CODEC_FLAG_LOW_DELAY;
    set_bounds(c, o->rate_kbps, o->min_quality, o->max_quality);
    tune(lib, c);
    const int r = lib->avcodec_open2(c, codec, NULL);
    if (r < 0) {
        char why[AV_ERROR_MAX_STRING_SIZE];
        lib->avcodec_free_context(&c);
        return px_fail(err, -EIO, "%s at %dx%d: %s", name, o->width, o->height,
                       px_av_reason(lib, r, why));
    }
    *ret = c;
    return 0;
}

static int probe(const struct px_encoder_ops *ops, struct px_error *err) {
    const struct px_encoder_opts o = {.codec = ops->codec,
                                      .width = 640,
                                      .height = 480,
                                      .rate_kbps = 1000,
                                      .max_quality = 100,
                                      .threads = 1};
    AVCodecContext *c = NULL;
    struct px_av lib;
    int r = px_av_open(true, &lib, err);
    if (r < 0)
        return r;
    const int level = lib.av_log_get_level();
    lib.av_log_set_level(AV_LOG_QUIET); /* "no NVENC" is an answer here, not trouble */
    r = open_ctx(&lib, ops->name, &o, &c, err);
    lib.av_log_set_level(level > AV_LOG_ERROR ? AV_LOG_ERROR : level);
    lib.avcodec_free_context(&c);
    px_av_close(&lib);
    return r < 0 ? px_wrap(err, -ENODEV, "libavcodec") : r;
}

static void av_close(struct px_encoder *enc) {
    struct av *a = px_container_of(enc, struct av, base);
    a->lib.avcodec_free_context(&a->ctx);
    a->lib.av_frame_free(&a->frame);
    a->lib.av_packet_free(&a->packet);
    px_av_close(&a->lib);
    free(a);
}

static int av_open(const struct px_encoder_ops *ops, const struct px_encoder_opts *o,
                   struct px_encoder **ret, struct px_error *err) {
    if (o->i444 && (o->codec == PX_CODEC_H264 || o->codec == PX_CODEC_H265))
        return px_fail(err, -ENOTSUP, "clients take %s in 4:2:0 only", px_codec_name(o->codec));
    if (!o->i444 && (o->width % 2 || o->height % 2) && o->codec != PX_CODEC_AV1)
        return px_fail(err, -ENOTSUP, "%s wants even sizes", px_codec_name(o->codec));
    struct av *a = px_new0(struct av, 1);
    int r = px_av_open(true, &a->lib, err);
    if (r >= 0) {
        a->lib.av_log_set_level(AV_LOG_ERROR);
        r = open_ctx(&a->lib, ops->name, o, &a->ctx, err);
    }
    if (r < 0) {
        px_av_close(&a->lib);
        free(a);
        return r;
    }
    a->frame = a->lib.av_frame_alloc();
    a->packet = a->lib.av_packet_alloc();
    *ret = &a->base;
    return 0;
}

/* The mean quantizer that NVENC tells of a picture; -1: it tells none. */
static int mean_qp(const struct px_av *lib, const AVPacket *p) {
    size_t size;
    const uint8_t *data = lib->av_packet_get_side_data(p, AV_PKT_DATA_QUALITY_STATS, &size);
    return data && size >= 4 ? (int)AV_RL32(data) / FF_QP2LAMBDA + 1 : -1;
}

/* Nothing is gained by refining once more: it is as fine as it may be, or came no nearer to that,
 * or nobody knows. */
static bool is_fine(struct av *a, bool refine) {
    const int qp = named(a->ctx->codec, "nvenc") ? mean_qp(&a->lib, a->packet) : -1;
    const bool stalled = qp < 0 || (a->last_qp > 0 && qp >= a->last_qp);
    a->last_qp = refine && qp > 0 ? qp : 0;
    return (qp >= 0 && qp <= a->ctx->qmin + 1) || (refine && stalled);
}

static int av_push(struct px_encoder *enc, const struct px_picture *pic,
                   const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                   struct px_packet *ret, struct px_error *err) {
    struct av *a = px_container_of(enc, struct av, base);
    AVFrame *f = a->frame;
    if (a->started && pts_ms <= a->last_pts_ms)
        pts_ms = a->last_pts_ms + 1;
    a->last_pts_ms = pts_ms;
    key = key || !a->started;
    a->started = true;
    f->format = a->ctx->pix_fmt;
    f->width = pic->width;
    f->height = pic->height;
    f->pts = pts_ms;
    f->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    f->color_range = AVCOL_RANGE_MPEG;
    f->colorspace = AVCOL_SPC_SMPTE170M;
    for (int i = 0; i < 3; i++) {
        f->data[i] = pic->planes[i];
        f->linesize[i] = pic->strides[i];
    }
    int r = a->lib.avcodec_send_frame(a->ctx, f);
    if (r >= 0) {
        a->lib.av_packet_unref(a->packet);
        r = a->lib.avcodec_receive_packet(a->ctx, a->packet);
    }
    if (r == AVERROR(EAGAIN))
        return 0;
    if (r < 0) {
        char why[AV_ERROR_MAX_STRING_SIZE];
        return px_fail(err, -EIO, "%s: %s", enc->ops->name, px_av_reason(&a->lib, r, why));
    }
    *ret = (struct px_packet){.data = a->packet->data,
                              .size = (size_t)a->packet->size,
                              .key = a->packet->flags & AV_PKT_FLAG_KEY,
                              .fine = is_fine(a, refine)};
    return 1;
}

static void av_set_rate(struct px_encoder *enc) {
    struct av *a = px_container_of(enc, struct av, base);
    const int64_t rate = (int64_t)enc->opts.rate_kbps * 1000, now = a->ctx->bit_rate;
    /* NVENC takes these over at the next picture, and libavcodec makes that a key frame. */
    if (named(a->ctx->codec, "nvenc") && rate < now * 2 && rate * 2 > now)
        return;
    set_bounds(a->ctx, enc->opts.rate_kbps, enc->opts.min_quality, enc->opts.max_quality);
}

#define AV(NAME, CODEC, HARDWARE, PROBE)                                                           \
    { NAME, PX_CODEC_##CODEC, HARDWARE, PROBE, av_open, av_push, av_set_rate, av_close }

/* Software H.264 is h264.c's and x264.c's, AV1 av1.c's but for 4:4:4. Software H.265 is left out:
 * it is slower than everything else here for no gain in the picture. Whether libavcodec has it
 * shows when somebody wants it: to ask would be to load it. */
const struct px_encoder_ops px_encoders_avcodec[] = {
    AV("libaom-av1", AV1, false, NULL),
    {0},
};

/* Behind nvenc.c's of the same codec. */
const struct px_encoder_ops px_encoders_avcodec_nvenc[] = {
    AV("h264_nvenc", H264, true, probe),
    AV("hevc_nvenc", H265, true, probe),
    AV("av1_nvenc", AV1, true, probe),
    {0},
};
