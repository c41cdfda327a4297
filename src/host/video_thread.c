/* src/host/video_thread.c - the screen as streams of packets: the thread's rounds */
#include "host/video_private.h"
#include "base/clock.h"
#include <poll.h>

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
    const bool fewer = dead != NULL;
    while (dead) {
        struct px_vstream *s = dead;
        dead = s->next;
        px_encoder_close(s->enc);
        s->enc = NULL;
        px_video_post(v, px_video_event_new(PX_VIDEO_GONE, s));
    }
    if (fewer)
        px_video_drop_pictures(v);
    if (fewer && !v->streams)
        px_encoders_rest(v->opts.encoders);
}

/* One round: grab when somebody can use it, encode for all who can. Returns how long to sleep. */
static int64_t serve(struct px_video *v) {
    struct px_error err = {0};
    int64_t now = px_now_us(), next = INT64_MAX;
    bool any = false;
    for (struct px_vstream *s = v->streams; s; s = s->next) {
        px_vstream_take_opts(v, s);
        const int64_t at = px_vstream_due_us(v, s, now);
        any |= at == 0;
        if (at > 0 && at < next)
            next = at;
    }
    if (!any)
        return next;
    v->times.grab_us = now;
    const int r = px_video_grab(v, &err);
    if (r == -EAGAIN) /* the size changed under us: look again */
        return 0;
    if (r < 0) {
        px_video_lose_screen(v, &err);
        return 0;
    }
    /* A recording's key frames are whole and take long: the others do not wait for them. */
    for (int recorded = 0; recorded < 2; recorded++)
        for (struct px_vstream *s = v->streams; s; s = s->next)
            if ((s->cur.key_every > 0) == (recorded == 1))
                px_vstream_serve(v, s);
    v->times = (struct px_video_times){0};
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

void *px_video_run(void *arg) {
    struct px_video *v = arg;
    pthread_setname_np(pthread_self(), "video");
    while (!stopping(v)) {
        sync_streams(v);
        px_video_check_screen(v);
        const int64_t at = serve(v);
        if (at > 0)
            sleep_until(v, at);
    }
    px_screen_close(v->screen);
    px_picture_fini(&v->i420);
    px_picture_fini(&v->i444);
    return NULL;
}
