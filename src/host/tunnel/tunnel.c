/* src/host/tunnel/tunnel.c - a client's TCP connection to something on this desktop */
#include "host/tunnel/tunnel.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "host/session.h"
#include <string.h>

#define CONNECT_LIMIT_MS 3000
#define ECHO_LIMIT_MS 3000
#define QUEUE_MAX_BYTES (1024 * 1024) /* then the faster side waits */
#define READ_BYTES 65536

struct px_tunnel {
    struct px_session *session; /* NULL once it is gone */
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    uv_connect_t connect;
    bool looking, connected, raw, closing, reading, paused;
    int n_open;
    char buf[READ_BYTES];
};

static void maybe_free(struct px_tunnel *t) {
    if (t->n_open == 0 && !t->looking)
        free(t);
}

static void on_handle_closed(uv_handle_t *h) {
    struct px_tunnel *t = h->data;
    t->n_open--;
    maybe_free(t);
}

void px_tunnel_close(struct px_tunnel *t) {
    if (!t || t->closing)
        return;
    t->closing = true;
    t->session = NULL;
    if (t->looking)
        uv_cancel((uv_req_t *)&t->lookup);
    uv_close((uv_handle_t *)&t->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&t->timer, on_handle_closed);
}

static void refuse(struct px_tunnel *t) {
    struct px_session *s = t->session;
    char text[400];
    snprintf(text, sizeof(text),
             "Failed to access remote %s:%d. Please make sure it is reachable/open.",
             s->tunnel_host, s->tunnel_port);
    px_login_error(s, text);
    px_session_end(s, NULL); /* closes @t */
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf) {
    struct px_tunnel *t = h->data;
    *buf = uv_buf_init(t->buf, sizeof(t->buf));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct px_tunnel *t = stream->data;
    if (n == 0 || !t->session)
        return;
    if (n < 0) {
        px_session_end(t->session, NULL); /* sends what is queued first */
        return;
    }
    px_conn_send_raw(t->session->conn, buf->base, (size_t)n);
    if (px_conn_queued_bytes(t->session->conn) > QUEUE_MAX_BYTES) {
        uv_read_stop(stream);
        t->reading = false;
    }
}

static void resume(struct px_tunnel *t) {
    if (t->raw && !t->reading && !t->closing)
        t->reading = uv_read_start((uv_stream_t *)&t->tcp, on_alloc, on_read) == 0;
}

void px_tunnel_dry(struct px_tunnel *t) {
    resume(t);
}

/* Target there, probe back: the login's answer is the last frame. */
static void open_up(struct px_tunnel *t) {
    struct px_session *s = t->session;
    if (!t->connected || s->probe_us || t->raw)
        return;
    uv_timer_stop(&t->timer);
    px_login_send_peer_info(s);
    s->state = PX_SESSION_RAW;
    t->raw = true;
    resume(t);
    px_conn_set_raw(s->conn);
}

void px_tunnel_probe_answered(struct px_session *s) {
    /* This was the client's last frame; what follows is for the target, however early. */
    px_conn_hold(s->conn);
    if (s->tunnel)
        open_up(s->tunnel);
}

static void on_timeout(uv_timer_t *timer) {
    struct px_tunnel *t = timer->data;
    if (!t->connected)
        refuse(t);
    else
        px_session_end(t->session,
                       NULL); /* it does not echo: what it sends could not be told apart */
}

static void on_connect(uv_connect_t *req, int status) {
    struct px_tunnel *t = req->data;
    if (t->closing)
        return;
    if (status < 0) {
        refuse(t);
        return;
    }
    t->connected = true;
    uv_tcp_nodelay(&t->tcp, 1);
    uv_timer_start(&t->timer, on_timeout, ECHO_LIMIT_MS, 0);
    open_up(t);
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *res) {
    struct px_tunnel *t = req->data;
    struct px_addr a;
    t->looking = false;
    if (t->closing) {
        uv_freeaddrinfo(res);
        maybe_free(t);
        return;
    }
    int r = status;
    if (r == 0 && res) {
        const bool known = px_addr_from_sockaddr(res->ai_addr, &a) == 0;
        t->connect.data = t;
        if (known && (t->session->host->config->tunnel_anywhere || px_addr_is_loopback(&a)))
            r = uv_tcp_connect(&t->connect, &t->tcp, res->ai_addr, on_connect);
        else
            r = UV_EACCES;
    }
    uv_freeaddrinfo(res);
    if (r == UV_EACCES) {
        px_login_error(t->session, "No permission of IP tunneling");
        px_session_end(t->session, NULL);
    } else if (r < 0)
        refuse(t);
}

void px_tunnel_start(struct px_session *s) {
    struct px_tunnel *t = px_new0(struct px_tunnel, 1);
    char port[16];
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    s->tunnel = t;
    t->session = s;
    uv_tcp_init(s->host->loop, &t->tcp);
    uv_timer_init(s->host->loop, &t->timer);
    t->tcp.data = t->timer.data = t->lookup.data = t;
    t->n_open = 2;
    if (s->tunnel_port <= 0 || s->tunnel_port > 65535) {
        refuse(t);
        return;
    }
    /* "localhost" as IPv4 first: most programs listen there only. */
    const char *host = strcmp(s->tunnel_host, "localhost") == 0 ? "127.0.0.1" : s->tunnel_host;
    snprintf(port, sizeof(port), "%d", s->tunnel_port);
    uv_timer_start(&t->timer, on_timeout, CONNECT_LIMIT_MS, 0);
    t->looking = uv_getaddrinfo(s->host->loop, &t->lookup, on_lookup, host, port, &hints) == 0;
    if (!t->looking)
        refuse(t);
}

struct write {
    uv_write_t req;
    struct px_tunnel *tunnel;
    char bytes[];
};

static void on_written(uv_write_t *req, int status) {
    struct write *w = px_container_of(req, struct write, req);
    struct px_tunnel *t = w->tunnel;
    free(w);
    if (t->closing || !t->session)
        return;
    if (status < 0)
        px_session_end(t->session, NULL);
    else if (t->paused && uv_stream_get_write_queue_size((uv_stream_t *)&t->tcp) == 0) {
        t->paused = false;
        px_conn_pause(t->session->conn, false);
    }
}

void px_tunnel_send(struct px_tunnel *t, const uint8_t *bytes, size_t size) {
    if (t->closing || size == 0)
        return;
    struct write *w = px_calloc(1, sizeof(*w) + size);
    w->tunnel = t;
    memcpy(w->bytes, bytes, size);
    uv_buf_t buf = uv_buf_init(w->bytes, (unsigned)size);
    if (uv_write(&w->req, (uv_stream_t *)&t->tcp, &buf, 1, on_written) < 0) {
        free(w);
        return;
    }
    if (!t->paused && uv_stream_get_write_queue_size((uv_stream_t *)&t->tcp) > QUEUE_MAX_BYTES) {
        t->paused = true;
        px_conn_pause(t->session->conn, true);
    }
}
