/* tests/nvenc/played_nvenc.c - a libnvidia-encode that checks its caller and codes on the processor
 *
 * What NVIDIA's header (nvEncodeAPI.h) and programming guide demand of a client is checked at each
 * call: struct versions, the order of calls, who holds which buffer, values that exclude each
 * other. What is wrong is refused and logged as a violation. Pictures are coded by coder.h, so that
 * they can be looked at. Control:
 *
 *     api N             highest API version, major * 16 + minor (208: 13.0)
 *     sessions N        how many are free (8); "client_key 1": told as newer drivers tell it
 *     no_engine N       a bit for each card that has no encoder
 *     no_hevc 1         H.264 only
 *     fail_init 1       no encoder can be set up
 *     fail_encode N     the Nth picture of each session fails (the device is lost), 0 is the first
 *     lose 1            so does the next one
 *     fail_open 1       a session cannot be opened for no reason
 *     more_input N      the Nth picture of each session is kept back
 *     late_ms N         each picture takes that long
 *     green 1           pictures come out empty
 *     crash 1           opening a session kills the process; "hang 1": never returns
 *
 * It shows that a client keeps to the header, and nothing of what silicon does: neither speed nor
 * the quality of its pictures, nor what a driver does beyond the header. */
#include "coder.h"
#include "played.h"
#include <dlfcn.h>
#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/nvEncodeAPI.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define BUFFERS 32
#define MAGIC 0x706c6179u
#define API (NVENCAPI_MAJOR_VERSION * 16 + NVENCAPI_MINOR_VERSION)

struct buffer {
    uint8_t *bytes;
    size_t size;
    uint32_t width, height, pitch;
    NV_ENC_BUFFER_FORMAT format;
    bool locked, pending;
    uint64_t stamp;
    bool key;
    uint32_t qp;
};

struct session {
    uint32_t magic;
    bool hevc, ready, ended, lost, force_key;
    long n_pictures;
    NV_ENC_INITIALIZE_PARAMS init;
    NV_ENC_CONFIG config;
    struct coder *coder;
    struct buffer *in[BUFFERS], *out[BUFFERS];
    struct buffer *order[BUFFERS]; /* of outputs, as they were handed in */
    int n_order;
    char why[160];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long n_open;

static NVENCSTATUS wrong(struct session *s, NVENCSTATUS r, const char *what) {
    played_log("violation: %s", what);
    if (s)
        snprintf(s->why, sizeof(s->why), "%s", what);
    return r;
}

#define DEMAND(S, OK, R, WHAT)                                                                     \
    do {                                                                                           \
        if (!(OK))                                                                                 \
            return wrong(S, R, WHAT);                                                              \
    } while (0)
#define VERSION(S, P, WANT)                                                                        \
    DEMAND(S, (P) && (P)->version == (WANT), NV_ENC_ERR_INVALID_VERSION, __func__)
#define SESSION(P)                                                                                 \
    struct session *s = (P);                                                                       \
    DEMAND(NULL, s && s->magic == MAGIC, NV_ENC_ERR_INVALID_PTR, __func__)
#define READY() DEMAND(s, s->ready, NV_ENC_ERR_ENCODER_NOT_INITIALIZED, __func__)

static bool same(GUID a, GUID b) {
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static bool is_zero(const void *p, size_t size) {
    const uint8_t *at = p;
    while (size && *at == 0)
        at++, size--;
    return size == 0;
}

static const char *codec_of(const struct session *s) {
    return s->hevc ? "hevc" : "h264";
}

/* ---- sessions ---- */

static int card_of(void *context) {
    void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    int (*of)(void *) = lib ? (int (*)(void *))dlsym(lib, "px_played_card_of") : NULL;
    const int card = of ? of(context) : -1;
    if (lib)
        dlclose(lib);
    return card;
}

static NVENCSTATUS open_session(NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS *p, void **ret) {
    VERSION(NULL, p, NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER);
    DEMAND(NULL, p->apiVersion == NVENCAPI_VERSION, NV_ENC_ERR_INVALID_VERSION, "apiVersion");
    DEMAND(NULL, p->deviceType == NV_ENC_DEVICE_TYPE_CUDA, NV_ENC_ERR_UNSUPPORTED_DEVICE, "type");
    const int card = card_of(p->device);
    DEMAND(NULL, card >= 0, NV_ENC_ERR_INVALID_ENCODERDEVICE, "no live context");
    DEMAND(NULL, is_zero(&p->reserved1, sizeof(p->reserved1)), NV_ENC_ERR_INVALID_PARAM,
           "reserved");
    if (played_control("crash", 0))
        abort();
    while (played_control("hang", 0))
        usleep(20000);
    if (played_control("no_engine", 0) >> card & 1)
        return NV_ENC_ERR_UNSUPPORTED_DEVICE;
    if (played_control("fail_open", 0))
        return NV_ENC_ERR_GENERIC;
    pthread_mutex_lock(&lock);
    const bool room = n_open < played_control("sessions", 8);
    n_open += room;
    pthread_mutex_unlock(&lock);
    if (!room) {
        played_log("refused: no session is free");
        return played_control("client_key", 0) ? NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY
                                               : NV_ENC_ERR_OUT_OF_MEMORY;
    }
    struct session *s = calloc(1, sizeof(*s));
    s->magic = MAGIC;
    *ret = s;
    played_log("session opened on card %d, %ld open", card, n_open);
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS destroy(void *encoder) {
    SESSION(encoder);
    for (int i = 0; i < BUFFERS; i++)
        if (s->in[i] || s->out[i])
            wrong(s, NV_ENC_ERR_GENERIC, "a session is destroyed before its buffers");
    if (s->n_pictures > 0 && !s->ended && !s->lost)
        wrong(s, NV_ENC_ERR_GENERIC, "a session is destroyed that was not flushed");
    coder_free(s->coder);
    s->magic = 0;
    free(s);
    pthread_mutex_lock(&lock);
    n_open--;
    pthread_mutex_unlock(&lock);
    played_log("session closed, %ld open", n_open);
    return NV_ENC_SUCCESS;
}

/* ---- what there is ---- */

static uint32_t n_codecs(void) {
    return played_control("no_hevc", 0) ? 1 : 2;
}

static NVENCSTATUS guid_count(void *encoder, uint32_t *ret) {
    SESSION(encoder);
    *ret = n_codecs();
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS guids(void *encoder, GUID *list, uint32_t size, uint32_t *ret) {
    SESSION(encoder);
    DEMAND(s, size >= n_codecs(), NV_ENC_ERR_INVALID_PARAM, "room for too few GUIDs");
    list[0] = NV_ENC_CODEC_H264_GUID;
    if (n_codecs() == 2)
        list[1] = NV_ENC_CODEC_HEVC_GUID;
    *ret = n_codecs();
    return NV_ENC_SUCCESS;
}

static bool is_codec(GUID g) {
    return same(g, NV_ENC_CODEC_H264_GUID) || (n_codecs() == 2 && same(g, NV_ENC_CODEC_HEVC_GUID));
}

static NVENCSTATUS caps(void *encoder, GUID codec, NV_ENC_CAPS_PARAM *p, int *ret) {
    SESSION(encoder);
    VERSION(s, p, NV_ENC_CAPS_PARAM_VER);
    DEMAND(s, is_codec(codec), NV_ENC_ERR_UNSUPPORTED_PARAM, "caps of an unknown codec");
    const bool large = same(codec, NV_ENC_CODEC_HEVC_GUID);
    switch (p->capsToQuery) {
    case NV_ENC_CAPS_WIDTH_MAX:
    case NV_ENC_CAPS_HEIGHT_MAX:
        *ret = large ? 8192 : 4096;
        break;
    case NV_ENC_CAPS_WIDTH_MIN:
        *ret = 145;
        break;
    case NV_ENC_CAPS_HEIGHT_MIN:
        *ret = 49;
        break;
    case NV_ENC_CAPS_SUPPORT_DYN_BITRATE_CHANGE:
    case NV_ENC_CAPS_SUPPORT_CABAC:
    case NV_ENC_CAPS_SUPPORT_YUV444_ENCODE:
    case NV_ENC_CAPS_SUPPORT_MULTIPLE_REF_FRAMES:
        *ret = 1;
        break;
    case NV_ENC_CAPS_SUPPORTED_RATECONTROL_MODES:
        *ret = NV_ENC_PARAMS_RC_VBR | NV_ENC_PARAMS_RC_CBR;
        break;
    default:
        *ret = 0;
    }
    return NV_ENC_SUCCESS;
}

static bool is_preset(GUID g) {
    const GUID known[] = {NV_ENC_PRESET_P1_GUID, NV_ENC_PRESET_P2_GUID, NV_ENC_PRESET_P3_GUID,
                          NV_ENC_PRESET_P4_GUID, NV_ENC_PRESET_P5_GUID, NV_ENC_PRESET_P6_GUID,
                          NV_ENC_PRESET_P7_GUID};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (same(known[i], g))
            return true;
    return false;
}

static NVENCSTATUS preset_config(void *encoder, GUID codec, GUID preset, NV_ENC_TUNING_INFO tuning,
                                 NV_ENC_PRESET_CONFIG *p) {
    SESSION(encoder);
    VERSION(s, p, NV_ENC_PRESET_CONFIG_VER);
    DEMAND(s, p->presetCfg.version == NV_ENC_CONFIG_VER, NV_ENC_ERR_INVALID_VERSION, "presetCfg");
    DEMAND(s, is_codec(codec) && is_preset(preset), NV_ENC_ERR_UNSUPPORTED_PARAM, "preset");
    DEMAND(s, tuning != NV_ENC_TUNING_INFO_UNDEFINED, NV_ENC_ERR_INVALID_PARAM, "no tuning");
    NV_ENC_CONFIG *c = &p->presetCfg;
    c->gopLength = 30;
    c->frameIntervalP = tuning == NV_ENC_TUNING_INFO_HIGH_QUALITY ? 3 : 1;
    c->frameFieldMode = NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME;
    c->rcParams.version = NV_ENC_RC_PARAMS_VER;
    c->rcParams.rateControlMode = NV_ENC_PARAMS_RC_CBR;
    c->rcParams.averageBitRate = 5000000;
    c->rcParams.enableAQ = 1;
    c->profileGUID = NV_ENC_CODEC_PROFILE_AUTOSELECT_GUID;
    if (same(codec, NV_ENC_CODEC_H264_GUID)) {
        c->encodeCodecConfig.h264Config.idrPeriod = 30;
        c->encodeCodecConfig.h264Config.chromaFormatIDC = 1;
    } else {
        c->encodeCodecConfig.hevcConfig.idrPeriod = 30;
        c->encodeCodecConfig.hevcConfig.chromaFormatIDC = 1;
    }
    return NV_ENC_SUCCESS;
}

/* ---- setting up ---- */

struct stream { /* what both codecs' settings have */
    uint32_t idr_period, chroma, repeat, disable, slice_mode, slice_data;
    uint32_t buffering_sei, timing_sei, range, matrix, primaries, transfer, described;
};

static struct stream stream_of(bool hevc, const NV_ENC_CONFIG *c) {
    const NV_ENC_CONFIG_H264 *a = &c->encodeCodecConfig.h264Config;
    const NV_ENC_CONFIG_HEVC *h = &c->encodeCodecConfig.hevcConfig;
    struct stream s;
#define TAKE(F, VUI)                                                                               \
    s = (struct stream) {                                                                          \
        (F)->idrPeriod, (F)->chromaFormatIDC, (F)->repeatSPSPPS, (F)->disableSPSPPS,               \
            (F)->sliceMode, (F)->sliceModeData, (F)->outputBufferingPeriodSEI,                     \
            (F)->outputPictureTimingSEI, (F)->VUI.videoFullRangeFlag,                              \
            (uint32_t)(F)->VUI.colourMatrix, (uint32_t)(F)->VUI.colourPrimaries,                   \
            (uint32_t)(F)->VUI.transferCharacteristics,                                            \
            (F)->VUI.videoSignalTypePresentFlag && (F)->VUI.colourDescriptionPresentFlag           \
    }
    if (hevc)
        TAKE(h, hevcVUIParameters);
    else
        TAKE(a, h264VUIParameters);
    return s;
}

static bool is_qp(NV_ENC_QP q) {
    return q.qpInterP <= 51 && q.qpInterB <= 51 && q.qpIntra <= 51;
}

static NVENCSTATUS check_rate(struct session *s, const NV_ENC_RC_PARAMS *rc) {
    DEMAND(s,
           rc->rateControlMode == NV_ENC_PARAMS_RC_CONSTQP ||
               rc->rateControlMode == NV_ENC_PARAMS_RC_VBR ||
               rc->rateControlMode == NV_ENC_PARAMS_RC_CBR,
           NV_ENC_ERR_INVALID_PARAM, "rateControlMode");
    DEMAND(s, rc->rateControlMode != NV_ENC_PARAMS_RC_CONSTQP || is_qp(rc->constQP),
           NV_ENC_ERR_INVALID_PARAM, "constQP");
    DEMAND(s, rc->rateControlMode != NV_ENC_PARAMS_RC_CONSTQP || !rc->enableAQ,
           NV_ENC_ERR_INVALID_PARAM, "adaptive quantizers with constant ones");
    DEMAND(s, rc->rateControlMode == NV_ENC_PARAMS_RC_CONSTQP || rc->averageBitRate > 0,
           NV_ENC_ERR_INVALID_PARAM, "no rate");
    DEMAND(s,
           rc->rateControlMode != NV_ENC_PARAMS_RC_VBR || rc->maxBitRate == 0 ||
               rc->maxBitRate >= rc->averageBitRate,
           NV_ENC_ERR_INVALID_PARAM, "maxBitRate");
    DEMAND(s, !rc->enableMinQP || is_qp(rc->minQP), NV_ENC_ERR_INVALID_PARAM, "minQP");
    DEMAND(s, !rc->enableMaxQP || is_qp(rc->maxQP), NV_ENC_ERR_INVALID_PARAM, "maxQP");
    DEMAND(s, !rc->enableMinQP || !rc->enableMaxQP || rc->minQP.qpInterP <= rc->maxQP.qpInterP,
           NV_ENC_ERR_INVALID_PARAM, "minQP above maxQP");
    DEMAND(s, !rc->enableLookahead && rc->qpMapMode == NV_ENC_QP_MAP_DISABLED,
           NV_ENC_ERR_UNSUPPORTED_PARAM, "not played");
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS check_config(struct session *s, const NV_ENC_CONFIG *c) {
    const struct stream f = stream_of(s->hevc, c);
    VERSION(s, c, NV_ENC_CONFIG_VER);
    DEMAND(s, c->gopLength != NVENC_INFINITE_GOPLENGTH || c->frameIntervalP == 1,
           NV_ENC_ERR_INVALID_PARAM, "an endless GOP is of P pictures");
    DEMAND(s, c->frameIntervalP == 1, NV_ENC_ERR_UNSUPPORTED_PARAM, "B pictures are not played");
    DEMAND(s, c->frameFieldMode == NV_ENC_PARAMS_FRAME_FIELD_MODE_FRAME,
           NV_ENC_ERR_UNSUPPORTED_PARAM, "fields");
    DEMAND(s, f.chroma == 1, NV_ENC_ERR_UNSUPPORTED_PARAM, "chroma");
    DEMAND(s, !(f.repeat && f.disable), NV_ENC_ERR_INVALID_PARAM, "headers on and off");
    DEMAND(s, f.slice_mode <= 3 && (f.slice_mode != 3 || f.slice_data >= 1),
           NV_ENC_ERR_INVALID_PARAM, "slices");
    DEMAND(s, is_zero(&c->reserved, sizeof(c->reserved)), NV_ENC_ERR_INVALID_PARAM, "reserved");
    return check_rate(s, &c->rcParams);
}

static NVENCSTATUS check_init(struct session *s, const NV_ENC_INITIALIZE_PARAMS *p) {
    VERSION(s, p, NV_ENC_INITIALIZE_PARAMS_VER);
    DEMAND(s, is_preset(p->presetGUID), NV_ENC_ERR_UNSUPPORTED_PARAM, "preset");
    DEMAND(s, p->tuningInfo != NV_ENC_TUNING_INFO_UNDEFINED, NV_ENC_ERR_INVALID_PARAM, "no tuning");
    DEMAND(s, !p->enableEncodeAsync, NV_ENC_ERR_UNSUPPORTED_PARAM, "no events on Linux");
    DEMAND(s, p->enablePTD == 1, NV_ENC_ERR_UNSUPPORTED_PARAM, "picture types by the client");
    DEMAND(s, p->frameRateNum > 0 && p->frameRateDen > 0, NV_ENC_ERR_INVALID_PARAM, "frame rate");
    DEMAND(s, p->darWidth > 0 && p->darHeight > 0, NV_ENC_ERR_INVALID_PARAM, "aspect ratio");
    DEMAND(s, is_zero(&p->reserved, sizeof(p->reserved)), NV_ENC_ERR_INVALID_PARAM, "reserved");
    return p->encodeConfig ? check_config(s, p->encodeConfig) : NV_ENC_SUCCESS;
}

static void tell(const struct session *s, const char *what) {
    const struct stream f = stream_of(s->hevc, &s->config);
    const NV_ENC_RC_PARAMS *rc = &s->config.rcParams;
    static const char *const modes[] = {"constqp", "vbr", "cbr"};
    int preset = 0;
    const GUID p[] = {NV_ENC_PRESET_P1_GUID, NV_ENC_PRESET_P2_GUID, NV_ENC_PRESET_P3_GUID};
    for (int i = 0; i < 3; i++)
        preset = same(p[i], s->init.presetGUID) ? i + 1 : preset;
    played_log("%s %s %ux%u preset=p%d tuning=%d rc=%s qp=%u rate=%u max=%u vbv=%u min=%u/%u "
               "max_qp=%u/%u reorder0=%d gop=%s idr=%s repeat=%u buffering=%u timing=%u range=%u "
               "matrix=%u/%u/%u/%u",
               what, codec_of(s), s->init.encodeWidth, s->init.encodeHeight, preset,
               (int)s->init.tuningInfo, modes[rc->rateControlMode], rc->constQP.qpInterP,
               rc->averageBitRate, rc->maxBitRate, rc->vbvBufferSize, rc->enableMinQP,
               rc->minQP.qpInterP, rc->enableMaxQP, rc->maxQP.qpInterP, rc->zeroReorderDelay,
               s->config.gopLength >= 1u << 30 ? "endless" : "short",
               f.idr_period >= 1u << 30 ? "endless" : "short", f.repeat, f.buffering_sei,
               f.timing_sei, f.range, f.described, f.matrix, f.primaries, f.transfer);
}

static uint32_t qp_of(const struct session *s) {
    const NV_ENC_RC_PARAMS *rc = &s->config.rcParams;
    if (rc->rateControlMode == NV_ENC_PARAMS_RC_CONSTQP)
        return rc->constQP.qpInterP;
    return rc->enableMinQP ? rc->minQP.qpInterP : 24;
}

static NVENCSTATUS initialize(void *encoder, NV_ENC_INITIALIZE_PARAMS *p) {
    SESSION(encoder);
    DEMAND(s, !s->ready, NV_ENC_ERR_INVALID_CALL, "initialized twice");
    DEMAND(s, p && is_codec(p->encodeGUID), NV_ENC_ERR_UNSUPPORTED_PARAM, "codec");
    s->hevc = same(p->encodeGUID, NV_ENC_CODEC_HEVC_GUID);
    const NVENCSTATUS r = check_init(s, p);
    if (r != NV_ENC_SUCCESS)
        return r;
    DEMAND(s, p->encodeConfig, NV_ENC_ERR_UNSUPPORTED_PARAM, "a preset alone is not played");
    const uint32_t most = s->hevc ? 8192 : 4096;
    DEMAND(s, p->encodeWidth >= 145 && p->encodeWidth <= most && p->encodeWidth % 2 == 0,
           NV_ENC_ERR_INVALID_PARAM, "width");
    DEMAND(s, p->encodeHeight >= 49 && p->encodeHeight <= most && p->encodeHeight % 2 == 0,
           NV_ENC_ERR_INVALID_PARAM, "height");
    if (played_control("fail_init", 0))
        return NV_ENC_ERR_OUT_OF_MEMORY;
    s->init = *p;
    s->config = *p->encodeConfig;
    s->init.encodeConfig = &s->config;
    s->coder = coder_new(s->hevc, (int)p->encodeWidth, (int)p->encodeHeight, (int)qp_of(s));
    if (!s->coder)
        return NV_ENC_ERR_GENERIC;
    s->ready = true;
    tell(s, "initialized");
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS reconfigure(void *encoder, NV_ENC_RECONFIGURE_PARAMS *p) {
    SESSION(encoder);
    READY();
    VERSION(s, p, NV_ENC_RECONFIGURE_PARAMS_VER);
    const NV_ENC_INITIALIZE_PARAMS *n = &p->reInitEncodeParams;
    const NVENCSTATUS r = check_init(s, n);
    if (r != NV_ENC_SUCCESS)
        return r;
    DEMAND(s, n->encodeWidth == s->init.encodeWidth && n->encodeHeight == s->init.encodeHeight,
           NV_ENC_ERR_UNSUPPORTED_PARAM, "a new size without room for it");
    DEMAND(s, same(n->encodeGUID, s->init.encodeGUID), NV_ENC_ERR_UNSUPPORTED_PARAM, "new codec");
    if (n->encodeConfig) {
        DEMAND(s,
               n->encodeConfig->gopLength == s->config.gopLength &&
                   n->encodeConfig->frameIntervalP == s->config.frameIntervalP,
               NV_ENC_ERR_UNSUPPORTED_PARAM, "a new structure of pictures");
        s->config = *n->encodeConfig;
    }
    played_log("reconfigured %s rc=%d qp=%u rate=%u reset=%d idr=%d", codec_of(s),
               (int)s->config.rcParams.rateControlMode, s->config.rcParams.constQP.qpInterP,
               s->config.rcParams.averageBitRate, p->resetEncoder, p->forceIDR);
    s->force_key |= p->forceIDR;
    return NV_ENC_SUCCESS;
}

/* ---- buffers ---- */

static struct buffer *add_buffer(struct buffer **list, size_t size) {
    for (int i = 0; i < BUFFERS; i++)
        if (!list[i]) {
            list[i] = calloc(1, sizeof(**list));
            list[i]->bytes = calloc(1, size);
            list[i]->size = size;
            return list[i];
        }
    return NULL;
}

static bool knows(struct buffer *const *list, const struct buffer *b) {
    for (int i = 0; b && i < BUFFERS; i++)
        if (list[i] == b)
            return true;
    return false;
}

static NVENCSTATUS drop_buffer(struct session *s, struct buffer **list, struct buffer *b) {
    DEMAND(s, knows(list, b), NV_ENC_ERR_INVALID_PTR, "a buffer that is none");
    if (b->locked || (b->pending && !s->lost && !s->ended))
        wrong(s, NV_ENC_ERR_GENERIC, "a buffer destroyed in use");
    for (int i = 0; i < BUFFERS; i++)
        if (list[i] == b)
            list[i] = NULL;
    free(b->bytes);
    free(b);
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS create_input(void *encoder, NV_ENC_CREATE_INPUT_BUFFER *p) {
    SESSION(encoder);
    READY();
    VERSION(s, p, NV_ENC_CREATE_INPUT_BUFFER_VER);
    DEMAND(s, p->width >= s->init.encodeWidth && p->height >= s->init.encodeHeight,
           NV_ENC_ERR_INVALID_PARAM, "an input smaller than the picture");
    DEMAND(s,
           p->bufferFmt == NV_ENC_BUFFER_FORMAT_NV12 || p->bufferFmt == NV_ENC_BUFFER_FORMAT_YV12,
           NV_ENC_ERR_UNSUPPORTED_PARAM, "format");
    const uint32_t pitch = (p->width + 511) / 512 * 512; /* wider than the picture, as cards do */
    struct buffer *b = add_buffer(s->in, (size_t)pitch * p->height * 3 / 2);
    DEMAND(s, b, NV_ENC_ERR_OUT_OF_MEMORY, "too many inputs");
    b->width = p->width;
    b->height = p->height;
    b->pitch = pitch;
    b->format = p->bufferFmt;
    p->inputBuffer = b;
    played_log("input created");
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS destroy_input(void *encoder, NV_ENC_INPUT_PTR b) {
    SESSION(encoder);
    return drop_buffer(s, s->in, b);
}

static NVENCSTATUS create_output(void *encoder, NV_ENC_CREATE_BITSTREAM_BUFFER *p) {
    SESSION(encoder);
    READY();
    VERSION(s, p, NV_ENC_CREATE_BITSTREAM_BUFFER_VER);
    struct buffer *b =
        add_buffer(s->out, (size_t)s->init.encodeWidth * s->init.encodeHeight * 2 + 4096);
    DEMAND(s, b, NV_ENC_ERR_OUT_OF_MEMORY, "too many outputs");
    b->width = 0;
    p->bitstreamBuffer = b;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS destroy_output(void *encoder, NV_ENC_OUTPUT_PTR b) {
    SESSION(encoder);
    return drop_buffer(s, s->out, b);
}

static NVENCSTATUS lock_input(void *encoder, NV_ENC_LOCK_INPUT_BUFFER *p) {
    SESSION(encoder);
    VERSION(s, p, NV_ENC_LOCK_INPUT_BUFFER_VER);
    struct buffer *b = p->inputBuffer;
    DEMAND(s, knows(s->in, b), NV_ENC_ERR_INVALID_PTR, "locking no input");
    DEMAND(s, !b->locked && !b->pending, NV_ENC_ERR_LOCK_BUSY, "an input in use is locked");
    b->locked = true;
    memset(b->bytes, 0x55, b->size); /* what was in it does not stay */
    p->bufferDataPtr = b->bytes;
    p->pitch = b->pitch;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS unlock_input(void *encoder, NV_ENC_INPUT_PTR input) {
    SESSION(encoder);
    struct buffer *b = input;
    DEMAND(s, knows(s->in, b) && b->locked, NV_ENC_ERR_INVALID_CALL,
           "unlocking what is not locked");
    b->locked = false;
    return NV_ENC_SUCCESS;
}

/* ---- pictures ---- */

static NVENCSTATUS code(struct session *s, const NV_ENC_PIC_PARAMS *p, struct buffer *in,
                        struct buffer *out) {
    const uint8_t *bytes;
    size_t size;
    const bool idr = p->encodePicFlags & NV_ENC_PIC_FLAG_FORCEIDR || s->force_key;
    const long ms = played_control("late_ms", 0);
    s->force_key = false;
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
    if (played_control("green", 0))
        memset(in->bytes, 0, in->size);
    out->qp = qp_of(s);
    if (!coder_push(s->coder, in->bytes, in->pitch, in->format == NV_ENC_BUFFER_FORMAT_YV12,
                    (int)in->height, (int)out->qp, idr || s->n_pictures == 0, &bytes, &size,
                    &out->key) ||
        size > out->size)
        return NV_ENC_ERR_GENERIC;
    memcpy(out->bytes, bytes, size);
    out->width = (uint32_t)size;
    out->stamp = p->inputTimeStamp;
    out->pending = true;
    s->order[s->n_order++] = out;
    played_log("picture %ld %s %s qp=%u bytes=%zu", s->n_pictures, codec_of(s),
               out->key ? "key" : "p", out->qp, size);
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS check_picture(struct session *s, const NV_ENC_PIC_PARAMS *p) {
    struct buffer *in = p->inputBuffer, *out = p->outputBitstream;
    DEMAND(s, knows(s->in, in), NV_ENC_ERR_INVALID_PTR, "a picture without input");
    DEMAND(s, knows(s->out, out), NV_ENC_ERR_INVALID_PTR, "a picture without output");
    DEMAND(s, !in->locked, NV_ENC_ERR_INVALID_CALL, "the input is locked");
    DEMAND(s, !out->locked && !out->pending, NV_ENC_ERR_INVALID_CALL, "the output is in use");
    DEMAND(s, p->bufferFmt == in->format, NV_ENC_ERR_INVALID_PARAM, "another format");
    DEMAND(s, p->pictureStruct == NV_ENC_PIC_STRUCT_FRAME, NV_ENC_ERR_INVALID_PARAM, "structure");
    DEMAND(s, p->inputWidth == in->width && p->inputHeight == in->height, NV_ENC_ERR_INVALID_PARAM,
           "another size");
    DEMAND(s, p->inputPitch >= p->inputWidth, NV_ENC_ERR_INVALID_PARAM, "pitch");
    DEMAND(s, !p->qpDeltaMap && !p->completionEvent, NV_ENC_ERR_INVALID_PARAM, "not asked for");
    DEMAND(s, p->codecPicParams.h264PicParams.sliceMode <= 3, NV_ENC_ERR_INVALID_PARAM, "slices");
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS encode(void *encoder, NV_ENC_PIC_PARAMS *p) {
    SESSION(encoder);
    READY();
    VERSION(s, p, NV_ENC_PIC_PARAMS_VER);
    DEMAND(s, !s->ended, NV_ENC_ERR_INVALID_CALL, "a picture after the end");
    if (s->lost)
        return NV_ENC_ERR_DEVICE_NOT_EXIST;
    if (p->encodePicFlags & NV_ENC_PIC_FLAG_EOS) {
        DEMAND(s, !p->inputBuffer, NV_ENC_ERR_INVALID_PARAM, "the end with a picture");
        s->ended = true;
        return NV_ENC_SUCCESS;
    }
    NVENCSTATUS r = check_picture(s, p);
    if (r != NV_ENC_SUCCESS)
        return r;
    if (played_control("fail_encode", -1) == s->n_pictures || played_control("lose", 0)) {
        s->lost = true;
        played_log("lost at picture %ld", s->n_pictures);
        return NV_ENC_ERR_DEVICE_NOT_EXIST;
    }
    const bool kept = played_control("more_input", -1) == s->n_pictures;
    r = code(s, p, p->inputBuffer, p->outputBitstream);
    s->n_pictures++;
    return kept && r == NV_ENC_SUCCESS ? NV_ENC_ERR_NEED_MORE_INPUT : r;
}

static NVENCSTATUS lock_output(void *encoder, NV_ENC_LOCK_BITSTREAM *p) {
    SESSION(encoder);
    VERSION(s, p, NV_ENC_LOCK_BITSTREAM_VER);
    struct buffer *b = p->outputBitstream;
    DEMAND(s, knows(s->out, b) && !b->locked, NV_ENC_ERR_INVALID_PTR, "locking no output");
    DEMAND(s, b->pending && s->n_order > 0 && s->order[0] == b, NV_ENC_ERR_INVALID_CALL,
           "locked before its turn");
    memmove(s->order, s->order + 1, sizeof(s->order) - sizeof(s->order[0]));
    s->n_order--;
    b->pending = false;
    b->locked = true;
    p->bitstreamBufferPtr = b->bytes;
    p->bitstreamSizeInBytes = b->width;
    p->outputTimeStamp = b->stamp;
    p->pictureType = b->key ? NV_ENC_PIC_TYPE_IDR : NV_ENC_PIC_TYPE_P;
    p->pictureStruct = NV_ENC_PIC_STRUCT_FRAME;
    p->frameAvgQP = b->qp;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS unlock_output(void *encoder, NV_ENC_OUTPUT_PTR output) {
    SESSION(encoder);
    struct buffer *b = output;
    DEMAND(s, knows(s->out, b) && b->locked, NV_ENC_ERR_INVALID_CALL,
           "unlocking what is not locked");
    b->locked = false;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS set_streams(void *encoder, NV_ENC_CUSTREAM_PTR in, NV_ENC_CUSTREAM_PTR out) {
    SESSION(encoder);
    READY();
    DEMAND(s, in && out && s->n_pictures == 0, NV_ENC_ERR_INVALID_CALL, "streams");
    return NV_ENC_SUCCESS;
}

static const char *last_error(void *encoder) {
    struct session *s = encoder;
    return s && s->magic == MAGIC ? s->why : "no session";
}

EXPORT NVENCSTATUS NvEncodeAPIGetMaxSupportedVersion(uint32_t *ret) {
    *ret = (uint32_t)played_control("api", 13 * 16);
    return NV_ENC_SUCCESS;
}

EXPORT NVENCSTATUS NvEncodeAPICreateInstance(NV_ENCODE_API_FUNCTION_LIST *f) {
    VERSION(NULL, f, NV_ENCODE_API_FUNCTION_LIST_VER);
    if (API > played_control("api", 13 * 16))
        return NV_ENC_ERR_INVALID_VERSION;
    f->nvEncOpenEncodeSessionEx = open_session;
    f->nvEncGetEncodeGUIDCount = guid_count;
    f->nvEncGetEncodeGUIDs = guids;
    f->nvEncGetEncodeCaps = caps;
    f->nvEncGetEncodePresetConfigEx = preset_config;
    f->nvEncInitializeEncoder = initialize;
    f->nvEncReconfigureEncoder = reconfigure;
    f->nvEncCreateInputBuffer = create_input;
    f->nvEncDestroyInputBuffer = destroy_input;
    f->nvEncCreateBitstreamBuffer = create_output;
    f->nvEncDestroyBitstreamBuffer = destroy_output;
    f->nvEncLockInputBuffer = lock_input;
    f->nvEncUnlockInputBuffer = unlock_input;
    f->nvEncEncodePicture = encode;
    f->nvEncLockBitstream = lock_output;
    f->nvEncUnlockBitstream = unlock_output;
    f->nvEncDestroyEncoder = destroy;
    f->nvEncGetLastErrorString = last_error;
    f->nvEncSetIOCudaStreams = set_streams;
    return NV_ENC_SUCCESS;
}
