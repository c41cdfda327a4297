/* src/host/viewer_share.c - a stream that several sessions watch
 *
 * A stream makes its next packet when all of its viewers have passed the last one on; one that
 * holds up the others for long gets a stream of its own (it starts with a key frame there) and
 * comes back when its line has been quick for a while. On a line that is known to be slow a viewer
 * has no room while more than a little of what was sent stands before it. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/viewer_private.h"
#include <string.h>

#define PATIENCE_MS 60 /* how long the quick wait for the slow, once */
#define ACK_US (3 * PX_US_PER_S)
#define CHANGE_SLACK_US (15 * PX_US_PER_MS) /* of the line's time that a change may wait behind */
#define PART_SLACK_US (8 * PX_US_PER_MS) /* the same for parts, so that changes wait for little */
#define ECHO_US (20 * PX_US_PER_MS)      /* an echo is waited for; when it comes, we look at once */
#define SLOW_US (20 * PX_US_PER_MS)

/* How long until the line has room; for parts of a refinement, too, in @ret_part. */
static int64_t line_wait_us(struct px_viewer *v, int64_t now, int64_t *ret_part) {
    const struct px_far *far = &v->session->far;
    const uint64_t bytes = px_session_bytes(v->session);
    struct px_link_info link;
    *ret_part = 0;
    if (v->rate.line_kbps == 0 && px_far_used(far, now)) {
        *ret_part = px_far_has_room(far, bytes, true) ? 0 : ECHO_US;
        return px_far_has_room(far, bytes, false) ? 0 : ECHO_US;
    }
    if (v->rate.line_kbps == 0)
        return 0;
    if (px_far_used(far, now))
        px_far_link(far, bytes, now, &link);
    else
        px_conn_link(v->session->conn, &link);
    *ret_part = px_rate_wait_us(&v->rate, &link, PART_SLACK_US);
    const int64_t wait = px_rate_wait_us(&v->rate, &link, CHANGE_SLACK_US);
    if (wait > SLOW_US)
        v->slow_us = now;
    return wait;
}

static bool has_passed(const struct px_viewer *v, int64_t now) {
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

static void on_timer_closed(uv_handle_t *h) {
    struct px_share *sh = h->data;
    if (--sh->n_timers == 0)
        free(sh);
}

static void close_share(struct px_share *sh) {
    struct px_share **at = &sh->host->shares;
    while (*at != sh)
        at = &(*at)->next;
    *at = sh->next;
    px_vstream_close(sh->stream);
    uv_close((uv_handle_t *)&sh->patience, on_timer_closed);
    uv_close((uv_handle_t *)&sh->room, on_timer_closed);
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
    uv_timer_init(h->loop, &sh->room);
    sh->patience.data = sh->room.data = sh;
    sh->n_timers = 2;
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
        int64_t part;
        if ((has_passed(v, now) && line_wait_us(v, now, &part) == 0) || is_excused(v, now))
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

static void on_room(uv_timer_t *t) {
    px_share_check_ready(t->data);
}

void px_share_check_ready(struct px_share *sh) {
    const int64_t now = px_now_us();
    unsigned ready = 0, excused = 0, all = 0;
    int64_t change_us = 0, part_us = 0; /* until every line has room */
    bool late = false;                  /* somebody's grace is over */
    for (struct px_viewer *v = sh->viewers; v; v = v->next) {
        int64_t part = 0;
        const bool passed = has_passed(v, now);
        const int64_t wait = passed ? line_wait_us(v, now, &part) : 0;
        const bool room = passed && wait == 0;
        all++;
        ready += room;
        excused += !room && is_excused(v, now);
        late |= !room && v->grace_us && !is_excused(v, now);
        change_us = wait > change_us ? wait : change_us;
        part_us = part > part_us ? part : part_us;
    }
    const bool go = ready > 0 && ready + excused == all;
    const int64_t again_us = go ? part_us : change_us;
    if (again_us > 0)
        uv_timer_start(&sh->room, on_room, (uint64_t)(again_us + 999) / 1000, 0);
    if (go) {
        if (sh->waiting)
            uv_timer_stop(&sh->patience);
        sh->waiting = false;
        px_vstream_ready(sh->stream, excused == 0 && part_us == 0);
    } else if (ready > 0 && (!sh->waiting || late)) {
        sh->waiting = true;
        uv_timer_start(&sh->patience, on_patience, late ? 0 : PATIENCE_MS, 0);
    }
}
