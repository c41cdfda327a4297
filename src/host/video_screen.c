/* src/host/video_screen.c - the screen as streams of packets: reading it */
#include "host/video_private.h"
#include "base/clock.h"
#include <malloc.h>
#include <string.h>

#define RETRY_US (500 * PX_US_PER_MS) /* while there is no X server */
#define DARK_WIDTH 1280
#define DARK_HEIGHT 720

struct px_rect px_video_view(const struct px_video *v, const struct px_vstream *s) {
    return s->cur.view.w ? s->cur.view : (struct px_rect){0, 0, v->width, v->height};
}

bool px_video_is_on_screen(const struct px_video *v, const struct px_vstream *s) {
    const struct px_rect a = px_video_view(v, s);
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
    for (struct px_vstream *s = v->streams; s; s = s->next)
        px_vstream_reset(s);
    struct px_video_event *e = px_video_event_new(PX_VIDEO_SIZE, NULL);
    e->width = width;
    e->height = height;
    px_video_post(v, e);
}

static void report_screen(struct px_video *v, bool there, const struct px_error *err) {
    struct px_video_event *e = px_video_event_new(PX_VIDEO_SCREEN, NULL);
    e->there = there;
    if (err)
        e->err = *err;
    px_video_post(v, e);
}

void px_video_lose_screen(struct px_video *v, const struct px_error *err) {
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

void px_video_check_screen(struct px_video *v) {
    struct px_error err = {0};
    int width, height;
    if (!v->screen)
        try_screen(v);
    if (!v->screen)
        return;
    if (px_screen_dispatch(v->screen, &err) < 0) {
        px_video_lose_screen(v, &err);
        return;
    }
    px_screen_size(v->screen, &width, &height);
    set_size(v, width, height);
    if (!v->streams)
        v->times.damage_us = 0; /* nobody waits for what changes now */
    else if (px_screen_changed(v->screen) && v->times.damage_us == 0)
        v->times.damage_us = px_now_us();
}

void px_video_drop_pictures(struct px_video *v) {
    bool i420 = false, i444 = false;
    for (const struct px_vstream *s = v->streams; s; s = s->next)
        *(s->cur.i444 ? &i444 : &i420) = true;
    if (!i420) {
        px_picture_fini(&v->i420);
        v->i420_full = false;
    }
    if (!i444) {
        px_picture_fini(&v->i444);
        v->i444_full = false;
    }
    if (!v->streams && v->screen)
        px_screen_rest(v->screen);
    malloc_trim(0);
}

/* Makes the pictures that streams want; without a screen they stay dark. */
static void prepare_pictures(struct px_video *v) {
    for (struct px_vstream *s = v->streams; s; s = s->next) {
        struct px_picture *p = s->cur.i444 ? &v->i444 : &v->i420;
        if (!p->memory)
            px_picture_init(p, v->width, v->height, s->cur.i444);
    }
}

int px_video_grab(struct px_video *v, struct px_error *err) {
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
    v->times.read_us = px_now_us();
    v->times.convert_us = changed.n ? v->times.read_us - px_screen_convert_us(v->screen) : 0;
    v->i420_full = i420 != NULL;
    v->i444_full = i444 != NULL;
    const int64_t now = px_now_us();
    for (struct px_vstream *s = v->streams; changed.n > 0 && s; s = s->next) {
        const int before = s->pending.n;
        px_region_add_inside(&s->pending, &changed, px_video_view(v, s));
        if (s->pending.n > 0 || before > 0)
            s->last_damage_us = now;
    }
    return 0;
}
