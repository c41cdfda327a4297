/* src/host/session.c - one client's connection, from its first byte to its last */
#include "host/session.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/files/files.h"
#include "host/requests.h"
#include "host/session_private.h"
#include "host/terminal/terminal.h"
#include "host/tunnel/tunnel.h"
#include <string.h>

#define BODY_MAX_STRANGER (64 * 1024)
#define BODY_MAX_CLIPBOARD (64u * 1024 * 1024)
#define BODY_MAX_OTHER (4u * 1024 * 1024)
#define SILENT_US (30 * PX_US_PER_S)
#define HANDSHAKE_US (18 * PX_US_PER_S)
#define LOGIN_US (300 * PX_US_PER_S)
#define WRITE_US_DESKTOP (12 * PX_US_PER_S)
#define WRITE_US_OTHER (120 * PX_US_PER_S)
#define TUNNEL_IDLE_US (3600 * PX_US_PER_S)

void px_session_send(struct px_session *s, const Pxs__Message *m) {
    px_cleanup(px_buf_fini) struct px_buf body = {0};
    if (s->ended)
        return;
    px_message_print(&m->base, &body);
    px_conn_send(s->conn, body.data, body.size);
}

void px_session_send_misc(struct px_session *s, const Pxs__Misc *misc) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_MISC;
    m.misc = (Pxs__Misc *)misc;
    px_session_send(s, &m);
}

bool px_session_is_desktop(const struct px_session *s) {
    return s->state == PX_SESSION_ACTIVE && s->kind == PX_KIND_DESKTOP && !s->ended;
}

/* What the session holds of the host goes back; once. */
static void let_go(struct px_session *s) {
    if (s->lost)
        return;
    s->lost = s->ended = true;
    if (s->state >= PX_SESSION_CONNECTING) {
        px_audit_ended(s->host, s);
        px_credentials_left(s->host->credentials, s->entered);
    }
    px_desk_stop(s);
    px_files_free(s->files);
    s->files = NULL;
    px_tunnel_close(s->tunnel);
    s->tunnel = NULL;
    if (s->kind == PX_KIND_TERMINAL)
        px_terminals_detach(s->host->terminals, s);
}

static unsigned n_ended(const struct px_host *h) {
    unsigned n = 0;
    for (const struct px_session *s = h->sessions; s; s = s->next)
        n += s->ended;
    return n;
}

void px_session_end(struct px_session *s, const char *reason) {
    if (s->ended)
        return;
    if (reason && s->state != PX_SESSION_HANDSHAKE && s->state != PX_SESSION_RAW) {
        Pxs__Misc misc = PXS__MISC__INIT;
        misc.item_case = PXS__MISC__ITEM_CLOSE_REASON;
        misc.close_reason = (char *)reason;
        px_session_send_misc(s, &misc);
    }
    let_go(s);
    px_conn_close(s->conn, n_ended(s->host) <= PX_LINGERERS_MAX);
}

/* ---- probes ---- */

static void send_probe(struct px_session *s, int64_t now) {
    Pxs__TestDelay t = PXS__TEST_DELAY__INIT;
    t.last_delay = s->last_delay_ms;
    t.target_bitrate = px_viewer_rate_kbps(s);
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_TEST_DELAY;
    m.test_delay = &t;
    s->next_probe_us = now + PX_US_PER_S;
    if (!s->probe_us)
        s->probe_us = now;
    px_session_send(s, &m);
    if (s->way == PX_WAY_RELAY)
        px_far_probed(&s->far, px_session_bytes(s), now);
}

uint64_t px_session_bytes(const struct px_session *s) {
    uint64_t in, out;
    px_conn_bytes(s->conn, &in, &out);
    return out;
}

void px_session_sends(struct px_session *s, int64_t now) {
    if (s->way == PX_WAY_RELAY)
        px_far_sends(&s->far, px_session_bytes(s), now);
}

void px_session_sent(struct px_session *s, int64_t now) {
    if (s->way == PX_WAY_RELAY && px_far_wants_probe(&s->far, px_session_bytes(s), now))
        send_probe(s, now);
}

static const char *expired(const struct px_session *s, int64_t now) {
    const int64_t silent = now - px_conn_last_read_us(s->conn);
    const int64_t blocked = px_conn_blocked_since_us(s->conn);
    switch (s->state) {
    case PX_SESSION_HANDSHAKE:
        return now - s->start_us > HANDSHAKE_US ? "no handshake" : NULL;
    case PX_SESSION_LOGIN:
    case PX_SESSION_TWO_FACTOR:
    case PX_SESSION_CONNECTING:
        return silent > SILENT_US || now - s->start_us > LOGIN_US ? "no login" : NULL;
    case PX_SESSION_RAW:
        return silent > TUNNEL_IDLE_US ? "idle" : NULL;
    case PX_SESSION_ACTIVE:
        break;
    }
    if (silent > SILENT_US)
        return "silent";
    if (blocked && now - blocked > (s->kind == PX_KIND_DESKTOP ? WRITE_US_DESKTOP : WRITE_US_OTHER))
        return "does not read";
    return NULL;
}

void px_session_tick(struct px_session *s, int64_t now) {
    const char *why = s->ended ? NULL : expired(s, now);
    char addr[PX_ADDR_TEXT_MAX];
    if (why) {
        px_info("session %s: closed: reason='%s'", px_addr_text(&s->peer, addr), why);
        px_session_end(s, s->state == PX_SESSION_ACTIVE ? "Timeout" : NULL);
    }
    if (s->ended)
        return;
    const bool probes = s->state == PX_SESSION_LOGIN || s->state == PX_SESSION_TWO_FACTOR ||
                        s->state == PX_SESSION_ACTIVE;
    if (probes && !s->probe_us && now >= s->next_probe_us)
        send_probe(s, now);
    if (px_session_is_desktop(s))
        px_viewer_tick(s, now);
    if (s->files)
        px_files_tick(s->files);
}

/* ---- its life ---- */

/* However the client came: over the relay its address is what the server said of it. */
bool px_session_allowed(const struct px_session *s) {
    return px_host_config_allows(s->host->config, &s->peer);
}

/* Every way to a login comes through here. */
void px_session_start_login(struct px_session *s) {
    if (!px_session_allowed(s)) {
        px_audit_refused(s->host, s, "address");
        px_login_error(s, "Your ip is blocked by the peer");
        px_session_end(s, NULL);
        return;
    }
    s->state = PX_SESSION_LOGIN;
    px_login_start(s);
    if (!s->ended)
        send_probe(s, px_now_us());
}

static void on_dry(void *data) {
    struct px_session *s = data;
    if (s->ended)
        return;
    s->dry_us = px_now_us();
    px_viewer_dry(s);
    if (s->files)
        px_files_dry(s->files);
    if (s->tunnel)
        px_tunnel_dry(s->tunnel);
    if (s->kind == PX_KIND_TERMINAL && s->state == PX_SESSION_ACTIVE)
        px_terminals_dry(s->host->terminals, s);
}

static void on_lost(void *data, const struct px_error *why) {
    struct px_session *s = data;
    char addr[PX_ADDR_TEXT_MAX];
    if (why)
        px_info("session %s: lost: %s", px_addr_text(&s->peer, addr), why->msg);
    let_go(s);
}

static void on_closed(void *data) {
    struct px_session *s = data;
    struct px_host *h = s->host;
    let_go(s);
    px_leg_free(s->leg);
    struct px_session **at = &h->sessions;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    h->n_sessions--;
    if (h->last_mover == s)
        h->last_mover = NULL;
    explicit_bzero(s, sizeof(*s));
    free(s);
}

static const struct px_conn_ops conn_ops = {.on_frame = px_session_on_frame,
                                            .on_raw = px_session_on_raw,
                                            .on_dry = on_dry,
                                            .on_lost = on_lost,
                                            .on_closed = on_closed};

struct px_session *px_session_new(struct px_host *h, enum px_way way, bool secure) {
    struct px_session *s = px_new0(struct px_session, 1);
    s->host = h;
    s->way = way;
    s->secure_wanted = secure;
    s->start_us = px_now_us();
    s->watched = 1; /* the first display, until it says otherwise */
    for (int i = 0; i < PX_DISPLAYS_MAX; i++)
        s->viewers[i] = (struct px_viewer){.session = s, .display = i};
    px_options_init(&s->options);
    const struct px_conn_opts o = {
        .loop = h->loop, .ops = &conn_ops, .data = s, .max_body_bytes = BODY_MAX_STRANGER};
    s->conn = px_conn_new(&o);
    s->next = h->sessions;
    h->sessions = s;
    h->n_sessions++;
    return s;
}

/* IPv6: whoever has a network of 64 bits has as many addresses as he likes. */
static bool same_owner(const struct px_addr *a, const struct px_addr *b) {
    return px_addr_is_v4(a) ? px_addr_same_ip(a, b) : memcmp(a->ip, b->ip, 8) == 0;
}

/* Strangers are cheap to make and must stay cheap to hold, and one of them must leave room for
 * others. Through the relay the address is the server's word, and many may have that of one NAT. */
bool px_session_too_many(const struct px_session *fresh) {
    static const struct px_addr unknown;
    const unsigned max_same =
        fresh->way == PX_WAY_RELAY ? PX_STRANGERS_PER_RELAYED : PX_STRANGERS_PER_ADDRESS;
    unsigned all = 0, strangers = 0, same = 0;
    for (const struct px_session *s = fresh->host->sessions; s; s = s->next) {
        all += !s->ended;
        if (s->state < PX_SESSION_ACTIVE && !s->ended) {
            strangers++;
            same += same_owner(&s->peer, &fresh->peer);
        }
    }
    const bool has_address =
        !px_addr_is_loopback(&fresh->peer) && !px_addr_same_ip(&fresh->peer, &unknown);
    return strangers > PX_STRANGERS_MAX || all > PX_SESSIONS_MAX ||
           (has_address && same > max_same);
}

void px_session_begin(struct px_session *s) {
    struct px_error err = {0};
    char addr[PX_ADDR_TEXT_MAX];
    if (s->way != PX_WAY_RELAY)
        px_conn_peer(s->conn, &s->peer);
    if (px_session_too_many(s)) {
        px_warning("session %s: refused: too many connections", px_addr_text(&s->peer, addr));
        px_session_end(s, NULL);
        return;
    }
    if (px_conn_start(s->conn, &err) < 0) {
        px_session_end(s, NULL);
        return;
    }
    if (s->way != PX_WAY_DIRECT && s->secure_wanted) {
        px_cleanup(px_buf_fini) struct px_buf body = {0};
        px_handshake_new(s->host->config->identity, s->host->config->id, &s->handshake, &body);
        px_conn_send(s->conn, body.data, body.size);
        return;
    }
    if (s->way != PX_WAY_DIRECT && s->host->config->require_encryption) {
        px_session_refuse_unencrypted(s);
        return;
    }
    px_session_start_login(s);
}

struct px_session *px_session_accept(struct px_host *h, uv_stream_t *listener, enum px_way way,
                                     struct px_error *err) {
    struct px_session *s = px_session_new(h, way, way != PX_WAY_DIRECT);
    if (px_conn_accept(s->conn, listener, err) < 0) {
        px_session_end(s, NULL);
        return NULL;
    }
    px_session_begin(s);
    return s;
}

void px_session_adopt(struct px_host *h, int fd, enum px_way way) {
    struct px_session *s = px_session_new(h, way, way != PX_WAY_DIRECT);
    if (px_conn_open_fd(s->conn, fd, NULL) < 0)
        px_session_end(s, NULL);
    else
        px_session_begin(s);
}

void px_session_adopt_udp(struct px_host *h, int fd, const struct px_addr *peer, const void *first,
                          size_t size) {
    struct px_session *s = px_session_new(h, PX_WAY_UDP, true);
    if (px_conn_open_kcp(s->conn, fd, peer, first, size, NULL) < 0)
        px_session_end(s, NULL);
    else
        px_session_begin(s);
}

void px_session_authorised(struct px_session *s) {
    struct px_host *h = s->host;
    struct px_asker who;
    px_login_asker(s, &who);
    s->entered = px_credentials_entered(h->credentials, &who);
    s->began_us = px_now_us();
    s->was_encrypted = px_conn_is_secure(s->conn);
    px_audit_began(h, s);
    if (s->kind == PX_KIND_TUNNEL) {
        s->state = PX_SESSION_CONNECTING;
        px_tunnel_start(s);
        return;
    }
    s->state = PX_SESSION_ACTIVE;
    px_conn_set_max_body(s->conn, s->kind == PX_KIND_DESKTOP ? BODY_MAX_CLIPBOARD : BODY_MAX_OTHER);
    px_login_send_peer_info(s);
    if (s->kind == PX_KIND_DESKTOP)
        px_desk_start(s);
    else if (s->kind == PX_KIND_FILES)
        s->files = px_files_new(s);
    else if (s->kind == PX_KIND_TERMINAL)
        px_terminals_attach(h->terminals, s);
}
