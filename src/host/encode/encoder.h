/* src/host/encode/encoder.h - pictures to packets
 *
 * One packet per picture, at once: no look-ahead, no reordering. An encoder belongs to one thread.
 * Colours are BT.601 limited range and the streams say so. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "host/capture/picture.h"
#include "host/capture/region.h"
#include "host/encode/card.h"
#include <stddef.h>

enum px_codec { PX_CODEC_VP8, PX_CODEC_VP9, PX_CODEC_AV1, PX_CODEC_H264, PX_CODEC_H265 };
#define PX_N_CODECS 5
const char *px_codec_name(enum px_codec codec); /* "vp9" */

struct px_encoder_opts {
    enum px_codec codec;
    int width, height;
    bool i444;
    unsigned rate_kbps;                /* what the line takes; at least 1 */
    unsigned min_quality, max_quality; /* bounds of the quantizer's scale, 0 best .. 100 worst */
    unsigned threads;                  /* at least 1 */
    bool whole_keys; /* no key frame is coarse at first, however long it takes (a recording) */
    /* Filled in by encoder.c for those on cards. */
    struct px_cards *cards; /* lent; NULL: none */
    bool hurry;             /* -EAGAIN rather than to wait for a card */
};

struct px_packet {
    const uint8_t *data; /* the encoder's, until the next push */
    size_t size;
    bool key;
    bool fine; /* at min_quality: nothing is gained by refining what it shows */
    bool more; /* refined only a part, so as to be quick: the next part may follow at once */
    /* A key frame only for who waits for one: who was there goes on without it, and all of them
     * with the next packet. What was due is still due. */
    bool lone;
    /* Some see a coarse key frame still: refine at once and before the screen rests, only what has
     * changed goes first. */
    bool owes;
    /* Behind a lone key frame: pictures that show the same, packets of their own, whose bytes
     * follow those of @size. With them its decoder is where the stream is. */
    const size_t *after;
    unsigned n_after;
};

struct px_encoder;

struct px_encoder_ops {
    const char *name; /* for --encoder and logs: "libvpx", "h264_nvenc" */
    enum px_codec codec;
    bool hardware;
    /* 0: runs here. Leaves nothing open. Any thread. NULL: it does. */
    int (*probe)(const struct px_encoder_ops *ops, struct px_error *err);
    /* -ENOTSUP: not this size or chroma. -EAGAIN: in a moment. Else not now; it is left alone for a
     * while. */
    int (*open)(const struct px_encoder_ops *ops, const struct px_encoder_opts *opts,
                struct px_encoder **ret, struct px_error *err);
    /* Encodes @pic, lent for the call. @changed tells what differs from the last push (a hint; the
     * first push and key frames take everything). @key: somebody waits for a key frame. @refine:
     * @changed shall look better, towards min_quality as far as the rate allows; nothing differs,
     * unless the last packet owes. 1: *ret is set; 0: the encoder kept nothing. */
    int (*push)(struct px_encoder *enc, const struct px_picture *pic,
                const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                struct px_packet *ret, struct px_error *err);
    /* Rate and quality bounds in @enc->opts are new, from the next push on. NULL: push() looks
     * at them each time. */
    void (*set_rate)(struct px_encoder *enc);
    void (*close)(struct px_encoder *enc);
};

struct px_encoder {
    const struct px_encoder_ops *ops;
    struct px_encoder_opts opts;
    struct px_encoders *of;
    bool stopgap; /* one on a card could not be had at once */
};

/* Twice as long each time when one has failed in use, up to 64 times. */
#define PX_ENCODER_SHUN_US (60 * INT64_C(1000000))

/* The encoders that run on this machine, best first per codec, found out once. Thread-safe. */
struct px_encoders;
/* @only: name of the one encoder to use ("" or NULL: all). */
int px_encoders_new(const char *only, struct px_encoders **ret, struct px_error *err);
/* Of these tables, each ended by a NULL name; for tests. */
struct px_encoders *px_encoders_of(const struct px_encoder_ops *const *tables, size_t n_tables);
void px_encoders_free(struct px_encoders *e);
bool px_encoders_can(const struct px_encoders *e, enum px_codec codec);
/* Why there is no encoder on a card, or not as many as there could be; "": nothing to say. */
const char *px_encoders_note(const struct px_encoders *e);
/* Nobody watches: what is kept of cards for the next encoder is given back. */
void px_encoders_rest(struct px_encoders *e);
/* How many are open on cards now, and how many gave up while they were in use. */
unsigned px_encoders_n_hardware(const struct px_encoders *e);
unsigned px_encoders_n_failed(const struct px_encoders *e);
/* The one at place @i of the list; NULL: there are no more. */
const struct px_encoder_ops *px_encoders_at(const struct px_encoders *e, size_t i);
/* Whether @name is opened only when no other encoder of its codec does. */
void px_encoders_put_last(struct px_encoders *e, const char *name, bool last);

/* The first that opens. One on a card that takes a while to open is opened by a thread meanwhile,
 * and another one stands in. -ENOTSUP: none does. */
int px_encoder_open(struct px_encoders *e, const struct px_encoder_opts *opts,
                    struct px_encoder **ret, struct px_error *err);
/* The one at place @i. -ENOTSUP: it does not open, or is left alone. */
int px_encoder_open_at(struct px_encoders *e, size_t i, const struct px_encoder_opts *opts,
                       struct px_encoder **ret, struct px_error *err);
/* An encoder that fails is closed, left alone for a while (PX_ENCODER_SHUN_US), and replaced by
 * the next that opens, whose first packet is a key frame: @*enc changes, the viewer sees nothing.
 * Negative only when none is left; @*enc is NULL then. */
int px_encoder_push(struct px_encoders *e, struct px_encoder **enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err);
/* The same, but one that fails stays where it is, and is not left alone for it. */
int px_encoder_push_once(struct px_encoder *enc, const struct px_picture *pic,
                         const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                         struct px_packet *ret, struct px_error *err);
/* It stands in for one on a card, which is to be had now: close it and open another. */
bool px_encoder_is_outdated(struct px_encoder *enc);
void px_encoder_set_rate(struct px_encoder *enc, unsigned rate_kbps, unsigned min_quality,
                         unsigned max_quality);
void px_encoder_close(struct px_encoder *enc);
PX_DEFINE_CLEANUP(struct px_encoder *, px_encoder_close)

/* av1.c, h264.c, vp8.c, vp9.c, vpx.c, x264.c, nvenc.c, avcodec.c: tables ended by a NULL name. */
extern const struct px_encoder_ops px_encoders_av1[], px_encoders_h264[], px_encoders_vp8[],
    px_encoders_vp9[], px_encoders_vpx[], px_encoders_x264[], px_encoders_nvenc[],
    px_encoders_avcodec_nvenc[], px_encoders_avcodec[];
