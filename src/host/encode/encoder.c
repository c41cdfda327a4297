/* src/host/encode/encoder.c - pictures to packets: which encoder */
#include "host/encode/encoder.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/encode/apart.h"
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
    struct px_cards *cards;
    char note[200];
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

static void add(struct px_encoders *e, const struct px_encoder_ops *ops) {
    assert(e->n < CANDIDATES_MAX);
    e->able[e->n++] = ops;
}

static bool is_wanted(const struct px_encoder_ops *ops, const char *only) {
    return !only || !*only || strcmp(only, ops->name) == 0;
}

static void add_able(struct px_encoders *e, const struct px_encoder_ops *table, const char *only) {
    for (; table->name; table++) {
        struct px_error err = {0};
        if (!is_wanted(table, only))
            continue;
        if (!table->probe || table->probe(table, &err) == 0)
            add(e, table);
        else
            px_debug("encoder %s: not here: %s", table->name, err.msg);
    }
}

/* Says what is worth it of one that is not there, or not now. */
static void say(struct px_encoders *e, const struct px_encoder_ops *ops,
                const struct px_error *err) {
    if (err->code == 0 || err->code == -ENOTSUP)
        return;
    if (err->code == -ENODEV) {
        px_debug("encoder %s: not here: %s", ops->name, err->msg);
        return;
    }
    if (e->note[0])
        return;
    snprintf(e->note, sizeof(e->note), "%s", err->msg);
    for (char *c = e->note; (c = strpbrk(c, "\"\\\n")); c++) /* goes between quotes */
        *c = ' ';
    px_warning("encoder %s: %s%s%s%s", ops->name, err->msg, err->hint[0] ? " (hint: " : "",
               err->hint, err->hint[0] ? ")" : "");
}

/* Those on cards. One that has no room just now is there all the same. */
static void add_hardware(struct px_encoders *e, const char *only) {
    const struct px_encoder_ops *const tables[] = {px_encoders_nvenc, px_encoders_avcodec_nvenc};
    struct px_asked list[PX_ASKED_MAX];
    size_t n = 0;
    for (size_t t = 0; t < PX_N_ELEMENTS(tables); t++)
        for (const struct px_encoder_ops *ops = tables[t]; ops->name; ops++)
            if (is_wanted(ops, only) && n < PX_ASKED_MAX)
                list[n++] = (struct px_asked){.ops = ops};
    px_ask_apart(list, n);
    for (size_t i = 0; i < n; i++) {
        say(e, list[i].ops, &list[i].err);
        if (list[i].err.code == 0 || list[i].err.code == -EBUSY)
            add(e, list[i].ops);
    }
}

int px_encoders_new(const char *only, struct px_encoders **ret, struct px_error *err) {
    struct px_encoders *e = px_new0(struct px_encoders, 1);
    e->cards = px_cards_new();
    add_hardware(e, only);
    add_able(e, px_encoders_av1, only);
    add_able(e, px_encoders_avcodec, only);
    add_able(e, px_encoders_h264, only);
    add_able(e, px_encoders_x264, only);
    add_able(e, px_encoders_vp8, only);
    add_able(e, px_encoders_vp9, only);
    add_able(e, px_encoders_vpx, only);
    if (e->n == 0) {
        px_encoders_free(e);
        px_fail(err, -ENOTSUP, "no encoder '%s' runs here", only ? only : "");
        return px_hint(err, -ENOTSUP, "leave the encoder's name away to use any");
    }
    *ret = e;
    return 0;
}

struct px_encoders *px_encoders_of(const struct px_encoder_ops *const *tables, size_t n_tables) {
    struct px_encoders *e = px_new0(struct px_encoders, 1);
    e->cards = px_cards_new();
    for (size_t i = 0; i < n_tables; i++)
        add_able(e, tables[i], NULL);
    return e;
}

void px_encoders_free(struct px_encoders *e) {
    if (e)
        px_cards_free(e->cards);
    free(e);
}

const char *px_encoders_note(const struct px_encoders *e) {
    return e->note;
}

void px_encoders_rest(struct px_encoders *e) {
    px_cards_rest(e->cards);
}

bool px_encoders_can(const struct px_encoders *e, enum px_codec codec) {
    for (size_t i = 0; i < e->n; i++)
        if (e->able[i]->codec == codec)
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
    struct px_encoder_opts o = *opts;
    struct px_encoder *enc = NULL;
    if (e->shun_until_us[i] > px_now_us())
        return px_fail(err, -ENOTSUP, "%s has failed a moment ago", e->able[i]->name);
    o.cards = e->cards;
    const int r = e->able[i]->open(e->able[i], &o, &enc, err);
    if (r < 0)
        return r;
    enc->ops = e->able[i];
    enc->opts = o;
    enc->of = e;
    e->n_hardware += enc->ops->hardware;
    *ret = enc;
    return 0;
}

/* What befalls one on a card befalls all of them. */
static void leave_alone(struct px_encoders *e, const struct px_encoder_ops *ops, int64_t us) {
    for (size_t i = 0; i < e->n; i++)
        if (e->able[i] == ops || (ops->hardware && e->able[i]->hardware))
            e->shun_until_us[i] = px_now_us() + us;
}

/* No session is free: asking takes long. */
static void not_now(struct px_encoders *e, const struct px_encoder_ops *ops,
                    const struct px_error *why) {
    px_info("encoder %s: %s: not for a minute", ops->name, why ? why->msg : "fails");
    leave_alone(e, ops, PX_ENCODER_SHUN_US);
}

/* *ret_later: one on a card may be had later. */
static int open_any(struct px_encoders *e, const struct px_encoder_opts *opts, bool hurry,
                    bool *ret_later, struct px_encoder **ret, struct px_error *err) {
    struct px_encoder_opts o = *opts;
    o.hurry = hurry;
    px_fail(err, -ENOTSUP, "no encoder for %s", px_codec_name(opts->codec));
    for (int last = 0; last < 2; last++)
        for (size_t i = 0; i < e->n; i++) {
            const struct px_encoder_ops *ops = e->able[i];
            if (ops->codec != opts->codec || e->last[i] != (last == 1))
                continue;
            const bool later = ops->hardware && last == 0;
            if (e->shun_until_us[i] > px_now_us()) {
                *ret_later |= later;
                continue;
            }
            const int r = px_encoder_open_at(e, i, &o, ret, err);
            if (r >= 0)
                return 0;
            *ret_later |= later && r != -ENOTSUP;
            if (r != -ENOTSUP && r != -EAGAIN)
                not_now(e, ops, err);
        }
    return -ENOTSUP;
}

int px_encoder_open(struct px_encoders *e, const struct px_encoder_opts *opts,
                    struct px_encoder **ret, struct px_error *err) {
    bool later = false;
    int r = open_any(e, opts, true, &later, ret, err);
    if (r < 0 && later)
        r = open_any(e, opts, false, &later, ret, err);
    if (r >= 0)
        (*ret)->stopgap = later && !(*ret)->ops->hardware;
    return r;
}

/* One on a card for @enc's codec that is not left alone. */
static const struct px_encoder_ops *better_than(const struct px_encoder *enc) {
    const struct px_encoders *e = enc->of;
    for (size_t i = 0; i < e->n; i++)
        if (e->able[i]->hardware && e->able[i]->codec == enc->ops->codec && !e->last[i] &&
            e->shun_until_us[i] <= px_now_us())
            return e->able[i];
    return NULL;
}

bool px_encoder_is_outdated(struct px_encoder *enc) {
    struct px_error err = {0};
    const struct px_encoder_ops *better = enc->stopgap ? better_than(enc) : NULL;
    if (!better)
        return false;
    const int r = px_cards_warm(enc->of->cards, &err);
    if (r < 0 && r != -EAGAIN)
        not_now(enc->of, better, &err);
    return r >= 0;
}

static void shun(struct px_encoders *e, const struct px_encoder_ops *ops) {
    const unsigned before = e->n_failed++;
    leave_alone(e, ops, PX_ENCODER_SHUN_US << (before < 6 ? before : 6));
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
        int r = px_encoder_push_once(*enc, pic, changed, pts_ms, key, refine, ret, err);
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
    if (enc->ops->set_rate)
        enc->ops->set_rate(enc);
}

void px_encoder_close(struct px_encoder *enc) {
    if (!enc)
        return;
    enc->of->n_hardware -= enc->ops->hardware;
    enc->ops->close(enc);
}
