/* src/host/nat.c - what kind of NAT lies between us and the ID server */
#include "host/nat.h"
#include "base/alloc.h"
#include "host/conn.h"
#include "host/punch.h"
#include "proto/rendezvous.h"
#include <stdlib.h>

#define LIMIT_MS 10000
#define ENVELOPE_MAX 2048

struct px_nat_test {
    uv_loop_t *loop;
    struct px_addr server, own;
    struct px_conn *conn; /* NULL: closed */
    uv_timer_t limit;
    int ports[2];
    unsigned n_ports;
    bool over, second, timer_open;
    void (*done)(void *data, int type);
    void *data;
};

static void maybe_free(struct px_nat_test *t) {
    if (!t->conn && !t->timer_open)
        free(t);
}

static void on_timer_closed(uv_handle_t *h) {
    struct px_nat_test *t = h->data;
    t->timer_open = false;
    maybe_free(t);
}

/* @tell: else nobody wants to know any more. */
static void end(struct px_nat_test *t, bool tell) {
    if (t->over)
        return;
    t->over = true;
    const int type = t->n_ports < 2               ? PX_NAT_UNKNOWN
                     : t->ports[0] == t->ports[1] ? PX_NAT_ASYMMETRIC
                                                  : PX_NAT_SYMMETRIC;
    uv_close((uv_handle_t *)&t->limit, on_timer_closed);
    if (t->conn)
        px_conn_close(t->conn, false);
    if (tell)
        t->done(t->data, type);
}

static void ask(struct px_nat_test *t);

static void on_frame(void *data, const uint8_t *body, size_t size) {
    struct px_nat_test *t = data;
    struct px_rdv_msg m;
    if (t->over || px_rdv_decode((struct px_bytes){body, size}, &m, NULL) < 0 ||
        m.kind != PX_RDV_TEST_NAT_RESPONSE)
        return;
    if (t->n_ports < 2)
        t->ports[t->n_ports++] = m.test_nat_response.port;
    px_conn_close(t->conn, false);
}

static void ignore_raw(void *data, const uint8_t *bytes, size_t size) {
}

static void on_lost(void *data, const struct px_error *why) {
}

static void on_closed(void *data) {
    struct px_nat_test *t = data;
    t->conn = NULL;
    if (t->over)
        maybe_free(t);
    else if (t->n_ports == 1 && !t->second && t->server.port > 1) {
        t->second = true;
        t->server.port--;
        ask(t); /* from the same port: that is the point */
    } else
        end(t, true);
}

static const struct px_conn_ops ops = {
    .on_frame = on_frame, .on_raw = ignore_raw, .on_lost = on_lost, .on_closed = on_closed};

static void on_connected(void *data, int status) {
    struct px_nat_test *t = data;
    const struct px_rdv_msg m = {.kind = PX_RDV_TEST_NAT_REQUEST};
    uint8_t out[64];
    const int n = px_rdv_encode(&m, out, sizeof(out), NULL);
    if (status < 0 || px_conn_start(t->conn, NULL) < 0 || n < 0) {
        px_conn_close(t->conn, false);
        return;
    }
    px_conn_own(t->conn, &t->own);
    px_conn_send(t->conn, out, (size_t)n);
}

static void ask(struct px_nat_test *t) {
    const struct px_conn_opts o = {
        .loop = t->loop, .ops = &ops, .data = t, .max_body_bytes = ENVELOPE_MAX};
    t->conn = px_conn_new(&o);
    const int fd = px_punch_socket(&t->own, NULL);
    if (fd < 0 || px_conn_open_fd(t->conn, fd, NULL) < 0 ||
        px_conn_connect(t->conn, &t->server, on_connected, NULL) < 0)
        px_conn_close(t->conn, false);
}

static void on_limit(uv_timer_t *timer) {
    end(timer->data, true);
}

struct px_nat_test *px_nat_test_start(uv_loop_t *loop, const struct px_addr *server,
                                      void (*done)(void *data, int type), void *data) {
    struct px_nat_test *t = px_new0(struct px_nat_test, 1);
    t->loop = loop;
    t->server = *server;
    t->own = px_addr_is_v4(server) ? px_addr_v4(0, 0, 0, 0, 0) : (struct px_addr){0};
    t->done = done;
    t->data = data;
    uv_timer_init(loop, &t->limit);
    t->limit.data = t;
    t->timer_open = true;
    uv_timer_start(&t->limit, on_limit, LIMIT_MS, 0);
    ask(t);
    return t;
}

void px_nat_test_cancel(struct px_nat_test *t) {
    if (t)
        end(t, false);
}
