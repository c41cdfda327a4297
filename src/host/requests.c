/* src/host/requests.c - clients who come through the ID server */
#include "host/requests.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/dial.h"
#include "host/session.h"
#include <sodium.h>
#include <string.h>

#define RELAY_PORT 21117
#define TWICE_US (100 * PX_US_PER_MS)
#define ENVELOPE_MAX 4096
#define UUID_TEXT 37
#define REQUESTS_PER_S                                                                             \
    20 /* more than any user makes; a flood must not open sockets without end                      \
        */

#define ANSWERS_UNDER_WAY_MAX 64
#define SESSIONS_UNDER_WAY_MAX (2 * PX_STRANGERS_MAX)

/* One answer to the server, over a connection that closes when it is sent. */
struct answer {
    struct px_host *host;
    struct px_conn *conn;
    uint8_t bytes[ENVELOPE_MAX];
    size_t size;
};

static void ignore_frame(void *data, const uint8_t *body, size_t size) {
}

static void on_answer_lost(void *data, const struct px_error *why) {
}

static void on_answer_closed(void *data) {
    struct answer *a = data;
    a->host->n_answers--;
    free(a);
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

int px_requests_connect(const struct px_requests *r, struct px_conn *c,
                        void (*on_connect)(void *data, int status), struct px_error *err) {
    struct px_addr to = r->server;
    if (*r->wss.host)
        return px_conn_connect_wss(c, &to, &r->wss, r->trust, "/ws/id", on_connect, err);
    if (!r->ws)
        return px_conn_connect(c, &to, on_connect, err);
    to.port = (uint16_t)(to.port + PX_WS_PORT_STEP);
    return px_conn_connect_ws(c, &to, "/ws/id", on_connect, err);
}

static void answer_server(struct px_requests *r, const struct px_rdv_msg *m) {
    struct answer *a = px_new0(struct answer, 1);
    const struct px_conn_opts o = {
        .loop = r->host->loop, .ops = &answer_ops, .data = a, .max_body_bytes = ENVELOPE_MAX};
    const int n = px_rdv_encode(m, a->bytes, sizeof(a->bytes), NULL);
    if (n < 0) {
        free(a);
        return;
    }
    a->size = (size_t)n;
    a->host = r->host;
    a->host->n_answers++;
    a->conn = px_conn_new(&o);
    if (px_requests_connect(r, a->conn, on_answer_connected, NULL) < 0)
        px_conn_close(a->conn, false);
}

/* A session on its way to the relay. */
struct px_leg {
    struct px_session *session; /* alive until its conn closes; ended ones are left alone */
    struct px_host *host;
    char uuid[64];
    char *key;
    bool ws;
    struct px_wss wss; /* host "": the relay's own port */
    struct px_tls_trust *trust;
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
        uint8_t out[ENVELOPE_MAX];
        const int n = px_rdv_encode(&m, out, sizeof(out), NULL);
        if (n > 0)
            px_conn_send(s->conn, out, (size_t)n);
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
    struct px_addr ws_to = to ? *to : (struct px_addr){0};
    ws_to.port = (uint16_t)(ws_to.port + PX_WS_PORT_STEP);
    int r = !to            ? px_fail_sys(&err, status, "cannot resolve the relay")
            : *l->wss.host ? px_conn_connect_wss(s->conn, to, &l->wss, l->trust, "/ws/relay",
                                                 on_relay_connected, &err)
            : l->ws ? px_conn_connect_ws(s->conn, &ws_to, "/ws/relay", on_relay_connected, &err)
                    : px_conn_connect(s->conn, to, on_relay_connected, &err);
    if (r < 0) {
        px_info("relay: %s", err.msg);
        s->leg = NULL;
        px_leg_free(l);
        px_session_end(s, NULL);
    }
}

static void join_relay(struct px_requests *r, const char *relay, const char *uuid,
                       const struct px_addr *peer, bool secure) {
    struct px_leg *l = px_new0(struct px_leg, 1);
    l->host = r->host;
    l->ws = r->ws;
    l->session = px_session_new(r->host, PX_WAY_RELAY, secure);
    l->session->peer = *peer;
    l->key = px_strdup(r->host->config->server_key);
    snprintf(l->uuid, sizeof(l->uuid), "%s", uuid);
    if (*r->wss.host && px_wss_of_relay(&r->wss, &r->server, relay, &l->wss)) {
        l->trust = r->trust;
        px_dial(r->host->loop, l->wss.host, l->wss.port, on_relay_resolved, l);
    } else
        px_dial(r->host->loop, relay, RELAY_PORT, on_relay_resolved, l);
}

/* Where a firewall drops what we send to the server or its relay, sockets wait for minutes. */
static bool are_under_way(const struct px_host *h) {
    unsigned n = 0;
    for (const struct px_session *s = h->sessions; s; s = s->next)
        n += s->state < PX_SESSION_ACTIVE && !s->ended;
    return n >= SESSIONS_UNDER_WAY_MAX || h->n_answers >= ANSWERS_UNDER_WAY_MAX;
}

/* Requests may arrive twice; and strangers may ask for more than anybody needs. */
static bool is_repeat(struct px_requests *r, const struct px_addr *peer) {
    const int64_t now = px_now_us();
    const bool same = px_addr_equal(peer, &r->last_peer) && now - r->last_us < TWICE_US;
    r->last_peer = *peer;
    r->last_us = now;
    if (now - r->budget_us > PX_US_PER_S) {
        r->budget_us = now;
        r->budget = 0;
    }
    return same || are_under_way(r->host) || r->budget++ >= REQUESTS_PER_S;
}

/* Ours, else what the server proposed, else the server itself with the next port. */
static char *relay_name(const struct px_requests *r, struct px_bytes proposed) {
    if (*r->host->config->relay)
        return px_strdup(r->host->config->relay);
    if (proposed.size)
        return px_strndup((const char *)proposed.data, proposed.size);
    if (*r->wss.host) /* by the name that clients can use as well */
        return px_strdup(r->wss.host);
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

struct wish { /* of a client, as the server tells it */
    struct px_bytes socket_addr, relay;
    struct px_addr v6; /* where it waits for UDP over IPv6; port 0: nowhere */
    int client_nat, udp_port;
    bool local, force_relay;
};

/* The client's hole over IPv6, whatever the other way is; "" in the answer: none. */
struct v6 {
    uint8_t bytes[PX_ADDR_MANGLED_MAX_BYTES];
    size_t size;
};

static struct px_bytes v6_bytes(const struct v6 *v) {
    return (struct px_bytes){v->bytes, v->size};
}

static void offer_v6(struct px_requests *r, const struct wish *w, struct v6 *ret) {
    struct px_hole_opts o = {.host = r->host, .client = w->v6};
    struct px_addr own;
    ret->size = 0;
    if (w->v6.port == 0 || px_addr_is_v4(&w->v6) || r->holes.n >= PX_HOLES_MAX ||
        px_way_source(&w->v6, &o.own) < 0 || px_way_is_private(&o.own) != px_way_is_private(&w->v6))
        return;
    o.own.port = 0;
    if (px_hole_open(&r->holes, &o, &own, NULL) == 0)
        ret->size = px_addr_mangle(&own, (uint32_t)px_now_us(), ret->bytes);
}

static void offer_relay(struct px_requests *r, struct px_bytes socket_addr, const char *relay,
                        const struct px_addr *client, const struct v6 *v6) {
    char uuid[UUID_TEXT];
    make_uuid(uuid);
    struct px_rdv_msg m = {.kind = PX_RDV_RELAY_RESPONSE};
    m.relay_response.has = PX_RDV_HAS_ID;
    m.relay_response.socket_addr = socket_addr;
    m.relay_response.uuid = px_bytes_of(uuid);
    m.relay_response.relay_server = px_bytes_of(relay);
    m.relay_response.id = px_bytes_of(r->host->config->id);
    m.relay_response.version = px_bytes_of(PX_PROTOCOL_VERSION);
    m.relay_response.socket_addr_v6 = v6_bytes(v6);
    answer_server(r, &m);
    join_relay(r, relay, uuid, client, true);
}

static void offer_udp(struct px_requests *r, const struct wish *w, const struct px_addr *client,
                      const struct px_rdv_msg *answer) {
    struct px_hole_opts o = {
        .host = r->host, .client = *client, .server = r->server, .answer = answer};
    struct px_error err = {0};
    struct px_addr own;
    o.own = px_addr_is_v4(&r->server) ? px_addr_v4(0, 0, 0, 0, 0) : (struct px_addr){0};
    o.client.port = (uint16_t)w->udp_port;
    if (px_hole_open(&r->holes, &o, &own, &err) < 0)
        px_info("punch: %s", err.msg);
}

static void offer_straight(struct px_requests *r, const struct wish *w, const char *relay,
                           const struct px_addr *client, enum px_way way, const struct v6 *v6) {
    struct px_punch_opts o = {.host = r->host, .server = r->server, .client = *client, .way = way};
    const struct px_bytes socket_addr = w->socket_addr;
    const struct px_bytes id = px_bytes_of(r->host->config->id);
    if (way == PX_WAY_LOCAL) {
        o.answer.kind = PX_RDV_LOCAL_ADDR;
        o.answer.local_addr.socket_addr = socket_addr;
        o.answer.local_addr.relay_server = px_bytes_of(relay);
        o.answer.local_addr.id = id;
        o.answer.local_addr.version = px_bytes_of(PX_PROTOCOL_VERSION);
        o.answer.local_addr.socket_addr_v6 = v6_bytes(v6);
    } else {
        o.answer.kind = PX_RDV_PUNCH_HOLE_SENT;
        o.answer.punch_hole_sent.socket_addr = socket_addr;
        o.answer.punch_hole_sent.relay_server = px_bytes_of(relay);
        o.answer.punch_hole_sent.id = id;
        o.answer.punch_hole_sent.nat_type = r->nat;
        o.answer.punch_hole_sent.version = px_bytes_of(PX_PROTOCOL_VERSION);
        o.answer.punch_hole_sent.socket_addr_v6 = v6_bytes(v6);
    }
    if (way == PX_WAY_UDP)
        offer_udp(r, w, client, &o.answer);
    else
        px_punch_open(&r->punches, &o);
}

/* A client that offers UDP asks for TCP on another connection at the same time, which comes here as
 * a wish of its own, and takes what is there first. */
static void take_wish(struct px_requests *r, const struct wish *w) {
    const struct px_host_config *c = r->host->config;
    struct px_way_facts f = {.client = px_addr_unmangle(w->socket_addr),
                             .server = r->server,
                             .local = w->local,
                             .lan = c->lan,
                             .own_nat = r->nat,
                             .client_nat = w->client_nat,
                             .udp = w->udp_port > 0 && w->udp_port <= UINT16_MAX};
    if (is_repeat(r, &f.client))
        return;
    px_cleanup_free char *relay = relay_name(r, w->relay);
    if (w->relay.size) {
        free(r->relay_hint);
        r->relay_hint = px_strndup((const char *)w->relay.data, w->relay.size);
    }
    f.relay_only = w->force_relay || r->ws || !c->punching || r->punches.n >= PX_PUNCHES_MAX ||
                   r->holes.n >= PX_HOLES_MAX || px_way_source(&r->server, &f.own) < 0;
    f.client_on_link = px_way_on_link(&f.client);
    f.server_on_link = px_way_on_link(&r->server);
    const enum px_way way = px_way_choose(&f);
    struct v6 v6 = {.size = 0};
    if (!f.relay_only)
        offer_v6(r, w, &v6);
    if (way == PX_WAY_RELAY)
        offer_relay(r, w->socket_addr, relay, &f.client, &v6);
    else
        offer_straight(r, w, relay, &f.client, way, &v6);
}

/* Only relays that we or our server named: a stranger must not send us anywhere. */
static bool is_known_relay(const struct px_requests *r, const char *name) {
    struct px_addr a;
    if (!*name || strcmp(name, r->host->config->relay) == 0 ||
        (r->relay_hint && strcmp(name, r->relay_hint) == 0))
        return true;
    if (px_addr_parse(name, RELAY_PORT, &a, NULL) >= 0)
        return px_addr_same_ip(&a, &r->server);
    const char *server = *r->wss.host ? r->wss.host : r->host->config->server;
    const size_t n = strcspn(server, ":");
    return strncmp(name, server, n) == 0 && (name[n] == '\0' || name[n] == ':');
}

static void take_request_relay(struct px_requests *r, const struct px_rdv_request_relay *q) {
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

void px_requests_take(struct px_requests *r, const struct px_rdv_msg *m) {
    if (m->kind == PX_RDV_PUNCH_HOLE) {
        const struct px_rdv_punch_hole *p = &m->punch_hole;
        take_wish(r, &(struct wish){.socket_addr = p->socket_addr,
                                    .relay = p->relay_server,
                                    .client_nat = p->nat_type,
                                    .udp_port = p->udp_port,
                                    .v6 = px_addr_unmangle(p->socket_addr_v6),
                                    .force_relay = p->force_relay});
    } else if (m->kind == PX_RDV_FETCH_LOCAL_ADDR)
        take_wish(r, &(struct wish){.socket_addr = m->fetch_local_addr.socket_addr,
                                    .relay = m->fetch_local_addr.relay_server,
                                    .v6 = px_addr_unmangle(m->fetch_local_addr.socket_addr_v6),
                                    .local = true});
    else if (m->kind == PX_RDV_REQUEST_RELAY)
        take_request_relay(r, &m->request_relay);
}

void px_requests_fini(struct px_requests *r) {
    px_punches_close(&r->punches);
    px_holes_close(&r->holes);
    free(r->relay_hint);
    r->relay_hint = NULL;
}
