/* src/host/viewer.c - packets of the video thread to the sessions that watch
 *
 * Sessions that want the same share one stream. A stream makes its next packet when all of its
 * viewers have passed the last one on; one that holds up the others for long gets a stream of its
 * own (it starts with a key frame there) and comes back when its line has been quick for a while.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/session.h"
#include <string.h>

#define PATIENCE_MS 60               /* how long the quick wait for the slow, once */
#define GRACE_US (60 * PX_US_PER_MS) /* for a first picture that only the late get */
#define BACK_US (10 * PX_US_PER_S)
#define ACKS_MAX 2
#define ACK_US (3 * PX_US_PER_S)
#define SWITCH_US (10 * PX_US_PER_S) /* between two codecs, at least */
#define SURE_US (3 * PX_US_PER_S)    /* so long another one must be quicker */
#define STILL_US (PX_US_PER_S / 2)   /* a key frame disturbs nobody then */

struct px_share {
    struct px_share *next;
    struct px_host *host;
    struct px_vstream *stream;
    struct px_vstream_opts opts;
    bool alone;
    int64_t failed_us; /* its stream makes no more packets; 0: it does */
    struct px_viewer *viewers;
    uv_timer_t patience;
    bool waiting;
};

static bool has_room(const struct px_viewer *v, int64_t now) {
    return v->dry && (v->unacked < ACKS_MAX || now - v->sent_us > ACK_US);
}

/* Its first picture is on its way: changes may queue behind it, so that others see them at once. */
static bool is_excused(const struct px_viewer *v, int64_t now) {
    return now < v->grace_us;
}

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

/* ---- shares ---- */

static unsigned n_watched(const struct px_viewer *v) {
    return (unsigned)__builtin_popcount(v->session->watched);
}

static unsigned rate_for(const struct px_viewer *v) {
    const struct px_host *h = v->session->host;
    const struct px_rect a = h->displays.list[v->display].area;
    bool frugal;
    const unsigned wish = px_options_rate(&v->session->options, a.w, a.h, &frugal);
    return px_rate_kbps(&v->rate, wish, frugal, n_watched(v));
}

static unsigned share_rate(const struct px_share *sh) {
    unsigned least = 0;
    for (const struct px_viewer *v = sh->viewers; v; v = v->next) {
        const unsigned r = rate_for(v);
        if (!least || r < least)
            least = r;
    }
    return least ? least : 2000;
}

static void update_rate(struct px_share *sh) {
    const unsigned now = share_rate(sh), was = sh->opts.rate_kbps;
    if (now == was || (now > was && now - was < was / 10) || (now < was && was - now < was / 20))
        return;
    sh->opts.rate_kbps = now;
    px_vstream_update(sh->stream, &sh->opts);
}

static void on_patience_closed(uv_handle_t *h) {
    struct px_share *sh = px_container_of((uv_timer_t *)h, struct px_share, patience);
    free(sh);
}

static void close_share(struct px_share *sh) {
    struct px_share **at = &sh->host->shares;
    while (*at != sh)
        at = &(*at)->next;
    *at = sh->next;
    px_vstream_close(sh->stream);
    uv_close((uv_handle_t *)&sh->patience, on_patience_closed);
}

static bool same(const struct px_vstream_opts *a, const struct px_vstream_opts *b) {
    return a->codec == b->codec && a->i444 == b->i444 && a->fps == b->fps &&
           a->min_quality == b->min_quality && a->max_quality == b->max_quality &&
           a->key_every == b->key_every && a->display == b->display &&
           memcmp(&a->view, &b->view, sizeof(a->view)) == 0;
}

static struct px_share *find_share(struct px_host *h, const struct px_vstream_opts *o) {
    for (struct px_share *sh = h->shares; sh; sh = sh->next)
        if (!sh->alone && !sh->failed_us && same(&sh->opts, o))
            return sh;
    return NULL;
}

static struct px_share *open_share(struct px_host *h, const struct px_vstream_opts *o, bool alone) {
    struct px_share *sh = px_new0(struct px_share, 1);
    sh->host = h;
    sh->opts = *o;
    sh->alone = alone;
    sh->stream = px_vstream_open(h->video, o, sh);
    uv_timer_init(h->loop, &sh->patience);
    sh->next = h->shares;
    h->shares = sh;
    return sh;
}

static void check_ready(struct px_share *sh);

static void leave(struct px_viewer *v) {
    struct px_share *sh = v->share;
    if (!sh)
        return;
    struct px_viewer **at = &sh->viewers;
    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    v->share = NULL;
    if (!sh->viewers)
        close_share(sh);
    else
        check_ready(sh);
}

static void join(struct px_viewer *v, struct px_share *sh) {
    v->next = sh->viewers;
    sh->viewers = v;
    v->share = sh;
    v->wants_key = true;
    v->grace_us = px_now_us() + GRACE_US;
    v->dry = px_conn_queued_bytes(v->session->conn) == 0;
    v->unacked = 0;
    px_vstream_keyframe(sh->stream);
    update_rate(sh);
    check_ready(sh);
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
    o.rate_kbps = rate_for(v);
    if (v->share && same(&v->share->opts, &o)) {
        update_rate(v->share);
        return;
    }
    leave(v);
    struct px_share *sh = v->alone ? NULL : find_share(s->host, &o);
    join(v, sh ? sh : open_share(s->host, &o, v->alone));
}

void px_viewer_join(struct px_session *s) {
    if (!px_session_is_desktop(s) || s->host->width == 0)
        return;
    for (int i = 0; i < PX_DISPLAYS_MAX; i++)
        if (i < s->host->displays.n && s->watched & 1u << i)
            join_display(&s->viewers[i], true);
        else
            leave(&s->viewers[i]);
}

void px_viewer_leave(struct px_session *s) {
    for (int i = 0; i < PX_DISPLAYS_MAX; i++)
        leave(&s->viewers[i]);
}

/* ---- pace ---- */

static void split(struct px_share *sh) {
    const int64_t now = px_now_us();
    char addr[PX_ADDR_TEXT_MAX];
    for (struct px_viewer *v = sh->viewers, *next; v; v = next) {
        next = v->next;
        if (has_room(v, now) || is_excused(v, now))
            continue;
        px_debug("session %s: slow: a stream of its own", px_addr_text(&v->session->peer, addr));
        struct px_vstream_opts o = sh->opts;
        struct px_share *own = open_share(sh->host, &o, true);
        const bool last = !sh->viewers->next;
        leave(v);
        v->alone = true;
        v->alone_us = v->slow_us = now;
        join(v, own);
        if (last)
            return; /* @sh is gone */
    }
    check_ready(sh);
}

static void on_patience(uv_timer_t *t) {
    struct px_share *sh = px_container_of(t, struct px_share, patience);
    sh->waiting = false;
    split(sh);
}

static void check_ready(struct px_share *sh) {
    const int64_t now = px_now_us();
    unsigned ready = 0, excused = 0, all = 0;
    bool late = false; /* somebody's grace is over */
    for (const struct px_viewer *v = sh->viewers; v; v = v->next) {
        const bool room = has_room(v, now);
        all++;
        ready += room;
        excused += !room && is_excused(v, now);
        late |= !room && v->grace_us && !is_excused(v, now);
    }
    if (ready > 0 && ready + excused == all) {
        if (sh->waiting)
            uv_timer_stop(&sh->patience);
        sh->waiting = false;
        px_vstream_ready(sh->stream, excused == 0);
    } else if (ready > 0 && (!sh->waiting || late)) {
        sh->waiting = true;
        uv_timer_start(&sh->patience, on_patience, late ? 0 : PATIENCE_MS, 0);
    }
}

/* What the line takes, from how the last packet went. */
static void sense(struct px_viewer *v, int64_t now) {
    struct px_link_info link = {0};
    const int64_t took = now - v->sent_us;
    v->slow_us = took > 40 * PX_US_PER_MS ? now : v->slow_us;
    if (took >= PX_RATE_QUICK_US)
        px_conn_link(v->session->conn, &link);
    px_rate_passed(&v->rate, v->sent_bytes, took, link.delivered_bytes_per_s);
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
        sense(v, now);
        update_rate(v->share);
        check_ready(v->share);
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
        check_ready(v->share);
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
        leave(v);
        px_viewer_join(v->session);
        return;
    }
    /* The probe waits behind what is queued in the network: a long one means that we fill it. */
    if (s->last_delay_ms > s->min_delay_ms + 200) {
        px_rate_queues(&v->rate, v->share->opts.rate_kbps);
        update_rate(v->share);
    }
    if (v->alone && now - v->alone_us > BACK_US && now - v->slow_us > BACK_US) {
        v->alone = false;
        leave(v);
        px_viewer_join(v->session);
        return;
    }
    check_ready(v->share); /* an acknowledgement that never came */
    reconsider(v, now);
}

void px_viewer_tick(struct px_session *s, int64_t now) {
    for (int i = 0; i < PX_DISPLAYS_MAX; i++)
        tick(&s->viewers[i], now);
}

/* ---- from the video thread ---- */

static void on_packet(void *data, void *stream_data, const struct px_video_packet *p) {
    struct px_share *sh = stream_data;
    const int64_t now = px_now_us();
    px_stats_packet(&sh->host->stats, p);
    if (p->changed_px > 0)
        px_mix_add(&sh->host->mixes[sh->opts.display],
                   px_scene_of(p->changed_px, p->area_px, p->size), now);
    for (struct px_viewer *v = sh->viewers; v; v = v->next) {
        if (v->wants_key ? !p->key : p->lone)
            continue;
        if (p->lone)
            v->grace_us = now + GRACE_US;
        v->wants_key = false;
        v->dry = false;
        v->sent_us = now;
        v->sent_bytes = p->size;
        v->done_us = p->times.done_us;
        v->n_packets++;
        v->n_bytes += p->size;
        if (v->session->wants_acks)
            v->unacked = v->unacked >= ACKS_MAX ? 1 : v->unacked + 1; /* full: they were given up */
        px_conn_send(v->session->conn, p->body, p->size);
    }
    check_ready(sh);
}

static void on_size(void *data, int width, int height) {
    struct px_host *h = data;
    h->width = h->keyboard.width = width;
    h->height = h->keyboard.height = height;
    px_desk_displays_changed(h);
}

static void on_screen(void *data, bool there, const struct px_error *why) {
    struct px_host *h = data;
    if (there != h->screen_there || why)
        px_info("screen: %s%s%s", there ? "there" : "away", why ? ": " : "", why ? why->msg : "");
    h->screen_there = there;
}

/* What failed is not asked for again: first full chroma goes, then the codec. VP9 comes last again,
 * since every client decodes it. False: only that is left, and it has failed just now. */
static bool fall_back(struct px_session *s, const struct px_vstream_opts *failed) {
    struct px_options *o = &s->options;
    if (failed->i444)
        o->want_i444 = false;
    else
        o->can &= ~(1u << failed->codec);
    if (failed->i444 || failed->codec != PX_CODEC_VP9) {
        o->can |= 1u << PX_CODEC_VP9;
        return true;
    }
    struct px_choice other;
    px_viewer_choose(s, failed->display, false, &other);
    if (other.codec != PX_CODEC_VP9)
        return true;
    o->can |= 1u << PX_CODEC_VP9;
    return false;
}

/* An encoder that gives up takes its codec with it, for these viewers. Who decodes no other keeps
 * the last picture until the encoder may be tried again. */
static void on_stream_failed(void *data, void *stream_data, const struct px_error *why) {
    struct px_share *sh = stream_data;
    const struct px_vstream_opts failed = sh->opts;
    px_warning("video: %s fails: %s", px_codec_name(failed.codec), why->msg);
    sh->failed_us = px_now_us();
    for (struct px_viewer *v = sh->viewers, *next; v; v = next) {
        next = v->next;
        if (!fall_back(v->session, &failed))
            continue;
        leave(v); /* the last one closes @sh */
        px_viewer_join(v->session);
    }
}

const struct px_video_ops px_viewer_video_ops = {.on_packet = on_packet,
                                                 .on_size = on_size,
                                                 .on_screen = on_screen,
                                                 .on_stream_failed = on_stream_failed};
