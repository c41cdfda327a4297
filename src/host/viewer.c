/* src/host/viewer.c - what a session watches, and how its packets go
 *
 * Sessions that want the same share one stream (viewer_share.c). Here: which codec and rate each
 * display's stream has, and when another one is taken. */
#include "base/clock.h"
#include "base/log.h"
#include "host/viewer_private.h"

#define BACK_US (10 * PX_US_PER_S)
#define SWITCH_US (10 * PX_US_PER_S) /* between two codecs, at least */
#define SURE_US (3 * PX_US_PER_S)    /* so long another one must be quicker */
#define WAITED_US (40 * PX_US_PER_MS)
#define STILL_US (PX_US_PER_S / 2) /* a key frame disturbs nobody then */

unsigned px_viewer_rate_kbps(const struct px_session *s) {
    unsigned sum = 0;
    for (int i = 0; i < PX_DISPLAYS_MAX; i++)
        sum += s->viewers[i].share ? s->viewers[i].share->opts.rate_kbps : 0;
    return sum;
}

unsigned px_viewer_n_streams(const struct px_host *h) {
    unsigned n = 0;
    for (const struct px_share *sh = h->shares; sh; sh = sh->next)
        n++;
    return n;
}

uint64_t px_viewer_packets(const struct px_session *s) {
    uint64_t sum = 0;
    for (int i = 0; i < PX_DISPLAYS_MAX; i++)
        sum += s->viewers[i].n_packets;
    return sum;
}

/* ---- which stream ---- */

static unsigned n_watched(const struct px_viewer *v) {
    return (unsigned)__builtin_popcount(v->session->watched);
}

unsigned px_viewer_own_kbps(const struct px_viewer *v) {
    const struct px_host *h = v->session->host;
    const struct px_rect a = h->displays.list[v->display].area;
    bool frugal;
    const unsigned wish = px_options_rate(&v->session->options, a.w, a.h, &frugal);
    return px_rate_kbps(&v->rate, wish, frugal, n_watched(v));
}

/* The codec of its stream, or of one that it could share. */
static int codec_at_hand(const struct px_viewer *v) {
    if (v->share)
        return (int)v->share->opts.codec;
    for (const struct px_share *sh = v->session->host->shares; sh; sh = sh->next)
        if (sh->opts.display == v->display && !sh->alone && !sh->failed_us)
            return (int)sh->opts.codec;
    return -1;
}

void px_viewer_choose(const struct px_session *s, int display, bool stay, struct px_choice *ret) {
    const struct px_host *h = s->host;
    const struct px_rect a = h->displays.list[display].area;
    const struct px_situation now = {
        .measured = &h->measured,
        .mix = &h->mixes[display],
        .now_us = px_now_us(),
        .area_px = (int64_t)a.w * a.h,
        .rate_kbps = px_rate_line_kbps(&s->viewers[display].rate, n_watched(&s->viewers[display])),
        .current = codec_at_hand(&s->viewers[display]),
        .stay = stay};
    px_options_codec(&s->options, h->encoders, &now, ret);
}

static void choose(struct px_viewer *v, bool stay) {
    struct px_choice was = v->choice;
    char addr[PX_ADDR_TEXT_MAX];
    px_viewer_choose(v->session, v->display, stay, &v->choice);
    if (v->share && was.codec == v->choice.codec)
        return;
    px_info("session %s: display %d: %s: %s", px_addr_text(&v->session->peer, addr), v->display,
            px_codec_name(v->choice.codec), v->choice.why);
    v->chosen_us = px_now_us();
    v->better_us = 0;
}

static void join_display(struct px_viewer *v, bool stay) {
    struct px_session *s = v->session;
    struct px_vstream_opts o;
    choose(v, stay);
    px_options_stream(&s->options, v->choice.codec, &o);
    o.display = v->display;
    o.view = px_displays_view(&s->host->displays, v->display);
    o.rate_kbps = px_viewer_own_kbps(v);
    if (v->share && px_share_fits(v->share, &o)) {
        px_share_update_rate(v->share);
        return;
    }
    px_share_leave(v);
    struct px_share *sh = v->alone ? NULL : px_share_find(s->host, &o);
    px_share_join(v, sh ? sh : px_share_open(s->host, &o, v->alone));
}

void px_viewer_join(struct px_session *s) {
    if (!px_session_is_desktop(s) || s->host->width == 0)
        return;
    for (int i = 0; i < PX_DISPLAYS_MAX; i++)
        if (i < s->host->displays.n && s->watched & 1u << i)
            join_display(&s->viewers[i], true);
        else
            px_share_leave(&s->viewers[i]);
}

void px_viewer_leave(struct px_session *s) {
    for (int i = 0; i < PX_DISPLAYS_MAX; i++)
        px_share_leave(&s->viewers[i]);
}

/* ---- pace ---- */

/* What the line takes, from how the last packet went. */
static void sense(struct px_viewer *v, int64_t now) {
    struct px_link_info link = {0};
    const int64_t took = now - v->sent_us;
    v->slow_us = took > WAITED_US ? now : v->slow_us;
    if (px_far_used(&v->session->far, now))
        return; /* that was the way to the relay */
    if (took >= PX_RATE_QUICK_US || v->rate.line_kbps > 0)
        px_conn_link(v->session->conn, &link);
    px_rate_passed(&v->rate, v->sent_bytes, took, now, &link);
}

static void dry(struct px_viewer *v) {
    if (v->dry)
        return;
    v->dry = true;
    v->grace_us = 0;
    if (v->share) {
        const int64_t now = px_now_us();
        if (v->done_us)
            px_stats_stage(&v->session->host->stats, v->share->opts.codec, PX_STAGE_SEND,
                           now - v->done_us);
        v->done_us = 0;
        if (v->sent_us) /* else only the login passed */
            sense(v, now);
        px_share_update_rate(v->share);
        px_share_check_ready(v->share);
    }
}

/* The displays' pictures go over one line. */
void px_viewer_echoed(struct px_session *s, int64_t now) {
    struct px_link_info link;
    int64_t queue_us;
    size_t bytes;
    if (!px_far_echoed(&s->far, now, &queue_us, &bytes))
        return;
    if (!px_session_is_desktop(s))
        return;
    px_session_sent(s, now); /* what followed too closely for a probe of its own */
    px_far_link(&s->far, px_session_bytes(s), now, &link);
    for (int i = 0; i < PX_DISPLAYS_MAX; i++) {
        struct px_viewer *v = &s->viewers[i];
        if (!v->share)
            continue;
        v->slow_us = queue_us > WAITED_US ? now : v->slow_us;
        if (bytes > 0)
            px_rate_passed(&v->rate, bytes, queue_us, now, &link);
        px_share_update_rate(v->share);
        px_share_check_ready(v->share);
    }
}

void px_viewer_dry(struct px_session *s) {
    for (int i = 0; i < PX_DISPLAYS_MAX; i++)
        dry(&s->viewers[i]);
}

/* An acknowledgement does not say which display's picture it is for: the most waited for. */
void px_viewer_acked(struct px_session *s) {
    struct px_viewer *v = &s->viewers[0];
    for (int i = 1; i < PX_DISPLAYS_MAX; i++)
        if (s->viewers[i].unacked > v->unacked)
            v = &s->viewers[i];
    if (v->unacked > 0) {
        v->unacked--;
        if (v->share)
            px_stats_stage(&s->host->stats, v->share->opts.codec, PX_STAGE_ACK,
                           px_now_us() - v->sent_us);
    }
    if (v->share)
        px_share_check_ready(v->share);
}

void px_viewer_refresh(struct px_session *s, int display) {
    for (int i = 0; i < PX_DISPLAYS_MAX; i++) {
        struct px_viewer *v = &s->viewers[i];
        if (!v->share || (display >= 0 && display != i))
            continue;
        v->wants_key = true;
        px_vstream_keyframe(v->share->stream);
    }
}

/* Whether a key frame would not be noticed: nothing moves, or all of it does all the time. */
static bool may_switch(const struct px_viewer *v, int64_t now) {
    return now - v->sent_us > STILL_US ||
           px_mix_is_video(&v->session->host->mixes[v->display], now);
}

/* Another codec, where it has been quicker for a while, and seldom. */
static void reconsider(struct px_viewer *v, int64_t now) {
    struct px_choice c;
    if (!v->choice.by_time || v->share->failed_us || now - v->chosen_us < SWITCH_US)
        return;
    px_viewer_choose(v->session, v->display, false, &c);
    if (c.codec == v->share->opts.codec) {
        v->better_us = 0;
        return;
    }
    if (!v->better_us)
        v->better_us = now;
    if (now - v->better_us < SURE_US || !may_switch(v, now))
        return;
    v->session->host->n_switches++;
    join_display(v, false);
}

void px_viewer_input(struct px_host *h) {
    for (struct px_share *sh = h->shares; sh; sh = sh->next)
        px_vstream_input(sh->stream);
}

static void tick(struct px_viewer *v, int64_t now) {
    const struct px_session *s = v->session;
    if (!v->share)
        return;
    if (v->share->failed_us && now - v->share->failed_us > PX_ENCODER_SHUN_US) {
        px_share_leave(v);
        px_viewer_join(v->session);
        return;
    }
    /* The probe waits behind what is queued in the network: a long one means that we fill it. */
    if (s->last_delay_ms > s->min_delay_ms + 200 && !px_far_used(&s->far, now)) {
        px_rate_queues(&v->rate, v->share->opts.rate_kbps);
        px_share_update_rate(v->share);
    }
    if (v->alone && now - v->alone_us > BACK_US && now - v->slow_us > BACK_US) {
        v->alone = false;
        px_share_leave(v);
        px_viewer_join(v->session);
        return;
    }
    px_share_check_ready(v->share); /* an acknowledgement that never came */
    reconsider(v, now);
}

void px_viewer_tick(struct px_session *s, int64_t now) {
    for (int i = 0; i < PX_DISPLAYS_MAX; i++)
        tick(&s->viewers[i], now);
}
