/* src/host/rendezvous.c - the host at its ID server
 *
 *     UDP   RegisterPeer every 15 s, RegisterPk when the server asks; 3 s until a try counts as
 * lost TCP   after UDP_TRIES lost tries: KeyExchange, RegisterPk, then the server's keep-alives
 *     each mode is given up for the other when it stays silent
 *
 * Requests for a connection come on the same path. Each is answered over a TCP connection of its
 * own and by a connection to the relay, on which the host speaks first. */
#include "host/rendezvous.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "host/dial.h"
#include "host/session.h"
#include "proto/rendezvous.h"
#include <sodium.h>
#include <string.h>

#define SERVER_PORT 21116
#define RELAY_PORT 21117
#define TICK_MS 1000
#define AGAIN_US (15 * PX_US_PER_S)
#define LOST_US (3 * PX_US_PER_S)
#define DENIED_US (30 * PX_US_PER_S)
#define RESOLVE_US (60 * PX_US_PER_S)
#define UDP_TRIES 4
#define TCP_SILENT_US (90 * PX_US_PER_S)
#define TCP_GIVE_UP_US (20 * PX_US_PER_S)
#define TWICE_US (100 * PX_US_PER_MS)
#define ENVELOPE_MAX 4096
#define UUID_TEXT 37
#define REQUESTS_PER_S                                                                             \
    20 /* more than any user makes; a flood must not open sockets without end                      \
        */

enum mode { MODE_UDP, MODE_TCP };

struct px_rendezvous {
    struct px_host *host;
    uv_udp_t udp;
    uv_timer_t tick;
    struct px_conn *tcp; /* NULL: none */
    int n_open;
    bool closing, resolving, resolved, started, online;
    enum mode mode;
    struct px_addr server;
    char *relay_hint; /* the last that the server proposed */
    uint8_t uuid[64];
    size_t uuid_size;
    bool key_confirmed, tcp_registered, tcp_secured;
    unsigned lost;
    int64_t answered_us, tried_us, resolved_us, mode_us, denied_us;
    struct px_addr last_peer;
    int64_t last_request_us, budget_us;
    unsigned budget;
    uint8_t in[ENVELOPE_MAX];
};

static void set_online(struct px_rendezvous *r, bool online) {
    char text[PX_ADDR_TEXT_MAX];
    if (online != r->online)
        px_info("server: %s at %s (%s)", online ? "registered" : "no answer",
                px_addr_text(&r->server, text), r->mode == MODE_UDP ? "UDP" : "TCP");
    r->online = online;
}

/* ---- out ---- */

struct datagram {
    uv_udp_send_t req;
    uint8_t bytes[ENVELOPE_MAX];
};

static void on_sent(uv_udp_send_t *req, int status) {
    free(px_container_of(req, struct datagram, req));
}

static void send_udp(struct px_rendezvous *r, const struct px_rdv_msg *m) {
    struct sockaddr_storage ss;
    struct datagram *d = px_new0(struct datagram, 1);
    const int n = px_rdv_encode(m, d->bytes, sizeof(d->bytes), NULL);
    uv_buf_t buf = uv_buf_init((char *)d->bytes, n > 0 ? (unsigned)n : 0);
    px_addr_to_sockaddr(&r->server, !px_addr_is_v4(&r->server), &ss);
    if (n < 0 || uv_udp_send(&d->req, &r->udp, &buf, 1, (struct sockaddr *)&ss, on_sent) < 0)
        free(d);
}

static void send_tcp(struct px_conn *c, const struct px_rdv_msg *m) {
    uint8_t out[ENVELOPE_MAX];
    const int n = px_rdv_encode(m, out, sizeof(out), NULL);
    if (n >= 0)
        px_conn_send(c, out, (size_t)n);
}

static struct px_rdv_msg register_pk(const struct px_rendezvous *r) {
    const struct px_host_config *c = r->host->config;
    struct px_rdv_msg m = {.kind = PX_RDV_REGISTER_PK};
    m.register_pk.id = px_bytes_of(c->id);
    m.register_pk.uuid = (struct px_bytes){r->uuid, r->uuid_size};
    m.register_pk.pk = (struct px_bytes){c->identity_pk, sizeof(c->identity_pk)};
    return m;
}

static void register_udp(struct px_rendezvous *r) {
    struct px_rdv_msg m = register_pk(r);
    if (r->key_confirmed) {
        m = (struct px_rdv_msg){.kind = PX_RDV_REGISTER_PEER};
        m.register_peer.id = px_bytes_of(r->host->config->id);
    }
    r->tried_us = px_now_us();
    send_udp(r, &m);
}

/* ---- a client wants in ---- */

/* One answer to the server, over a connection that closes when it is sent. */
struct answer {
    struct px_conn *conn;
    uint8_t bytes[ENVELOPE_MAX];
    size_t size;
};

static void ignore_frame(void *data, const uint8_t *body, size_t size) {
}

static void on_answer_lost(void *data, const struct px_error *why) {
}

static void on_answer_closed(void *data) {
    free(data);
}

static const struct px_conn_ops answer_ops = {.on_frame = ignore_frame,
                                              .on_raw = ignore_frame,
                                              .on_lost = on_answer_lost,
                                              .on_closed = on_answer_closed};

static void on_answer_connected(void *data, int status) {
    struct answer *a = data;
    if (status == 0)
        px_conn_send(a->conn, a->bytes, a->size);
    px_conn_close(a->conn, true);
}

static void answer_server(struct px_rendezvous *r, const struct px_rdv_msg *m) {
    struct answer *a = px_new0(struct answer, 1);
    const struct px_conn_opts o = {
        .loop = r->host->loop, .ops = &answer_ops, .data = a, .max_body_bytes = ENVELOPE_MAX};
    const int n = px_rdv_encode(m, a->bytes, sizeof(a->bytes), NULL);
    if (n < 0) {
        free(a);
        return;
    }
    a->size = (size_t)n;
    a->conn = px_conn_new(&o);
    if (px_conn_connect(a->conn, &r->server, on_answer_connected, NULL) < 0)
        px_conn_close(a->conn, false);
}

/* A session on its way to the relay. */
struct px_leg {
    struct px_session *session; /* alive until its conn closes; ended ones are left alone */
    struct px_host *host;
    char uuid[64];
    char *key;
};

static bool session_lives(const struct px_host *h, const struct px_session *s) {
    for (const struct px_session *i = h->sessions; i; i = i->next)
        if (i == s)
            return !s->ended && !h->closing;
    return false;
}

void px_leg_free(struct px_leg *l) {
    if (l)
        free(l->key);
    free(l);
}

static void on_relay_connected(void *data, int status) {
    struct px_session *s = data; /* the conn's data: it lives while the conn does */
    struct px_leg *l = s->leg;
    s->leg = NULL;
    if (status < 0 || s->ended) {
        px_info("relay: cannot connect: %s", uv_strerror(status));
        px_session_end(s, NULL);
    } else {
        struct px_rdv_msg m = {.kind = PX_RDV_REQUEST_RELAY};
        m.request_relay.uuid = px_bytes_of(l->uuid);
        m.request_relay.licence_key = px_bytes_of(l->key);
        send_tcp(s->conn, &m);
        px_session_begin(s);
    }
    px_leg_free(l);
}

static void on_relay_resolved(void *data, const struct px_addr *to, int status) {
    struct px_leg *l = data;
    if (!session_lives(l->host, l->session)) {
        px_leg_free(l);
        return;
    }
    struct px_session *s = l->session;
    s->leg = l;
    struct px_error err = {0};
    int r = to ? px_conn_connect(s->conn, to, on_relay_connected, &err)
               : px_fail_sys(&err, status, "cannot resolve the relay");
    if (r < 0) {
        px_info("relay: %s", err.msg);
        s->leg = NULL;
        px_leg_free(l);
        px_session_end(s, NULL);
    }
}

static void join_relay(struct px_rendezvous *r, const char *relay, const char *uuid,
                       const struct px_addr *peer, bool secure) {
    struct px_leg *l = px_new0(struct px_leg, 1);
    l->host = r->host;
    l->session = px_session_new(r->host, true, secure);
    l->session->peer = *peer;
    l->key = px_strdup(r->host->config->server_key);
    snprintf(l->uuid, sizeof(l->uuid), "%s", uuid);
    px_dial(r->host->loop, relay, RELAY_PORT, on_relay_resolved, l);
}

/* Requests may arrive twice; and strangers may ask for more than anybody needs. */
static bool is_repeat(struct px_rendezvous *r, const struct px_addr *peer) {
    const int64_t now = px_now_us();
    const bool same = px_addr_equal(peer, &r->last_peer) && now - r->last_request_us < TWICE_US;
    r->last_peer = *peer;
    r->last_request_us = now;
    if (now - r->budget_us > PX_US_PER_S) {
        r->budget_us = now;
        r->budget = 0;
    }
    return same || r->budget++ >= REQUESTS_PER_S;
}

/* Ours, else what the server proposed, else the server itself with the next port. */
static char *relay_name(const struct px_rendezvous *r, struct px_bytes proposed) {
    if (*r->host->config->relay)
        return px_strdup(r->host->config->relay);
    if (proposed.size)
        return px_strndup((const char *)proposed.data, proposed.size);
    struct px_addr a = r->server;
    char text[PX_ADDR_TEXT_MAX];
    a.port = (uint16_t)(a.port + 1);
    return px_strdup(px_addr_text(&a, text));
}

static void make_uuid(char out[UUID_TEXT]) {
    uint8_t b[16];
    randombytes_buf(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* RFC 9562, version 4 */
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    char *p = out;
    for (int i = 0; i < 16; i++)
        p += sprintf(p, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
}

/* PunchHole and FetchLocalAddr: the client gets a relay. */
static void offer_relay(struct px_rendezvous *r, struct px_bytes socket_addr,
                        struct px_bytes proposed) {
    const struct px_addr peer = px_addr_unmangle(socket_addr);
    if (is_repeat(r, &peer))
        return;
    char uuid[UUID_TEXT];
    px_cleanup_free char *relay = relay_name(r, proposed);
    if (proposed.size) {
        free(r->relay_hint);
        r->relay_hint = px_strndup((const char *)proposed.data, proposed.size);
    }
    make_uuid(uuid);
    struct px_rdv_msg m = {.kind = PX_RDV_RELAY_RESPONSE};
    m.relay_response.has = PX_RDV_HAS_ID;
    m.relay_response.socket_addr = socket_addr;
    m.relay_response.uuid = px_bytes_of(uuid);
    m.relay_response.relay_server = px_bytes_of(relay);
    m.relay_response.id = px_bytes_of(r->host->config->id);
    m.relay_response.version = px_bytes_of(PX_PROTOCOL_VERSION);
    answer_server(r, &m);
    join_relay(r, relay, uuid, &peer, true);
}

/* Only relays that we or our server named: a stranger must not send us anywhere. */
static bool is_known_relay(const struct px_rendezvous *r, const char *name) {
    struct px_addr a;
    if (!*name || strcmp(name, r->host->config->relay) == 0 ||
        (r->relay_hint && strcmp(name, r->relay_hint) == 0))
        return true;
    if (px_addr_parse(name, RELAY_PORT, &a, NULL) >= 0)
        return px_addr_same_ip(&a, &r->server);
    const size_t n = strcspn(r->host->config->server, ":");
    return strncmp(name, r->host->config->server, n) == 0 && (name[n] == '\0' || name[n] == ':');
}

static void take_request_relay(struct px_rendezvous *r, const struct px_rdv_request_relay *q) {
    const struct px_addr peer = px_addr_unmangle(q->socket_addr);
    char uuid[64], name[256];
    if (is_repeat(r, &peer) || q->uuid.size == 0 || q->uuid.size >= sizeof(uuid) ||
        q->relay_server.size >= sizeof(name))
        return;
    snprintf(uuid, sizeof(uuid), "%.*s", (int)q->uuid.size, (const char *)q->uuid.data);
    snprintf(name, sizeof(name), "%.*s", (int)q->relay_server.size,
             (const char *)q->relay_server.data);
    if (!is_known_relay(r, name)) {
        px_warning("relay: refused: neither we nor the server named it");
        return;
    }
    struct px_rdv_msg m = {.kind = PX_RDV_RELAY_RESPONSE};
    m.relay_response.socket_addr = q->socket_addr;
    m.relay_response.version = px_bytes_of(PX_PROTOCOL_VERSION);
    answer_server(r, &m);
    px_cleanup_free char *relay = relay_name(r, q->relay_server);
    join_relay(r, *name ? name : relay, uuid, &peer, q->secure);
}

/* ---- in ---- */

static void take_pk_response(struct px_rendezvous *r, const struct px_rdv_register_pk_response *a) {
    switch (a->result) {
    case PX_PK_OK:
        r->key_confirmed = true;
        set_online(r, true);
        return;
    case PX_PK_UUID_MISMATCH:
        px_error("server: id %s belongs to another machine; give this desktop another id",
                 r->host->config->id);
        break;
    default:
        px_warning("server: refuses to register %s: result=%d", r->host->config->id, a->result);
        break;
    }
    r->key_confirmed = false;
    r->denied_us = px_now_us();
}

static void take_message(struct px_rendezvous *r, struct px_bytes in) {
    struct px_rdv_msg m;
    if (px_rdv_decode(in, &m, NULL) < 0)
        return;
    switch (m.kind) {
    case PX_RDV_REGISTER_PEER_RESPONSE:
        r->answered_us = px_now_us();
        r->lost = 0;
        if (m.register_peer_response.request_pk) {
            r->key_confirmed = false;
            register_udp(r);
        } else
            set_online(r, true);
        break;
    case PX_RDV_REGISTER_PK_RESPONSE:
        r->answered_us = px_now_us();
        r->lost = 0;
        r->tcp_registered = r->mode == MODE_TCP;
        take_pk_response(r, &m.register_pk_response);
        break;
    case PX_RDV_PUNCH_HOLE:
        offer_relay(r, m.punch_hole.socket_addr, m.punch_hole.relay_server);
        break;
    case PX_RDV_FETCH_LOCAL_ADDR:
        offer_relay(r, m.fetch_local_addr.socket_addr, m.fetch_local_addr.relay_server);
        break;
    case PX_RDV_REQUEST_RELAY:
        take_request_relay(r, &m.request_relay);
        break;
    default: /* not for a host */
        break;
    }
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf) {
    struct px_rendezvous *r = h->data;
    *buf = uv_buf_init((char *)r->in, sizeof(r->in));
}

static void on_datagram(uv_udp_t *u, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                        unsigned flags) {
    struct px_rendezvous *r = u->data;
    struct px_addr a;
    if (n <= 0 || !from || flags & UV_UDP_PARTIAL || px_addr_from_sockaddr(from, &a) < 0 ||
        !px_addr_equal(&a, &r->server))
        return;
    take_message(r, (struct px_bytes){(const uint8_t *)buf->base, (size_t)n});
}

/* ---- TCP ---- */

static void on_tcp_frame(void *data, const uint8_t *body, size_t size) {
    struct px_rendezvous *r = data;
    struct px_rdv_msg m;
    if (size == 0) { /* the server's keep-alive wants one back */
        px_conn_send(r->tcp, "", 0);
        return;
    }
    if (!r->tcp_secured && px_rdv_decode((struct px_bytes){body, size}, &m, NULL) == 0 &&
        m.kind == PX_RDV_KEY_EXCHANGE) {
        uint8_t server_pk[PX_SIGN_PK_BYTES], pk[PX_BOX_KEY_BYTES], sealed[PX_SEALED_KEY_BYTES];
        struct px_secure secure;
        struct px_bytes signed_pk;
        size_t pos = 0, n = 0;
        const char *key = r->host->config->server_key;
        if (sodium_base642bin(server_pk, sizeof(server_pk), key, strlen(key), NULL, &n, NULL,
                              sodium_base64_VARIANT_ORIGINAL) != 0 ||
            n != sizeof(server_pk) || !px_rdv_list_next(&m.key_exchange.keys, &pos, &signed_pk) ||
            px_secure_connect(server_pk, signed_pk, pk, sealed, &secure, NULL) < 0) {
            px_warning("server: its key is not the configured one");
            px_conn_close(r->tcp, false);
            return;
        }
        const struct px_bytes keys[] = {{pk, sizeof(pk)}, {sealed, sizeof(sealed)}};
        m = (struct px_rdv_msg){.kind = PX_RDV_KEY_EXCHANGE};
        m.key_exchange.keys = (struct px_rdv_list){.items = keys, .n = 2};
        send_tcp(r->tcp, &m);
        px_conn_set_secure(r->tcp, &secure);
        r->tcp_secured = true;
        m = register_pk(r);
        send_tcp(r->tcp, &m);
        return;
    }
    take_message(r, (struct px_bytes){body, size});
}

static void on_tcp_lost(void *data, const struct px_error *why) {
    set_online(data, false);
}

static void maybe_free(struct px_rendezvous *r);

static void on_tcp_closed(void *data) {
    struct px_rendezvous *r = data;
    r->tcp = NULL;
    r->tcp_registered = false;
    maybe_free(r);
}

static const struct px_conn_ops tcp_ops = {.on_frame = on_tcp_frame,
                                           .on_raw = ignore_frame,
                                           .on_lost = on_tcp_lost,
                                           .on_closed = on_tcp_closed};

static void on_tcp_connected(void *data, int status) {
    struct px_rendezvous *r = data;
    if (status < 0 || px_conn_start(r->tcp, NULL) < 0) {
        px_conn_close(r->tcp, false);
        return;
    }
    if (!*r->host->config->server_key) { /* without a key there is no exchange to wait for */
        const struct px_rdv_msg m = register_pk(r);
        r->tcp_secured = true;
        send_tcp(r->tcp, &m);
    }
}

static void tick_tcp(struct px_rendezvous *r, int64_t now) {
    if (r->tcp) {
        if (r->tcp_registered && now - px_conn_last_read_us(r->tcp) > TCP_SILENT_US)
            px_conn_close(r->tcp, false);
        else if (!r->tcp_registered && now - r->tried_us > TCP_GIVE_UP_US)
            px_conn_close(r->tcp, false);
        return;
    }
    if (r->online)
        set_online(r, false);
    if (now - r->mode_us > 2 * TCP_GIVE_UP_US) { /* UDP may work by now */
        r->mode = MODE_UDP;
        r->lost = 0;
        r->mode_us = now;
        return;
    }
    if (now - r->tried_us < LOST_US)
        return;
    const struct px_conn_opts o = {
        .loop = r->host->loop, .ops = &tcp_ops, .data = r, .max_body_bytes = ENVELOPE_MAX};
    r->tried_us = now;
    r->tcp_secured = false;
    r->tcp = px_conn_new(&o);
    if (px_conn_connect(r->tcp, &r->server, on_tcp_connected, NULL) < 0)
        px_conn_close(r->tcp, false);
}

/* ---- time ---- */

static void on_resolved(void *data, const struct px_addr *to, int status) {
    struct px_rendezvous *r = data;
    r->resolving = false;
    if (r->closing) {
        maybe_free(r);
        return;
    }
    if (!to) {
        px_warning("server: cannot resolve '%s'", r->host->config->server);
        return;
    }
    r->server = *to;
    r->resolved = true;
    if (!r->started) {
        struct sockaddr_storage ss;
        const struct px_addr any =
            px_addr_is_v4(to) ? px_addr_v4(0, 0, 0, 0, 0) : (struct px_addr){0};
        px_addr_to_sockaddr(&any, !px_addr_is_v4(to), &ss);
        uv_udp_bind(&r->udp, (struct sockaddr *)&ss, 0);
        uv_udp_recv_start(&r->udp, on_alloc, on_datagram);
        r->started = true;
        register_udp(r);
    }
}

static void resolve(struct px_rendezvous *r, int64_t now) {
    if (r->resolving || now - r->resolved_us < (r->resolved ? RESOLVE_US : LOST_US))
        return;
    r->resolving = true;
    r->resolved_us = now;
    px_dial(r->host->loop, r->host->config->server, SERVER_PORT, on_resolved, r);
}

static void tick_udp(struct px_rendezvous *r, int64_t now) {
    const bool denied = r->denied_us && now - r->denied_us < DENIED_US;
    if (denied || now - r->answered_us < AGAIN_US || now - r->tried_us < LOST_US)
        return;
    if (r->tried_us > r->answered_us && ++r->lost >= UDP_TRIES) {
        set_online(r, false);
        resolve(r, now);
        r->mode = MODE_TCP;
        r->mode_us = now;
        r->key_confirmed = false;
        return;
    }
    register_udp(r);
}

static void on_tick(uv_timer_t *t) {
    struct px_rendezvous *r = t->data;
    const int64_t now = px_now_us();
    if (!r->started)
        resolve(r, now);
    else if (r->mode == MODE_UDP)
        tick_udp(r, now);
    else
        tick_tcp(r, now);
}

/* Stable for the machine: the server lets an id change its key only together with this. */
static void find_uuid(struct px_rendezvous *r) {
    px_cleanup_free char *text = NULL;
    size_t n = 0;
    if (px_file_read(AT_FDCWD, "/etc/machine-id", 256, &text, &n, NULL) >= 0)
        n = strcspn(text, "\n");
    if (n < 16 || n > sizeof(r->uuid)) {
        memcpy(r->uuid, r->host->config->identity_pk, PX_SIGN_PK_BYTES);
        r->uuid_size = PX_SIGN_PK_BYTES;
        return;
    }
    memcpy(r->uuid, text, n);
    r->uuid_size = n;
}

struct px_rendezvous *px_rendezvous_new(struct px_host *h) {
    struct px_rendezvous *r = px_new0(struct px_rendezvous, 1);
    r->host = h;
    find_uuid(r);
    uv_udp_init(h->loop, &r->udp);
    uv_timer_init(h->loop, &r->tick);
    r->udp.data = r->tick.data = r;
    r->n_open = 2;
    r->answered_us = r->tried_us = -AGAIN_US;
    r->resolved_us = -RESOLVE_US;
    uv_timer_start(&r->tick, on_tick, 0, TICK_MS);
    return r;
}

static void maybe_free(struct px_rendezvous *r) {
    if (!r->closing || r->n_open > 0 || r->resolving || r->tcp)
        return;
    free(r->relay_hint);
    free(r);
}

static void on_handle_closed(uv_handle_t *h) {
    struct px_rendezvous *r = h->data;
    r->n_open--;
    maybe_free(r);
}

void px_rendezvous_close(struct px_rendezvous *r) {
    if (!r)
        return;
    r->closing = true;
    uv_close((uv_handle_t *)&r->udp, on_handle_closed);
    uv_close((uv_handle_t *)&r->tick, on_handle_closed);
    if (r->tcp)
        px_conn_close(r->tcp, false);
}
