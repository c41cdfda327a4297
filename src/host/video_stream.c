/* src/host/video_stream.c - the screen as streams of packets: one stream */
#include "host/video_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "proto/session.h"
#include <string.h>

/* The screen rests: long enough that typing does not trigger it, short enough to go unnoticed. */
#define REST_US (150 * PX_US_PER_MS)
#define KEY_GAP_US (200 * PX_US_PER_MS) /* between two key frames on request */
#define LONE_GAP_US (50 * PX_US_PER_MS) /* between cheap ones */
#define KEY_EARLY 3                     /* of .. */
#define KEY_EARLY_OF 4
#define SETTLE_US (2 * PX_US_PER_MS) /* what programs take to answer input */
#define PART_US (10 * PX_US_PER_MS)  /* what a part may take */

void px_vstream_reset(struct px_vstream *s) {
    px_encoder_close(s->enc);
    s->enc = NULL;
    s->failed = s->refining = s->owing = false;
    s->pending.n = s->coarse.n = 0;
    s->all_pending = true;
}

/* Takes over what the loop asked for; a new codec or chroma means a new encoder. */
void px_vstream_take_opts(struct px_video *v, struct px_vstream *s) {
    pthread_mutex_lock(&v->lock);
    const bool fresh = s->opts_new;
    const struct px_vstream_opts o = s->opts;
    s->opts_new = false;
    pthread_mutex_unlock(&v->lock);
    if (!fresh)
        return;
    const bool moved = memcmp(&o.view, &s->cur.view, sizeof(o.view)) != 0;
    if (o.codec != s->cur.codec || o.i444 != s->cur.i444 || moved)
        px_vstream_reset(s);
    else if (s->enc)
        px_encoder_set_rate(s->enc, o.rate_kbps, o.min_quality, o.max_quality);
    s->cur = o;
}

static int open_encoder(struct px_video *v, struct px_vstream *s, struct px_error *err) {
    const struct px_rect view = px_video_view(v, s);
    const struct px_encoder_opts o = {.codec = s->cur.codec,
                                      .width = view.w,
                                      .height = view.h,
                                      .i444 = s->cur.i444,
                                      .rate_kbps = s->cur.rate_kbps,
                                      .min_quality = s->cur.min_quality,
                                      .max_quality = s->cur.max_quality,
                                      .threads = v->opts.threads,
                                      .whole_keys = s->cur.key_every > 0};
    const int r = px_encoder_open(v->opts.encoders, &o, &s->enc, err);
    if (r >= 0)
        px_debug("video: %s opens %dx%d%s", s->enc->ops->name, view.w, view.h,
                 s->cur.i444 ? " 4:4:4" : "");
    return r;
}

static void fail_stream(struct px_video *v, struct px_vstream *s, const struct px_error *err) {
    s->failed = true;
    px_encoder_close(s->enc);
    s->enc = NULL;
    struct px_video_event *e = px_video_event_new(PX_VIDEO_FAILED, s);
    e->err = *err;
    px_video_post(v, e);
}

static void print_frame(ProtobufCBinaryData data, bool key, const struct px_vstream_opts *o,
                        int64_t pts_ms, struct px_buf *out) {
    Pxs__EncodedVideoFrame f = PXS__ENCODED_VIDEO_FRAME__INIT;
    f.data = data;
    f.key = key;
    f.pts = pts_ms;
    Pxs__EncodedVideoFrame *frames[] = {&f};
    Pxs__EncodedVideoFrames list = PXS__ENCODED_VIDEO_FRAMES__INIT;
    list.n_frames = 1;
    list.frames = frames;
    Pxs__VideoFrame v = PXS__VIDEO_FRAME__INIT;
    v.display = o->display;
    switch (o->codec) {
    case PX_CODEC_VP8:
        v.pictures_case = PXS__VIDEO_FRAME__PICTURES_VP8S;
        break;
    case PX_CODEC_VP9:
        v.pictures_case = PXS__VIDEO_FRAME__PICTURES_VP9S;
        break;
    case PX_CODEC_AV1:
        v.pictures_case = PXS__VIDEO_FRAME__PICTURES_AV1S;
        break;
    case PX_CODEC_H264:
        v.pictures_case = PXS__VIDEO_FRAME__PICTURES_H264S;
        break;
    case PX_CODEC_H265:
        v.pictures_case = PXS__VIDEO_FRAME__PICTURES_H265S;
        break;
    }
    v.vp9s = &list; /* a union: whichever it is */
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_VIDEO_FRAME;
    m.video_frame = &v;
    px_message_print(&m.base, out);
}

/* The part of the picture that the stream shows, without a copy. */
static struct px_picture picture_of(const struct px_video *v, const struct px_vstream *s) {
    struct px_picture p = s->cur.i444 ? v->i444 : v->i420;
    const struct px_rect a = px_video_view(v, s);
    p.width = a.w;
    p.height = a.h;
    for (int i = 0; i < 3; i++) {
        const int shift = i && !p.i444 ? 1 : 0;
        p.planes[i] += (ptrdiff_t)(a.y >> shift) * p.strides[i] + (a.x >> shift);
    }
    return p;
}

/* A rested screen's second look: the same picture, at the best quality asked for. */
static bool wants_refining(const struct px_vstream *s, int64_t now) {
    return s->coarse.n > 0 && s->pending.n == 0 && now - s->last_damage_us >= REST_US &&
           (s->refining || now - s->last_us >= REST_US);
}

/* What is coded coarsely after packet @p of @what. */
static void note_coarse(struct px_vstream *s, const struct px_packet *p, bool whole, bool refine,
                        const struct px_picture *picture) {
    if (p->fine && (whole || refine))
        s->coarse.n = 0;
    else if (p->fine || refine)
        return; /* as coarse as before, or a step finer and not yet at its best */
    else if (whole)
        px_region_add(&s->coarse, (struct px_rect){0, 0, picture->width, picture->height});
    else
        px_region_add_all(&s->coarse, &s->pending);
}

static void send_after(struct px_video *v, struct px_vstream *s, const struct px_packet *p,
                       int64_t pts_ms) {
    const uint8_t *at = p->data + p->size;
    for (unsigned i = 0; i < p->n_after; at += p->after[i++]) {
        struct px_video_event *e = px_video_event_new(PX_VIDEO_PACKET, s);
        print_frame((ProtobufCBinaryData){p->after[i], (uint8_t *)at}, false, &s->cur, pts_ms,
                    &e->body);
        e->packet = (struct px_video_packet){.after = true, .codec = s->cur.codec};
        px_video_post(v, e);
    }
}

static void send_packet(struct px_video *v, struct px_vstream *s, const struct px_packet *p,
                        int64_t changed_px, int64_t now, int64_t pts_ms) {
    const struct px_rect view = px_video_view(v, s);
    struct px_video_event *e = px_video_event_new(PX_VIDEO_PACKET, s);
    print_frame((ProtobufCBinaryData){p->size, (uint8_t *)p->data}, p->key, &s->cur, pts_ms,
                &e->body);
    e->packet = (struct px_video_packet){.key = p->key,
                                         .lone = p->lone,
                                         .codec = s->cur.codec,
                                         .changed_px = changed_px,
                                         .area_px = (int64_t)view.w * view.h,
                                         .times = v->times};
    e->packet.times.encode_us = now;
    e->packet.times.done_us = px_now_us();
    px_video_post(v, e);
    send_after(v, s, p, pts_ms);
}

/* @part: what changed stays for later. */
static int encode(struct px_video *v, struct px_vstream *s, bool key, bool part,
                  struct px_error *err) {
    struct px_packet p = {0};
    const int64_t now = px_now_us();
    int r = s->enc ? 0 : open_encoder(v, s, err);
    if (r < 0)
        return r;
    const bool whole = key || (s->all_pending && !part);
    const bool refine = !whole && (s->pending.n == 0 || part) && s->coarse.n > 0;
    const struct px_region what = refine ? s->coarse : s->pending;
    const int64_t pts_ms = (now - s->start_us) / PX_US_PER_MS;
    const struct px_picture picture = picture_of(v, s);
    r = px_encoder_push(v->opts.encoders, &s->enc, &picture, whole ? NULL : &what, pts_ms, key,
                        refine, &p, err);
    s->last_us = now;
    if (!refine && !p.lone)
        px_pace_take(&s->pace, s->cur.fps, now);
    const int64_t changed_px = whole || refine ? 0 : px_region_area(&what);
    if (r <= 0)
        return r;
    note_coarse(s, &p, whole || p.key, refine, &picture);
    s->refining = p.more;
    s->owing = p.owes;
    if (!part && !p.lone) {
        s->pending.n = 0;
        s->all_pending = false;
    }
    s->since_key = p.key ? 0 : s->since_key + 1;
    if (p.key) {
        s->last_key_us = now;
        s->last_lone = p.lone;
    }
    send_packet(v, s, &p, p.key ? 0 : changed_px, now, pts_ms);
    return 1;
}

struct turn {
    bool ready, ready_all, want_key;
    int64_t input_us;
};

static struct turn peek(struct px_video *v, const struct px_vstream *s) {
    pthread_mutex_lock(&v->lock);
    const struct turn t = {.ready = s->ready && !s->gone,
                           .ready_all = s->ready_all && !s->gone,
                           .want_key = s->want_key,
                           .input_us = s->input_us};
    pthread_mutex_unlock(&v->lock);
    return t;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* A recording's next key frame, which is whole and takes long. */
static bool wants_regular_key(const struct px_vstream *s) {
    return s->cur.key_every && s->since_key + 1 >= s->cur.key_every;
}

/* It may come somewhat sooner: while nothing changes, nobody waits for it. */
static bool may_key_at_rest(const struct px_vstream *s, bool ready_all) {
    return ready_all && s->cur.key_every &&
           (s->since_key + 1) * KEY_EARLY_OF >= s->cur.key_every * KEY_EARLY;
}

static int64_t rest_us(const struct px_vstream *s) {
    return later(s->last_us, s->last_damage_us) + REST_US;
}

static int64_t key_due_us(const struct px_vstream *s) {
    return s->last_key_us + (s->last_lone ? LONE_GAP_US : KEY_GAP_US);
}

/* When what has changed is due. What had changed before the input waits for the answer to come
 * along: programs take a moment for it. */
static int64_t change_due_us(const struct px_video *v, const struct px_vstream *s,
                             const struct turn *t, int64_t now) {
    const int64_t turn = px_pace_due_us(&s->pace, s->cur.fps);
    if (turn <= now || !t->input_us || now - t->input_us > PX_VIDEO_ANSWER_US)
        return turn;
    const bool stale = s->pending.n > 0 || v->times.damage_us < t->input_us;
    const int64_t answer = later(px_pace_answer_us(&s->pace, s->cur.fps),
                                 stale ? t->input_us + SETTLE_US : t->input_us);
    return answer < turn ? answer : turn;
}

/* There is time for a part until the next picture may come. */
static bool wants_part(const struct px_video *v, const struct px_vstream *s, const struct turn *t,
                       bool damage, int64_t now) {
    return s->owing && s->coarse.n > 0 && t->ready_all &&
           (!damage || change_due_us(v, s, t, now) > now + PART_US);
}

int64_t px_vstream_due_us(struct px_video *v, struct px_vstream *s, int64_t now) {
    const struct turn t = peek(v, s);
    if (!t.ready || s->failed || !px_video_is_on_screen(v, s))
        return INT64_MAX;
    if (s->last_us == 0)
        return 0;
    const bool damage =
        s->pending.n > 0 || s->all_pending || (v->screen && px_screen_changed(v->screen));
    int64_t at = INT64_MAX;
    if (wants_part(v, s, &t, damage, now))
        return 0;
    if (damage)
        at = change_due_us(v, s, &t, now);
    else if (!t.want_key && s->coarse.n > 0 && t.ready_all)
        at = s->refining ? s->last_damage_us + REST_US : rest_us(s);
    else if (may_key_at_rest(s, t.ready_all))
        at = rest_us(s);
    if (t.want_key && key_due_us(s) < at)
        at = key_due_us(s);
    return at <= now ? 0 : at;
}

void px_vstream_serve(struct px_video *v, struct px_vstream *s) {
    const int64_t now = px_now_us();
    if (px_vstream_due_us(v, s, now) != 0)
        return;
    /* Key frames are dear; several requests at once get one. */
    const struct turn t = peek(v, s);
    if (s->enc && px_encoder_is_outdated(s->enc))
        px_vstream_reset(s);
    const bool asked = t.want_key && now >= key_due_us(s);
    const bool pending = s->pending.n > 0 || s->all_pending;
    const bool rests = !pending && s->coarse.n == 0 && now >= rest_us(s);
    const bool key = s->last_us == 0 || !s->enc || asked || wants_regular_key(s) ||
                     (rests && may_key_at_rest(s, t.ready_all));
    const bool part = !key && wants_part(v, s, &t, pending, now);
    if (!key && !pending && !part && !wants_refining(s, now))
        return;
    struct px_error err = {0};
    const int r = encode(v, s, key, part, &err);
    if (r < 0) {
        fail_stream(v, s, &err);
        return;
    }
    pthread_mutex_lock(&v->lock);
    if (r > 0)
        s->ready = s->ready_all = false;
    if (r > 0 && !part && pending &&
        (v->times.damage_us >= s->input_us || v->times.grab_us >= s->input_us + SETTLE_US))
        s->input_us = 0;
    if (key)
        s->want_key = false;
    pthread_mutex_unlock(&v->lock);
}
