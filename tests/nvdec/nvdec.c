/* tests/nvdec/nvdec.c - see nvdec.h
 *
 * The parser calls back for the stream's format, for each picture to decode and for each to show,
 * all within cuvidParseVideoData. */
#include "nvdec.h"
#include "base/alloc.h"
#include "base/clock.h"
#include <dlfcn.h>
#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/dynlink_nvcuvid.h>

struct nvdec_card {
    void *cuda, *nvcuvid;
    CUdevice device;
    bool held;
    tcuInit *init;
    tcuDeviceGet *get;
    tcuDevicePrimaryCtxRetain *retain;
    tcuDevicePrimaryCtxRelease *release;
    CUresult (*set_current)(CUcontext);
    CUresult (*synchronize)(void);
    CUresult (*alloc_host)(void **, size_t);
    CUresult (*free_host)(void *);
    tcuMemcpyDtoH_v2 *to_host;
    tcuGetErrorName *error_name;
    tcuvidGetDecoderCaps *caps;
    tcuvidCreateVideoParser *parser_new;
    tcuvidParseVideoData *parse;
    tcuvidDestroyVideoParser *parser_free;
    tcuvidCreateDecoder *decoder_new;
    tcuvidDestroyDecoder *decoder_free;
    tcuvidDecodePicture *decode;
    tcuvidGetDecodeStatus *status;
    tcuvidMapVideoFrame *map;
    tcuvidUnmapVideoFrame *unmap;
};

struct nvdec {
    const struct nvdec_card *card;
    struct nvdec_opts opts;
    CUvideoparser parser;
    CUvideodecoder decoder;
    CUVIDEOFORMAT format; /* that the decoder was made for */
    uint8_t *pixels;      /* in memory that the card reaches */
    size_t room;
    int64_t pushed_us;
    bool first;           /* the decoder has shown nothing yet */
    int failed;           /* of the push at hand; @err tells why */
    struct px_error *err; /* the push's */
};

/* ---- the card ---- */

static int load(struct nvdec_card *c, struct px_error *err) {
    const struct {
        void *library;
        const char *name;
        void *slot;
    } table[] = {
        {c->cuda, "cuInit", &c->init},
        {c->cuda, "cuDeviceGet", &c->get},
        {c->cuda, "cuDevicePrimaryCtxRetain", &c->retain},
        {c->cuda, "cuDevicePrimaryCtxRelease_v2", &c->release},
        {c->cuda, "cuCtxSetCurrent", &c->set_current},
        {c->cuda, "cuCtxSynchronize", &c->synchronize},
        {c->cuda, "cuMemAllocHost_v2", &c->alloc_host},
        {c->cuda, "cuMemFreeHost", &c->free_host},
        {c->cuda, "cuMemcpyDtoH_v2", &c->to_host},
        {c->cuda, "cuGetErrorName", &c->error_name},
        {c->nvcuvid, "cuvidGetDecoderCaps", &c->caps},
        {c->nvcuvid, "cuvidCreateVideoParser", &c->parser_new},
        {c->nvcuvid, "cuvidParseVideoData", &c->parse},
        {c->nvcuvid, "cuvidDestroyVideoParser", &c->parser_free},
        {c->nvcuvid, "cuvidCreateDecoder", &c->decoder_new},
        {c->nvcuvid, "cuvidDestroyDecoder", &c->decoder_free},
        {c->nvcuvid, "cuvidDecodePicture", &c->decode},
        {c->nvcuvid, "cuvidGetDecodeStatus", &c->status},
        {c->nvcuvid, "cuvidMapVideoFrame64", &c->map},
        {c->nvcuvid, "cuvidUnmapVideoFrame64", &c->unmap},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        void *f = dlsym(table[i].library, table[i].name);
        if (!f)
            return px_fail(err, -ENOTSUP, "the driver has no %s", table[i].name);
        *(void **)table[i].slot = f;
    }
    return 0;
}

static int fail_as(const struct nvdec_card *c, CUresult r, const char *what, struct px_error *err) {
    const char *name = NULL;
    c->error_name(r, &name);
    return px_fail(err, -EIO, "%s: %s (%d)", what, name ? name : "unknown", (int)r);
}

static int open_libraries(struct nvdec_card *c, struct px_error *err) {
    c->cuda = dlopen("libcuda.so.1", RTLD_NOW);
    if (!c->cuda)
        return px_fail(err, -ENOTSUP, "%s", dlerror());
    c->nvcuvid = dlopen("libnvcuvid.so.1", RTLD_NOW);
    if (!c->nvcuvid)
        return px_fail(err, -ENOTSUP, "%s", dlerror());
    return load(c, err);
}

int nvdec_card_open(struct nvdec_card **ret, struct px_error *err) {
    px_cleanup(nvdec_card_closep) struct nvdec_card *c = px_new0(struct nvdec_card, 1);
    CUcontext context;
    int r = open_libraries(c, err);
    if (r < 0)
        return r;
    CUresult e = c->init(0);
    if (e == CUDA_SUCCESS)
        e = c->get(&c->device, 0);
    if (e != CUDA_SUCCESS)
        return px_fail(err, -ENOTSUP, "no card that computes (%d)", (int)e);
    if ((e = c->retain(&context, c->device)) != CUDA_SUCCESS)
        return fail_as(c, e, "cuDevicePrimaryCtxRetain", err);
    c->held = true;
    if ((e = c->set_current(context)) != CUDA_SUCCESS)
        return fail_as(c, e, "cuCtxSetCurrent", err);
    *ret = px_take_ptr(c);
    return 0;
}

/* The libraries stay: libcuda does not like to be unloaded. */
void nvdec_card_close(struct nvdec_card *c) {
    if (c && c->held)
        c->release(c->device);
    free(c);
}

static cudaVideoCodec number_of(enum px_codec codec) {
    static const cudaVideoCodec numbers[] = {[PX_CODEC_VP8] = cudaVideoCodec_VP8,
                                             [PX_CODEC_VP9] = cudaVideoCodec_VP9,
                                             [PX_CODEC_AV1] = cudaVideoCodec_AV1,
                                             [PX_CODEC_H264] = cudaVideoCodec_H264,
                                             [PX_CODEC_H265] = cudaVideoCodec_HEVC};
    return numbers[codec];
}

int nvdec_caps(const struct nvdec_card *c, enum px_codec codec, bool i444, struct nvdec_caps *ret,
               struct px_error *err) {
    CUVIDDECODECAPS caps = {.eCodecType = number_of(codec),
                            .eChromaFormat =
                                i444 ? cudaVideoChromaFormat_444 : cudaVideoChromaFormat_420};
    const CUresult e = c->caps(&caps);
    if (e != CUDA_SUCCESS)
        return fail_as(c, e, "cuvidGetDecoderCaps", err);
    *ret = (struct nvdec_caps){.decodes = caps.bIsSupported,
                               .n_engines = caps.nNumNVDECs,
                               .min_width = caps.nMinWidth,
                               .min_height = caps.nMinHeight,
                               .max_width = caps.nMaxWidth,
                               .max_height = caps.nMaxHeight,
                               .max_blocks = caps.nMaxMBCount};
    return 0;
}

/* ---- what the parser calls ---- */

static int stop(struct nvdec *d, int r) {
    if (d->failed >= 0)
        d->failed = r;
    return 0;
}

static int stop_as(struct nvdec *d, CUresult e, const char *what) {
    return d->failed < 0 ? 0 : stop(d, fail_as(d->card, e, what, d->err));
}

static int CUDAAPI on_sequence(void *data, CUVIDEOFORMAT *f) {
    struct nvdec *d = data;
    const bool same = d->decoder && f->coded_width == d->format.coded_width &&
                      f->coded_height == d->format.coded_height;
    d->format = *f;
    if (same)
        return f->min_num_decode_surfaces;
    if (d->decoder)
        d->card->decoder_free(d->decoder);
    d->decoder = NULL;
    CUVIDDECODECREATEINFO info = {
        .ulWidth = f->coded_width,
        .ulHeight = f->coded_height,
        .ulNumDecodeSurfaces = f->min_num_decode_surfaces,
        .CodecType = f->codec,
        .ChromaFormat = f->chroma_format,
        .ulCreationFlags = cudaVideoCreate_PreferCUVID,
        .bitDepthMinus8 = f->bit_depth_luma_minus8,
        .ulMaxWidth = f->coded_width,
        .ulMaxHeight = f->coded_height,
        .OutputFormat = cudaVideoSurfaceFormat_NV12,
        .DeinterlaceMode = cudaVideoDeinterlaceMode_Weave,
        .ulTargetWidth = f->coded_width,
        .ulTargetHeight = f->coded_height,
        .ulNumOutputSurfaces = 1,
    };
    const CUresult e = d->card->decoder_new(&d->decoder, &info);
    d->first = true;
    return e == CUDA_SUCCESS ? (int)f->min_num_decode_surfaces
                             : stop_as(d, e, "cuvidCreateDecoder");
}

static int CUDAAPI on_decode(void *data, CUVIDPICPARAMS *picture) {
    struct nvdec *d = data;
    if (!d->decoder)
        return stop(d, px_fail(d->err, -EIO, "a picture before its format"));
    const CUresult e = d->card->decode(d->decoder, picture);
    return e == CUDA_SUCCESS ? 1 : stop_as(d, e, "cuvidDecodePicture");
}

/* The card conceals what is damaged, and tells of H.264 only. */
static bool is_whole(struct nvdec *d, int index) {
    CUVIDGETDECODESTATUS status = {0};
    if (d->opts.codec != PX_CODEC_H264)
        return true;
    const CUresult e = d->card->status(d->decoder, index, &status);
    if (e != CUDA_SUCCESS)
        return stop_as(d, e, "cuvidGetDecodeStatus");
    if (status.decodeStatus != cuvidDecodeStatus_Success)
        return stop(d, px_fail(d->err, -EBADMSG, "the card says that a picture is damaged (%d)",
                               (int)status.decodeStatus));
    return true;
}

static CUresult fetch(struct nvdec *d, CUdeviceptr from, size_t size) {
    CUresult e = CUDA_SUCCESS;
    if (size > d->room) {
        d->card->free_host(d->pixels);
        d->pixels = NULL;
        d->room = 0;
        e = d->card->alloc_host((void **)&d->pixels, size);
        d->room = e == CUDA_SUCCESS ? size : 0;
    }
    return e == CUDA_SUCCESS ? d->card->to_host(d->pixels, from, size) : e;
}

static int show(struct nvdec *d, unsigned pitch, int64_t us) {
    const size_t luma_rows = (d->format.coded_height + 1) & ~1u;
    const struct nvdec_shown shown = {
        .luma = d->pixels,
        .chroma = d->pixels + luma_rows * pitch,
        .pitch = pitch,
        .left = d->format.display_area.left,
        .top = d->format.display_area.top,
        .width = d->format.display_area.right - d->format.display_area.left,
        .height = d->format.display_area.bottom - d->format.display_area.top,
        .us = us,
        .first = d->first};
    d->first = false;
    const int r = d->opts.on_shown(d->opts.data, &shown, d->err);
    return r < 0 ? stop(d, r) : 1;
}

static int CUDAAPI on_display(void *data, CUVIDPARSERDISPINFO *info) {
    struct nvdec *d = data;
    CUVIDPROCPARAMS params = {.progressive_frame = 1};
    unsigned long long frame = 0;
    unsigned pitch = 0;
    if (!info) /* the stream's end */
        return 1;
    CUresult e = d->card->map(d->decoder, info->picture_index, &frame, &pitch, &params);
    if (e != CUDA_SUCCESS)
        return stop_as(d, e, "cuvidMapVideoFrame");
    d->card->synchronize(); /* mapping puts it into order, which goes on meanwhile */
    const int64_t us = px_now_us() - d->pushed_us;
    const size_t luma_rows = (d->format.coded_height + 1) & ~1u;
    const bool whole = is_whole(d, info->picture_index);
    e = fetch(d, (CUdeviceptr)frame, pitch * (luma_rows + luma_rows / 2));
    d->card->unmap(d->decoder, frame);
    if (e != CUDA_SUCCESS)
        return stop_as(d, e, "cuMemcpyDtoH");
    return whole ? show(d, pitch, us) : 0;
}

/* ---- a stream ---- */

int nvdec_new(const struct nvdec_card *c, const struct nvdec_opts *opts, struct nvdec **ret,
              struct px_error *err) {
    struct nvdec *d = px_new0(struct nvdec, 1);
    CUVIDPARSERPARAMS params = {.CodecType = number_of(opts->codec),
                                .ulMaxNumDecodeSurfaces = 1, /* on_sequence() says how many */
                                .ulMaxDisplayDelay = opts->delay,
                                .pUserData = d,
                                .pfnSequenceCallback = on_sequence,
                                .pfnDecodePicture = on_decode,
                                .pfnDisplayPicture = on_display};
    d->card = c;
    d->opts = *opts;
    const CUresult e = c->parser_new(&d->parser, &params);
    if (e != CUDA_SUCCESS) {
        nvdec_free(d);
        return fail_as(c, e, "cuvidCreateVideoParser", err);
    }
    *ret = d;
    return 0;
}

void nvdec_free(struct nvdec *d) {
    if (!d)
        return;
    if (d->parser)
        d->card->parser_free(d->parser);
    if (d->decoder)
        d->card->decoder_free(d->decoder);
    if (d->pixels)
        d->card->free_host(d->pixels);
    free(d);
}

static int parse(struct nvdec *d, CUVIDSOURCEDATAPACKET packet, struct px_error *err) {
    d->err = err;
    d->failed = 0;
    d->pushed_us = px_now_us();
    const CUresult e = d->card->parse(d->parser, &packet);
    if (d->failed < 0)
        return d->failed;
    return e == CUDA_SUCCESS ? 0 : fail_as(d->card, e, "cuvidParseVideoData", err);
}

int nvdec_push(struct nvdec *d, const uint8_t *data, size_t size, struct px_error *err) {
    const CUVIDSOURCEDATAPACKET packet = {.flags = d->opts.whole ? CUVID_PKT_ENDOFPICTURE : 0,
                                          .payload_size = (tcu_ulong)size,
                                          .payload = data};
    return parse(d, packet, err);
}

int nvdec_end(struct nvdec *d, struct px_error *err) {
    return parse(d, (CUVIDSOURCEDATAPACKET){.flags = CUVID_PKT_ENDOFSTREAM}, err);
}
