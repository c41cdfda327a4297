/* src/host/video.c - the screen as streams of packets: the loop's side */
#include "host/video_private.h"
#include "base/alloc.h"
#include "base/clock.h"
#include <sys/eventfd.h>

void px_video_post(struct px_video *v, struct px_video_event *e) {
    pthread_mutex_lock(&v->lock);
    *v->events_end = e;
    v->events_end = &e->next;
    pthread_mutex_unlock(&v->lock);
    uv_async_send(&v->async);
}

struct px_video_event *px_video_event_new(enum px_video_event_type type, struct px_vstream *s) {
    struct px_video_event *e = px_new0(struct px_video_event, 1);
    e->type = type;
    e->stream = s;
    return e;
}

static void wake(struct px_video *v) {
    const uint64_t one = 1;
    if (write(v->wake_fd, &one, sizeof(one)) < 0)
        return; /* full counter: it is awake */
}

static void deliver(struct px_video *v, struct px_video_event *e) {
    const struct px_video_ops *ops = v->opts.ops;
    const bool mute = e->stream && e->stream->closed;
    switch (e->type) {
    case PX_VIDEO_PACKET:
        e->packet.body = (const uint8_t *)e->body.data;
        e->packet.size = e->body.size;
        if (!mute)
            ops->on_packet(v->opts.data, e->stream->data, &e->packet);
        break;
    case PX_VIDEO_SIZE:
        ops->on_size(v->opts.data, e->width, e->height);
        break;
    case PX_VIDEO_SCREEN:
        ops->on_screen(v->opts.data, e->there, e->there ? NULL : &e->err);
        break;
    case PX_VIDEO_FAILED:
        if (!mute)
            ops->on_stream_failed(v->opts.data, e->stream->data, &e->err);
        break;
    case PX_VIDEO_GONE:
        free(e->stream);
        break;
    }
    px_buf_fini(&e->body);
    free(e);
}

static void on_async(uv_async_t *async) {
    struct px_video *v = px_container_of(async, struct px_video, async);
    pthread_mutex_lock(&v->lock);
    struct px_video_event *e = v->events;
    v->events = NULL;
    v->events_end = &v->events;
    pthread_mutex_unlock(&v->lock);
    while (e) {
        struct px_video_event *next = e->next;
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
    const int r = pthread_create(&v->thread, NULL, px_video_run, v);
    if (r != 0)
        abort(); /* no thread at start: nothing works on this machine */
    *ret = v;
    return 0;
}

/* What is still queued must not reach the owner any more. */
static void drop_events(struct px_video *v) {
    for (struct px_video_event *e = v->events, *next; e; e = next) {
        next = e->next;
        if (e->type == PX_VIDEO_GONE)
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

void px_vstream_ready(struct px_vstream *s, bool all) {
    pthread_mutex_lock(&s->video->lock);
    const bool was = s->ready && (s->ready_all || !all);
    s->ready = true;
    s->ready_all |= all;
    pthread_mutex_unlock(&s->video->lock);
    if (!was)
        wake(s->video);
}

/* The first one since the last picture counts, unless nothing came of it. */
void px_vstream_input(struct px_vstream *s) {
    const int64_t now = px_now_us();
    pthread_mutex_lock(&s->video->lock);
    const bool fresh = now - s->input_us > PX_VIDEO_ANSWER_US;
    if (fresh)
        s->input_us = now;
    pthread_mutex_unlock(&s->video->lock);
    if (fresh)
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
