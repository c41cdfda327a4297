/* src/host/viewer_video.c - what the video thread says: packets, the screen's size, failures */
#include "base/clock.h"
#include "base/log.h"
#include "host/viewer_private.h"

/* What brings a decoder from its lone key frame to where the stream is. */
static void send_after(struct px_share *sh, const struct px_video_packet *p) {
    for (struct px_viewer *v = sh->viewers; v; v = v->next)
        if (v->joining) {
            v->n_bytes += p->size;
            px_conn_send(v->session->conn, p->body, p->size);
        }
}

static void on_packet(void *data, void *stream_data, const struct px_video_packet *p) {
    struct px_share *sh = stream_data;
    const int64_t now = px_now_us();
    if (p->after) {
        send_after(sh, p);
        return;
    }
    px_stats_packet(&sh->host->stats, p);
    if (p->changed_px > 0)
        px_mix_add(&sh->host->mixes[sh->opts.display],
                   px_scene_of(p->changed_px, p->area_px, p->size), now);
    for (struct px_viewer *v = sh->viewers; v; v = v->next) {
        if (v->wants_key ? !p->key : p->lone)
            continue;
        if (p->lone)
            v->grace_us = now + PX_GRACE_US;
        v->wants_key = false;
        v->joining = p->lone;
        v->dry = false;
        v->sent_us = now;
        v->sent_bytes = p->size;
        v->done_us = p->times.done_us;
        v->n_packets++;
        v->n_bytes += p->size;
        if (v->session->wants_acks)
            v->unacked =
                v->unacked >= PX_ACKS_MAX ? 1 : v->unacked + 1; /* full: they were given up */
        px_session_sends(v->session, now);
        px_conn_send(v->session->conn, p->body, p->size);
        px_session_sent(v->session, now);
    }
    px_share_check_ready(sh);
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
        px_share_leave(v); /* the last one closes @sh */
        px_viewer_join(v->session);
    }
}

const struct px_video_ops px_viewer_video_ops = {.on_packet = on_packet,
                                                 .on_size = on_size,
                                                 .on_screen = on_screen,
                                                 .on_stream_failed = on_stream_failed};
