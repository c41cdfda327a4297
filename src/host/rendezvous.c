/* src/host/rendezvous.c - the host at its ID server
 *
 *     UDP        RegisterPeer every 15 s, RegisterPk when the server asks; a try is lost after 3 s
 *     TCP        after UDP_TRIES lost ones: KeyExchange, RegisterPk, then the server's keep-alives
 *     WebSocket  after TCP_GIVE_UP_US without: the same but for the exchange; then UDP again
 *
 * While TCP or a WebSocket serves, UDP is tried now and then (again.h). The connection stays until
 * the server has confirmed us by UDP.
 *
 * An address "wss://.." leaves only WebSockets, over TLS (wss.h).
 *
 * Requests for a connection come on the same path and go to requests.c. */
#include "host/rendezvous.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "host/again.h"
#include "host/dial.h"
#include "host/nat.h"
#include "host/netwatch.h"
#include "host/requests.h"
#include "host/session.h"
#include "host/tunnel/tls.h"
#include <sodium.h>
#include <string.h>

#define SERVER_PORT 21116
#define TICK_MS 1000
#define AGAIN_US (15 * PX_US_PER_S)
#define SOON_US (7 * PX_US_PER_S)
#define LOST_US (3 * PX_US_PER_S)
#define DENIED_US (30 * PX_US_PER_S)
#define RESOLVE_US (60 * PX_US_PER_S)
#define NAT_AGAIN_US (300 * PX_US_PER_S)
#define UDP_TRIES 4
#define ANSWER_US (10 * PX_US_PER_S)
#define TCP_SILENT_US (90 * PX_US_PER_S)
#define TCP_GIVE_UP_US (20 * PX_US_PER_S)
#define ENVELOPE_MAX 4096

/* In the order in which they are tried. */
enum mode { MODE_UDP, MODE_TCP, MODE_WS };
static const char *const mode_names[] = {"UDP", "TCP", "WebSocket"};

struct px_rendezvous {
    struct px_host *host;
    uv_udp_t udp;
    uv_timer_t tick;
    struct px_conn *tcp; /* NULL: none */
    int n_open;
    bool udp_v6; /* the socket is for both families */
    bool closing, resolving, resolved, started, online;
    enum mode mode;
    struct px_addr server;
    struct px_requests requests;
    struct px_nat_test *nat_test; /* NULL: none runs */
    struct px_netwatch *netwatch; /* NULL: nobody tells */
    struct px_again again;        /* UDP, while another mode serves */
    int64_t again_us;             /* when it was tried last; 0: never */
    char trouble[128];            /* of the last connection, told once */
    uint8_t uuid[64];
    size_t uuid_size;
    bool key_confirmed, tcp_registered, tcp_secured;
    unsigned lost;
    int64_t answered_us, tried_us, resolved_us, mode_us, denied_us, nat_us, silent_us, at_once_us;
    uint8_t in[ENVELOPE_MAX];
};

static void on_nat(void *data, int type) {
    static const char *const names[] = {"unknown", "can be punched through", "symmetric"};
    struct px_rendezvous *r = data;
    r->nat_test = NULL;
    r->requests.nat = type;
    px_debug("server: our NAT: %s", names[type]);
}

static void test_nat(struct px_rendezvous *r) {
    r->nat_us = px_now_us();
    if (!r->nat_test)
        r->nat_test = px_nat_test_start(r->host->loop, &r->server, on_nat, r);
}

/* Coming back online may mean that we are in another network. */
static void set_online(struct px_rendezvous *r, bool online) {
    char text[PX_ADDR_TEXT_MAX];
    if (online == r->online)
        return;
    px_info("server: %s at %s (%s)", online ? "registered" : "no answer",
            px_addr_text(&r->server, text), mode_names[r->mode]);
    r->online = online;
    if (online && r->mode != MODE_WS)
        test_nat(r);
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
    px_addr_to_sockaddr(&r->server, r->udp_v6, &ss);
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

/* The official server confirms a key it knows without noting where it came from now: until the
 * next heartbeat it would send clients to where we were before a restart. */
static void heartbeat_at_once(struct px_rendezvous *r) {
    const int64_t now = px_now_us(), tried_us = r->tried_us;
    if (r->mode != MODE_UDP || now - r->at_once_us < LOST_US)
        return;
    r->at_once_us = now;
    register_udp(r);
    r->tried_us = tried_us; /* nothing is lost when it is not answered */
}

static void try_udp_again(struct px_rendezvous *r) {
    struct px_rdv_msg m = {.kind = PX_RDV_REGISTER_PEER};
    m.register_peer.id = px_bytes_of(r->host->config->id);
    r->again_us = px_now_us();
    send_udp(r, &m);
}

/* ---- in ---- */

static void take_pk_response(struct px_rendezvous *r, const struct px_rdv_register_pk_response *a) {
    switch (a->result) {
    case PX_PK_OK:
        r->key_confirmed = true;
        set_online(r, true);
        heartbeat_at_once(r);
        return;
    case PX_PK_UUID_MISMATCH:
        px_error("server: id %s belongs to another machine; give this desktop another id",
                 r->host->config->id);
        break;
    case PX_PK_TOO_FREQUENT: /* restarted a few times in a row; it counts 6 s back */
        r->key_confirmed = false;
        r->answered_us = px_now_us() - AGAIN_US + SOON_US;
        return;
    default:
        px_warning("server: refuses to register %s: result=%d", r->host->config->id, a->result);
        break;
    }
    r->key_confirmed = false;
    r->denied_us = px_now_us();
}

static void set_mode(struct px_rendezvous *r, enum mode mode, int64_t now);

/* UDP was answered while another mode serves: first the key, then the other one may go. */
static void take_udp_again(struct px_rendezvous *r, const struct px_rdv_msg *m) {
    char text[PX_ADDR_TEXT_MAX];
    if (!r->again_us || px_now_us() - r->again_us > ANSWER_US) /* nobody was asked */
        return;
    if (m->kind == PX_RDV_REGISTER_PEER_RESPONSE) {
        const struct px_rdv_msg pk = register_pk(r);
        send_udp(r, &pk);
        return;
    }
    if (m->register_pk_response.result != PX_PK_OK)
        return;
    const bool was_ws = r->mode == MODE_WS;
    set_mode(r, MODE_UDP, px_now_us());
    r->key_confirmed = r->online = true;
    r->answered_us = px_now_us();
    px_info("server: registered at %s (UDP, again)", px_addr_text(&r->server, text));
    if (r->tcp)
        px_conn_close(r->tcp, false);
    heartbeat_at_once(r);
    if (was_ws)
        test_nat(r);
}

static void take_message(struct px_rendezvous *r, struct px_bytes in, bool by_udp) {
    struct px_rdv_msg m;
    if (px_rdv_decode(in, &m, NULL) < 0)
        return;
    const bool registers =
        m.kind == PX_RDV_REGISTER_PEER_RESPONSE || m.kind == PX_RDV_REGISTER_PK_RESPONSE;
    if (by_udp && registers && r->mode != MODE_UDP) {
        take_udp_again(r, &m);
        return;
    }
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
        r->tcp_registered = r->mode != MODE_UDP;
        if (m.register_pk_response.keep_alive > 0)
            r->silent_us = m.register_pk_response.keep_alive * PX_US_PER_S * 3 / 2;
        take_pk_response(r, &m.register_pk_response);
        break;
    default: /* a client wants in, or it is not for a host */
        px_requests_take(&r->requests, &m);
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
    take_message(r, (struct px_bytes){(const uint8_t *)buf->base, (size_t)n}, true);
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
    take_message(r, (struct px_bytes){body, size}, false);
}

static void ignore_raw(void *data, const uint8_t *bytes, size_t size) {
}

static void on_tcp_lost(void *data, const struct px_error *why) {
    struct px_rendezvous *r = data;
    set_online(r, false);
    if (why && strncmp(why->msg, r->trouble, sizeof(r->trouble) - 1) != 0) {
        px_warning("server: %s", why->msg);
        snprintf(r->trouble, sizeof(r->trouble), "%.127s", why->msg);
    }
    px_again_at_once(&r->again, px_now_us());
}

static void maybe_free(struct px_rendezvous *r);

static void on_tcp_closed(void *data) {
    struct px_rendezvous *r = data;
    r->tcp = NULL;
    r->tcp_registered = false;
    maybe_free(r);
}

static const struct px_conn_ops tcp_ops = {.on_frame = on_tcp_frame,
                                           .on_raw = ignore_raw,
                                           .on_lost = on_tcp_lost,
                                           .on_closed = on_tcp_closed};

static void on_tcp_connected(void *data, int status) {
    struct px_rendezvous *r = data;
    if (status < 0 || px_conn_start(r->tcp, NULL) < 0) {
        px_conn_close(r->tcp, false);
        return;
    }
    /* Without a key there is no exchange to wait for; on a WebSocket there never is. */
    if (!*r->host->config->server_key || r->mode == MODE_WS) {
        const struct px_rdv_msg m = register_pk(r);
        r->tcp_secured = true;
        send_tcp(r->tcp, &m);
    }
}

static void set_mode(struct px_rendezvous *r, enum mode mode, int64_t now) {
    if (r->mode == MODE_UDP)
        px_again_begin(&r->again, now);
    r->mode = mode;
    r->mode_us = now;
    r->lost = 0;
    r->key_confirmed = false;
    r->requests.ws = mode == MODE_WS;
}

static void resolve(struct px_rendezvous *r, int64_t now);

/* TCP and WebSocket. */
static void tick_tcp(struct px_rendezvous *r, int64_t now) {
    if (r->tcp) {
        if (r->tcp_registered)
            r->mode_us = now;
        if (r->tcp_registered && now - px_conn_last_read_us(r->tcp) > r->silent_us)
            px_conn_close(r->tcp, false);
        else if (!r->tcp_registered && now - r->tried_us > TCP_GIVE_UP_US)
            px_conn_close(r->tcp, false);
        return;
    }
    if (r->online)
        set_online(r, false);
    /* What worked is tried again first. */
    if (now - r->mode_us > TCP_GIVE_UP_US) {
        if (*r->requests.wss.host)
            r->mode_us = now;
        else
            set_mode(r, r->mode == MODE_TCP ? MODE_WS : MODE_UDP, now);
        resolve(r, now);
        return;
    }
    if (now - r->tried_us < LOST_US)
        return;
    const struct px_conn_opts o = {
        .loop = r->host->loop, .ops = &tcp_ops, .data = r, .max_body_bytes = ENVELOPE_MAX};
    r->tried_us = now;
    r->silent_us = TCP_SILENT_US;
    r->tcp_secured = false;
    r->tcp = px_conn_new(&o);
    if (px_requests_connect(&r->requests, r->tcp, on_tcp_connected, NULL) < 0)
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
    r->server = r->requests.server = *to;
    r->resolved = true;
    if (!r->started && r->mode == MODE_UDP)
        register_udp(r);
    r->started = true;
}

static void resolve(struct px_rendezvous *r, int64_t now) {
    if (r->resolving || now - r->resolved_us < (r->resolved ? RESOLVE_US : LOST_US))
        return;
    r->resolving = true;
    r->resolved_us = now;
    const struct px_wss *w = &r->requests.wss;
    px_dial(r->host->loop, *w->host ? w->host : r->host->config->server,
            *w->host ? w->port : SERVER_PORT, on_resolved, r);
}

static void tick_udp(struct px_rendezvous *r, int64_t now) {
    const bool denied = r->denied_us && now - r->denied_us < DENIED_US;
    if (denied || now - r->answered_us < AGAIN_US || now - r->tried_us < LOST_US)
        return;
    if (r->tried_us > r->answered_us && ++r->lost >= UDP_TRIES) {
        set_online(r, false);
        resolve(r, now);
        set_mode(r, MODE_TCP, now);
        return;
    }
    register_udp(r);
}

static void on_tick(uv_timer_t *t) {
    struct px_rendezvous *r = t->data;
    const int64_t now = px_now_us();
    if (r->online && r->mode != MODE_WS && r->requests.nat == PX_NAT_UNKNOWN &&
        now - r->nat_us > NAT_AGAIN_US)
        test_nat(r);
    if (!r->started)
        resolve(r, now);
    else if (r->mode == MODE_UDP)
        tick_udp(r, now);
    else {
        if (!*r->requests.wss.host && px_again_take(&r->again, now))
            try_udp_again(r);
        tick_tcp(r, now);
    }
}

/* The server has to learn where we are now, and what did not come through may do so here. */
static void on_network(void *data) {
    struct px_rendezvous *r = data;
    if (!r->started || r->closing)
        return;
    px_again_at_once(&r->again, px_now_us());
    heartbeat_at_once(r);
    if (r->online && r->mode != MODE_WS)
        test_nat(r);
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

/* For both families where there are both: the server's name may lead elsewhere tomorrow. */
static void open_udp(struct px_rendezvous *r) {
    const struct px_addr any4 = px_addr_v4(0, 0, 0, 0, 0), any6 = {0};
    struct sockaddr_storage ss;
    px_addr_to_sockaddr(&any6, true, &ss);
    r->udp_v6 = uv_udp_bind(&r->udp, (struct sockaddr *)&ss, 0) == 0;
    if (!r->udp_v6) {
        px_addr_to_sockaddr(&any4, false, &ss);
        uv_udp_bind(&r->udp, (struct sockaddr *)&ss, 0);
    }
    uv_udp_recv_start(&r->udp, on_alloc, on_datagram);
}

struct px_rendezvous *px_rendezvous_new(struct px_host *h) {
    struct px_rendezvous *r = px_new0(struct px_rendezvous, 1);
    r->host = r->requests.host = h;
    find_uuid(r);
    uv_udp_init(h->loop, &r->udp);
    uv_timer_init(h->loop, &r->tick);
    r->udp.data = r->tick.data = r;
    r->n_open = 2;
    r->answered_us = r->tried_us = -AGAIN_US;
    r->resolved_us = r->at_once_us = -RESOLVE_US;
    open_udp(r);
    if (px_wss_parse(h->config->server, &r->requests.wss)) {
        r->requests.trust = px_tls_trust_new();
        set_mode(r, MODE_WS, px_now_us());
    }
    r->netwatch = px_netwatch_new(h->loop, on_network, r);
    uv_timer_start(&r->tick, on_tick, 0, TICK_MS);
    return r;
}

static void maybe_free(struct px_rendezvous *r) {
    if (!r->closing || r->n_open > 0 || r->resolving || r->tcp)
        return;
    px_tls_trust_free(r->requests.trust);
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
    px_nat_test_cancel(r->nat_test);
    px_requests_fini(&r->requests);
    px_netwatch_close(r->netwatch);
    uv_close((uv_handle_t *)&r->udp, on_handle_closed);
    uv_close((uv_handle_t *)&r->tick, on_handle_closed);
    if (r->tcp)
        px_conn_close(r->tcp, false);
}
