/* src/host/viewer_private.h - what the files of the viewers share: viewer.c (what a session
 * watches), viewer_share.c (the streams, and who watches one), viewer_video.c (what the video
 * thread says). Loop thread. */
#pragma once
#include "host/session.h"

#define PX_ACKS_MAX 2
#define PX_GRACE_US (60 * PX_US_PER_MS) /* for a first picture that only the late get */

struct px_share {
    struct px_share *next;
    struct px_host *host;
    struct px_vstream *stream;
    struct px_vstream_opts opts;
    bool alone;
    int64_t failed_us; /* its stream makes no more packets; 0: it does */
    struct px_viewer *viewers;
    uv_timer_t patience;
    bool waiting;
    uv_timer_t room; /* when the line may have some again */
    unsigned n_timers;
};

/* What a stream for @v alone would be given. */
unsigned px_viewer_own_kbps(const struct px_viewer *v);

bool px_share_fits(const struct px_share *sh, const struct px_vstream_opts *o);
/* NULL: there is none that a viewer may join. */
struct px_share *px_share_find(struct px_host *h, const struct px_vstream_opts *o);
/* Goes when its last viewer leaves. */
struct px_share *px_share_open(struct px_host *h, const struct px_vstream_opts *o, bool alone);
void px_share_join(struct px_viewer *v, struct px_share *sh);
void px_share_leave(struct px_viewer *v); /* may be in none */
/* The rate of the slowest viewer, where it has changed enough. */
void px_share_update_rate(struct px_share *sh);
/* Asks for the next packet once every viewer has room for it. */
void px_share_check_ready(struct px_share *sh);
