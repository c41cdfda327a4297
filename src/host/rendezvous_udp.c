/* src/host/rendezvous_udp.c - registered by datagrams, and trying that again from another mode */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/config.h"
#include "host/conn.h"
#include "host/host.h"
#include "host/rendezvous_private.h"

#define DENIED_US (30 * PX_US_PER_S)
#define UDP_TRIES 4
#define ANSWER_US (10 * PX_US_PER_S)

struct datagram {
    uv_udp_send_t req;
    uint8_t bytes[PX_ENVELOPE_MAX];
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

void px_rendezvous_udp_register(struct px_rendezvous *r) {
    struct px_rdv_msg m = px_rendezvous_register_pk(r);
    if (r->key_confirmed) {
        m = (struct px_rdv_msg){.kind = PX_RDV_REGISTER_PEER};
        m.register_peer.id = px_bytes_of(r->host->config->id);
    }
    r->tried_us = px_now_us();
    send_udp(r, &m);
}

/* The official server confirms a key it knows without noting where it came from now: until the
 * next heartbeat it would send clients to where we were before a restart. */
void px_rendezvous_udp_heartbeat(struct px_rendezvous *r) {
    const int64_t now = px_now_us(), tried_us = r->tried_us;
    if (r->mode != PX_MODE_UDP || now - r->at_once_us < PX_RENDEZVOUS_LOST_US)
        return;
    r->at_once_us = now;
    px_rendezvous_udp_register(r);
    r->tried_us = tried_us; /* nothing is lost when it is not answered */
}

void px_rendezvous_udp_try_again(struct px_rendezvous *r) {
    struct px_rdv_msg m = {.kind = PX_RDV_REGISTER_PEER};
    m.register_peer.id = px_bytes_of(r->host->config->id);
    r->again_us = px_now_us();
    send_udp(r, &m);
}

/* UDP was answered while another mode serves: first the key, then the other one may go. */
void px_rendezvous_udp_take_again(struct px_rendezvous *r, const struct px_rdv_msg *m) {
    char text[PX_ADDR_TEXT_MAX];
    if (!r->again_us || px_now_us() - r->again_us > ANSWER_US) /* nobody was asked */
        return;
    if (m->kind == PX_RDV_REGISTER_PEER_RESPONSE) {
        const struct px_rdv_msg pk = px_rendezvous_register_pk(r);
        send_udp(r, &pk);
        return;
    }
    if (m->register_pk_response.result != PX_PK_OK)
        return;
    const bool was_ws = r->mode == PX_MODE_WS;
    px_rendezvous_set_mode(r, PX_MODE_UDP, px_now_us());
    r->key_confirmed = r->online = true;
    r->answered_us = px_now_us();
    px_info("server: registered at %s (UDP, again)", px_addr_text(&r->server, text));
    if (r->tcp)
        px_conn_close(r->tcp, false);
    px_rendezvous_udp_heartbeat(r);
    if (was_ws)
        px_rendezvous_test_nat(r);
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
    px_rendezvous_take(r, (struct px_bytes){(const uint8_t *)buf->base, (size_t)n}, true);
}

void px_rendezvous_udp_tick(struct px_rendezvous *r, int64_t now) {
    const bool denied = r->denied_us && now - r->denied_us < DENIED_US;
    if (denied || now - r->answered_us < PX_RENDEZVOUS_AGAIN_US ||
        now - r->tried_us < PX_RENDEZVOUS_LOST_US)
        return;
    if (r->tried_us > r->answered_us && ++r->lost >= UDP_TRIES) {
        px_rendezvous_set_online(r, false);
        px_rendezvous_resolve(r, now);
        px_rendezvous_set_mode(r, PX_MODE_TCP, now);
        return;
    }
    px_rendezvous_udp_register(r);
}

/* For both families where there are both: the server's name may lead elsewhere tomorrow. */
void px_rendezvous_udp_open(struct px_rendezvous *r) {
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
