/* src/host/encode/test_seen.c - see test_seen.h */
#include "host/encode/test_seen.h"
#include "base/test.h"
#include "proto/session.h"

void px_test_decode(struct px_decoder *d, enum px_codec codec, const uint8_t *data, size_t size,
                    bool key) {
    static const Pxs__VideoFrame__PicturesCase cases[] = {
        [PX_CODEC_VP8] = PXS__VIDEO_FRAME__PICTURES_VP8S,
        [PX_CODEC_VP9] = PXS__VIDEO_FRAME__PICTURES_VP9S,
        [PX_CODEC_AV1] = PXS__VIDEO_FRAME__PICTURES_AV1S,
        [PX_CODEC_H264] = PXS__VIDEO_FRAME__PICTURES_H264S,
        [PX_CODEC_H265] = PXS__VIDEO_FRAME__PICTURES_H265S};
    Pxs__EncodedVideoFrame f = PXS__ENCODED_VIDEO_FRAME__INIT, *frames[] = {&f};
    Pxs__EncodedVideoFrames list = PXS__ENCODED_VIDEO_FRAMES__INIT;
    Pxs__VideoFrame v = PXS__VIDEO_FRAME__INIT;
    struct px_error err = {0};
    f.data = (ProtobufCBinaryData){size, (uint8_t *)data};
    f.key = key;
    list.n_frames = 1;
    list.frames = frames;
    v.pictures_case = cases[codec];
    v.vp9s = &list; /* a union */
    px_assert_ok_err(px_decoder_push(d, &v, &err), &err);
}
