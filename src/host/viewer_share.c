/* src/host/viewer_share.c - a stream that several sessions watch
 *
 * A stream makes its next packet when all of its viewers have passed the last one on; one that
 * holds up the others for long gets a stream of its own (it starts with a key frame there) and
 * comes back when its line has been quick for a while. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/viewer_private.h"
#include <string.h>

#define PATIENCE_MS 60 /* how long the quick wait for the slow, once */
#define ACK_US (3 * PX_US_PER_S)

static bool has_room(const struct px_viewer *v, int64_t now) {
    return v->dry && (v->unacked < PX_ACKS_MAX || now - v->sent_us > ACK_US);
}

/* Its first picture is on its way: changes may queue behind it, so that others see them at once. */
static bool is_excused(const struct px_viewer *v, int64_t now) {
    return now < v->grace_us;
}

static unsigned share_rate(const struct px_share *sh) {
    unsigned least = 0;
    for (const struct px_viewer *v = sh->viewers; v; v = v->next) {
        const unsigned r = px_viewer_own_kbps(v);
        if (!least || r < least)
            least = r;
    }
    return least ? least : 2000;
}

void px_share_update_rate(struct px_share *sh) {
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

bool px_share_fits(const struct px_share *sh, const struct px_vstream_opts *o) {
    const struct px_vstream_opts *a = &sh->opts;
    return a->codec == o->codec && a->i444 == o->i444 && a->fps == o->fps &&
           a->min_quality == o->min_quality && a->max_quality == o->max_quality &&
           a->key_every == o->key_every && a->display == o->display &&
           memcmp(&a->view, &o->view, sizeof(a->view)) == 0;
}

struct px_share *px_share_find(struct px_host *h, const struct px_vstream_opts *o) {
    for (struct px_share *sh = h->shares; sh; sh = sh->next)
        if (!sh->alone && !sh->failed_us && px_share_fits(sh, o))
            return sh;
    return NULL;
}

struct px_share *px_share_open(struct px_host *h, const struct px_vstream_opts *o, bool alone) {
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

void px_share_leave(struct px_viewer *v) {
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
        px_share_check_ready(sh);
}

void px_share_join(struct px_viewer *v, struct px_share *sh) {
    v->next = sh->viewers;
    sh->viewers = v;
    v->share = sh;
    v->wants_key = true;
    v->grace_us = px_now_us() + PX_GRACE_US;
    v->dry = px_conn_queued_bytes(v->session->conn) == 0;
    v->unacked = 0;
    px_vstream_keyframe(sh->stream);
    px_share_update_rate(sh);
    px_share_check_ready(sh);
}

static void split(struct px_share *sh) {
    const int64_t now = px_now_us();
    char addr[PX_ADDR_TEXT_MAX];
    for (struct px_viewer *v = sh->viewers, *next; v; v = next) {
        next = v->next;
        if (has_room(v, now) || is_excused(v, now))
            continue;
        px_debug("session %s: slow: a stream of its own", px_addr_text(&v->session->peer, addr));
        struct px_vstream_opts o = sh->opts;
        struct px_share *own = px_share_open(sh->host, &o, true);
        const bool last = !sh->viewers->next;
        px_share_leave(v);
        v->alone = true;
        v->alone_us = v->slow_us = now;
        px_share_join(v, own);
        if (last)
            return; /* @sh is gone */
    }
    px_share_check_ready(sh);
}

static void on_patience(uv_timer_t *t) {
    struct px_share *sh = px_container_of(t, struct px_share, patience);
    sh->waiting = false;
    split(sh);
}

void px_share_check_ready(struct px_share *sh) {
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
