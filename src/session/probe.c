/* src/session/probe.c - looks into a desktop as a user would, and reports what it found */
#include "session/probe.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "session/probe_parts.h"
#include "session/reach.h"
#include <string.h>

static int take_frame(struct px_probe *p, const Pxs__VideoFrame *v, struct px_error *err) {
    const Pxs__EncodedVideoFrame *f = px_video_frame_first(v);
    const int64_t since_us = px_now_us();
    const int r = px_decoder_push(p->decoder, v, err);
    if (r < 0)
        return r;
    px_histogram_add(&p->result->decode, px_now_us() - since_us);
    if (p->result->n_frames++ == 0)
        p->result->first_frame_us = px_now_us() - p->start_us;
    p->result->n_keys += f->key;
    p->result->n_bytes += f->data.len;
    return 0;
}

int px_probe_watch(struct px_probe *p, int64_t until_us, bool one, struct px_error *err) {
    int seen = 0;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        int r = px_client_recv(p->client, until_us, &m, err);
        if (r <= 0)
            return r < 0 ? r : seen;
        if (m->item_case == PXS__MESSAGE__ITEM_CURSOR_DATA)
            p->result->n_cursors++;
        if (m->item_case == PXS__MESSAGE__ITEM_MISC &&
            m->misc->item_case == PXS__MISC__ITEM_CLOSE_REASON) {
            char why[PX_PEER_TEXT_MAX];
            return px_fail(err, -EPIPE, "the host ends the session: %s",
                           px_peer_text(m->misc->close_reason, why));
        }
        if (m->item_case == PXS__MESSAGE__ITEM_VIDEO_FRAME) {
            if ((r = take_frame(p, m->video_frame, err)) < 0)
                return r;
            seen = 1;
        }
        /* A host that never pauses must not keep us for ever. */
        if ((one && seen) || px_now_us() >= until_us)
            return seen;
    }
}

static int prefer_of(const char *codec) {
    static const char *const names[] = {"", "vp9", "h264", "h265", "vp8", "av1"};
    for (int i = 1; codec && i < 6; i++)
        if (strcmp(codec, names[i]) == 0)
            return i;
    return PX_PREFER_AUTO;
}

static void take_text(char to[PX_PROBE_TEXT_MAX], const char *from) {
    char clean[PX_PEER_TEXT_MAX];
    snprintf(to, PX_PROBE_TEXT_MAX, "%.*s", PX_PROBE_TEXT_MAX - 1, px_peer_text(from, clean));
}

/* phoenix-host says there which codec it begins with, and why. */
static void take_additions(struct px_probe *p, const char *text) {
    json_t *root = json_loads(text ? text : "", 0, NULL);
    const char *why = json_string_value(json_object_get(root, "phoenix_codec"));
    if (why)
        take_text(p->result->codec_why, why);
    json_decref(root);
}

/* Of the first connection. */
static void take_info(struct px_probe *p, const struct px_client *c, const Pxs__PeerInfo *info) {
    if (p->result->login_us > 0)
        return;
    p->result->login_us = px_now_us() - p->start_us;
    take_text(p->result->username, info->username);
    take_text(p->result->hostname, info->hostname);
    take_text(p->result->version, info->version);
    take_additions(p, info->platform_additions);
    p->result->encrypted = c->encrypted;
    p->result->relayed = c->relayed;
    p->result->udp = c->kcp != NULL;
}

static int log_in(const struct px_probe_opts *o, struct px_client *c, struct px_client_login *l,
                  Pxs__Message **ret, struct px_error *err) {
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
    l->username = o->id;
    l->password = o->password;
    l->code = o->code;
    l->option = &option;
    const int r = px_client_login(c, l, o->timeout_us, ret, err);
    l->option = NULL;
    return r;
}

int px_probe_dial(struct px_probe *p, struct px_client_login *l, struct px_client **ret,
                  struct px_error *err) {
    px_cleanup(px_client_closep) struct px_client *c = NULL;
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    int r = px_reach(p->opts, &c, err);
    if (r >= 0 && p->result->connect_us == 0)
        p->result->connect_us = px_now_us() - p->start_us;
    if (r < 0 || (r = log_in(p->opts, c, l, &m, err)) < 0)
        return r;
    take_info(p, c, m->login_response->peer_info);
    *ret = px_take_ptr(c);
    return 0;
}

static int first_picture(struct px_probe *p, struct px_error *err) {
    const int r = px_probe_watch(p, px_now_us() + p->opts->timeout_us, true, err);
    return r < 0 ? r : r == 0 ? px_fail(err, -ETIMEDOUT, "no picture arrives") : 0;
}

static int act(struct px_probe *p, struct px_error *err) {
    const struct px_probe_opts *o = p->opts;
    int r = 0;
    if (o->click_x >= 0 && o->click_y >= 0)
        r = px_client_click(p->client, o->click_x, o->click_y, err);
    if (r >= 0 && o->type)
        r = px_client_type(p->client, o->type, err);
    return r;
}

static int look(struct px_probe *p, struct px_error *err) {
    int r = first_picture(p, err);
    if (r >= 0)
        r = act(p, err);
    if (r >= 0)
        r = px_probe_measure(p, err);
    if (r >= 0 && p->opts->clipboard)
        px_probe_clipboard(p);
    if (r >= 0)
        r = px_probe_watch(p, px_now_us() + p->opts->duration_us, false, err);
    if (r < 0)
        return r;
    p->result->width = px_decoder_width(p->decoder);
    p->result->height = px_decoder_height(p->decoder);
    p->result->i444 = px_decoder_is_i444(p->decoder);
    p->result->host_delay_ms = p->client->last_delay_ms;
    snprintf(p->result->codec, sizeof(p->result->codec), "%s", px_decoder_codec(p->decoder));
    return p->opts->png_fd < 0 ? 0 : px_decoder_write_png(p->decoder, p->opts->png_fd, err);
}

static int run(struct px_probe *p, struct px_error *err) {
    struct px_client_login l = {0};
    int r = 0;
    if (!p->opts->no_picture && (r = px_probe_dial(p, &l, &p->client, err)) >= 0)
        r = look(p, err);
    if (r >= 0)
        px_probe_services(p);
    return r;
}

int px_probe_run(const struct px_probe_opts *opts, struct px_probe_result *ret,
                 struct px_error *err) {
    px_cleanup_free struct px_probe_result *result = px_new0(struct px_probe_result, 1);
    struct px_probe p = {
        .opts = opts, .result = result, .decoder = px_decoder_new(), .start_us = px_now_us()};
    const int r = run(&p, err);
    px_client_close(p.client);
    px_decoder_free(p.decoder);
    if (r >= 0)
        *ret = *result;
    return r < 0 ? r : 0;
}

bool px_probe_all_done(const struct px_probe_result *r) {
    const struct px_probe_deed *const deeds[] = {&r->clipboard, &r->files, &r->put, &r->get,
                                                 &r->tunnel};
    for (size_t i = 0; i < PX_N_ELEMENTS(deeds); i++)
        if (deeds[i]->asked && !deeds[i]->done)
            return false;
    return r->n_asked == 0 || r->n_latency > 0;
}
