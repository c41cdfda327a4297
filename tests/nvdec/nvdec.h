/* tests/nvdec/nvdec.h - NVDEC by its own library, libnvcuvid: parser and decoder
 *
 * All of it belongs to one thread. Source: NVIDIA's NVDEC Video Decoder API programming guide. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "host/encode/encoder.h"

/* The first card, and what is needed of its driver. */
struct nvdec_card;
/* -ENOTSUP: this machine has none, or no driver that decodes. */
int nvdec_card_open(struct nvdec_card **ret, struct px_error *err);
void nvdec_card_close(struct nvdec_card *c);
PX_DEFINE_CLEANUP(struct nvdec_card *, nvdec_card_close)

struct nvdec_caps {
    bool decodes;
    unsigned n_engines, min_width, min_height, max_width, max_height, max_blocks;
};
/* What cuvidGetDecoderCaps says of 8 bits a sample. */
int nvdec_caps(const struct nvdec_card *c, enum px_codec codec, bool i444, struct nvdec_caps *ret,
               struct px_error *err);

/* A picture as the card has it: the whole coded one, in NV12. What is to be seen of it is
 * @width x @height at @left, @top. */
struct nvdec_shown {
    const uint8_t *luma, *chroma; /* lent for the call */
    unsigned pitch;
    int left, top, width, height;
    int64_t us; /* since its packet, or the one that let it out, was given, until it was decoded */
    bool first; /* a decoder was made for it, which @us holds, too */
};

struct nvdec_opts {
    enum px_codec codec;
    unsigned delay; /* ulMaxDisplayDelay: pictures that may wait to be shown */
    bool whole;     /* the parser is told that a packet is a picture (CUVID_PKT_ENDOFPICTURE) */
    /* From within push and end. Less than 0: it stops, and they return that. */
    int (*on_shown)(void *data, const struct nvdec_shown *shown, struct px_error *err);
    void *data;
};

struct nvdec;
int nvdec_new(const struct nvdec_card *c, const struct nvdec_opts *opts, struct nvdec **ret,
              struct px_error *err); /* @c is lent until nvdec_free() */
void nvdec_free(struct nvdec *d);
int nvdec_push(struct nvdec *d, const uint8_t *data, size_t size, struct px_error *err);
/* The stream's end: what waits is shown. */
int nvdec_end(struct nvdec *d, struct px_error *err);
