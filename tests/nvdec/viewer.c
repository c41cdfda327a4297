/* tests/nvdec/viewer.c - see viewer.h */
#include "viewer.h"
#include "base/alloc.h"
#include <libavcodec/avcodec.h>
#include <libavutil/hwcontext.h>
#include <string.h>

#define WAITING_MAX 32

struct viewer {
    struct viewer_opts opts;
    AVCodecContext *soft, *card;
    struct nvdec *nvdec;
    AVFrame *waiting[WAITING_MAX]; /* in software, and not by NVDEC yet */
    unsigned n_waiting;
    struct viewer_figures seen;
};

/* ---- libavcodec ---- */

static enum AVPixelFormat on_the_card(AVCodecContext *c, const enum AVPixelFormat *formats) {
    for (; *formats != AV_PIX_FMT_NONE; formats++)
        if (*formats == AV_PIX_FMT_CUDA)
            return *formats;
    return AV_PIX_FMT_NONE;
}

int viewer_device_open(struct AVBufferRef **ret, struct px_error *err) {
    const int e = av_hwdevice_ctx_create(ret, AV_HWDEVICE_TYPE_CUDA, "0", NULL, 0);
    return e < 0 ? px_fail(err, -EIO, "libavutil does not open the card: %s", av_err2str(e)) : 0;
}

void viewer_device_close(struct AVBufferRef *device) {
    av_buffer_unref(&device);
}

/* @name: a decoder's. @card: NULL: in software. Of frames' threads there are none: they hold
 * pictures back. */
static int open_decoder(const char *name, AVBufferRef *card, AVCodecContext **ret,
                        struct px_error *err) {
    const AVCodec *codec = avcodec_find_decoder_by_name(name);
    if (!codec)
        return px_fail(err, -ENOTSUP, "libavcodec has no %s", name);
    AVCodecContext *c = *ret = avcodec_alloc_context3(codec);
    c->err_recognition = AV_EF_EXPLODE;
    c->thread_type = FF_THREAD_SLICE;
    c->thread_count = card ? 1 : 4;
    if (card) {
        c->get_format = on_the_card;
        c->hw_device_ctx = av_buffer_ref(card);
    }
    if (strcmp(name, "libdav1d") == 0)
        c->thread_count = 1; /* its threads are another kind */
    const int e = avcodec_open2(c, codec, NULL);
    return e < 0 ? px_fail(err, -EIO, "%s%s: %s", name, card ? " on the card" : "", av_err2str(e))
                 : 0;
}

static int decode(AVCodecContext *c, const uint8_t *data, size_t size, AVFrame *ret,
                  struct px_error *err) {
    AVPacket *packet = av_packet_alloc();
    int e = av_new_packet(packet, (int)size);
    if (e >= 0)
        memcpy(packet->data, data, size);
    if (e >= 0)
        e = avcodec_send_packet(c, packet);
    if (e >= 0)
        e = avcodec_receive_frame(c, ret);
    av_packet_free(&packet);
    if (e < 0)
        return px_fail(err, -EBADMSG, "libavcodec's %s%s: %s", c->codec->name,
                       c->hw_device_ctx ? " on the card" : "",
                       e == AVERROR(EAGAIN) ? "it holds a picture back" : av_err2str(e));
    return 0;
}

/* ---- whether they are the same ---- */

static int differs_at(const char *of, int plane, int x, int y, struct px_error *err) {
    return px_fail(err, -EBADMSG, "%s differs in plane %d at %d,%d", of, plane, x, y);
}

/* What a card shows, in NV12. */
struct shown {
    const char *by;
    const uint8_t *luma, *chroma;
    ptrdiff_t luma_pitch, chroma_pitch;
    int width, height; /* as far as it is looked at */
};

static int is_same_luma(const AVFrame *want, const struct shown *s, struct px_error *err) {
    for (int y = 0; y < s->height; y++) {
        const uint8_t *a = want->data[0] + (ptrdiff_t)y * want->linesize[0];
        const uint8_t *b = s->luma + (ptrdiff_t)y * s->luma_pitch;
        if (memcmp(a, b, (size_t)s->width) != 0)
            for (int x = 0; x < s->width; x++)
                if (a[x] != b[x])
                    return differs_at(s->by, 0, x, y, err);
    }
    return 0;
}

static int is_same_chroma(const AVFrame *want, const struct shown *s, struct px_error *err) {
    for (int y = 0; y < (s->height + 1) / 2; y++)
        for (int x = 0; x < (s->width + 1) / 2; x++)
            for (int i = 0; i < 2; i++)
                if (want->data[1 + i][(ptrdiff_t)y * want->linesize[1 + i] + x] !=
                    s->chroma[(ptrdiff_t)y * s->chroma_pitch + 2 * x + i])
                    return differs_at(s->by, 1 + i, x, y, err);
    return 0;
}

/* The parser takes VP8's pictures to be even, and leaves an odd one's last column and row out. */
static int on_shown(void *data, const struct nvdec_shown *s, struct px_error *err) {
    struct viewer *v = data;
    if (v->n_waiting == 0)
        return px_fail(err, -EBADMSG, "NVDEC shows more pictures than there are");
    AVFrame *want = v->waiting[0];
    memmove(v->waiting, v->waiting + 1, --v->n_waiting * sizeof(v->waiting[0]));
    const int odd = v->opts.codec == PX_CODEC_VP8 ? 1 : 0;
    const struct shown shown = {.by = "NVDEC",
                                .luma = s->luma + (ptrdiff_t)s->top * s->pitch + s->left,
                                .luma_pitch = s->pitch,
                                .chroma = s->chroma + (ptrdiff_t)(s->top / 2) * s->pitch + s->left,
                                .chroma_pitch = s->pitch,
                                .width = s->width,
                                .height = s->height};
    int r = 0;
    if (s->width != (want->width & ~odd) || s->height != (want->height & ~odd))
        r = px_fail(err, -EBADMSG, "NVDEC shows %dx%d, software %dx%d", s->width, s->height,
                    want->width, want->height);
    if (r >= 0)
        r = is_same_luma(want, &shown, err);
    if (r >= 0)
        r = is_same_chroma(want, &shown, err);
    av_frame_free(&want);
    if (!s->first) {
        v->seen.n_timed++;
        v->seen.us += s->us;
        v->seen.us_max = s->us > v->seen.us_max ? s->us : v->seen.us_max;
    }
    return r;
}

/* libavcodec's VP8 keeps the card's decoder that it has when the size changes (seen with 5.1: no
 * chroma where it is looked for), so it gets a new one. */
static int card_for(struct viewer *v, const AVFrame *want, struct px_error *err) {
    const bool anew = v->opts.codec == PX_CODEC_VP8 &&
                      (want->width != v->card->width || want->height != v->card->height) &&
                      v->card->width > 0;
    if (!anew)
        return 0;
    avcodec_free_context(&v->card);
    return open_decoder(px_codec_name(v->opts.codec), v->opts.device, &v->card, err);
}

static int look(const AVFrame *on_card, const AVFrame *got, const AVFrame *want,
                struct px_error *err) {
    const struct shown shown = {.by = "libavcodec on the card",
                                .luma = got->data[0],
                                .luma_pitch = got->linesize[0],
                                .chroma = got->data[1],
                                .chroma_pitch = got->linesize[1],
                                .width = want->width,
                                .height = want->height};
    if (got->format != AV_PIX_FMT_NV12 || on_card->width != want->width ||
        on_card->height != want->height)
        return px_fail(err, -EBADMSG, "libavcodec on the card shows %dx%d", on_card->width,
                       on_card->height);
    const int r = is_same_luma(want, &shown, err);
    if (r < 0 || want->height % 2) /* it looks for an odd one's chroma a row too early */
        return r;
    return is_same_chroma(want, &shown, err);
}

static int through_libavcodec(struct viewer *v, const uint8_t *data, size_t size,
                              const AVFrame *want, struct px_error *err) {
    AVFrame *on_card = av_frame_alloc(), *got = av_frame_alloc();
    int r = card_for(v, want, err);
    if (r >= 0)
        r = decode(v->card, data, size, on_card, err);
    if (r >= 0 && on_card->format != AV_PIX_FMT_CUDA)
        r = px_fail(err, -EBADMSG, "libavcodec decodes in software");
    const int e = r < 0 ? 0 : av_hwframe_transfer_data(got, on_card, 0);
    if (e < 0)
        r = px_fail(err, -EIO, "a picture does not leave the card: %s", av_err2str(e));
    if (r >= 0)
        r = look(on_card, got, want, err);
    av_frame_free(&on_card);
    av_frame_free(&got);
    return r;
}

/* ---- life ---- */

int viewer_new(const struct viewer_opts *opts, struct viewer **ret, struct px_error *err) {
    px_cleanup(viewer_freep) struct viewer *v = px_new0(struct viewer, 1);
    const bool av1 = opts->codec == PX_CODEC_AV1;
    const struct nvdec_opts o = {.codec = opts->codec,
                                 .delay = opts->delay,
                                 .whole = !opts->parts,
                                 .on_shown = on_shown,
                                 .data = v};
    v->opts = *opts;
    int r = open_decoder(av1 ? "libdav1d" : px_codec_name(opts->codec), NULL, &v->soft, err);
    if (r >= 0 && opts->card)
        r = nvdec_new(opts->card, &o, &v->nvdec, err);
    if (r >= 0 && opts->device)
        r = open_decoder(px_codec_name(opts->codec), opts->device, &v->card, err);
    if (r < 0)
        return r;
    *ret = px_take_ptr(v);
    return 0;
}

void viewer_free(struct viewer *v) {
    if (!v)
        return;
    nvdec_free(v->nvdec);
    avcodec_free_context(&v->soft);
    avcodec_free_context(&v->card);
    for (unsigned i = 0; i < v->n_waiting; i++)
        av_frame_free(&v->waiting[i]);
    free(v);
}

int viewer_push(struct viewer *v, const uint8_t *data, size_t size, struct px_error *err) {
    if (v->n_waiting == WAITING_MAX)
        return px_fail(err, -EBADMSG, "NVDEC holds %d pictures back", WAITING_MAX);
    AVFrame *frame = av_frame_alloc();
    int r = decode(v->soft, data, size, frame, err);
    if (r >= 0 && v->card)
        r = through_libavcodec(v, data, size, frame, err);
    if (r >= 0 && v->nvdec)
        v->waiting[v->n_waiting++] = av_frame_clone(frame);
    av_frame_free(&frame);
    if (r >= 0 && v->nvdec)
        r = nvdec_push(v->nvdec, data, size, err);
    v->seen.n_pictures++;
    v->seen.bytes += size;
    v->seen.n_held = v->n_waiting > v->seen.n_held ? v->n_waiting : v->seen.n_held;
    return r < 0 ? px_wrap(err, r, "picture %u, %zu bytes", v->seen.n_pictures, size) : 0;
}

int viewer_end(struct viewer *v, struct px_error *err) {
    const int r = v->nvdec ? nvdec_end(v->nvdec, err) : 0;
    if (r >= 0 && v->n_waiting > 0)
        return px_fail(err, -EBADMSG, "NVDEC never shows the last %u pictures", v->n_waiting);
    return r < 0 ? px_wrap(err, r, "the end") : 0;
}

void viewer_count(const struct viewer *v, struct viewer_figures *ret) {
    ret->n_pictures += v->seen.n_pictures;
    ret->n_held = v->seen.n_held > ret->n_held ? v->seen.n_held : ret->n_held;
    ret->n_timed += v->seen.n_timed;
    ret->us += v->seen.us;
    ret->us_max = v->seen.us_max > ret->us_max ? v->seen.us_max : ret->us_max;
    ret->bytes += v->seen.bytes;
}
