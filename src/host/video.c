/* src/host/video.c - the screen as streams of packets */
#include "host/video.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/capture/screen.h"
#include "proto/session.h"
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#define RETRY_US (500 * PX_US_PER_MS) /* while there is no X server */
/* The screen rests: long enough that typing does not trigger it, short enough to go unnoticed. */
#define REST_US (150 * PX_US_PER_MS)
#define KEY_GAP_US (200 * PX_US_PER_MS) /* between two key frames on request */
#define DARK_WIDTH 1280
#define DARK_HEIGHT 720

struct px_vstream {
    struct px_vstream *next;
    struct px_video *video;
    void *data;  /* loop */
    bool closed; /* loop */
    /* under the lock */
    struct px_vstream_opts opts;
    bool opts_new, ready, want_key, gone;
    /* video thread */
    struct px_vstream_opts cur;
    struct px_encoder *enc;
    struct px_region pending; /* not in the last packet */
    struct px_region coarse;  /* coded, but not at its best */
    bool all_pending, failed;
    unsigned since_key;
    int64_t last_us, last_key_us, last_damage_us, start_us;
};

enum event_type { EVENT_PACKET, EVENT_SIZE, EVENT_SCREEN, EVENT_GONE, EVENT_FAILED };

struct event {
    struct event *next;
    enum event_type type;
    struct px_vstream *stream;
    struct px_buf body;
    struct px_video_packet packet;
    int width, height;
    bool there;
    struct px_error err;
};

struct px_video {
    struct px_video_opts opts;
    uv_async_t async;
    pthread_t thread;
    int wake_fd;
    void (*on_closed)(void *data);
    pthread_mutex_t lock;
    /* under the lock */
    struct px_vstream *incoming;
    struct event *events, **events_end;
    bool stop;
    /* video thread */
    struct px_vstream *streams;
    struct px_screen *screen;
    int width, height;
    struct px_picture i420, i444;
    bool i420_full, i444_full; /* hold the whole screen */
    int64_t retry_us, damage_us;
};

static void post(struct px_video *v, struct event *e) {
    pthread_mutex_lock(&v->lock);
    *v->events_end = e;
    v->events_end = &e->next;
    pthread_mutex_unlock(&v->lock);
    uv_async_send(&v->async);
}

static struct event *event_new(enum event_type type, struct px_vstream *s) {
    struct event *e = px_new0(struct event, 1);
    e->type = type;
    e->stream = s;
    return e;
}

static void wake(struct px_video *v) {
    const uint64_t one = 1;
    if (write(v->wake_fd, &one, sizeof(one)) < 0)
        return; /* full counter: it is awake */
}

/* ---- video thread: the screen ---- */

static struct px_rect view_of(const struct px_video *v, const struct px_vstream *s) {
    return s->cur.view.w ? s->cur.view : (struct px_rect){0, 0, v->width, v->height};
}

/* A display may be known before the screen has its new size, and after it lost it. */
static bool is_on_screen(const struct px_video *v, const struct px_vstream *s) {
    const struct px_rect a = view_of(v, s);
    return a.w > 0 && a.h > 0 && a.x + a.w <= v->width && a.y + a.h <= v->height;
}

static void set_size(struct px_video *v, int width, int height) {
    if (v->width == width && v->height == height)
        return;
    v->width = width;
    v->height = height;
    px_picture_fini(&v->i420);
    px_picture_fini(&v->i444);
    v->i420_full = v->i444_full = false;
    for (struct px_vstream *s = v->streams; s; s = s->next) {
        px_encoder_close(s->enc);
        s->enc = NULL;
        s->failed = false;
        s->pending.n = s->coarse.n = 0;
        s->all_pending = true;
    }
    struct event *e = event_new(EVENT_SIZE, NULL);
    e->width = width;
    e->height = height;
    post(v, e);
}

static void report_screen(struct px_video *v, bool there, const struct px_error *err) {
    struct event *e = event_new(EVENT_SCREEN, NULL);
    e->there = there;
    if (err)
        e->err = *err;
    post(v, e);
}

static void lose_screen(struct px_video *v, const struct px_error *err) {
    px_screen_close(v->screen);
    v->screen = NULL;
    v->retry_us = px_now_us() + RETRY_US;
    px_picture_fini(&v->i420);
    px_picture_fini(&v->i444);
    for (struct px_vstream *s = v->streams; s; s = s->next)
        s->all_pending = true;
    report_screen(v, false, err);
}

static void try_screen(struct px_video *v) {
    struct px_error err = {0};
    const bool first = v->width == 0;
    if (px_now_us() < v->retry_us)
        return;
    v->retry_us = px_now_us() + RETRY_US;
    if (px_screen_open(v->opts.display, &v->screen, &err) < 0) {
        if (first) {
            set_size(v, DARK_WIDTH, DARK_HEIGHT);
            report_screen(v, false, &err);
        }
        return;
    }
    v->i420_full = v->i444_full = false;
    report_screen(v, true, NULL);
}

static void check_screen(struct px_video *v) {
    struct px_error err = {0};
    int width, height;
    if (!v->screen)
        try_screen(v);
    if (!v->screen)
        return;
    if (px_screen_dispatch(v->screen, &err) < 0) {
        lose_screen(v, &err);
        return;
    }
    px_screen_size(v->screen, &width, &height);
    set_size(v, width, height);
    if (px_screen_changed(v->screen) && v->damage_us == 0)
        v->damage_us = px_now_us();
}

/* Makes the pictures that streams want; without a screen they stay dark. */
static void prepare_pictures(struct px_video *v) {
    for (struct px_vstream *s = v->streams; s; s = s->next) {
        struct px_picture *p = s->cur.i444 ? &v->i444 : &v->i420;
        if (!p->memory)
            px_picture_init(p, v->width, v->height, s->cur.i444);
    }
}

static int grab(struct px_video *v, struct px_error *err) {
    prepare_pictures(v);
    if (!v->screen)
        return 0;
    struct px_picture *i420 = v->i420.memory ? &v->i420 : NULL;
    struct px_picture *i444 = v->i444.memory ? &v->i444 : NULL;
    const bool all = (i420 && !v->i420_full) || (i444 && !v->i444_full);
    struct px_region changed = {0};
    int r = px_screen_grab(v->screen, all, i420, i444, &changed, err);
    if (r < 0)
        return r;
    v->i420_full = i420 != NULL;
    v->i444_full = i444 != NULL;
    const int64_t now = px_now_us();
    for (struct px_vstream *s = v->streams; changed.n > 0 && s; s = s->next) {
        const int before = s->pending.n;
        px_region_add_inside(&s->pending, &changed, view_of(v, s));
        if (s->pending.n > 0 || before > 0)
            s->last_damage_us = now;
    }
    return 0;
}

/* ---- video thread: streams ---- */

/* Takes in what the loop opened, lets go of what it closed. */
static void sync_streams(struct px_video *v) {
    struct px_vstream **at = &v->streams, *dead = NULL;
    pthread_mutex_lock(&v->lock);
    while (*at)
        at = &(*at)->next;
    *at = v->incoming;
    v->incoming = NULL;
    at = &v->streams;
    while (*at) {
        struct px_vstream *s = *at;
        if (s->gone) {
            *at = s->next;
            s->next = dead;
            dead = s;
        } else
            at = &s->next;
    }
    pthread_mutex_unlock(&v->lock);
    while (dead) {
        struct px_vstream *s = dead;
        dead = s->next;
        px_encoder_close(s->enc);
        s->enc = NULL;
        post(v, event_new(EVENT_GONE, s));
    }
}

/* Takes over what the loop asked for; a new codec or chroma means a new encoder. */
static void take_opts(struct px_video *v, struct px_vstream *s) {
    pthread_mutex_lock(&v->lock);
    const bool fresh = s->opts_new;
    const struct px_vstream_opts o = s->opts;
    s->opts_new = false;
    pthread_mutex_unlock(&v->lock);
    if (!fresh)
        return;
    const bool moved = memcmp(&o.view, &s->cur.view, sizeof(o.view)) != 0;
    if (o.codec != s->cur.codec || o.i444 != s->cur.i444 || moved) {
        px_encoder_close(s->enc);
        s->enc = NULL;
        s->failed = false;
        s->pending.n = s->coarse.n = 0;
        s->all_pending = true;
    } else if (s->enc)
        px_encoder_set_rate(s->enc, o.rate_kbps, o.min_quality, o.max_quality);
    s->cur = o;
}

static int open_encoder(struct px_video *v, struct px_vstream *s, struct px_error *err) {
    const struct px_rect view = view_of(v, s);
    const struct px_encoder_opts o = {.codec = s->cur.codec,
                                      .width = view.w,
                                      .height = view.h,
                                      .i444 = s->cur.i444,
                                      .rate_kbps = s->cur.rate_kbps,
                                      .min_quality = s->cur.min_quality,
                                      .max_quality = s->cur.max_quality,
                                      .threads = v->opts.threads};
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
    struct event *e = event_new(EVENT_FAILED, s);
    e->err = *err;
    post(v, e);
}

static void print_frame(const struct px_packet *p, const struct px_vstream_opts *o, int64_t pts_ms,
                        struct px_buf *out) {
    Pxs__EncodedVideoFrame f = PXS__ENCODED_VIDEO_FRAME__INIT;
    f.data = (ProtobufCBinaryData){p->size, (uint8_t *)p->data};
    f.key = p->key;
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
    const struct px_rect a = view_of(v, s);
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
           now - s->last_us >= REST_US;
}

static int encode(struct px_video *v, struct px_vstream *s, bool key, int64_t grab_us,
                  int64_t convert_us, struct px_error *err) {
    struct px_packet p;
    const int64_t now = px_now_us();
    int r = s->enc ? 0 : open_encoder(v, s, err);
    if (r < 0)
        return r;
    const bool refine = !key && !s->all_pending && s->pending.n == 0 && s->coarse.n > 0;
    const struct px_region what = refine ? s->coarse : s->pending;
    const int64_t pts_ms = (now - s->start_us) / PX_US_PER_MS;
    const struct px_picture picture = picture_of(v, s);
    r = px_encoder_push(s->enc, &picture, key || s->all_pending ? NULL : &what, pts_ms, key, refine,
                        &p, err);
    s->last_us = now;
    if (r <= 0)
        return r;
    if (p.fine && (refine || key || s->all_pending))
        s->coarse.n = 0;
    else if (p.fine || refine)
        ; /* as coarse as before, or a step finer and not yet at its best */
    else if (key || s->all_pending)
        px_region_add(&s->coarse, (struct px_rect){0, 0, picture.width, picture.height});
    else
        px_region_add_all(&s->coarse, &s->pending);
    s->pending.n = 0;
    s->all_pending = false;
    s->since_key = p.key ? 0 : s->since_key + 1;
    if (p.key)
        s->last_key_us = now;
    struct event *e = event_new(EVENT_PACKET, s);
    print_frame(&p, &s->cur, pts_ms, &e->body);
    e->packet = (struct px_video_packet){.key = p.key,
                                         .codec = s->cur.codec,
                                         .damage_us = v->damage_us,
                                         .grab_us = grab_us,
                                         .convert_us = convert_us,
                                         .encode_us = now,
                                         .done_us = px_now_us()};
    post(v, e);
    return 1;
}

/* When stream @s would make a packet: 0 now, above: at that time, INT64_MAX: nothing to do. */
static int64_t due_us(struct px_video *v, struct px_vstream *s, bool ready, bool want_key,
                      int64_t now) {
    const int64_t gap = PX_US_PER_S / s->cur.fps;
    int64_t at = s->last_us + gap;
    if (!ready || s->failed || !is_on_screen(v, s))
        return INT64_MAX;
    if (s->last_us == 0 || (want_key && now - s->last_key_us >= KEY_GAP_US))
        return 0;
    if (want_key)
        at = s->last_key_us + KEY_GAP_US;
    const bool damage =
        s->pending.n > 0 || s->all_pending || (v->screen && px_screen_changed(v->screen));
    if (!damage && !want_key) {
        if (s->coarse.n == 0)
            return INT64_MAX;
        if (wants_refining(s, now))
            return 0;
        const int64_t rest = (s->last_us > s->last_damage_us ? s->last_us : s->last_damage_us);
        return rest + REST_US;
    }
    if (damage && want_key && s->last_us + gap < at)
        at = s->last_us + gap;
    return at <= now ? 0 : at;
}

struct turn {
    bool ready, want_key;
};

static struct turn peek(struct px_video *v, const struct px_vstream *s) {
    pthread_mutex_lock(&v->lock);
    const struct turn t = {.ready = s->ready && !s->gone, .want_key = s->want_key};
    pthread_mutex_unlock(&v->lock);
    return t;
}

static void serve_stream(struct px_video *v, struct px_vstream *s, int64_t grab_us,
                         int64_t convert_us) {
    const int64_t now = px_now_us();
    struct turn t = peek(v, s);
    if (due_us(v, s, t.ready, t.want_key, now) != 0)
        return;
    /* Key frames are dear; several requests at once get one. */
    bool key = s->last_us == 0 || !s->enc || (t.want_key && now - s->last_key_us >= KEY_GAP_US) ||
               (s->cur.key_every && s->since_key + 1 >= s->cur.key_every);
    if (!key && s->pending.n == 0 && !s->all_pending && !wants_refining(s, now))
        return;
    struct px_error err = {0};
    const int r = encode(v, s, key, grab_us, convert_us, &err);
    if (r < 0) {
        fail_stream(v, s, &err);
        return;
    }
    pthread_mutex_lock(&v->lock);
    if (r > 0)
        s->ready = false;
    if (key)
        s->want_key = false;
    pthread_mutex_unlock(&v->lock);
}

/* One round: grab when somebody can use it, encode for all who can. Returns how long to sleep. */
static int64_t serve(struct px_video *v) {
    struct px_error err = {0};
    int64_t now = px_now_us(), next = INT64_MAX;
    bool any = false;
    for (struct px_vstream *s = v->streams; s; s = s->next) {
        take_opts(v, s);
        const struct turn t = peek(v, s);
        const int64_t at = due_us(v, s, t.ready, t.want_key, now);
        any |= at == 0;
        if (at > 0 && at < next)
            next = at;
    }
    if (!any)
        return next;
    const int64_t grab_us = now;
    const int r = grab(v, &err);
    if (r == -EAGAIN) /* the size changed under us: look again */
        return 0;
    if (r < 0) {
        lose_screen(v, &err);
        return 0;
    }
    const int64_t convert_us = px_now_us();
    for (struct px_vstream *s = v->streams; s; s = s->next)
        serve_stream(v, s, grab_us, convert_us);
    v->damage_us = 0;
    return 0;
}

static void sleep_until(struct px_video *v, int64_t at) {
    struct pollfd fds[2] = {{.fd = v->wake_fd, .events = POLLIN},
                            {.fd = v->screen ? px_screen_fd(v->screen) : -1, .events = POLLIN}};
    if (!v->screen && v->retry_us < at)
        at = v->retry_us;
    struct timespec ts = {0}, *timeout = &ts;
    if (at == INT64_MAX)
        timeout = NULL;
    else {
        const int64_t us = at - px_now_us();
        if (us > 0)
            ts = (struct timespec){us / PX_US_PER_S, us % PX_US_PER_S * 1000};
    }
    if (ppoll(fds, 2, timeout, NULL) > 0 && fds[0].revents) {
        uint64_t n;
        if (read(v->wake_fd, &n, sizeof(n)) < 0)
            return;
    }
}

static bool stopping(struct px_video *v) {
    pthread_mutex_lock(&v->lock);
    const bool stop = v->stop;
    pthread_mutex_unlock(&v->lock);
    return stop;
}

static void *run(void *arg) {
    struct px_video *v = arg;
    pthread_setname_np(pthread_self(), "video");
    while (!stopping(v)) {
        sync_streams(v);
        check_screen(v);
        const int64_t at = serve(v);
        if (at > 0)
            sleep_until(v, at);
    }
    px_screen_close(v->screen);
    px_picture_fini(&v->i420);
    px_picture_fini(&v->i444);
    return NULL;
}

/* ---- loop ---- */

static void deliver(struct px_video *v, struct event *e) {
    const struct px_video_ops *ops = v->opts.ops;
    const bool mute = e->stream && e->stream->closed;
    switch (e->type) {
    case EVENT_PACKET:
        e->packet.body = (const uint8_t *)e->body.data;
        e->packet.size = e->body.size;
        if (!mute)
            ops->on_packet(v->opts.data, e->stream->data, &e->packet);
        break;
    case EVENT_SIZE:
        ops->on_size(v->opts.data, e->width, e->height);
        break;
    case EVENT_SCREEN:
        ops->on_screen(v->opts.data, e->there, e->there ? NULL : &e->err);
        break;
    case EVENT_FAILED:
        if (!mute)
            ops->on_stream_failed(v->opts.data, e->stream->data, &e->err);
        break;
    case EVENT_GONE:
        free(e->stream);
        break;
    }
    px_buf_fini(&e->body);
    free(e);
}

static void on_async(uv_async_t *async) {
    struct px_video *v = px_container_of(async, struct px_video, async);
    pthread_mutex_lock(&v->lock);
    struct event *e = v->events;
    v->events = NULL;
    v->events_end = &v->events;
    pthread_mutex_unlock(&v->lock);
    while (e) {
        struct event *next = e->next;
        deliver(v, e);
        e = next;
    }
}

int px_video_new(const struct px_video_opts *opts, struct px_video **ret, struct px_error *err) {
    struct px_video *v = px_new0(struct px_video, 1);
    v->opts = *opts;
    v->events_end = &v->events;
    v->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (v->wake_fd < 0) {
        const int r = -errno;
        free(v);
        return px_fail_sys(err, r, "cannot make an eventfd");
    }
    pthread_mutex_init(&v->lock, NULL);
    uv_async_init(opts->loop, &v->async, on_async);
    const int r = pthread_create(&v->thread, NULL, run, v);
    if (r != 0)
        abort(); /* no thread at start: nothing works on this machine */
    *ret = v;
    return 0;
}

/* What is still queued must not reach the owner any more. */
static void drop_events(struct px_video *v) {
    for (struct event *e = v->events, *next; e; e = next) {
        next = e->next;
        if (e->type == EVENT_GONE)
            free(e->stream);
        px_buf_fini(&e->body);
        free(e);
    }
    v->events = NULL;
}

static void drop_streams(struct px_vstream *s) {
    for (struct px_vstream *next; s; s = next) {
        next = s->next;
        px_encoder_close(s->enc);
        free(s);
    }
}

static void on_async_closed(uv_handle_t *h) {
    struct px_video *v = px_container_of((uv_async_t *)h, struct px_video, async);
    void (*on_closed)(void *) = v->on_closed;
    void *data = v->opts.data;
    pthread_mutex_destroy(&v->lock);
    close(v->wake_fd);
    free(v);
    if (on_closed)
        on_closed(data);
}

void px_video_close(struct px_video *v, void (*on_closed)(void *data)) {
    pthread_mutex_lock(&v->lock);
    v->stop = true;
    pthread_mutex_unlock(&v->lock);
    wake(v);
    pthread_join(v->thread, NULL);
    drop_events(v);
    drop_streams(v->streams);
    drop_streams(v->incoming);
    v->on_closed = on_closed;
    uv_close((uv_handle_t *)&v->async, on_async_closed);
}

struct px_vstream *px_vstream_open(struct px_video *v, const struct px_vstream_opts *opts,
                                   void *data) {
    struct px_vstream *s = px_new0(struct px_vstream, 1);
    s->video = v;
    s->data = data;
    s->opts = s->cur = *opts;
    s->all_pending = true;
    s->start_us = px_now_us();
    pthread_mutex_lock(&v->lock);
    s->next = v->incoming;
    v->incoming = s;
    pthread_mutex_unlock(&v->lock);
    return s;
}

void px_vstream_update(struct px_vstream *s, const struct px_vstream_opts *opts) {
    pthread_mutex_lock(&s->video->lock);
    s->opts = *opts;
    s->opts_new = true;
    pthread_mutex_unlock(&s->video->lock);
    wake(s->video);
}

void px_vstream_ready(struct px_vstream *s) {
    pthread_mutex_lock(&s->video->lock);
    const bool was = s->ready;
    s->ready = true;
    pthread_mutex_unlock(&s->video->lock);
    if (!was)
        wake(s->video);
}

void px_vstream_keyframe(struct px_vstream *s) {
    pthread_mutex_lock(&s->video->lock);
    s->want_key = true;
    pthread_mutex_unlock(&s->video->lock);
    wake(s->video);
}

void px_vstream_close(struct px_vstream *s) {
    s->closed = true;
    pthread_mutex_lock(&s->video->lock);
    s->gone = true;
    pthread_mutex_unlock(&s->video->lock);
    wake(s->video);
}
