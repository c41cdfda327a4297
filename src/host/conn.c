/* src/host/conn.c - one connection that carries frames */
#include "host/conn_private.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

/* More unsent than this and a write counts as still queued: a few segments keep the line busy, more
 * would only grow old. */
#define NOTSENT_LOWAT_BYTES (16 * 1024)
#define FLUSH_LIMIT_MS 1000
/* After our FIN the client's bytes are read and dropped until its own comes: were they left unread,
 * close(2) would send a reset, and that takes our last words with it on the client's side. */
#define LINGER_LIMIT_MS 1000

struct px_conn *px_conn_new(const struct px_conn_opts *opts) {
    struct px_conn *c = px_new0(struct px_conn, 1);
    c->opts = *opts;
    uv_tcp_init(opts->loop, &c->tcp);
    uv_timer_init(opts->loop, &c->limit_timer);
    uv_timer_init(opts->loop, &c->turn_timer);
    c->tcp.data = c->limit_timer.data = c->turn_timer.data = c;
    c->n_open = 3;
    c->last_read_us = px_now_us();
    return c;
}

static void tune(struct px_conn *c) {
    uv_os_fd_t fd;
    uv_tcp_nodelay(&c->tcp, 1);
    const int lowat = NOTSENT_LOWAT_BYTES;
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
}

int px_conn_accept(struct px_conn *c, uv_stream_t *listener, struct px_error *err) {
    const int r = uv_accept(listener, (uv_stream_t *)&c->tcp);
    if (r < 0)
        return px_fail_sys(err, r, "cannot accept a connection");
    tune(c);
    return 0;
}

int px_conn_open_fd(struct px_conn *c, int fd, struct px_error *err) {
    const int r = uv_tcp_open(&c->tcp, fd);
    if (r < 0) {
        close(fd);
        return px_fail_sys(err, r, "cannot use a socket");
    }
    tune(c);
    return 0;
}

static int ask_for_ws(struct px_conn *c) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    px_ws_request_add(c->ws->host, c->ws->path, c->ws->key, &b);
    const int r = px_conn_start(c, NULL);
    if (r == 0 && c->tls)
        px_conn_take_cipher(c, NULL, 0);
    if (r == 0)
        px_conn_send_raw(c, b.data, b.size);
    return r;
}

static void on_connected(uv_connect_t *req, int status) {
    struct px_conn *c = px_container_of(req, struct px_conn, connect_req);
    if (c->closing)
        return;
    if (status == 0)
        tune(c);
    if (status == 0 && c->ws && (status = ask_for_ws(c)) == 0)
        return;
    c->on_connect(c->opts.data, status);
}

int px_conn_connect(struct px_conn *c, const struct px_addr *to,
                    void (*on_connect)(void *data, int status), struct px_error *err) {
    struct sockaddr_storage ss;
    px_addr_to_sockaddr(to, !px_addr_is_v4(to), &ss);
    c->on_connect = on_connect;
    const int r = uv_tcp_connect(&c->connect_req, &c->tcp, (struct sockaddr *)&ss, on_connected);
    return r < 0 ? px_fail_sys(err, r, "cannot connect") : 0;
}

int px_conn_connect_ws(struct px_conn *c, const struct px_addr *to, const char *path,
                       void (*on_connect)(void *data, int status), struct px_error *err) {
    c->ws = px_new0(struct conn_ws, 1);
    snprintf(c->ws->path, sizeof(c->ws->path), "%s", path);
    px_addr_text(to, c->ws->host);
    return px_conn_connect(c, to, on_connect, err);
}

int px_conn_connect_wss(struct px_conn *c, const struct px_addr *to, const struct px_wss *at,
                        struct px_tls_trust *trust, const char *path,
                        void (*on_connect)(void *data, int status), struct px_error *err) {
    const int r = px_conn_connect_ws(c, to, path, on_connect, err);
    px_wss_header(at, c->ws->host);
    c->tls = px_tls_new_client(trust, at->host);
    return r;
}

bool px_conn_is_ws(const struct px_conn *c) {
    return c->ws != NULL;
}

void px_conn_lost(struct px_conn *c, const struct px_error *why) {
    if (c->closing)
        return;
    px_conn_close(c, false);
    c->opts.ops->on_lost(c->opts.data, why);
}

size_t px_conn_queued_bytes(const struct px_conn *c) {
    return c->kcp ? px_kcpsock_unsent_bytes(c->kcp) : c->queued;
}

void px_conn_set_secure(struct px_conn *c, const struct px_secure *s) {
    c->secure = *s;
    c->encrypted = true;
}

bool px_conn_is_secure(const struct px_conn *c) {
    return c->encrypted;
}

void px_conn_set_max_body(struct px_conn *c, uint32_t max_body_bytes) {
    c->opts.max_body_bytes = max_body_bytes;
}

void px_conn_hold(struct px_conn *c) {
    c->held = true;
}

void px_conn_set_raw(struct px_conn *c) {
    c->held = false;
    c->raw = true;
    c->encrypted = false;
    if (!c->in_input && (c->in.size > 0 || c->full))
        px_conn_take_input(c);
}

void px_conn_own(const struct px_conn *c, struct px_addr *ret) {
    struct sockaddr_storage ss = {0};
    int len = sizeof(ss);
    *ret = (struct px_addr){0};
    if (c->kcp)
        px_kcpsock_own(c->kcp, ret);
    else if (uv_tcp_getsockname(&c->tcp, (struct sockaddr *)&ss, &len) == 0)
        (void)px_addr_from_sockaddr((struct sockaddr *)&ss, ret);
}

void px_conn_peer(const struct px_conn *c, struct px_addr *ret) {
    struct sockaddr_storage ss = {0};
    int len = sizeof(ss);
    *ret = (struct px_addr){0};
    if (c->kcp)
        px_kcpsock_peer(c->kcp, ret);
    else if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&ss, &len) == 0)
        (void)px_addr_from_sockaddr((struct sockaddr *)&ss, ret);
}

void px_conn_bytes(const struct px_conn *c, uint64_t *ret_in, uint64_t *ret_out) {
    *ret_in = c->n_in;
    *ret_out = c->n_out;
}

int64_t px_conn_last_read_us(const struct px_conn *c) {
    return c->last_read_us;
}

int64_t px_conn_blocked_since_us(const struct px_conn *c) {
    return c->kcp ? px_kcpsock_blocked_since_us(c->kcp) : c->write_since_us;
}

void px_conn_link(const struct px_conn *c, struct px_link_info *ret) {
    uv_os_fd_t fd;
    *ret = (struct px_link_info){0};
    if (c->kcp)
        px_kcpsock_link(c->kcp, ret);
    else if (uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0)
        px_link_read(fd, ret);
}

void px_conn_one_closed(struct px_conn *c) {
    if (--c->n_open > 0)
        return;
    const struct px_conn_ops *ops = c->opts.ops;
    void *data = c->opts.data;
    px_buf_fini(&c->in);
    px_buf_fini(&c->cipher);
    px_tls_free(c->tls);
    if (c->ws)
        px_ws_reader_fini(&c->ws->reader);
    free(c->ws);
    explicit_bzero(&c->secure, sizeof(c->secure));
    free(c);
    ops->on_closed(data);
}

static void on_handle_closed(uv_handle_t *h) {
    px_conn_one_closed(h->data);
}

static void on_limit(uv_timer_t *t) {
    px_conn_close(t->data, false);
}

static void on_shutdown(uv_shutdown_t *req, int status) {
    struct px_conn *c = px_container_of(req, struct px_conn, shutdown_req);
    if (status < 0)
        px_conn_close(c, false);
}

void px_conn_linger(struct px_conn *c) {
    if (!c->reading || c->peer_ended ||
        uv_shutdown(&c->shutdown_req, (uv_stream_t *)&c->tcp, on_shutdown) < 0) {
        px_conn_close(c, false);
        return;
    }
    c->lingering = true;
    uv_timer_start(&c->limit_timer, on_limit, LINGER_LIMIT_MS, 0);
}

void px_conn_close(struct px_conn *c, bool flush) {
    if (c->closing || (flush && c->flushing))
        return;
    if (flush && c->kcp && !px_kcpsock_is_drained(c->kcp)) {
        px_conn_stop_reading(c); /* what comes is of no interest any more */
        c->flushing = true;
        uv_timer_start(&c->limit_timer, on_limit, FLUSH_LIMIT_MS, 0);
        return;
    }
    if (flush && !c->kcp && (c->n_writes > 0 || c->reading)) {
        if (c->paused || c->waits || c->full)
            px_conn_read_on(c);
        c->paused = c->waits = c->full = false;
        c->flushing = true;
        uv_timer_start(&c->limit_timer, on_limit, FLUSH_LIMIT_MS, 0);
        if (c->n_writes == 0)
            px_conn_linger(c);
        return;
    }
    c->closing = true;
    if (c->kcp)
        px_kcpsock_close(c->kcp);
    uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&c->limit_timer, on_handle_closed);
    uv_close((uv_handle_t *)&c->turn_timer, on_handle_closed);
}
