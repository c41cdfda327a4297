/* tests/nvdec/viewer.h - somebody whose card decodes, and whose processor does so, too
 *
 * Every packet goes through libavcodec's decoder in software (AV1: dav1d), through NVDEC by
 * libnvcuvid, and through NVDEC by libavcodec, which is how RustDesk's clients reach hardware (for
 * H.264 and H.265 only). All must show the same to the bit, and libavcodec, which is told nothing
 * of low delay, each picture at once. Left out is what neither way shows of odd sizes (viewer.c).
 */
#pragma once
#include "nvdec.h"

struct AVBufferRef;
/* The first card, as libavcodec knows it. */
int viewer_device_open(struct AVBufferRef **ret, struct px_error *err);
void viewer_device_close(struct AVBufferRef *device);

struct viewer_opts {
    enum px_codec codec;
    const struct nvdec_card *card; /* lent; NULL: in software only */
    struct AVBufferRef *device;    /* lent: the same card; NULL: not through libavcodec */
    unsigned delay;                /* struct nvdec_opts */
    bool parts;                    /* the parser is not told that a packet is a picture */
};

struct viewer_figures {
    unsigned n_pictures;
    unsigned n_held; /* pictures that NVDEC had not shown yet when the next packet came, at most */
    unsigned n_timed;
    int64_t us, us_max; /* of @n_timed pictures on the card, all together; of the slowest */
    uint64_t bytes;
};

struct viewer;
int viewer_new(const struct viewer_opts *opts, struct viewer **ret, struct px_error *err);
void viewer_free(struct viewer *v);
PX_DEFINE_CLEANUP(struct viewer *, viewer_free)
/* -EBADMSG: a decoder does not take it, or they differ. */
int viewer_push(struct viewer *v, const uint8_t *data, size_t size, struct px_error *err);
/* Until here; what was held back is looked at, too. */
int viewer_end(struct viewer *v, struct px_error *err);
/* Adds what it saw. */
void viewer_count(const struct viewer *v, struct viewer_figures *ret);
