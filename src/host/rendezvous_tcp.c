/* src/host/rendezvous_tcp.c - registered over a connection, TCP or a WebSocket */
#include "base/clock.h"
#include "base/log.h"
#include "host/config.h"
#include "host/conn.h"
#include "host/host.h"
#include "host/rendezvous_private.h"
#include <sodium.h>
#include <string.h>

#define TCP_SILENT_US (90 * PX_US_PER_S)
#define TCP_GIVE_UP_US (20 * PX_US_PER_S)

static void send_tcp(struct px_conn *c, const struct px_rdv_msg *m) {
    uint8_t out[PX_ENVELOPE_MAX];
    const int n = px_rdv_encode(m, out, sizeof(out), NULL);
    if (n >= 0)
        px_conn_send(c, out, (size_t)n);
}

/* The server shows its key, we send ours; what follows is encrypted. */
static void exchange_keys(struct px_rendezvous *r, const struct px_rdv_msg *from) {
    uint8_t server_pk[PX_SIGN_PK_BYTES], pk[PX_BOX_KEY_BYTES], sealed[PX_SEALED_KEY_BYTES];
    struct px_secure secure;
    struct px_bytes signed_pk;
    size_t pos = 0, n = 0;
    const char *key = r->host->config->server_key;
    if (sodium_base642bin(server_pk, sizeof(server_pk), key, strlen(key), NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        n != sizeof(server_pk) || !px_rdv_list_next(&from->key_exchange.keys, &pos, &signed_pk) ||
        px_secure_connect(server_pk, signed_pk, pk, sealed, &secure, NULL) < 0) {
        px_warning("server: its key is not the configured one");
        px_conn_close(r->tcp, false);
        return;
    }
    const struct px_bytes keys[] = {{pk, sizeof(pk)}, {sealed, sizeof(sealed)}};
    struct px_rdv_msg m = {.kind = PX_RDV_KEY_EXCHANGE};
    m.key_exchange.keys = (struct px_rdv_list){.items = keys, .n = 2};
    send_tcp(r->tcp, &m);
    px_conn_set_secure(r->tcp, &secure);
    r->tcp_secured = true;
    m = px_rendezvous_register_pk(r);
    send_tcp(r->tcp, &m);
}

static void on_tcp_frame(void *data, const uint8_t *body, size_t size) {
    struct px_rendezvous *r = data;
    struct px_rdv_msg m;
    if (size == 0) /* the server's keep-alive wants one back */
        px_conn_send(r->tcp, "", 0);
    else if (!r->tcp_secured && px_rdv_decode((struct px_bytes){body, size}, &m, NULL) == 0 &&
             m.kind == PX_RDV_KEY_EXCHANGE)
        exchange_keys(r, &m);
    else
        px_rendezvous_take(r, (struct px_bytes){body, size}, false);
}

static void ignore_raw(void *data, const uint8_t *bytes, size_t size) {
}

static void on_tcp_lost(void *data, const struct px_error *why) {
    struct px_rendezvous *r = data;
    px_rendezvous_set_online(r, false);
    if (why && strncmp(why->msg, r->trouble, sizeof(r->trouble) - 1) != 0) {
        px_warning("server: %s", why->msg);
        snprintf(r->trouble, sizeof(r->trouble), "%.127s", why->msg);
    }
    px_again_at_once(&r->again, px_now_us());
}

static void on_tcp_closed(void *data) {
    struct px_rendezvous *r = data;
    r->tcp = NULL;
    r->tcp_registered = false;
    px_rendezvous_maybe_free(r);
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
    if (!*r->host->config->server_key || r->mode == PX_MODE_WS) {
        const struct px_rdv_msg m = px_rendezvous_register_pk(r);
        r->tcp_secured = true;
        send_tcp(r->tcp, &m);
    }
}

void px_rendezvous_tcp_tick(struct px_rendezvous *r, int64_t now) {
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
        px_rendezvous_set_online(r, false);
    /* What worked is tried again first. */
    if (now - r->mode_us > TCP_GIVE_UP_US) {
        if (*r->requests.wss.host)
            r->mode_us = now;
        else
            px_rendezvous_set_mode(r, r->mode == PX_MODE_TCP ? PX_MODE_WS : PX_MODE_UDP, now);
        px_rendezvous_resolve(r, now);
        return;
    }
    if (now - r->tried_us < PX_RENDEZVOUS_LOST_US)
        return;
    const struct px_conn_opts o = {
        .loop = r->host->loop, .ops = &tcp_ops, .data = r, .max_body_bytes = PX_ENVELOPE_MAX};
    r->tried_us = now;
    r->silent_us = TCP_SILENT_US;
    r->tcp_secured = false;
    r->tcp = px_conn_new(&o);
    if (px_requests_connect(&r->requests, r->tcp, on_tcp_connected, NULL) < 0)
        px_conn_close(r->tcp, false);
}
