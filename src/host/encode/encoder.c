/* src/host/encode/encoder.c - pictures to packets: which encoder */
#include "host/encode/encoder.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define CANDIDATES_MAX 16

struct px_encoders {
    const struct px_encoder_ops *able[CANDIDATES_MAX]; /* best first; hardware before software */
    atomic_bool last[CANDIDATES_MAX];
    _Atomic int64_t shun_until_us[CANDIDATES_MAX]; /* it failed; 0: never */
    size_t n;
    atomic_uint n_hardware, n_failed;
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

/* A card that lacks the first of a table has no engine at all; asking it takes half a second each
 * time (the driver's context). */
static void add_able(struct px_encoders *e, const struct px_encoder_ops *table, const char *only) {
    bool no_card = false;
    for (; table->name; table++) {
        struct px_error err = {0};
        if ((only && *only && strcmp(only, table->name) != 0) || (table->hardware && no_card))
            continue;
        assert(e->n < CANDIDATES_MAX);
        if (table->probe(table, &err) == 0)
            e->able[e->n++] = table;
        else {
            no_card |= table->hardware;
            px_debug("encoder %s: not here: %s", table->name, err.msg);
        }
    }
}

int px_encoders_new(const char *only, struct px_encoders **ret, struct px_error *err) {
    struct px_encoders *e = px_new0(struct px_encoders, 1);
    add_able(e, px_encoders_avcodec, only);
    add_able(e, px_encoders_h264, only);
    add_able(e, px_encoders_x264, only);
    add_able(e, px_encoders_vp8, only);
    add_able(e, px_encoders_vp9, only);
    add_able(e, px_encoders_vpx, only);
    if (e->n == 0) {
        free(e);
        px_fail(err, -ENOTSUP, "no encoder '%s' runs here", only ? only : "");
        return px_hint(err, -ENOTSUP, "leave the encoder's name away to use any");
    }
    *ret = e;
    return 0;
}

struct px_encoders *px_encoders_of(const struct px_encoder_ops *const *tables, size_t n_tables) {
    struct px_encoders *e = px_new0(struct px_encoders, 1);
    for (size_t i = 0; i < n_tables; i++)
        add_able(e, tables[i], NULL);
    return e;
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

unsigned px_encoders_n_hardware(const struct px_encoders *e) {
    return e->n_hardware;
}

unsigned px_encoders_n_failed(const struct px_encoders *e) {
    return e->n_failed;
}

const struct px_encoder_ops *px_encoders_at(const struct px_encoders *e, size_t i) {
    return i < e->n ? e->able[i] : NULL;
}

void px_encoders_put_last(struct px_encoders *e, const char *name, bool last) {
    for (size_t i = 0; i < e->n; i++)
        if (strcmp(e->able[i]->name, name) == 0)
            e->last[i] = last;
}

int px_encoder_open_at(struct px_encoders *e, size_t i, const struct px_encoder_opts *opts,
                       struct px_encoder **ret, struct px_error *err) {
    struct px_encoder *enc = NULL;
    if (e->shun_until_us[i] > px_now_us())
        return px_fail(err, -ENOTSUP, "%s has failed a moment ago", e->able[i]->name);
    const int r = e->able[i]->open(e->able[i], opts, &enc, err);
    if (r < 0)
        return r;
    enc->ops = e->able[i];
    enc->opts = *opts;
    enc->of = e;
    e->n_hardware += enc->ops->hardware;
    *ret = enc;
    return 0;
}

static void leave_alone(struct px_encoders *e, size_t i) {
    e->shun_until_us[i] = px_now_us() + PX_ENCODER_SHUN_US;
}

int px_encoder_open(struct px_encoders *e, const struct px_encoder_opts *opts,
                    struct px_encoder **ret, struct px_error *err) {
    const int64_t now = px_now_us();
    px_fail(err, -ENOTSUP, "no encoder for %s", px_codec_name(opts->codec));
    for (int last = 0; last < 2; last++)
        for (size_t i = 0; i < e->n; i++) {
            if (e->able[i]->codec != opts->codec || e->last[i] != (last == 1) ||
                e->shun_until_us[i] > now)
                continue;
            const int r = px_encoder_open_at(e, i, opts, ret, err);
            if (r >= 0)
                return 0;
            if (r == -EIO) /* no session is free: asking takes long */
                leave_alone(e, i);
        }
    return -ENOTSUP;
}

static void shun(struct px_encoders *e, const struct px_encoder_ops *ops) {
    e->n_failed++;
    for (size_t i = 0; i < e->n; i++)
        if (e->able[i] == ops)
            leave_alone(e, i);
}

int px_encoder_push_once(struct px_encoder *enc, const struct px_picture *pic,
                         const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                         struct px_packet *ret, struct px_error *err) {
    return enc->ops->push(enc, pic, changed, pts_ms, key, refine && !key, ret, err);
}

int px_encoder_push(struct px_encoders *e, struct px_encoder **enc, const struct px_picture *pic,
                    const struct px_region *changed, int64_t pts_ms, bool key, bool refine,
                    struct px_packet *ret, struct px_error *err) {
    const struct px_encoder_opts opts = (*enc)->opts;
    assert(pic->width == opts.width && pic->height == opts.height && pic->i444 == opts.i444);
    for (;;) {
        const struct px_encoder_ops *ops = (*enc)->ops;
        int r = ops->push(*enc, pic, changed, pts_ms, key, refine && !key, ret, err);
        if (r >= 0)
            return r;
        px_warning("encoder %s: %s: leaving it for the next", ops->name, err ? err->msg : "fails");
        shun(e, ops);
        px_encoder_close(*enc);
        *enc = NULL;
        r = px_encoder_open(e, &opts, enc, err);
        if (r < 0)
            return r;
        key = true;
        changed = NULL;
    }
}

void px_encoder_set_rate(struct px_encoder *enc, unsigned rate_kbps, unsigned min_quality,
                         unsigned max_quality) {
    enc->opts.rate_kbps = rate_kbps;
    enc->opts.min_quality = min_quality;
    enc->opts.max_quality = max_quality;
    enc->ops->set_rate(enc);
}

void px_encoder_close(struct px_encoder *enc) {
    if (!enc)
        return;
    enc->of->n_hardware -= enc->ops->hardware;
    enc->ops->close(enc);
}
