/* src/host/encode/encoder.c - pictures to packets: which encoder */
#include "host/encode/encoder.h"
#include "base/alloc.h"
#include "base/log.h"
#include <assert.h>
#include <string.h>

#define CANDIDATES_MAX 16

struct px_encoders {
    const struct px_encoder_ops *able[CANDIDATES_MAX]; /* best first; hardware before software */
    size_t n;
};

const char *px_codec_name(enum px_codec codec) {
    switch (codec) {
    case PX_CODEC_VP8:
        return "vp8";
    case PX_CODEC_VP9:
        return "vp9";
    case PX_CODEC_AV1:
        return "av1";
    case PX_CODEC_H264:
        return "h264";
    case PX_CODEC_H265:
        return "h265";
    }
    return "?";
}

static void add_able(struct px_encoders *e, const struct px_encoder_ops *table, const char *only) {
    for (; table->name; table++) {
        struct px_error err = {0};
        if (only && *only && strcmp(only, table->name) != 0)
            continue;
        assert(e->n < CANDIDATES_MAX);
        if (table->probe(table, &err) == 0)
            e->able[e->n++] = table;
        else
            px_debug("encoder %s: not here: %s", table->name, err.msg);
    }
}

int px_encoders_new(const char *only, struct px_encoders **ret, struct px_error *err) {
    struct px_encoders *e = px_new0(struct px_encoders, 1);
    add_able(e, px_encoders_avcodec, only);
    add_able(e, px_encoders_x264, only);
    add_able(e, px_encoders_vpx, only);
    if (e->n == 0) {
        free(e);
        px_fail(err, -ENOTSUP, "no encoder '%s' runs here", only ? only : "");
        return px_hint(err, -ENOTSUP, "leave the encoder's name away to use any");
    }
    *ret = e;
    return 0;
}

void px_encoders_free(struct px_encoders *e) {
    free(e);
}

bool px_encoders_can(const struct px_encoders *e, enum px_codec codec) {
    for (size_t i = 0; i < e->n; i++)
        if (e->able[i]->codec == codec)
            return true;
    return false;
}

bool px_encoders_hardware(const struct px_encoders *e, enum px_codec codec) {
    for (size_t i = 0; i < e->n; i++)
        if (e->able[i]->codec == codec && e->able[i]->hardware)
            return true;
    return false;
}

int px_encoder_open(struct px_encoders *e, const struct px_encoder_opts *opts,
                    struct px_encoder **ret, struct px_error *err) {
    px_fail(err, -ENOTSUP, "no encoder for %s", px_codec_name(opts->codec));
    for (size_t i = 0; i < e->n; i++) {
        struct px_encoder *enc = NULL;
        if (e->able[i]->codec != opts->codec || e->able[i]->open(e->able[i], opts, &enc, err) < 0)
            continue;
        enc->ops = e->able[i];
        enc->opts = *opts;
        *ret = enc;
        return 0;
    }
    return -ENOTSUP;
}

int px_encoder_push(struct px_encoder *enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    assert(pic->width == enc->opts.width && pic->height == enc->opts.height);
    assert(pic->i444 == enc->opts.i444);
    return enc->ops->push(enc, pic, changed, pts_ms, key, refine && !key, ret, err);
}

void px_encoder_set_rate(struct px_encoder *enc, unsigned rate_kbps, unsigned min_quality,
                         unsigned max_quality) {
    enc->opts.rate_kbps = rate_kbps;
    enc->opts.min_quality = min_quality;
    enc->opts.max_quality = max_quality;
    enc->ops->set_rate(enc);
}

void px_encoder_close(struct px_encoder *enc) {
    if (enc)
        enc->ops->close(enc);
}
