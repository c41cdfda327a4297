/* src/session/decoder.c - packets to pictures, as a client sees them */
#include "session/decoder.h"
#include "base/alloc.h"
#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <png.h>
#include <stdio.h>
#include <string.h>

#define PIXELS_MAX (64 * 1024 * 1024) /* 7680x4320 has 33 million */

struct px_decoder {
    AVCodecContext *ctx;
    enum AVCodecID id;
    AVPacket *packet;
    AVFrame *frame;
};

struct px_decoder *px_decoder_new(void) {
    struct px_decoder *d = px_new0(struct px_decoder, 1);
    d->packet = av_packet_alloc();
    d->frame = av_frame_alloc();
    return d;
}

void px_decoder_free(struct px_decoder *d) {
    if (!d)
        return;
    avcodec_free_context(&d->ctx);
    av_packet_free(&d->packet);
    av_frame_free(&d->frame);
    free(d);
}

static enum AVCodecID codec_id(const Pxs__VideoFrame *v) {
    switch (v->pictures_case) {
    case PXS__VIDEO_FRAME__PICTURES_VP8S:
        return AV_CODEC_ID_VP8;
    case PXS__VIDEO_FRAME__PICTURES_VP9S:
        return AV_CODEC_ID_VP9;
    case PXS__VIDEO_FRAME__PICTURES_AV1S:
        return AV_CODEC_ID_AV1;
    case PXS__VIDEO_FRAME__PICTURES_H264S:
        return AV_CODEC_ID_H264;
    case PXS__VIDEO_FRAME__PICTURES_H265S:
        return AV_CODEC_ID_HEVC;
    case PXS__VIDEO_FRAME__PICTURES__NOT_SET:
    default:
        return AV_CODEC_ID_NONE;
    }
}

const Pxs__EncodedVideoFrame *px_video_frame_first(const Pxs__VideoFrame *v) {
    if (v->pictures_case == PXS__VIDEO_FRAME__PICTURES__NOT_SET || !v->vp9s)
        return NULL;
    return v->vp9s->n_frames ? v->vp9s->frames[0] : NULL; /* a union */
}

static int open_codec(struct px_decoder *d, enum AVCodecID id, struct px_error *err) {
    avcodec_free_context(&d->ctx);
    /* libavcodec's own AV1 decoder wants hardware; dav1d does not. */
    const AVCodec *codec =
        id == AV_CODEC_ID_AV1 ? avcodec_find_decoder_by_name("libdav1d") : avcodec_find_decoder(id);
    if (!codec)
        return px_fail(err, -ENOTSUP, "libavcodec decodes no %s", avcodec_get_name(id));
    d->ctx = avcodec_alloc_context3(codec);
    d->ctx->thread_count = 1;
    d->ctx->max_pixels = PIXELS_MAX; /* what a stream claims costs memory before it shows */
    d->ctx->flags |= AV_CODEC_FLAG_LOW_DELAY;
    const int r = avcodec_open2(d->ctx, codec, NULL);
    if (r < 0)
        return px_fail(err, -EIO, "%s: %s", codec->name, av_err2str(r));
    d->id = id;
    return 0;
}

int px_decoder_push(struct px_decoder *d, const Pxs__VideoFrame *v, struct px_error *err) {
    const Pxs__EncodedVideoFrame *f = px_video_frame_first(v);
    const enum AVCodecID id = codec_id(v);
    if (!f || f->data.len == 0)
        return px_fail(err, -EBADMSG, "a video frame without a picture");
    if (!d->ctx || d->id != id) {
        if (!f->key)
            return px_fail(err, -EBADMSG, "the first picture of a codec is no key frame");
        const int r = open_codec(d, id, err);
        if (r < 0)
            return r;
    }
    /* libavcodec reads past the end: it wants zeroed padding there. */
    px_cleanup_free uint8_t *padded = px_calloc(1, f->data.len + AV_INPUT_BUFFER_PADDING_SIZE);
    memcpy(padded, f->data.data, f->data.len);
    d->packet->data = padded;
    d->packet->size = (int)f->data.len;
    d->packet->flags = f->key ? AV_PKT_FLAG_KEY : 0;
    int r = avcodec_send_packet(d->ctx, d->packet);
    d->packet->data = NULL;
    d->packet->size = 0;
    if (r >= 0)
        r = avcodec_receive_frame(d->ctx, d->frame);
    return r < 0 ? px_fail(err, -EBADMSG, "%s: no picture: %s", avcodec_get_name(id), av_err2str(r))
                 : 0;
}

int px_decoder_width(const struct px_decoder *d) {
    return d->frame->width;
}

int px_decoder_height(const struct px_decoder *d) {
    return d->frame->height;
}

const char *px_decoder_codec(const struct px_decoder *d) {
    return d->ctx ? avcodec_get_name(d->id) : "";
}

bool px_decoder_is_i444(const struct px_decoder *d) {
    return d->frame->format == AV_PIX_FMT_YUV444P || d->frame->format == AV_PIX_FMT_GBRP;
}

static uint8_t clip(int v) {
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

uint32_t px_decoder_pixel(const struct px_decoder *d, int x, int y) {
    const AVFrame *f = d->frame;
    if (x < 0 || y < 0 || x >= f->width || y >= f->height)
        return 0;
    const int shift = px_decoder_is_i444(d) ? 0 : 1;
    const int c = 298 * (f->data[0][(ptrdiff_t)y * f->linesize[0] + x] - 16);
    const int u = f->data[1][(ptrdiff_t)(y >> shift) * f->linesize[1] + (x >> shift)] - 128;
    const int v = f->data[2][(ptrdiff_t)(y >> shift) * f->linesize[2] + (x >> shift)] - 128;
    const uint8_t r = clip((c + 409 * v + 128) >> 8);
    const uint8_t g = clip((c - 100 * u - 208 * v + 128) >> 8);
    const uint8_t b = clip((c + 516 * u + 128) >> 8);
    return (uint32_t)r << 16 | (uint32_t)g << 8 | b;
}

uint8_t *px_decoder_rgba(const struct px_decoder *d) {
    const int w = d->frame->width, h = d->frame->height;
    if (w <= 0 || h <= 0)
        return NULL;
    uint8_t *rgba = px_calloc((size_t)w * (size_t)h, 4), *p = rgba;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++, p += 4) {
            const uint32_t c = px_decoder_pixel(d, x, y);
            p[0] = (uint8_t)(c >> 16);
            p[1] = (uint8_t)(c >> 8);
            p[2] = (uint8_t)c;
            p[3] = 255;
        }
    return rgba;
}

int px_decoder_write_png(const struct px_decoder *d, int fd, struct px_error *err) {
    px_cleanup_free uint8_t *rgba = px_decoder_rgba(d);
    if (!rgba)
        return px_fail(err, -ENODATA, "no picture has arrived");
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)d->frame->width,
                       .height = (png_uint_32)d->frame->height,
                       .format = PNG_FORMAT_RGBA};
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    FILE *file = own < 0 ? NULL : fdopen(own, "wb");
    if (!file)
        return px_fail_sys(err, -errno, "cannot write the picture");
    const bool good = png_image_write_to_stdio(&image, file, 0, rgba, 0, NULL);
    if (fclose(file) != 0 || !good)
        return px_fail(err, -EIO, "cannot write the picture%s%s", good ? "" : ": ",
                       good ? "" : image.message);
    return 0;
}
