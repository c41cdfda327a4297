/* src/gpu/probe/codec.c - NVENC encodes a frame, NVDEC decodes it again */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/nvenc_api.h"
#include "gpu/probe/decode.h"
#include "gpu/probe/picture.h"
#include "gpu/probe/probe.h"
#include <dlfcn.h>
#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/dynlink_cuviddec.h>
#include <ffnvcodec/nvEncodeAPI.h>
#include <string.h>

#define WIDTH PROBE_WIDTH
#define HEIGHT PROBE_HEIGHT

struct nvenc {
    NV_ENCODE_API_FUNCTION_LIST f;
    void *session;
    NV_ENC_INPUT_PTR input;
    NV_ENC_OUTPUT_PTR output;
};

static NVENCSTATUS open_session(struct nvenc *e, cu_context context) {
    NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS open = {.version =
                                                     NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER,
                                                 .deviceType = NV_ENC_DEVICE_TYPE_CUDA,
                                                 .device = context,
                                                 .apiVersion = NVENCAPI_VERSION};
    return e->f.nvEncOpenEncodeSessionEx(&open, &e->session);
}

static NVENCSTATUS configure(struct nvenc *e) {
    NV_ENC_INITIALIZE_PARAMS init = {.version = NV_ENC_INITIALIZE_PARAMS_VER,
                                     .encodeGUID = NV_ENC_CODEC_H264_GUID,
                                     .presetGUID = NV_ENC_PRESET_P1_GUID,
                                     .tuningInfo = NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY,
                                     .encodeWidth = WIDTH,
                                     .encodeHeight = HEIGHT,
                                     .darWidth = WIDTH,
                                     .darHeight = HEIGHT,
                                     .frameRateNum = 30,
                                     .frameRateDen = 1,
                                     .enablePTD = 1};
    NV_ENC_CREATE_INPUT_BUFFER in = {.version = NV_ENC_CREATE_INPUT_BUFFER_VER,
                                     .width = WIDTH,
                                     .height = HEIGHT,
                                     .bufferFmt = NV_ENC_BUFFER_FORMAT_NV12};
    NV_ENC_CREATE_BITSTREAM_BUFFER out = {.version = NV_ENC_CREATE_BITSTREAM_BUFFER_VER};
    NVENCSTATUS r = e->f.nvEncInitializeEncoder(e->session, &init);
    if (r == NV_ENC_SUCCESS)
        r = e->f.nvEncCreateInputBuffer(e->session, &in);
    e->input = in.inputBuffer;
    if (r == NV_ENC_SUCCESS)
        r = e->f.nvEncCreateBitstreamBuffer(e->session, &out);
    e->output = out.bitstreamBuffer;
    return r;
}

static NVENCSTATUS draw(struct nvenc *e) {
    NV_ENC_LOCK_INPUT_BUFFER lock = {.version = NV_ENC_LOCK_INPUT_BUFFER_VER,
                                     .inputBuffer = e->input};
    NVENCSTATUS r = e->f.nvEncLockInputBuffer(e->session, &lock);
    if (r != NV_ENC_SUCCESS)
        return r;
    uint8_t *rows = lock.bufferDataPtr;
    for (size_t y = 0; y < HEIGHT * 3 / 2; y++)
        memset(rows + y * lock.pitch, y < HEIGHT ? probe_row((unsigned)y) : 128, WIDTH);
    return e->f.nvEncUnlockInputBuffer(e->session, e->input);
}

/* *ret, *ret_bytes: the frame, the caller's, when it begins as an H.264 stream does. */
static NVENCSTATUS encode(struct nvenc *e, uint8_t **ret, size_t *ret_bytes) {
    static const uint8_t start_code[] = {0, 0, 0, 1};
    NV_ENC_PIC_PARAMS pic = {.version = NV_ENC_PIC_PARAMS_VER,
                             .inputWidth = WIDTH,
                             .inputHeight = HEIGHT,
                             .inputPitch = WIDTH,
                             .encodePicFlags = NV_ENC_PIC_FLAG_FORCEIDR,
                             .inputBuffer = e->input,
                             .outputBitstream = e->output,
                             .bufferFmt = NV_ENC_BUFFER_FORMAT_NV12,
                             .pictureStruct = NV_ENC_PIC_STRUCT_FRAME};
    NV_ENC_LOCK_BITSTREAM lock = {.version = NV_ENC_LOCK_BITSTREAM_VER,
                                  .outputBitstream = e->output};
    NVENCSTATUS r = draw(e);
    if (r == NV_ENC_SUCCESS)
        r = e->f.nvEncEncodePicture(e->session, &pic);
    if (r == NV_ENC_SUCCESS)
        r = e->f.nvEncLockBitstream(e->session, &lock);
    if (r != NV_ENC_SUCCESS)
        return r;
    if (lock.bitstreamSizeInBytes > sizeof(start_code) &&
        memcmp(lock.bitstreamBufferPtr, start_code, sizeof(start_code)) == 0) {
        *ret_bytes = lock.bitstreamSizeInBytes;
        *ret = px_calloc(1, *ret_bytes);
        memcpy(*ret, lock.bitstreamBufferPtr, *ret_bytes);
    }
    return e->f.nvEncUnlockBitstream(e->session, e->output);
}

static void close_session(struct nvenc *e) {
    if (e->input)
        e->f.nvEncDestroyInputBuffer(e->session, e->input);
    if (e->output)
        e->f.nvEncDestroyBitstreamBuffer(e->session, e->output);
    if (e->session)
        e->f.nvEncDestroyEncoder(e->session);
}

/* What was encoded, decoded on the same card. */
static void note_again(struct probe *p, int card, const uint8_t *frame, size_t bytes) {
    void *lib = dlopen("libnvcuvid.so.1", RTLD_NOW);
    double off = 0;
    int r = lib ? probe_decode(p, lib, frame, bytes, &off) : -1;
    if (r != 0)
        probe_note(p, PROBE_FAIL, "nvenc", "card %d: what it encoded cannot be decoded (%d)", card,
                   r);
    else if (off > PROBE_OFF_MAX)
        probe_note(p, PROBE_FAIL, "nvenc", "card %d: decoded, it is another picture (%.1f off)",
                   card, off);
    else
        probe_note(p, PROBE_OK, "nvenc",
                   "card %d: a frame of %dx%d became %zu bytes of H.264, and a frame again", card,
                   WIDTH, HEIGHT, bytes);
}

static void note_result(struct probe *p, int card, NVENCSTATUS r, const uint8_t *frame,
                        size_t bytes) {
    if (r == NV_ENC_ERR_NO_ENCODE_DEVICE || r == NV_ENC_ERR_UNSUPPORTED_DEVICE)
        probe_note(p, PROBE_SKIP, "nvenc", "card %d: no encoder on this card", card);
    else if (r == NV_ENC_ERR_OUT_OF_MEMORY || r == NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY)
        probe_note(p, PROBE_FAIL, "nvenc", "card %d: no session free (or no memory)", card);
    else if (r != NV_ENC_SUCCESS)
        probe_note(p, PROBE_FAIL, "nvenc", "card %d: NVENC's error %d", card, (int)r);
    else if (bytes == 0)
        probe_note(p, PROBE_FAIL, "nvenc", "card %d: what it encoded is no H.264", card);
    else
        note_again(p, card, frame, bytes);
}

/* Whether the driver knows the interface that phoenix-host was built for, too. */
static bool is_new_enough(struct probe *p, void *lib) {
    const unsigned needed = PX_NVENC_API(NVENCAPI_MAJOR_VERSION, NVENCAPI_MINOR_VERSION);
    NVENCSTATUS (*max)(uint32_t *) = NULL;
    const char *driver = px_nvenc_driver_for(needed);
    uint32_t offered = needed;
    *(void **)&max = dlsym(lib, "NvEncodeAPIGetMaxSupportedVersion");
    if (!max || max(&offered) != NV_ENC_SUCCESS || offered >= needed)
        return true;
    probe_note(p, PROBE_FAIL, "nvenc",
               "the driver offers NVENC %u.%u, this needs %u.%u (driver %s or newer): software "
               "encodes",
               offered >> 4, offered & 15, needed >> 4, needed & 15, driver ? driver : "of later");
    return false;
}

static void probe_encoder(struct probe *p, int card) {
    struct nvenc e = {.f = {.version = NV_ENCODE_API_FUNCTION_LIST_VER}};
    px_cleanup_free uint8_t *frame = NULL;
    size_t bytes = 0;
    void *lib = dlopen("libnvidia-encode.so.1", RTLD_NOW);
    NVENCSTATUS(*create)
    (NV_ENCODE_API_FUNCTION_LIST *) =
        lib ? (NVENCSTATUS(*)(NV_ENCODE_API_FUNCTION_LIST *))dlsym(lib, "NvEncodeAPICreateInstance")
            : NULL;
    if (!create) {
        probe_note(p, PROBE_FAIL, "nvenc", "%s", dlerror());
        return;
    }
    if (!is_new_enough(p, lib))
        return;
    NVENCSTATUS r = create(&e.f);
    if (r == NV_ENC_SUCCESS)
        r = open_session(&e, p->cards[card].context);
    if (r == NV_ENC_SUCCESS)
        r = configure(&e);
    if (r == NV_ENC_SUCCESS)
        r = encode(&e, &frame, &bytes);
    close_session(&e);
    note_result(p, card, r, frame, bytes);
}

static void probe_decoder(struct probe *p, int card) {
    static const struct {
        cudaVideoCodec codec;
        const char *name;
    } codecs[] = {{cudaVideoCodec_H264, "H.264"},
                  {cudaVideoCodec_HEVC, "HEVC"},
                  {cudaVideoCodec_VP9, "VP9"},
                  {cudaVideoCodec_AV1, "AV1"}};
    void *lib = dlopen("libnvcuvid.so.1", RTLD_NOW);
    CUresult (*get)(CUVIDDECODECAPS *) =
        lib ? (CUresult(*)(CUVIDDECODECAPS *))dlsym(lib, "cuvidGetDecoderCaps") : NULL;
    char list[64] = "";
    if (!get) {
        probe_note(p, PROBE_FAIL, "nvdec", "%s", dlerror());
        return;
    }
    for (size_t i = 0; i < PX_N_ELEMENTS(codecs); i++) {
        CUVIDDECODECAPS caps = {.eCodecType = codecs[i].codec,
                                .eChromaFormat = cudaVideoChromaFormat_420};
        const size_t used = strlen(list);
        if (get(&caps) == CUDA_SUCCESS && caps.bIsSupported)
            snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", codecs[i].name);
    }
    double off = 0;
    int r = list[0] ? probe_decode(p, lib, probe_h264, sizeof(probe_h264), &off) : 0;
    if (!list[0])
        probe_note(p, PROBE_SKIP, "nvdec", "card %d: no decoder on this card", card);
    else if (r != 0)
        probe_note(p, PROBE_FAIL, "nvdec", "card %d: a frame of H.264 cannot be decoded (%d)", card,
                   r);
    else if (off > PROBE_OFF_MAX)
        probe_note(p, PROBE_FAIL, "nvdec", "card %d: the decoded frame is wrong (%.1f off)", card,
                   off);
    else
        probe_note(p, PROBE_OK, "nvdec", "card %d: a frame decoded, %.2f off; it knows %s", card,
                   off, list);
}

void probe_codec(struct probe *p, int card) {
    probe_encoder(p, card);
    probe_decoder(p, card);
}
