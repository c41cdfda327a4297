/* src/gpu/probe/decode.c - NVDEC turns a stream back into the picture
 *
 * The parser calls back for the stream's format, for each picture to decode and for each to show,
 * all within cuvidParseVideoData. Source: NVIDIA's NVDEC Video Decoder API programming guide. */
#include "gpu/probe/decode.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "gpu/probe/picture.h"
#include <dlfcn.h>
#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/dynlink_nvcuvid.h>
#include <stdlib.h>
#include <string.h>

struct api {
    CUresult (*parser_new)(CUvideoparser *, CUVIDPARSERPARAMS *);
    CUresult (*parse)(CUvideoparser, CUVIDSOURCEDATAPACKET *);
    CUresult (*parser_free)(CUvideoparser);
    CUresult (*decoder_new)(CUvideodecoder *, CUVIDDECODECREATEINFO *);
    CUresult (*decoder_free)(CUvideodecoder);
    CUresult (*decode)(CUvideodecoder, CUVIDPICPARAMS *);
    CUresult (*map)(CUvideodecoder, int, CUdeviceptr *, unsigned *, CUVIDPROCPARAMS *);
    CUresult (*unmap)(CUvideodecoder, CUdeviceptr);
};

struct work {
    struct probe *p;
    struct api api;
    CUvideodecoder decoder;
    int code; /* the first failure of a callback */
    bool shown;
    double off;
};

static int load(void *lib, struct api *a) {
    const struct {
        const char *name;
        void **slot;
    } table[] = {
        {"cuvidCreateVideoParser", (void **)&a->parser_new},
        {"cuvidParseVideoData", (void **)&a->parse},
        {"cuvidDestroyVideoParser", (void **)&a->parser_free},
        {"cuvidCreateDecoder", (void **)&a->decoder_new},
        {"cuvidDestroyDecoder", (void **)&a->decoder_free},
        {"cuvidDecodePicture", (void **)&a->decode},
        {"cuvidMapVideoFrame64", (void **)&a->map},
        {"cuvidUnmapVideoFrame64", (void **)&a->unmap},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(table); i++)
        if (!(*table[i].slot = dlsym(lib, table[i].name)))
            return -1;
    return 0;
}

static int fail_with(struct work *w, int code) {
    if (w->code == CU_OK)
        w->code = code;
    return 0; /* to the parser: stop */
}

static int CUDAAPI on_sequence(void *data, CUVIDEOFORMAT *format) {
    struct work *w = data;
    if (format->coded_width > 4096 || format->coded_height > 4096)
        return fail_with(w, -1);
    const unsigned n = format->min_num_decode_surfaces ? format->min_num_decode_surfaces : 4;
    CUVIDDECODECREATEINFO info = {
        .ulWidth = format->coded_width,
        .ulHeight = format->coded_height,
        .ulNumDecodeSurfaces = n,
        .CodecType = format->codec,
        .ChromaFormat = format->chroma_format,
        .ulCreationFlags = cudaVideoCreate_PreferCUVID,
        .OutputFormat = cudaVideoSurfaceFormat_NV12,
        .DeinterlaceMode = cudaVideoDeinterlaceMode_Weave,
        .ulTargetWidth = PROBE_WIDTH,
        .ulTargetHeight = PROBE_HEIGHT,
        .ulNumOutputSurfaces = 1,
        .display_area = {0, 0, PROBE_WIDTH, PROBE_HEIGHT},
    };
    int r = w->decoder ? CU_OK : (int)w->api.decoder_new(&w->decoder, &info);
    return r == CU_OK ? (int)n : fail_with(w, r);
}

static int CUDAAPI on_decode(void *data, CUVIDPICPARAMS *picture) {
    struct work *w = data;
    int r = w->decoder ? (int)w->api.decode(w->decoder, picture) : -1;
    return r == CU_OK ? 1 : fail_with(w, r);
}

static double distance(const uint8_t *rows, size_t pitch) {
    uint64_t sum = 0;
    for (unsigned y = 0; y < PROBE_HEIGHT; y++)
        for (unsigned x = 0; x < PROBE_WIDTH; x++)
            sum += (unsigned)abs(rows[y * pitch + x] - probe_row(y));
    return (double)sum / (PROBE_WIDTH * PROBE_HEIGHT);
}

static int CUDAAPI on_display(void *data, CUVIDPARSERDISPINFO *shown) {
    struct work *w = data;
    CUVIDPROCPARAMS params = {.progressive_frame = 1};
    CUdeviceptr frame = 0;
    unsigned pitch = 0;
    if (!shown) /* the stream's end */
        return 1;
    int r = (int)w->api.map(w->decoder, shown->picture_index, &frame, &pitch, &params);
    if (r != CU_OK)
        return fail_with(w, r);
    px_cleanup_free uint8_t *rows = px_calloc(PROBE_HEIGHT, pitch);
    r = pitch < PROBE_WIDTH
            ? -1
            : w->p->cu.to_host(rows, (cu_pointer)frame, (size_t)pitch * PROBE_HEIGHT);
    w->api.unmap(w->decoder, frame);
    if (r != CU_OK)
        return fail_with(w, r);
    w->off = distance(rows, pitch);
    w->shown = true;
    return 1;
}

int probe_decode(struct probe *p, void *nvcuvid, const uint8_t *stream, size_t size,
                 double *ret_off) {
    struct work w = {.p = p};
    CUvideoparser parser = NULL;
    CUVIDPARSERPARAMS params = {.CodecType = cudaVideoCodec_H264,
                                .ulMaxNumDecodeSurfaces = 1,
                                .pUserData = &w,
                                .pfnSequenceCallback = on_sequence,
                                .pfnDecodePicture = on_decode,
                                .pfnDisplayPicture = on_display};
    if (load(nvcuvid, &w.api) < 0)
        return -1;
    int r = (int)w.api.parser_new(&parser, &params);
    if (r != CU_OK)
        return r;
    CUVIDSOURCEDATAPACKET packet = {
        .flags = CUVID_PKT_ENDOFSTREAM, .payload_size = (unsigned long)size, .payload = stream};
    r = (int)w.api.parse(parser, &packet);
    w.api.parser_free(parser);
    if (w.decoder)
        w.api.decoder_free(w.decoder);
    if (w.code != CU_OK || r != CU_OK)
        return w.code != CU_OK ? w.code : r;
    *ret_off = w.off;
    return w.shown ? 0 : -1;
}
