/* src/host/encode/nvenc.c - H.264 and H.265 by the card's encoder
 *
 * Used directly and not through libavcodec, which makes a key frame of each change of the rate,
 * cannot change the quality of a running encoder, and makes a context on the card for each. Here
 * the quantizer of each picture is chosen by ourselves (budget.h), as for libx264, and told to the
 * card by reconfiguring it, which changes nothing else. One picture at a time: in, and out.
 * Source: NVIDIA's nvEncodeAPI.h (MIT) and its programming guide. */
#include "host/encode/budget.h"
#include "host/encode/card_private.h"
#include "host/encode/encoder.h"
#include "base/alloc.h"
#include "base/buf.h"
#include <libyuv.h>
#include <string.h>
#include <time.h>

#define QP_BEST 10 /* finer is not seen */
#define QP_WORST 51
#define REFINE_STEP 6
#define FINER_STEP 2 /* a change may be so much finer than what is around it */
#define BUSY_TRIES 200
#define BUSY_NS 1000000
#define BT601 6

struct nv {
    struct px_encoder base;
    struct px_cards *cards, *own; /* @own: nobody lent any */
    struct px_card *card;
    void *session;
    NV_ENC_INITIALIZE_PARAMS init;
    NV_ENC_CONFIG config;
    NV_ENC_INPUT_PTR input;
    NV_ENC_OUTPUT_PTR output;
    struct px_buf packet;
    struct px_budget budget;
    int64_t last_pts_ms;
    int qp;
    bool started, lost;
};

static GUID codec_guid(enum px_codec codec) {
    return codec == PX_CODEC_H264 ? NV_ENC_CODEC_H264_GUID : NV_ENC_CODEC_HEVC_GUID;
}

static int quantizer(unsigned quality) {
    return QP_BEST + (int)(quality > 100 ? 100 : quality) * (QP_WORST - QP_BEST) / 100;
}

static int fail(struct nv *a, NVENCSTATUS r, const char *doing, struct px_error *err) {
    return px_card_fail(err, a->card, a->session, r, doing);
}

/* ---- opening ---- */

static int check_codec(struct nv *a, enum px_codec codec, struct px_error *err) {
    const GUID want = codec_guid(codec);
    GUID list[32];
    uint32_t n = 0;
    NVENCSTATUS r = a->card->f.nvEncGetEncodeGUIDCount(a->session, &n);
    if (r == NV_ENC_SUCCESS && n <= PX_N_ELEMENTS(list))
        r = a->card->f.nvEncGetEncodeGUIDs(a->session, list, PX_N_ELEMENTS(list), &n);
    if (r != NV_ENC_SUCCESS)
        return fail(a, r, "codecs", err);
    for (uint32_t i = 0; i < n && i < PX_N_ELEMENTS(list); i++)
        if (memcmp(&list[i], &want, sizeof(want)) == 0)
            return 0;
    return px_fail(err, -ENOTSUP, "%s codes no %s", a->card->name, px_codec_name(codec));
}

static int cap(struct nv *a, enum px_codec codec, NV_ENC_CAPS which, int otherwise) {
    NV_ENC_CAPS_PARAM p = {.version = NV_ENC_CAPS_PARAM_VER, .capsToQuery = which};
    int value = 0;
    return a->card->f.nvEncGetEncodeCaps(a->session, codec_guid(codec), &p, &value) ==
                       NV_ENC_SUCCESS &&
                   value > 0
               ? value
               : otherwise;
}

static int check_size(struct nv *a, const struct px_encoder_opts *o, struct px_error *err) {
    if (o->width > cap(a, o->codec, NV_ENC_CAPS_WIDTH_MAX, 4096) ||
        o->height > cap(a, o->codec, NV_ENC_CAPS_HEIGHT_MAX, 4096) ||
        o->width < cap(a, o->codec, NV_ENC_CAPS_WIDTH_MIN, 0) ||
        o->height < cap(a, o->codec, NV_ENC_CAPS_HEIGHT_MIN, 0))
        return px_fail(err, -ENOTSUP, "%s codes no %s of %dx%d", a->card->name,
                       px_codec_name(o->codec), o->width, o->height);
    return 0;
}

/* Colours as ours; and decoders need not wait for pictures that come in another order. */
static void set_vui(NV_ENC_CONFIG_H264_VUI_PARAMETERS *v) {
    v->videoSignalTypePresentFlag = 1;
    v->videoFormat = 5; /* unspecified */
    v->videoFullRangeFlag = 0;
    v->colourDescriptionPresentFlag = 1;
    v->colourPrimaries = BT601;
    v->transferCharacteristics = BT601;
    v->colourMatrix = BT601;
    v->bitstreamRestrictionFlag = 1;
}

static void set_quantizer(struct nv *a, int qp) {
    a->config.rcParams.constQP = (NV_ENC_QP){(uint32_t)qp, (uint32_t)qp, (uint32_t)qp};
    a->qp = qp;
}

static void configure(struct nv *a, const struct px_encoder_opts *o) {
    NV_ENC_CONFIG *c = &a->config;
    NV_ENC_RC_PARAMS *rc = &c->rcParams;
    c->version = NV_ENC_CONFIG_VER;
    c->gopLength = NVENC_INFINITE_GOPLENGTH;
    c->frameIntervalP = 1;
    c->frameFieldMode = NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME;
    rc->rateControlMode = NV_ENC_PARAMS_RC_CONSTQP;
    rc->enableMinQP = rc->enableMaxQP = rc->enableInitialRCQP = 0;
    rc->enableAQ = rc->enableTemporalAQ = rc->enableLookahead = 0;
    rc->lookaheadDepth = 0;
    rc->averageBitRate = rc->maxBitRate = rc->vbvBufferSize = rc->vbvInitialDelay = 0;
    rc->multiPass = NV_ENC_MULTI_PASS_DISABLED;
    rc->zeroReorderDelay = 1;
    set_quantizer(a, quantizer(o->min_quality));
    if (o->codec == PX_CODEC_H264) {
        NV_ENC_CONFIG_H264 *h = &c->encodeCodecConfig.h264Config;
        h->idrPeriod = NVENC_INFINITE_GOPLENGTH;
        h->repeatSPSPPS = 1;
        h->chromaFormatIDC = 1;
        set_vui(&h->h264VUIParameters);
    } else {
        NV_ENC_CONFIG_HEVC *h = &c->encodeCodecConfig.hevcConfig;
        h->idrPeriod = NVENC_INFINITE_GOPLENGTH;
        h->repeatSPSPPS = 1;
        h->chromaFormatIDC = 1;
        set_vui(&h->hevcVUIParameters);
    }
}

static int initialize(struct nv *a, const struct px_encoder_opts *o, struct px_error *err) {
    const GUID preset = NV_ENC_PRESET_P2_GUID;
    px_cleanup_free NV_ENC_PRESET_CONFIG *p = px_new0(NV_ENC_PRESET_CONFIG, 1);
    p->version = NV_ENC_PRESET_CONFIG_VER;
    p->presetCfg.version = NV_ENC_CONFIG_VER;
    NVENCSTATUS r = a->card->f.nvEncGetEncodePresetConfigEx(
        a->session, codec_guid(o->codec), preset, NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY, p);
    if (r != NV_ENC_SUCCESS)
        return fail(a, r, "preset", err);
    a->config = p->presetCfg;
    configure(a, o);
    a->init = (NV_ENC_INITIALIZE_PARAMS){.version = NV_ENC_INITIALIZE_PARAMS_VER,
                                         .encodeGUID = codec_guid(o->codec),
                                         .presetGUID = preset,
                                         .tuningInfo = NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY,
                                         .encodeWidth = (uint32_t)o->width,
                                         .encodeHeight = (uint32_t)o->height,
                                         .darWidth = (uint32_t)o->width,
                                         .darHeight = (uint32_t)o->height,
                                         .frameRateNum = 60,
                                         .frameRateDen = 1,
                                         .enablePTD = 1,
                                         .encodeConfig = &a->config};
    r = a->card->f.nvEncInitializeEncoder(a->session, &a->init);
    return r == NV_ENC_SUCCESS ? 0 : fail(a, r, "setting up", err);
}

static int make_buffers(struct nv *a, const struct px_encoder_opts *o, struct px_error *err) {
    NV_ENC_CREATE_INPUT_BUFFER in = {.version = NV_ENC_CREATE_INPUT_BUFFER_VER,
                                     .width = (uint32_t)o->width,
                                     .height = (uint32_t)o->height,
                                     .bufferFmt = NV_ENC_BUFFER_FORMAT_NV12};
    NV_ENC_CREATE_BITSTREAM_BUFFER out = {.version = NV_ENC_CREATE_BITSTREAM_BUFFER_VER};
    NVENCSTATUS r = a->card->f.nvEncCreateInputBuffer(a->session, &in);
    if (r == NV_ENC_SUCCESS) {
        a->input = in.inputBuffer;
        r = a->card->f.nvEncCreateBitstreamBuffer(a->session, &out);
    }
    if (r == NV_ENC_SUCCESS)
        a->output = out.bitstreamBuffer;
    return r == NV_ENC_SUCCESS ? 0 : fail(a, r, "buffers", err);
}

static void end_session(struct nv *a) {
    NV_ENC_PIC_PARAMS end = {.version = NV_ENC_PIC_PARAMS_VER,
                             .encodePicFlags = NV_ENC_PIC_FLAG_EOS};
    CUcontext popped;
    if (!a->session)
        return;
    a->card->push(a->card->context);
    if (a->started)
        a->card->f.nvEncEncodePicture(a->session, &end);
    if (a->input)
        a->card->f.nvEncDestroyInputBuffer(a->session, a->input);
    if (a->output)
        a->card->f.nvEncDestroyBitstreamBuffer(a->session, a->output);
    a->card->f.nvEncDestroyEncoder(a->session);
    a->card->pop(&popped);
}

static void nv_close(struct px_encoder *enc) {
    struct nv *a = px_container_of(enc, struct nv, base);
    if (a->card) {
        end_session(a);
        px_cards_put(a->cards, a->lost);
    }
    px_cards_free(a->own);
    px_buf_fini(&a->packet);
    free(a);
}

static int set_up(struct nv *a, const struct px_encoder_opts *o, struct px_error *err) {
    CUcontext popped;
    a->card->push(a->card->context);
    int r = px_card_open_session(a->card, &a->session, err);
    if (r >= 0)
        r = check_codec(a, o->codec, err);
    if (r >= 0)
        r = check_size(a, o, err);
    if (r >= 0)
        r = initialize(a, o, err);
    if (r >= 0)
        r = make_buffers(a, o, err);
    a->card->pop(&popped);
    return r;
}

static int nv_open(const struct px_encoder_ops *ops, const struct px_encoder_opts *o,
                   struct px_encoder **ret, struct px_error *err) {
    if (o->i444)
        return px_fail(err, -ENOTSUP, "clients take %s in 4:2:0 only", px_codec_name(o->codec));
    if (o->width % 2 || o->height % 2)
        return px_fail(err, -ENOTSUP, "%s wants even sizes", px_codec_name(o->codec));
    struct nv *a = px_new0(struct nv, 1);
    a->own = o->cards ? NULL : px_cards_new();
    a->cards = o->cards ? o->cards : a->own;
    int r = px_cards_get(a->cards, o->hurry, &a->card, err);
    if (r >= 0) {
        r = set_up(a, o, err);
        a->lost = r < 0 && r != -ENOTSUP; /* the next try begins with the first card again */
    }
    if (r < 0) {
        nv_close(&a->base);
        return r;
    }
    *ret = &a->base;
    return 0;
}

static int probe(const struct px_encoder_ops *ops, struct px_error *err) {
    const struct px_encoder_opts o = {.codec = ops->codec,
                                      .width = 640,
                                      .height = 480,
                                      .rate_kbps = 1000,
                                      .max_quality = 100,
                                      .threads = 1};
    struct px_encoder *enc = NULL;
    const int r = nv_open(ops, &o, &enc, err);
    if (r >= 0)
        nv_close(enc);
    return r;
}

/* ---- pictures ---- */

static int choose_qp(const struct nv *a, enum px_budget_kind kind, int64_t area, bool refine) {
    const struct px_encoder_opts *o = &a->base.opts;
    const int best = quantizer(o->min_quality), worst = quantizer(o->max_quality);
    const int qp = px_budget_quantizer(&a->budget, kind, area, best, worst);
    const int step = a->qp - REFINE_STEP;
    if (refine && qp > step) /* at least a step at a time, or it would be for nothing */
        return step > best ? step : best;
    /* The card looks at the whole picture: much finer, and it would code all of it again. */
    if (kind == PX_BUDGET_CHANGE && qp < a->qp - FINER_STEP)
        return a->qp - FINER_STEP > best ? a->qp - FINER_STEP : best;
    return qp;
}

static NVENCSTATUS apply_qp(struct nv *a, int qp) {
    NV_ENC_RECONFIGURE_PARAMS p = {.version = NV_ENC_RECONFIGURE_PARAMS_VER,
                                   .reInitEncodeParams = a->init};
    if (qp == a->qp)
        return NV_ENC_SUCCESS;
    set_quantizer(a, qp);
    return a->card->f.nvEncReconfigureEncoder(a->session, &p);
}

static NVENCSTATUS put_picture(struct nv *a, const struct px_picture *pic) {
    NV_ENC_LOCK_INPUT_BUFFER lock = {.version = NV_ENC_LOCK_INPUT_BUFFER_VER,
                                     .inputBuffer = a->input};
    const NVENCSTATUS r = a->card->f.nvEncLockInputBuffer(a->session, &lock);
    if (r != NV_ENC_SUCCESS)
        return r;
    uint8_t *luma = lock.bufferDataPtr;
    const int pitch = (int)lock.pitch;
    I420ToNV12(pic->planes[0], pic->strides[0], pic->planes[1], pic->strides[1], pic->planes[2],
               pic->strides[2], luma, pitch, luma + (ptrdiff_t)pitch * pic->height, pitch,
               pic->width, pic->height);
    return a->card->f.nvEncUnlockInputBuffer(a->session, a->input);
}

static NVENCSTATUS encode(struct nv *a, int64_t pts_ms, bool key) {
    NV_ENC_PIC_PARAMS p = {.version = NV_ENC_PIC_PARAMS_VER,
                           .inputWidth = a->init.encodeWidth,
                           .inputHeight = a->init.encodeHeight,
                           .inputPitch = a->init.encodeWidth,
                           .encodePicFlags = key ? NV_ENC_PIC_FLAG_FORCEIDR : 0,
                           .inputTimeStamp = (uint64_t)pts_ms,
                           .inputBuffer = a->input,
                           .outputBitstream = a->output,
                           .bufferFmt = NV_ENC_BUFFER_FORMAT_NV12,
                           .pictureStruct = NV_ENC_PIC_STRUCT_FRAME};
    NVENCSTATUS r = NV_ENC_ERR_ENCODER_BUSY;
    for (int i = 0; r == NV_ENC_ERR_ENCODER_BUSY && i < BUSY_TRIES; i++) {
        if (i > 0)
            nanosleep(&(struct timespec){0, BUSY_NS}, NULL);
        r = a->card->f.nvEncEncodePicture(a->session, &p);
    }
    return r;
}

static NVENCSTATUS take_packet(struct nv *a, bool *ret_key) {
    NV_ENC_LOCK_BITSTREAM lock = {.version = NV_ENC_LOCK_BITSTREAM_VER,
                                  .outputBitstream = a->output};
    const NVENCSTATUS r = a->card->f.nvEncLockBitstream(a->session, &lock);
    if (r != NV_ENC_SUCCESS)
        return r;
    px_buf_reset(&a->packet);
    px_buf_add(&a->packet, lock.bitstreamBufferPtr, lock.bitstreamSizeInBytes);
    *ret_key = lock.pictureType == NV_ENC_PIC_TYPE_IDR;
    return a->card->f.nvEncUnlockBitstream(a->session, a->output);
}

static NVENCSTATUS pass(struct nv *a, const struct px_picture *pic, int qp, int64_t pts_ms,
                        bool key, bool *ret_key, const char **ret_doing) {
    *ret_doing = "changing the quality";
    NVENCSTATUS r = apply_qp(a, qp);
    if (r == NV_ENC_SUCCESS) {
        *ret_doing = "taking a picture";
        r = put_picture(a, pic);
    }
    if (r == NV_ENC_SUCCESS) {
        *ret_doing = "encoding";
        r = encode(a, pts_ms, key);
    }
    if (r == NV_ENC_SUCCESS) {
        *ret_doing = "giving a packet";
        r = take_packet(a, ret_key);
    }
    return r;
}

static int nv_push(struct px_encoder *enc, const struct px_picture *pic,
                   const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                   struct px_packet *ret, struct px_error *err) {
    struct nv *a = px_container_of(enc, struct nv, base);
    const struct px_encoder_opts *o = &enc->opts;
    const char *doing;
    CUcontext popped;
    bool is_key = false;
    if (a->started && pts_ms <= a->last_pts_ms)
        pts_ms = a->last_pts_ms + 1;
    key |= !a->started;
    refine &= !key;
    px_budget_pass(&a->budget, o->rate_kbps, pts_ms);
    const bool whole = key || refine || !changed;
    const int64_t area = whole ? (int64_t)pic->width * pic->height : px_region_area(changed);
    const enum px_budget_kind kind = whole ? PX_BUDGET_WHOLE : PX_BUDGET_CHANGE;
    const int qp = choose_qp(a, kind, area, refine);
    a->last_pts_ms = pts_ms;
    a->started = true;
    a->card->push(a->card->context);
    const NVENCSTATUS r = pass(a, pic, qp, pts_ms, key, &is_key, &doing);
    if (r != NV_ENC_SUCCESS) {
        a->lost = true;
        fail(a, r, doing, err);
    }
    a->card->pop(&popped);
    if (r != NV_ENC_SUCCESS)
        return -EIO;
    px_budget_spend(&a->budget, kind, a->packet.size, area, qp);
    *ret = (struct px_packet){.data = (const uint8_t *)a->packet.data,
                              .size = a->packet.size,
                              .key = is_key,
                              .fine = qp <= quantizer(o->min_quality)};
    return 1;
}

static void nv_set_rate(struct px_encoder *enc) {
    /* choose_qp() looks at the options each time */
}

const struct px_encoder_ops px_encoders_nvenc[] = {
    {"nvenc-h264", PX_CODEC_H264, true, probe, nv_open, nv_push, nv_set_rate, nv_close},
    {"nvenc-h265", PX_CODEC_H265, true, probe, nv_open, nv_push, nv_set_rate, nv_close},
    {0},
};
