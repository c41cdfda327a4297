/* src/host/tunnel/tunnel.c - a client's TCP connection to something on this desktop */
#include "host/tunnel/tunnel.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "host/session.h"
#include "proto/tls.h"
#include <string.h>

#define CONNECT_LIMIT_MS 3000
#define ECHO_LIMIT_MS 3000
#define QUEUE_MAX_BYTES (1024 * 1024) /* then the faster side waits */
#define READ_BYTES 65536

struct px_tunnel {
    struct px_session *session; /* NULL once it is gone */
    struct px_tls *tls;         /* NULL: bytes pass as they are */
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    uv_connect_t connect;
    bool looking, connected, raw, closing, reading, paused;
    int n_open;
    char buf[READ_BYTES];
};

static void maybe_free(struct px_tunnel *t) {
    if (t->n_open > 0 || t->looking)
        return;
    px_tls_free(t->tls);
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
    px_cleanup(px_buf_fini) struct px_buf cipher = {0};
    if (n < 0) {
        if (t->tls)
            px_tls_finish(t->tls, &cipher);
        if (cipher.size)
            px_conn_send_raw(t->session->conn, cipher.data, cipher.size);
        px_session_end(t->session, NULL); /* sends what is queued first */
        return;
    }
    if (t->tls && px_tls_give(t->tls, buf->base, (size_t)n, &cipher) < 0) {
        px_session_end(t->session, NULL);
        return;
    }
    if (!t->tls)
        px_conn_send_raw(t->session->conn, buf->base, (size_t)n);
    else if (cipher.size)
        px_conn_send_raw(t->session->conn, cipher.data, cipher.size);
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

/* Where the client's words lead, and whether TLS ends here. "localhost" is IPv4 first: most
 * programs listen there only. */
static const char *find_target(struct px_tunnel *t, char port[16]) {
    const struct px_session *s = t->session;
    const struct px_host_config *c = s->host->config;
    if (c->tls_name && strcmp(s->tunnel_host, c->tls_name) == 0 && s->host->tls) {
        struct px_error err = {0};
        if (px_tls_server_renew(s->host->tls, &err) < 0)
            px_warning("tunnel '%s': the former certificate stays: %s", c->tls_name, err.msg);
        t->tls = px_tls_new(s->host->tls);
        snprintf(port, 16, "%d", c->tls_port);
        return "127.0.0.1";
    }
    snprintf(port, 16, "%d", s->tunnel_port);
    return strcmp(s->tunnel_host, "localhost") == 0 ? "127.0.0.1" : s->tunnel_host;
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
    const char *host = find_target(t, port);
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

static void write_target(struct px_tunnel *t, const void *bytes, size_t size) {
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

/* The client's TLS ends here. */
static void take_tls(struct px_tunnel *t, const uint8_t *bytes, size_t size) {
    px_cleanup(px_buf_fini) struct px_buf plain = {0}, cipher = {0};
    struct px_error err = {0};
    char addr[PX_ADDR_TEXT_MAX];
    struct px_session *s = t->session;
    const int r = px_tls_take(t->tls, bytes, size, &plain, &cipher, &err);
    if (cipher.size)
        px_conn_send_raw(s->conn, cipher.data, cipher.size);
    write_target(t, plain.data, plain.size);
    if (r < 0)
        px_info("tunnel from %s: %s", px_addr_text(&s->peer, addr), err.msg);
    if (r <= 0)
        px_session_end(s, NULL);
}

void px_tunnel_send(struct px_tunnel *t, const uint8_t *bytes, size_t size) {
    if (t->closing || !t->session)
        return;
    if (t->tls)
        take_tls(t, bytes, size);
    else
        write_target(t, bytes, size);
}
