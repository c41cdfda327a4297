/* tests/nvenc/coder.c - what the played card codes with */
#include "coder.h"
#include <libavcodec/avcodec.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <stdlib.h>
#include <string.h>
#include <x264.h>

struct coder {
    int width, height, qp;
    x264_t *avc;
    AVCodecContext *hevc;
    AVFrame *frame;
    AVPacket *packet;
    int64_t n;
};

static x264_t *open_avc(int width, int height) {
    x264_param_t p;
    x264_param_default_preset(&p, "ultrafast", "zerolatency");
    p.i_log_level = X264_LOG_NONE;
    p.i_csp = X264_CSP_I420;
    p.i_width = width;
    p.i_height = height;
    p.i_threads = 1;
    p.b_vfr_input = 0;
    p.i_keyint_max = X264_KEYINT_MAX_INFINITE;
    p.i_scenecut_threshold = 0;
    p.b_repeat_headers = 1;
    p.b_annexb = 1;
    p.vui.i_colmatrix = p.vui.i_colorprim = p.vui.i_transfer = 6;
    p.rc.i_rc_method = X264_RC_CRF;
    return x264_encoder_open(&p);
}

static AVCodecContext *open_hevc(int width, int height, int qp) {
    const AVCodec *codec = avcodec_find_encoder_by_name("libx265");
    AVCodecContext *c = codec ? avcodec_alloc_context3(codec) : NULL;
    char params[160];
    if (!c)
        return NULL;
    c->width = width;
    c->height = height;
    c->time_base = (AVRational){1, 60};
    c->pix_fmt = AV_PIX_FMT_YUV420P;
    c->gop_size = 1 << 30;
    c->max_b_frames = 0;
    c->color_range = AVCOL_RANGE_MPEG;
    c->colorspace = AVCOL_SPC_SMPTE170M;
    snprintf(
        params, sizeof(params),
        "qp=%d:log-level=none:pools=none:frame-threads=1:repeat-headers=1:scenecut=0:bframes=0:"
        "rc-lookahead=0",
        qp);
    av_opt_set(c->priv_data, "preset", "ultrafast", 0);
    av_opt_set(c->priv_data, "tune", "zerolatency", 0);
    av_opt_set(c->priv_data, "forced-idr", "1", 0);
    av_opt_set(c->priv_data, "x265-params", params, 0);
    if (avcodec_open2(c, codec, NULL) < 0)
        avcodec_free_context(&c);
    return c;
}

struct coder *coder_new(bool hevc, int width, int height, int qp) {
    struct coder *c = calloc(1, sizeof(*c));
    c->width = width;
    c->height = height;
    c->qp = qp;
    c->avc = hevc ? NULL : open_avc(width, height);
    c->frame = av_frame_alloc();
    c->packet = av_packet_alloc();
    if (hevc || c->avc)
        return c;
    coder_free(c);
    return NULL;
}

/* The planes as I420. @rows: height of the buffer's first plane. */
static bool unpack(struct coder *c, const uint8_t *pixels, size_t pitch, bool yv12, int rows) {
    AVFrame *f = c->frame;
    av_frame_unref(f);
    f->format = AV_PIX_FMT_YUV420P;
    f->width = c->width;
    f->height = c->height;
    if (av_frame_get_buffer(f, 0) < 0)
        return false;
    for (int y = 0; y < c->height; y++)
        memcpy(f->data[0] + (ptrdiff_t)y * f->linesize[0], pixels + (size_t)y * pitch,
               (size_t)c->width);
    const uint8_t *chroma = pixels + (size_t)rows * pitch;
    for (int y = 0; y < c->height / 2; y++)
        for (int x = 0; x < c->width / 2; x++)
            for (int i = 1; i < 3; i++)
                f->data[i][(ptrdiff_t)y * f->linesize[i] + x] =
                    yv12 ? chroma[(size_t)(i == 1 ? rows / 2 : 0) * (pitch / 2) +
                                  (size_t)y * (pitch / 2) + (size_t)x]
                         : chroma[(size_t)y * pitch + (size_t)(2 * x + i - 1)];
    return true;
}

static bool push_avc(struct coder *c, int qp, bool key, const uint8_t **ret, size_t *ret_size,
                     bool *ret_key) {
    x264_picture_t in, out;
    x264_nal_t *nals;
    int n;
    x264_picture_init(&in);
    in.img = (x264_image_t){.i_csp = X264_CSP_I420, .i_plane = 3};
    for (int i = 0; i < 3; i++) {
        in.img.plane[i] = c->frame->data[i];
        in.img.i_stride[i] = c->frame->linesize[i];
    }
    in.i_pts = c->n;
    in.i_qpplus1 = qp + 1;
    in.i_type = key ? X264_TYPE_IDR : X264_TYPE_P;
    const int size = x264_encoder_encode(c->avc, &nals, &n, &in, &out);
    if (size <= 0)
        return false;
    *ret = nals[0].p_payload;
    *ret_size = (size_t)size;
    *ret_key = out.b_keyframe;
    return true;
}

static bool push_hevc(struct coder *c, bool key, const uint8_t **ret, size_t *ret_size,
                      bool *ret_key) {
    c->frame->pts = c->n;
    c->frame->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    av_packet_unref(c->packet);
    if (avcodec_send_frame(c->hevc, c->frame) < 0 || avcodec_receive_packet(c->hevc, c->packet) < 0)
        return false;
    *ret = c->packet->data;
    *ret_size = (size_t)c->packet->size;
    *ret_key = c->packet->flags & AV_PKT_FLAG_KEY;
    return true;
}

bool coder_push(struct coder *c, const uint8_t *pixels, size_t pitch, bool yv12, int rows, int qp,
                bool key, const uint8_t **ret, size_t *ret_size, bool *ret_key) {
    /* Only now: libavcodec's own NVENC may be what calls us, with libavcodec's lock held. */
    if (!c->avc && !c->hevc)
        c->hevc = open_hevc(c->width, c->height, c->qp);
    c->n++;
    return (c->avc || c->hevc) && unpack(c, pixels, pitch, yv12, rows) &&
           (c->avc ? push_avc(c, qp, key, ret, ret_size, ret_key)
                   : push_hevc(c, key, ret, ret_size, ret_key));
}

void coder_free(struct coder *c) {
    if (!c)
        return;
    if (c->avc)
        x264_encoder_close(c->avc);
    avcodec_free_context(&c->hevc);
    av_frame_free(&c->frame);
    av_packet_free(&c->packet);
    free(c);
}
