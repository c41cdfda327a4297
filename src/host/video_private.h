/* src/host/video_private.h - what the files of video.h share
 *
 *     video.c          the loop's side: streams opened and closed, packets delivered
 *     video_thread.c   the thread's rounds: who is served when
 *     video_screen.c   the X screen, its coming and going, and the pictures read from it
 *     video_stream.c   one stream: its encoder, what it owes, its packets */
#pragma once
#include "base/buf.h"
#include "base/clock.h"
#include "host/capture/screen.h"
#include "host/pace.h"
#include "host/video.h"
#include <pthread.h>

#define PX_VIDEO_ANSWER_US (50 * PX_US_PER_MS) /* what changes later is no answer to input */

struct px_vstream {
    struct px_vstream *next;
    struct px_video *video;
    void *data;  /* loop */
    bool closed; /* loop */
    /* under the lock */
    struct px_vstream_opts opts;
    bool opts_new, ready, ready_all, want_key, gone;
    int64_t input_us; /* a viewer's, that no picture has answered yet; 0: none */
    /* video thread */
    struct px_vstream_opts cur;
    struct px_encoder *enc;
    struct px_region pending; /* not in the last packet */
    struct px_region coarse;  /* coded, but not at its best */
    bool all_pending, failed;
    bool refining;  /* the last packet was a part of a refinement that goes on at once */
    bool last_lone; /* the last key frame was */
    bool owing;     /* late viewers lack parts, which do not wait until the screen rests */
    unsigned since_key;
    struct px_pace pace;
    int64_t last_us, last_key_us, last_damage_us, start_us;
};

enum px_video_event_type {
    PX_VIDEO_PACKET,
    PX_VIDEO_SIZE,
    PX_VIDEO_SCREEN,
    PX_VIDEO_GONE,
    PX_VIDEO_FAILED,
};

struct px_video_event {
    struct px_video_event *next;
    enum px_video_event_type type;
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
    struct px_video_event *events, **events_end;
    bool stop;
    /* video thread */
    struct px_vstream *streams;
    struct px_screen *screen;
    int width, height;
    struct px_picture i420, i444;
    bool i420_full, i444_full; /* hold the whole screen */
    int64_t retry_us;
    struct px_video_times times; /* of the picture at hand */
};

/* video.c. Any thread. */
struct px_video_event *px_video_event_new(enum px_video_event_type type, struct px_vstream *s);
void px_video_post(struct px_video *v, struct px_video_event *e); /* takes @e */

/* video_thread.c: the thread's function, with a struct px_video. */
void *px_video_run(void *video);

/* video_screen.c */
struct px_rect px_video_view(const struct px_video *v, const struct px_vstream *s);
/* A display may be known before the screen has its new size, and after it lost it. */
bool px_video_is_on_screen(const struct px_video *v, const struct px_vstream *s);
/* Takes X's events; opens the screen when there is none and it is time to try. */
void px_video_check_screen(struct px_video *v);
void px_video_lose_screen(struct px_video *v, const struct px_error *err);
/* Gives back the memory of pictures and encoders that no stream needs any more. */
void px_video_drop_pictures(struct px_video *v);
/* Brings the pictures up to date and tells the streams. -EPIPE, -EAGAIN: as px_screen_grab(). */
int px_video_grab(struct px_video *v, struct px_error *err);

/* video_stream.c */
/* Takes over what the loop asked for. */
void px_vstream_take_opts(struct px_video *v, struct px_vstream *s);
/* When it would make a packet: 0 now, above: at that time, INT64_MAX: nothing to do. */
int64_t px_vstream_due_us(struct px_video *v, struct px_vstream *s, int64_t now);
/* Makes a packet of the pictures as they are, if it is due. */
void px_vstream_serve(struct px_video *v, struct px_vstream *s);
void px_vstream_reset(struct px_vstream *s); /* its next packet is a key frame of a new encoder */
