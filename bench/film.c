/* bench/film.c - a film on a tight line, by each encoder
 *
 *     film FILE WIDTH HEIGHT FPS KBPS [NAME...]
 *
 * FILE: pictures of WIDTH x HEIGHT in 4:2:0, raw, one after the other. They play in the middle of
 * a 1920x1080 desktop of text, which all have seen at its best before. The line takes KBPS; an
 * encoder is told 8/10 of that, as in the host, and a picture that finds more than 15 ms of others
 * before it is left out. One row for each encoder: pictures seen a second, CPU ms and bytes of
 * each, and how near they are to what they show: dB of luma's mean square error, and SSIM (luma,
 * 8x8 pixels every 4), means over the coded pictures; then dB against the film at every one of its
 * times, with what was last seen.
 */
#include "base/alloc.h"
#include "host/encode/encoder.h"
#include "host/encode/scene.h"
#include <libavcodec/avcodec.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WIDTH 1920
#define HEIGHT 1080
#define SLACK_MS 15
#define SETTLE_MAX 4000 /* parts of the first picture */
#define STEP_MS 16

struct film {
    FILE *file;
    int width, height;
    double fps, kbps;
    struct px_rect at;
    struct px_scene scene;
    struct px_encoder *enc;
    AVCodecContext *decoder;
    AVPacket *packet;
    AVFrame *frame;
};

struct sums {
    int n, n_coded;
    double ms, bytes, db, ssim, seen_db, free_ms;
};

static void die(const char *what) {
    fprintf(stderr, "film: %s\n", what);
    exit(1);
}

static bool read_picture(struct film *f) {
    for (int plane = 0; plane < 3; plane++) {
        const int shift = plane ? 1 : 0, n = f->width >> shift;
        const struct px_picture *p = &f->scene.picture;
        for (int y = 0; y < f->height >> shift; y++)
            if (fread(p->planes[plane] + (ptrdiff_t)((f->at.y >> shift) + y) * p->strides[plane] +
                          (f->at.x >> shift),
                      1, (size_t)n, f->file) != (size_t)n)
                return false;
    }
    return true;
}

static void open_decoder(struct film *f, enum px_codec codec) {
    static const enum AVCodecID ids[PX_N_CODECS] = {
        [PX_CODEC_VP8] = AV_CODEC_ID_VP8,   [PX_CODEC_VP9] = AV_CODEC_ID_VP9,
        [PX_CODEC_AV1] = AV_CODEC_ID_AV1,   [PX_CODEC_H264] = AV_CODEC_ID_H264,
        [PX_CODEC_H265] = AV_CODEC_ID_HEVC,
    };
    const AVCodec *c = codec == PX_CODEC_AV1 ? avcodec_find_decoder_by_name("libdav1d")
                                             : avcodec_find_decoder(ids[codec]);
    if (!c)
        die("libavcodec lacks a decoder");
    f->decoder = avcodec_alloc_context3(c);
    f->decoder->thread_count = 1;
    f->decoder->flags |= AV_CODEC_FLAG_LOW_DELAY;
    if (avcodec_open2(f->decoder, c, NULL) < 0)
        die("a decoder does not open");
}

static void decode(struct film *f, const struct px_packet *p) {
    if (av_new_packet(f->packet, (int)p->size) < 0)
        die("no memory");
    memcpy(f->packet->data, p->data, p->size);
    if (avcodec_send_packet(f->decoder, f->packet) < 0 ||
        avcodec_receive_frame(f->decoder, f->frame) < 0)
        die("a packet is not decoded");
    av_packet_unref(f->packet);
}

/* ---- likeness of what is decoded to what there is now ---- */

static const uint8_t *shown(const struct film *f, int x, int y) {
    return f->frame->data[0] + (ptrdiff_t)y * f->frame->linesize[0] + x;
}

static const uint8_t *wanted(const struct film *f, int x, int y) {
    return f->scene.picture.planes[0] + (ptrdiff_t)y * f->scene.picture.strides[0] + x;
}

static double square_error(const struct film *f) {
    double sum = 0;
    for (int y = f->at.y; y < f->at.y + f->at.h; y++) {
        const uint8_t *a = shown(f, f->at.x, y), *b = wanted(f, f->at.x, y);
        for (int x = 0; x < f->at.w; x++)
            sum += (a[x] - b[x]) * (a[x] - b[x]);
    }
    return sum / f->at.w / f->at.h;
}

static double db(double square) {
    return 10 * log10(255.0 * 255 / (square > 0.01 ? square : 0.01));
}

static double ssim_at(const struct film *f, int x, int y) {
    double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
    for (int i = 0; i < 8; i++) {
        const uint8_t *p = shown(f, x, y + i), *q = wanted(f, x, y + i);
        for (int k = 0; k < 8; k++) {
            a += p[k];
            b += q[k];
            aa += p[k] * p[k];
            bb += q[k] * q[k];
            ab += p[k] * q[k];
        }
    }
    a /= 64;
    b /= 64;
    const double va = aa / 64 - a * a, vb = bb / 64 - b * b, cov = ab / 64 - a * b;
    const double c1 = 6.5025, c2 = 58.5225;
    return (2 * a * b + c1) * (2 * cov + c2) / ((a * a + b * b + c1) * (va + vb + c2));
}

static double ssim(const struct film *f) {
    double sum = 0;
    int n = 0;
    for (int y = f->at.y; y + 8 <= f->at.y + f->at.h; y += 4)
        for (int x = f->at.x; x + 8 <= f->at.x + f->at.w; x += 4, n++)
            sum += ssim_at(f, x, y);
    return sum / n;
}

/* ---- pictures ---- */

static double ms_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void push(struct film *f, const struct px_region *changed, double at_ms, bool key,
                 bool refine, struct px_packet *ret) {
    struct px_error err = {0};
    if (px_encoder_push_once(f->enc, &f->scene.picture, changed, (int64_t)at_ms, key, refine, ret,
                             &err) <= 0)
        die(err.msg);
    decode(f, ret);
}

/* The desktop at its best, on a line that is quick for so long. Returns what time it is then. */
static double settle(struct film *f) {
    struct px_region all = {0};
    struct px_packet p;
    double at_ms = 0;
    px_region_add(&all, (struct px_rect){0, 0, WIDTH, HEIGHT});
    push(f, NULL, at_ms, true, false, &p);
    for (int i = 0; !p.fine && i < SETTLE_MAX; i++)
        push(f, &all, at_ms += STEP_MS, false, true, &p);
    return at_ms + 1000;
}

static void play(struct film *f, struct sums *s) {
    struct px_region changed = {0};
    const double begin_ms = settle(f);
    px_encoder_set_rate(f->enc, (unsigned)(f->kbps * 8 / 10), f->enc->opts.min_quality,
                        f->enc->opts.max_quality);
    px_region_add(&changed, f->at);
    px_region_align(&changed, WIDTH, HEIGHT);
    for (; read_picture(f); s->n++) {
        const double at_ms = s->n * 1000 / f->fps;
        if (s->free_ms <= at_ms + SLACK_MS) {
            struct px_packet p;
            const double since = ms_now();
            struct px_error err = {0};
            if (px_encoder_push_once(f->enc, &f->scene.picture, &changed,
                                     (int64_t)(begin_ms + at_ms), false, false, &p, &err) <= 0)
                die(err.msg);
            s->ms += ms_now() - since;
            decode(f, &p);
            s->n_coded++;
            s->bytes += (double)p.size;
            s->db += db(square_error(f));
            s->ssim += ssim(f);
            s->free_ms = (s->free_ms > at_ms ? s->free_ms : at_ms) + (double)p.size * 8 / f->kbps;
        }
        s->seen_db += db(square_error(f));
    }
}

static void one(struct film *f, struct px_encoders *all, size_t i) {
    const struct px_encoder_ops *ops = px_encoders_at(all, i);
    const struct px_encoder_opts o = {.codec = ops->codec,
                                      .width = WIDTH,
                                      .height = HEIGHT,
                                      .rate_kbps = 100000,
                                      .min_quality = 11,
                                      .max_quality = 95,
                                      .threads = 1};
    struct px_error err = {0};
    struct sums s = {0};
    if (px_encoder_open_at(all, i, &o, &f->enc, &err) < 0)
        die(err.msg);
    open_decoder(f, ops->codec);
    px_scene_init(&f->scene, WIDTH, HEIGHT);
    rewind(f->file);
    play(f, &s);
    printf("%-13s %5.0f %5.1f /s %6.2f ms %7.0f bytes %6.2f dB  ssim %.4f  all times %6.2f dB\n",
           ops->name, f->kbps, s.n_coded * f->fps / s.n, s.ms / s.n_coded, s.bytes / s.n_coded,
           s.db / s.n_coded, s.ssim / s.n_coded, s.seen_db / s.n);
    fflush(stdout);
    px_scene_fini(&f->scene);
    px_encoder_close(f->enc);
    avcodec_free_context(&f->decoder);
}

static bool is_named(const char *name, char **names) {
    for (char **n = names; *n; n++)
        if (strcmp(*n, name) == 0)
            return true;
    return !*names;
}

int main(int argc, char **argv) {
    struct film f = {0};
    struct px_encoders *all;
    struct px_error err = {0};
    if (argc < 6) {
        fputs("usage: film FILE WIDTH HEIGHT FPS KBPS [NAME...]\n", stderr);
        return 2;
    }
    f.file = fopen(argv[1], "rb");
    f.width = atoi(argv[2]) & ~1;
    f.height = atoi(argv[3]) & ~1;
    f.fps = atof(argv[4]);
    f.kbps = atof(argv[5]);
    if (!f.file || f.width < 16 || f.height < 16 || f.width > WIDTH || f.height > HEIGHT ||
        f.fps <= 0 || f.kbps <= 0)
        die("no such film");
    f.at = (struct px_rect){(WIDTH - f.width) / 2 & ~1, (HEIGHT - f.height) / 2 & ~1, f.width,
                            f.height};
    f.packet = av_packet_alloc();
    f.frame = av_frame_alloc();
    if (px_encoders_new(NULL, &all, &err) < 0)
        die(err.msg);
    for (size_t i = 0; px_encoders_at(all, i); i++)
        if (is_named(px_encoders_at(all, i)->name, argv + 6))
            one(&f, all, i);
    px_encoders_free(all);
    av_packet_free(&f.packet);
    av_frame_free(&f.frame);
    fclose(f.file);
    return 0;
}
