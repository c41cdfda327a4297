/* src/session/probe.c - looks into a desktop as a user would, and reports what it found */
#include "session/probe.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "session/client.h"
#include "session/decoder.h"
#include "session/reach.h"
#include <string.h>

#define LATENCY_MAX 1000
#define SETTLE_US (300 * PX_US_PER_MS)
#define LATENCY_LIMIT_US (2 * PX_US_PER_S)

struct probe {
    const struct px_probe_opts *opts;
    struct px_probe_result *result;
    struct px_client *client;
    struct px_decoder *decoder;
    int64_t start_us;
};

static int take_frame(struct probe *p, const Pxs__VideoFrame *v, struct px_error *err) {
    const Pxs__EncodedVideoFrame *f = px_video_frame_first(v);
    const int r = px_decoder_push(p->decoder, v, err);
    if (r < 0)
        return r;
    if (p->result->n_frames++ == 0)
        p->result->first_frame_us = px_now_us() - p->start_us;
    p->result->n_keys += f->key;
    p->result->n_bytes += f->data.len;
    return 0;
}

/* Reads on until @until_us, or (@one) until a picture came. 1: one came, 0: time is up. */
static int watch(struct probe *p, int64_t until_us, bool one, struct px_error *err) {
    int seen = 0;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        int r = px_client_recv(p->client, until_us, &m, err);
        if (r <= 0)
            return r < 0 ? r : seen;
        if (m->item_case == PXS__MESSAGE__ITEM_CURSOR_DATA)
            p->result->n_cursors++;
        if (m->item_case == PXS__MESSAGE__ITEM_MISC &&
            m->misc->item_case == PXS__MISC__ITEM_CLOSE_REASON)
            return px_fail(err, -EPIPE, "the host ends the session: %s", m->misc->close_reason);
        if (m->item_case != PXS__MESSAGE__ITEM_VIDEO_FRAME)
            continue;
        r = take_frame(p, m->video_frame, err);
        if (r < 0)
            return r;
        seen = 1;
        if (one)
            return 1;
    }
}

static int prefer_of(const char *codec) {
    static const char *const names[] = {"", "vp9", "h264", "h265", "vp8", "av1"};
    for (int i = 1; codec && i < 6; i++)
        if (strcmp(codec, names[i]) == 0)
            return i;
    return PX_PREFER_AUTO;
}

static int login(struct probe *p, struct px_error *err) {
    const struct px_probe_opts *o = p->opts;
    Pxs__CodecAbility i444 = PXS__CODEC_ABILITY__INIT;
    Pxs__SupportedDecoding d = PXS__SUPPORTED_DECODING__INIT;
    Pxs__OptionMessage option = PXS__OPTION_MESSAGE__INIT;
    d.ability_vp8 = d.ability_vp9 = d.ability_av1 = d.ability_h264 = d.ability_h265 = 1;
    d.prefer = prefer_of(o->codec);
    i444.vp9 = i444.av1 = true;
    d.i444 = &i444;
    d.prefer_chroma = o->i444;
    option.supported_decoding = &d;
    option.image_quality = PX_QUALITY_BEST;
    const struct px_client_login l = {
        .username = o->id, .password = o->password, .code = o->code, .option = &option};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    const int r = px_client_login(p->client, &l, o->timeout_us, &m, err);
    if (r < 0)
        return r;
    const Pxs__PeerInfo *info = m->login_response->peer_info;
    p->result->login_us = px_now_us() - p->start_us;
    snprintf(p->result->username, PX_PROBE_TEXT_MAX, "%s", info->username);
    snprintf(p->result->hostname, PX_PROBE_TEXT_MAX, "%s", info->hostname);
    snprintf(p->result->version, PX_PROBE_TEXT_MAX, "%s", info->version);
    p->result->encrypted = p->client->encrypted;
    p->result->relayed = p->client->relayed;
    return 0;
}

static int first_picture(struct probe *p, struct px_error *err) {
    const int r = watch(p, px_now_us() + p->opts->timeout_us, true, err);
    return r < 0 ? r : r == 0 ? px_fail(err, -ETIMEDOUT, "no picture arrives") : 0;
}

static int act(struct probe *p, struct px_error *err) {
    const struct px_probe_opts *o = p->opts;
    int r = 0;
    if (o->click_x >= 0 && o->click_y >= 0)
        r = px_client_click(p->client, o->click_x, o->click_y, err);
    if (r >= 0 && o->type)
        r = px_client_type(p->client, o->type, err);
    return r;
}

static int compare(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Key down to the next decoded picture, on a screen that rests before each. */
static int measure(struct probe *p, struct px_error *err) {
    const unsigned want = p->opts->n_latency < LATENCY_MAX ? p->opts->n_latency : LATENCY_MAX;
    px_cleanup_free int64_t *us = px_new0(int64_t, LATENCY_MAX);
    unsigned n = 0;
    for (unsigned i = 0; i < want; i++) {
        int r;
        while ((r = watch(p, px_now_us() + SETTLE_US, true, err)) > 0)
            ;
        if (r < 0)
            return r;
        const int64_t t0 = px_now_us();
        r = i % 2 ? px_client_control_key(p->client, 2, err) : px_client_type(p->client, "x", err);
        if (r >= 0)
            r = watch(p, t0 + LATENCY_LIMIT_US, true, err);
        if (r < 0)
            return r;
        if (r > 0)
            us[n++] = px_now_us() - t0;
    }
    qsort(us, n, sizeof(*us), compare);
    p->result->n_latency = n;
    if (n > 0) {
        p->result->latency_p50_us = us[n / 2];
        p->result->latency_p95_us = us[n * 95 / 100];
        p->result->latency_max_us = us[n - 1];
    }
    return 0;
}

static int run(struct probe *p, struct px_error *err) {
    int r = px_reach(p->opts, &p->client, err);
    p->result->connect_us = px_now_us() - p->start_us;
    if (r >= 0)
        r = login(p, err);
    if (r >= 0)
        r = first_picture(p, err);
    if (r >= 0)
        r = act(p, err);
    if (r >= 0)
        r = measure(p, err);
    if (r >= 0)
        r = watch(p, px_now_us() + p->opts->duration_us, false, err);
    if (r < 0)
        return r;
    p->result->width = px_decoder_width(p->decoder);
    p->result->height = px_decoder_height(p->decoder);
    p->result->i444 = px_decoder_is_i444(p->decoder);
    p->result->host_delay_ms = p->client->last_delay_ms;
    snprintf(p->result->codec, sizeof(p->result->codec), "%s", px_decoder_codec(p->decoder));
    return p->opts->png ? px_decoder_write_png(p->decoder, p->opts->png, err) : 0;
}

int px_probe_run(const struct px_probe_opts *opts, struct px_probe_result *ret,
                 struct px_error *err) {
    struct px_probe_result result = {0};
    struct probe p = {
        .opts = opts, .result = &result, .decoder = px_decoder_new(), .start_us = px_now_us()};
    const int r = run(&p, err);
    px_client_close(p.client);
    px_decoder_free(p.decoder);
    if (r >= 0)
        *ret = result;
    return r < 0 ? r : 0;
}

json_t *px_probe_json(const struct px_probe_result *r) {
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:i, s:i, s:f, s:f, s:f, s:i, s:i, s:i, s:I, s:i, "
        "s:i, "
        "s:f, s:f, s:f}",
        "username", r->username, "hostname", r->hostname, "version", r->version, "codec", r->codec,
        "encrypted", r->encrypted, "relayed", r->relayed, "i444", r->i444, "width", r->width,
        "height", r->height, "connect_ms", (double)r->connect_us / 1e3, "login_ms",
        (double)r->login_us / 1e3, "first_frame_ms", (double)r->first_frame_us / 1e3, "frames",
        (int)r->n_frames, "key_frames", (int)r->n_keys, "cursors", (int)r->n_cursors, "video_bytes",
        (json_int_t)r->n_bytes, "host_delay_ms", (int)r->host_delay_ms, "latency_samples",
        (int)r->n_latency, "latency_p50_ms", (double)r->latency_p50_us / 1e3, "latency_p95_ms",
        (double)r->latency_p95_us / 1e3, "latency_max_ms", (double)r->latency_max_us / 1e3);
}
