/* src/host/video.h - the screen as streams of packets
 *
 * One thread reads the screen and encodes; the loop opens streams and gets their packets. A stream
 * makes one packet each time it is told that there is room (px_vstream_ready), as soon as something
 * has changed, from the newest picture: never on a timer, never more than one ahead. When the
 * screen rests, what was coded coarsely is coded once more, finer. Viewers that want the same share
 * a stream. A key frame may come as a coarse one first, and only for those who wait for one; what
 * it lacks follows at once, in parts, and changes go first.
 *
 * The X server may come and go: while it is away a stream shows a dark picture.
 * All functions and callbacks run on the loop's thread. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "host/encode/encoder.h"
#include <stdint.h>
#include <uv.h>

struct px_video;
struct px_vstream;

struct px_vstream_opts {
    int display;         /* number that its packets bear */
    struct px_rect view; /* the part of the screen that it shows, even; empty: all of it */
    enum px_codec codec;
    bool i444;
    unsigned fps; /* at most; at least 1 */
    unsigned rate_kbps;
    unsigned min_quality, max_quality; /* see struct px_encoder_opts */
    unsigned key_every; /* 0: on request only (else: at least one in so many pictures) */
};

/* When each stage of a packet began. */
struct px_video_times {
    int64_t damage_us; /* the screen changed; 0: it had not, this is a key frame or a refinement */
    int64_t grab_us, convert_us, read_us, encode_us, done_us; /* convert_us 0: nothing was read */
};

struct px_video_packet {
    const uint8_t *body; /* an encoded Message.video_frame */
    size_t size;
    bool key;
    bool lone;  /* a key frame for those who wait for one; the others go on without it */
    bool after; /* shows the same as the lone key frame before it, for those who took that */
    enum px_codec codec;
    int64_t changed_px, area_px; /* changed 0: nothing had, see times.damage_us; of the picture */
    struct px_video_times times;
};

struct px_video_ops {
    /* @stream_data as given to px_vstream_open; @p is lent. */
    void (*on_packet)(void *data, void *stream_data, const struct px_video_packet *p);
    /* Before the first packet of the new size; also once at the start. */
    void (*on_size)(void *data, int width, int height);
    void (*on_screen)(void *data, bool there, const struct px_error *why);
    /* The stream makes no more packets: no encoder takes these options. */
    void (*on_stream_failed)(void *data, void *stream_data, const struct px_error *why);
};

struct px_video_opts {
    uv_loop_t *loop;
    const char *display;            /* lent */
    struct px_encoders *encoders;   /* lent */
    unsigned threads;               /* per encoder */
    const struct px_video_ops *ops; /* lent */
    void *data;
};

int px_video_new(const struct px_video_opts *opts, struct px_video **ret, struct px_error *err);
/* Stops the thread; @on_closed runs when the loop is free of it. Streams must be closed before. */
void px_video_close(struct px_video *v, void (*on_closed)(void *data));

struct px_vstream *px_vstream_open(struct px_video *v, const struct px_vstream_opts *opts,
                                   void *data);
void px_vstream_update(struct px_vstream *s, const struct px_vstream_opts *opts);
/* @all: for parts that late viewers lack, too; else only for what changes. */
void px_vstream_ready(struct px_vstream *s, bool all);
/* A viewer typed or pointed: what changes now goes before what else changes. */
void px_vstream_input(struct px_vstream *s);
void px_vstream_keyframe(
    struct px_vstream *s);                   /* the next packet is one, and comes without damage */
void px_vstream_close(struct px_vstream *s); /* no callback for it afterwards */
