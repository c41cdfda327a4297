/* src/host/host.h - the host: one desktop's screen, keyboard, sound and files for its viewers
 *
 * Everything here lives on one loop; the video thread (video.h) and the audio thread work beside
 * it.
 *
 *     clients --TCP--> conn --frames--> session --+--> keyboard, pointer (X)
 *                                                 +--> viewer --> video thread (X, encoders)
 *                                                 +--> clipboard, audio, files, terminal, tunnel
 *
 * The X server may come and go; sessions stay. */
#pragma once
#include "host/audit.h"
#include "host/banner.h"
#include "host/capture/cursor.h"
#include "host/config.h"
#include "host/choice.h"
#include "host/credentials.h"
#include "host/displays.h"
#include "host/guard.h"
#include "host/input/keyboard.h"
#include "host/stats.h"
#include "host/video.h"
#include "host/xdisplay.h"
#include <uv.h>

struct px_session;
struct px_share;
struct px_rendezvous;
struct px_xclip;
struct px_audio;
struct px_terminals;
struct px_tls_server;
struct px_measuring;
struct px_metrics;
struct px_lock_run;

#define PX_SESSIONS_MAX 64
/* That have ended and wait for the client's end; others close at once. */
#define PX_LINGERERS_MAX 32
#define PX_STRANGERS_MAX 16 /* connections that are not logged in */
#define PX_STRANGERS_PER_ADDRESS 4
#define PX_STRANGERS_PER_RELAYED 8

struct px_host {
    uv_loop_t *loop;
    struct px_host_config *config; /* lent */
    char user[64], hostname[128];
    struct px_encoders *encoders; /* may be set before the start (tests); taken */
    struct px_measured measured;  /* what they take here */
    struct px_measuring *measuring;
    struct px_mix mixes[PX_DISPLAYS_MAX]; /* what each display has been showing */
    unsigned n_switches;                  /* of codecs in mid-session, for speed */
    struct px_video *video;
    bool screen_there;
    int width, height; /* of the screen; 0: nothing known yet */
    struct px_displays displays;
    struct px_audit audit;
    struct px_credentials *credentials;
    struct px_banner banner;

    struct px_xdisplay *x; /* NULL while there is no X server */
    struct px_keyboard keyboard;
    bool input_ready;
    struct px_cursor cursor;
    struct px_xclip *clip;
    struct px_audio *audio;
    struct px_terminals *terminals;
    struct px_tls_server *tls;           /* for tunnels; NULL: none */
    int original_width, original_height; /* before a client changed it; 0: unchanged */
    struct px_session *last_mover;       /* whose mouse moved the pointer last */
    int64_t last_move_us;
    int pointer_x, pointer_y;

    uv_tcp_t listeners[PX_HOST_DIRECT_MAX];
    size_t n_listeners;
    uv_timer_t tick, x_retry, pointer_timer;
    struct px_session *sessions;
    struct px_share *shares;
    unsigned n_sessions;
    unsigned n_answers; /* to the ID server, under way */
    struct px_guard guard, guard_2fa;
    struct px_rendezvous *rendezvous;
    struct px_discovery *discovery; /* NULL: off */
    struct px_stats stats;
    struct px_metrics *metrics;
    struct px_lock_run *lock_runs;
    bool lock_due; /* somebody who left wants the screen locked */
    bool closing;
};

/* @h zeroed, @loop and @config set. On failure nothing runs. */
int px_host_start(struct px_host *h, struct px_error *err);
/* Ends all sessions and handles; uv_run() returns when it is done. */
void px_host_stop(struct px_host *h);

/* For the parts of the host. */

/* A line of the audit log (audit.h): subject and fields, no newline. */
void px_host_audit(struct px_host *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* On or off, as the configuration says. */
void px_host_update_discovery(struct px_host *h);
bool px_host_wants_pointer(const struct px_host *h);
void px_host_watch_pointer(struct px_host *h);
/* Ports that listen, for tests that ask for port 0. */
int px_host_port(const struct px_host *h, size_t i);
