/* src/host/rendezvous.c - the host at its ID server
 *
 *     UDP        RegisterPeer every 15 s, RegisterPk when the server asks; a try is lost after 3 s
 *     TCP        after a few lost ones: KeyExchange, RegisterPk, then the server's keep-alives
 *     WebSocket  after 20 s without: the same but for the exchange; then UDP again
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
#include "host/dial.h"
#include "host/nat.h"
#include "host/netwatch.h"
#include "host/rendezvous_private.h"
#include "host/session.h"
#include "proto/tls.h"
#include <string.h>

#define SERVER_PORT 21116
#define TICK_MS 1000
#define SOON_US (7 * PX_US_PER_S)
#define RESOLVE_US (60 * PX_US_PER_S)
#define NAT_AGAIN_US (300 * PX_US_PER_S)

static const char *const mode_names[] = {"UDP", "TCP", "WebSocket"};

static void on_nat(void *data, int type) {
    static const char *const names[] = {"unknown", "can be punched through", "symmetric"};
    struct px_rendezvous *r = data;
    r->nat_test = NULL;
    r->requests.nat = type;
    px_debug("server: our NAT: %s", names[type]);
}

void px_rendezvous_test_nat(struct px_rendezvous *r) {
    r->nat_us = px_now_us();
    if (!r->nat_test)
        r->nat_test = px_nat_test_start(r->host->loop, &r->server, on_nat, r);
}

/* Coming back online may mean that we are in another network. */
void px_rendezvous_set_online(struct px_rendezvous *r, bool online) {
    char text[PX_ADDR_TEXT_MAX];
    if (online == r->online)
        return;
    px_info("server: %s at %s (%s)", online ? "registered" : "no answer",
            px_addr_text(&r->server, text), mode_names[r->mode]);
    r->online = online;
    if (online && r->mode != PX_MODE_WS)
        px_rendezvous_test_nat(r);
}

struct px_rdv_msg px_rendezvous_register_pk(const struct px_rendezvous *r) {
    const struct px_host_config *c = r->host->config;
    struct px_rdv_msg m = {.kind = PX_RDV_REGISTER_PK};
    m.register_pk.id = px_bytes_of(c->id);
    m.register_pk.uuid = (struct px_bytes){r->uuid, r->uuid_size};
    m.register_pk.pk = (struct px_bytes){c->identity_pk, sizeof(c->identity_pk)};
    return m;
}

/* ---- what the server says ---- */

static void take_pk_response(struct px_rendezvous *r, const struct px_rdv_register_pk_response *a) {
    switch (a->result) {
    case PX_PK_OK:
        r->key_confirmed = true;
        px_rendezvous_set_online(r, true);
        px_rendezvous_udp_heartbeat(r);
        return;
    case PX_PK_UUID_MISMATCH:
        px_error("server: id %s belongs to another machine; give this desktop another id",
                 r->host->config->id);
        break;
    case PX_PK_TOO_FREQUENT: /* restarted a few times in a row; it counts 6 s back */
        r->key_confirmed = false;
        r->answered_us = px_now_us() - PX_RENDEZVOUS_AGAIN_US + SOON_US;
        return;
    default:
        px_warning("server: refuses to register %s: result=%d", r->host->config->id, a->result);
        break;
    }
    r->key_confirmed = false;
    r->denied_us = px_now_us();
}

void px_rendezvous_take(struct px_rendezvous *r, struct px_bytes in, bool by_udp) {
    struct px_rdv_msg m;
    if (px_rdv_decode(in, &m, NULL) < 0)
        return;
    const bool registers =
        m.kind == PX_RDV_REGISTER_PEER_RESPONSE || m.kind == PX_RDV_REGISTER_PK_RESPONSE;
    if (by_udp && registers && r->mode != PX_MODE_UDP) {
        px_rendezvous_udp_take_again(r, &m);
        return;
    }
    switch (m.kind) {
    case PX_RDV_REGISTER_PEER_RESPONSE:
        r->answered_us = px_now_us();
        r->lost = 0;
        if (m.register_peer_response.request_pk) {
            r->key_confirmed = false;
            px_rendezvous_udp_register(r);
        } else
            px_rendezvous_set_online(r, true);
        break;
    case PX_RDV_REGISTER_PK_RESPONSE:
        r->answered_us = px_now_us();
        r->lost = 0;
        r->tcp_registered = r->mode != PX_MODE_UDP;
        if (m.register_pk_response.keep_alive > 0)
            r->silent_us = m.register_pk_response.keep_alive * PX_US_PER_S * 3 / 2;
        take_pk_response(r, &m.register_pk_response);
        break;
    default: /* a client wants in, or it is not for a host */
        px_requests_take(&r->requests, &m);
        break;
    }
}

void px_rendezvous_set_mode(struct px_rendezvous *r, enum px_rendezvous_mode mode, int64_t now) {
    if (r->mode == PX_MODE_UDP)
        px_again_begin(&r->again, now);
    r->mode = mode;
    r->mode_us = now;
    r->lost = 0;
    r->key_confirmed = false;
    r->requests.ws = mode == PX_MODE_WS;
}

/* ---- time ---- */

static void on_resolved(void *data, const struct px_addr *to, int status) {
    struct px_rendezvous *r = data;
    r->resolving = false;
    if (r->closing) {
        px_rendezvous_maybe_free(r);
        return;
    }
    if (!to) {
        px_warning("server: cannot resolve '%s'", r->host->config->server);
        return;
    }
    r->server = r->requests.server = *to;
    r->resolved = true;
    if (!r->started && r->mode == PX_MODE_UDP)
        px_rendezvous_udp_register(r);
    r->started = true;
}

void px_rendezvous_resolve(struct px_rendezvous *r, int64_t now) {
    if (r->resolving || now - r->resolved_us < (r->resolved ? RESOLVE_US : PX_RENDEZVOUS_LOST_US))
        return;
    r->resolving = true;
    r->resolved_us = now;
    const struct px_wss *w = &r->requests.wss;
    px_dial(r->host->loop, *w->host ? w->host : r->host->config->server,
            *w->host ? w->port : SERVER_PORT, on_resolved, r);
}

static void on_tick(uv_timer_t *t) {
    struct px_rendezvous *r = t->data;
    const int64_t now = px_now_us();
    if (r->online && r->mode != PX_MODE_WS && r->requests.nat == PX_NAT_UNKNOWN &&
        now - r->nat_us > NAT_AGAIN_US)
        px_rendezvous_test_nat(r);
    if (!r->started)
        px_rendezvous_resolve(r, now);
    else if (r->mode == PX_MODE_UDP)
        px_rendezvous_udp_tick(r, now);
    else {
        if (!*r->requests.wss.host && px_again_take(&r->again, now))
            px_rendezvous_udp_try_again(r);
        px_rendezvous_tcp_tick(r, now);
    }
}

/* The server has to learn where we are now, and what did not come through may do so here. */
static void on_network(void *data) {
    struct px_rendezvous *r = data;
    if (!r->started || r->closing)
        return;
    px_again_at_once(&r->again, px_now_us());
    px_rendezvous_udp_heartbeat(r);
    if (r->online && r->mode != PX_MODE_WS)
        px_rendezvous_test_nat(r);
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
    r->host = r->requests.host = h;
    find_uuid(r);
    uv_udp_init(h->loop, &r->udp);
    uv_timer_init(h->loop, &r->tick);
    r->udp.data = r->tick.data = r;
    r->n_open = 2;
    r->answered_us = r->tried_us = -PX_RENDEZVOUS_AGAIN_US;
    r->resolved_us = r->at_once_us = -RESOLVE_US;
    px_rendezvous_udp_open(r);
    if (px_wss_parse(h->config->server, &r->requests.wss)) {
        r->requests.trust = px_tls_trust_new();
        px_rendezvous_set_mode(r, PX_MODE_WS, px_now_us());
    }
    r->netwatch = px_netwatch_new(h->loop, on_network, r);
    uv_timer_start(&r->tick, on_tick, 0, TICK_MS);
    return r;
}

void px_rendezvous_maybe_free(struct px_rendezvous *r) {
    if (!r->closing || r->n_open > 0 || r->resolving || r->tcp)
        return;
    px_tls_trust_free(r->requests.trust);
    free(r);
}

static void on_handle_closed(uv_handle_t *h) {
    struct px_rendezvous *r = h->data;
    r->n_open--;
    px_rendezvous_maybe_free(r);
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
