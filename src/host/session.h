/* src/host/session.h - one client's connection, from its first byte to its last
 *
 *     HANDSHAKE -> LOGIN -> (TWO_FACTOR) -> (CONNECTING, a tunnel's target) -> ACTIVE | RAW -> gone
 *
 * Each connection has one purpose, told by its first login request, and takes only that purpose's
 * messages. Loop thread. */
#pragma once
#include "host/best.h"
#include "host/conn.h"
#include "host/far.h"
#include "host/host.h"
#include "host/mark.h"
#include "host/options.h"
#include "host/rate.h"
#include "host/way.h"
#include "proto/handshake.h"

enum px_session_state {
    PX_SESSION_HANDSHAKE,
    PX_SESSION_LOGIN,
    PX_SESSION_TWO_FACTOR,
    PX_SESSION_CONNECTING,
    PX_SESSION_ACTIVE,
    PX_SESSION_RAW,
};

enum px_session_kind {
    PX_KIND_DESKTOP,
    PX_KIND_FILES,
    PX_KIND_TUNNEL,
    PX_KIND_TERMINAL,
    PX_KIND_CAMERA,
};

#define PX_KNOWN_CURSORS 64
#define PX_SEVERAL_SINCE 1002040 /* client 1.2.4 shows several displays at once */

/* A desktop session's part in the video of one display. */
struct px_viewer {
    struct px_share *share; /* NULL: not watching */
    struct px_viewer *next;
    struct px_session *session;
    int display;
    bool wants_key; /* takes nothing until a key frame */
    bool joining;   /* the last packet was a lone key frame */
    bool dry;       /* the last packet is with the kernel */
    bool alone;     /* slow: has a stream of its own */
    unsigned unacked;
    int64_t done_us;  /* when the packet on its way was ready; 0: none is */
    int64_t grace_us; /* until then nobody waits for its first picture to pass; 0: no more */
    int64_t sent_us, alone_us, slow_us;
    size_t sent_bytes; /* of the last packet */
    struct px_rate rate;
    uint64_t n_packets, n_bytes;
    struct px_choice choice;
    int64_t chosen_us, better_us; /* since when another codec would be quicker; 0: none */
};

struct px_files;
struct px_tunnel;
struct px_leg;
struct px_shot;

struct px_session {
    struct px_session *next;
    struct px_host *host;
    struct px_conn *conn;
    struct px_addr peer;
    enum px_session_state state;
    enum px_session_kind kind;
    enum px_way way;
    bool secure_wanted, ended, lost;
    int64_t start_us, began_us; /* connected; logged in */
    bool was_encrypted;
    unsigned uses;       /* enum px_use */
    enum px_proof proof; /* what it came in with */
    enum px_second { PX_SECOND_NONE, PX_SECOND_CODE, PX_SECOND_TRUSTED, PX_SECOND_RESUMED } second;
    uint64_t entered;   /* of px_credentials_entered() */
    struct px_leg *leg; /* on its way to the relay (requests.c) */
    struct px_handshake handshake;
    char challenge[33];

    /* from the first login request */
    bool scope_fixed;
    uint64_t scope_hash;
    char my_id[64], my_name[64], platform[32];
    int64_t version;
    uint64_t session_id;
    bool wants_acks;
    uint8_t hwid[64];
    size_t hwid_size;

    int64_t probe_us; /* when the oldest outstanding probe left; 0: none */
    int64_t next_probe_us;
    struct px_far far; /* by the relay; else zero */
    uint32_t last_delay_ms, min_delay_ms;
    struct px_best best_delay;

    struct px_options options;
    struct px_held held;
    struct px_viewer viewers[PX_DISPLAYS_MAX]; /* by display */
    unsigned watched;                          /* a bit per display that the client wants */
    int shown;                                 /* the display that it was last switched to */
    int followed;                       /* the display that the client was last told to show */
    uint64_t cursors[PX_KNOWN_CURSORS]; /* shapes that the client holds, oldest overwritten */
    unsigned n_cursors;
    uint64_t cursor_shown;
    int64_t dry_us; /* when all that was sent was last with the kernel */
    bool audio_on, chat_answered;

    struct px_mark mark;          /* its pointer, for the others */
    struct px_shot *shot;         /* a screenshot under way */
    struct px_lock_run *lock_run; /* the screen being locked for it */
    bool lock_checked;            /* it heard whether it can be when it leaves */
    struct px_files *files;
    struct px_tunnel *tunnel;
    char tunnel_host[256];
    int tunnel_port;
    char files_dir[1024];
    bool files_hidden;
    char service_id[64];
};

/* NULL: it could not be accepted. Else lent until the loop goes on; it may have ended already. */
struct px_session *px_session_accept(struct px_host *h, uv_stream_t *listener, enum px_way way,
                                     struct px_error *err);
/* Takes @fd, connected. */
void px_session_adopt(struct px_host *h, int fd, enum px_way way);
/* Takes @fd, a UDP socket on which @first came from @peer, which begins a KCP stream. */
void px_session_adopt_udp(struct px_host *h, int fd, const struct px_addr *peer, const void *first,
                          size_t size);
/* Through the server it starts with a signed identity when @secure. */
struct px_session *px_session_new(struct px_host *h, enum px_way way, bool secure);
/* Its conn is connected: the first bytes go out. */
void px_session_begin(struct px_session *s);
/* One of the host's sessions, just connected: there is no room for it. Pure. */
bool px_session_too_many(const struct px_session *fresh);
void px_session_tick(struct px_session *s, int64_t now_us);
/* Round what a desktop's viewer is sent: by the relay a probe goes behind it (far.h). */
void px_session_sends(struct px_session *s, int64_t now_us);
void px_session_sent(struct px_session *s, int64_t now_us);
uint64_t px_session_bytes(const struct px_session *s); /* sent so far, as the connection counts */
/* Sends a message; NULL-safe towards sessions that are ending. */
void px_session_send(struct px_session *s, const Pxs__Message *m);
void px_session_send_misc(struct px_session *s, const Pxs__Misc *misc);
/* Ends it; @reason (may be NULL) is told to the client. */
void px_session_end(struct px_session *s, const char *reason);
/* The login is complete: what the session is for begins. */
void px_session_authorised(struct px_session *s);
bool px_session_is_desktop(const struct px_session *s); /* and active */
bool px_session_allowed(const struct px_session *s);    /* to come from where it does */

/* login.c */
void px_login_asker(const struct px_session *s, struct px_asker *ret); /* lends from @s */
void px_login_start(struct px_session *s);
void px_login_request(struct px_session *s, const Pxs__LoginRequest *r);
void px_login_2fa(struct px_session *s, const Pxs__Auth2FA *a);
void px_login_error(struct px_session *s, const char *text);
void px_login_send_permission(struct px_session *s, enum px_permission p, bool on);
/* Why there are no sessions for what it asked for; NULL: there are, or it has not asked yet. */
const char *px_login_forbidden(const struct px_session *s);
void px_login_send_peer_info(struct px_session *s);
/* The displays, as PeerInfo after login (Message.peer_info). */
void px_login_send_displays(struct px_session *s);

/* desk.c: a remote desktop */
void px_desk_start(struct px_session *s);
void px_desk_stop(struct px_session *s);
void px_desk_permissions_changed(struct px_session *s);
void px_desk_message(struct px_session *s, const Pxs__Message *m);
void px_desk_options(struct px_session *s, const Pxs__OptionMessage *m);
void px_desk_send_cursor(struct px_session *s);
void px_desk_send_pointer(struct px_session *s);
bool px_desk_may_input(const struct px_session *s);

/* desk_displays.c: its displays */
void px_desk_send_switch_display(struct px_session *s, int display);
void px_desk_switch_display(struct px_session *s, const Pxs__SwitchDisplay *d);
void px_desk_capture(struct px_session *s, const Pxs__CaptureDisplays *c);
void px_desk_change_resolution(struct px_session *s, int display, const Pxs__Resolution *r);
void px_desk_restore_resolution(struct px_host *h); /* the last viewer left */
/* The screen or its displays may have changed: tells all sessions what did. */
void px_desk_displays_changed(struct px_host *h);
/* Another window is active: tells those who follow it on which display it is. */
void px_desk_focus_changed(struct px_host *h);

/* viewer.c: what sessions watch, and how their packets go */
/* Streams of the displays in s->watched; also again, after that, an option or the displays changed.
 */
void px_viewer_join(struct px_session *s);
void px_viewer_leave(struct px_session *s);
void px_viewer_dry(struct px_session *s);
void px_viewer_echoed(struct px_session *s, int64_t now_us); /* a probe, by the relay */
void px_viewer_acked(struct px_session *s);
void px_viewer_refresh(struct px_session *s, int display); /* -1: all it watches */
void px_viewer_input(struct px_host *h);                   /* somebody typed or pointed */
uint64_t px_viewer_packets(const struct px_session *s);
void px_viewer_tick(struct px_session *s, int64_t now_us);
/* The codec that a viewer of @display would be given now, and why. */
void px_viewer_choose(const struct px_session *s, int display, bool stay, struct px_choice *ret);
unsigned px_viewer_n_streams(const struct px_host *h);
unsigned px_viewer_rate_kbps(const struct px_session *s);
extern const struct px_video_ops px_viewer_video_ops; /* data: struct px_host */
