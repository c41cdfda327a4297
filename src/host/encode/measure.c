/* src/host/encode/measure.c - what each encoder takes here, for each kind of content */
#include "host/encode/measure.h"
#include "base/alloc.h"
#include "host/encode/av.h"
#include <math.h>
#include <string.h>
#include <time.h>

#define FILM_TIMES 4 /* as many pictures as of other kinds: until it is known to be a film */
#define WORST 95     /* quality, see struct px_encoder_opts */

struct run {
    const struct px_measure_opts *opts;
    struct px_encoder *enc;
    struct px_av lib;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame;
    struct px_scene scene;
    clockid_t clock;
    int64_t pts_ms;
    uint32_t encode_us[FILM_TIMES * PX_MEASURE_PICTURES_MAX];
    uint32_t decode_us[FILM_TIMES * PX_MEASURE_PICTURES_MAX];
};

static uint32_t us_since(clockid_t clock, const struct timespec *since) {
    struct timespec now;
    clock_gettime(clock, &now);
    const int64_t ns =
        (now.tv_sec - since->tv_sec) * INT64_C(1000000000) + now.tv_nsec - since->tv_nsec;
    return (uint32_t)(ns / 1000);
}

static enum AVCodecID id_of(enum px_codec codec) {
    switch (codec) {
    case PX_CODEC_VP8:
        return AV_CODEC_ID_VP8;
    case PX_CODEC_VP9:
        return AV_CODEC_ID_VP9;
    case PX_CODEC_AV1:
        return AV_CODEC_ID_AV1;
    case PX_CODEC_H264:
        return AV_CODEC_ID_H264;
    case PX_CODEC_H265:
        return AV_CODEC_ID_HEVC;
    }
    return AV_CODEC_ID_NONE;
}

static int open_decoder(struct run *r, enum px_codec codec, struct px_error *err) {
    /* libavcodec's own AV1 decoder wants hardware; dav1d does not. */
    const AVCodec *c = codec == PX_CODEC_AV1 ? r->lib.avcodec_find_decoder_by_name("libdav1d")
                                             : r->lib.avcodec_find_decoder(id_of(codec));
    if (!c)
        return px_fail(err, -EIO, "libavcodec decodes no %s", px_codec_name(codec));
    r->decoder = r->lib.avcodec_alloc_context3(c);
    r->decoder->thread_count = 1;
    r->decoder->flags |= AV_CODEC_FLAG_LOW_DELAY;
    r->packet = r->lib.av_packet_alloc();
    r->frame = r->lib.av_frame_alloc();
    const int e = r->lib.avcodec_open2(r->decoder, c, NULL);
    char why[AV_ERROR_MAX_STRING_SIZE];
    return e < 0 ? px_fail(err, -EIO, "%s: %s", c->name, px_av_reason(&r->lib, e, why)) : 0;
}

static int decode(struct run *r, const struct px_packet *p, struct px_error *err) {
    char why[AV_ERROR_MAX_STRING_SIZE];
    int e = r->lib.av_new_packet(r->packet, (int)p->size);
    if (e < 0)
        return px_fail(err, -EIO, "%s", px_av_reason(&r->lib, e, why));
    memcpy(r->packet->data, p->data, p->size);
    e = r->lib.avcodec_send_packet(r->decoder, r->packet);
    if (e >= 0)
        e = r->lib.avcodec_receive_frame(r->decoder, r->frame);
    r->lib.av_packet_unref(r->packet);
    return e < 0 ? px_fail(err, -EIO, "what it writes is not decoded: %s",
                           px_av_reason(&r->lib, e, why))
                 : 0;
}

/* Tenths of dB of luma in @a. */
static uint32_t likeness(const struct px_picture *p, const AVFrame *f, struct px_rect a) {
    uint64_t sum = 0;
    for (int y = a.y; y < a.y + a.h; y++)
        for (int x = a.x; x < a.x + a.w; x++) {
            const int d = p->planes[0][(ptrdiff_t)y * p->strides[0] + x] -
                          f->data[0][(ptrdiff_t)y * f->linesize[0] + x];
            sum += (uint64_t)(d * d);
        }
    return (uint32_t)(10 * 10 * log10(255.0 * 255 * a.w * a.h / (double)(sum ? sum : 1)));
}

/* One picture through encoder and decoder. */
static int pass(struct run *r, const struct px_region *changed, uint32_t *ret_encode_us,
                uint32_t *ret_decode_us, uint32_t *ret_bytes, struct px_error *err) {
    struct px_packet p;
    struct timespec since;
    if (r->opts->stop && r->opts->stop(r->opts->data))
        return px_fail(err, -ECANCELED, "stopped");
    clock_gettime(r->clock, &since);
    int e = px_encoder_push_once(r->enc, &r->scene.picture, changed, r->pts_ms, !changed, false, &p,
                                 err);
    *ret_encode_us = us_since(r->clock, &since);
    r->pts_ms += 16;
    if (e <= 0)
        return e < 0 ? e : px_fail(err, -EIO, "it keeps pictures back");
    clock_gettime(r->clock, &since);
    e = decode(r, &p, err);
    *ret_decode_us = us_since(r->clock, &since);
    *ret_bytes = (uint32_t)p.size;
    return e;
}

static int by_size(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t median(uint32_t *of, unsigned n) {
    qsort(of, n, sizeof(*of), by_size);
    return of[n / 2];
}

/* A film's grain could cost any number of bytes: it gets as many as lines have for films, so that
 * what is compared is a quality that one would see. */
#define FILM_BITS_PER_PIXEL 0.12
#define FILM_FPS 60

static unsigned film_kbps(const struct px_measure_opts *o) {
    const double kbps = FILM_BITS_PER_PIXEL * FILM_FPS * o->width * o->height / 1000;
    return kbps < 1 ? 1 : (unsigned)kbps;
}

static int measure_kind(struct run *r, enum px_scene_kind kind, struct px_figures *f,
                        struct px_error *err) {
    const bool film = kind == PX_SCENE_VIDEO;
    const unsigned n = r->opts->n_pictures * (film ? FILM_TIMES : 1);
    const unsigned settled = film ? n / 2 : 1; /* before: what was there before */
    struct px_region changed;
    uint64_t bytes = 0, ddb = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t size;
        px_scene_step(&r->scene, kind, &changed);
        const int e = pass(r, &changed, &r->encode_us[i], &r->decode_us[i], &size, err);
        if (e < 0)
            return e;
        if (i < settled)
            continue;
        bytes += size;
        ddb += likeness(&r->scene.picture, r->frame, changed.rects[0]);
    }
    f->bytes[kind] = (uint32_t)(bytes / (n - settled));
    f->ddb[kind] = (uint32_t)(ddb / (n - settled));
    /* Later on a film may take more time for fewer bytes, which only tight lines make it do. */
    f->encode_us[kind] = median(r->encode_us, film ? settled : n);
    f->decode_us[kind] = median(r->decode_us, n);
    return 0;
}

static int measure_all(struct run *r, struct px_figures *f, struct px_error *err) {
    uint32_t ignored;
    int e = open_decoder(r, f->codec, err);
    if (e >= 0)
        e = pass(r, NULL, &f->key_us, &ignored, &f->key_bytes, err);
    for (int k = 0; k < PX_N_SCENES && e >= 0; k++) {
        if (k == PX_SCENE_VIDEO)
            px_encoder_set_rate(r->enc, film_kbps(r->opts), r->opts->min_quality, WORST);
        e = measure_kind(r, (enum px_scene_kind)k, f, err);
    }
    return e;
}

/* Of a letter typed on a screen of four times the area, the encoding. 0: it cannot be told. */
static uint32_t time_large(struct px_encoders *e, size_t i, struct px_encoder_opts o,
                           const struct px_measure_opts *opts) {
    struct px_encoder *enc = NULL;
    struct px_scene scene;
    uint32_t us[PX_MEASURE_PICTURES_MAX], median_us = 0;
    unsigned n = 0;
    o.width *= 2;
    o.height *= 2;
    if (px_encoder_open_at(e, i, &o, &enc, NULL) < 0)
        return 0;
    px_scene_init(&scene, o.width, o.height);
    for (; n <= opts->n_pictures && !(opts->stop && opts->stop(opts->data)); n++) {
        struct px_region changed;
        struct px_packet p;
        struct timespec since;
        px_scene_step(&scene, PX_SCENE_TYPING, &changed);
        clock_gettime(CLOCK_MONOTONIC, &since);
        if (px_encoder_push_once(enc, &scene.picture, &changed, n * 16, n == 0, false, &p, NULL) <=
            0)
            break;
        if (n > 0) /* after the key frame */
            us[n - 1] = us_since(CLOCK_MONOTONIC, &since);
    }
    if (n > opts->n_pictures)
        median_us = median(us, opts->n_pictures);
    px_scene_fini(&scene);
    px_encoder_close(enc);
    return median_us;
}

/* What cards take for any picture, however small: the rest grows with it. */
static uint32_t fixed_us(struct px_encoders *e, size_t i, const struct px_encoder_opts *o,
                         const struct px_measure_opts *opts, const struct px_figures *f) {
    const int64_t small = f->encode_us[PX_SCENE_TYPING], large = time_large(e, i, *o, opts);
    const int64_t fixed = large > 0 ? (4 * small - large) / 3 : 0;
    return (uint32_t)(fixed < 0 ? 0 : fixed < small ? fixed : small);
}

int px_measure(struct px_encoders *e, size_t i, const struct px_measure_opts *opts,
               struct px_figures *ret, struct px_error *err) {
    const struct px_encoder_ops *ops = px_encoders_at(e, i);
    const struct px_encoder_opts o = {.codec = ops->codec,
                                      .width = opts->width,
                                      .height = opts->height,
                                      .rate_kbps = opts->rate_kbps,
                                      .min_quality = opts->min_quality,
                                      .max_quality = WORST,
                                      .threads = opts->threads};
    struct px_figures f = {.codec = ops->codec, .hardware = ops->hardware};
    struct run *r = px_new0(struct run, 1);
    r->opts = opts;
    r->clock = ops->hardware || opts->threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
    snprintf(f.name, sizeof(f.name), "%s", ops->name);
    int n = px_av_open(false, &r->lib, err);
    if (n < 0) {
        free(r);
        return n;
    }
    n = px_encoder_open_at(e, i, &o, &r->enc, err);
    if (n >= 0) {
        px_scene_init(&r->scene, opts->width, opts->height);
        n = measure_all(r, &f, err);
        px_encoder_close(r->enc);
        px_scene_fini(&r->scene);
    }
    if (n >= 0 && ops->hardware)
        f.fixed_us = fixed_us(e, i, &o, opts, &f);
    r->lib.avcodec_free_context(&r->decoder);
    r->lib.av_packet_free(&r->packet);
    r->lib.av_frame_free(&r->frame);
    px_av_close(&r->lib);
    free(r);
    if (n >= 0)
        *ret = f;
    return n;
}
