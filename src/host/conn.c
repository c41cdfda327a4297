/* src/host/conn.c - one connection that carries frames */
#include "host/conn.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "host/kcpsock.h"
#include "host/tunnel/tls.h"
#include "proto/frame.h"
#include "proto/wsclient.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES (256 * 1024)
#define CIPHER_READ_BYTES (32 * 1024) /* TLS has records of 16 KiB */
/* More unsent than this and a write counts as still queued: a few segments keep the line busy, more
 * would only grow old. */
#define NOTSENT_LOWAT_BYTES (16 * 1024)
#define FLUSH_LIMIT_MS 1000
/* After our FIN the client's bytes are read and dropped until its own comes: were they left unread,
 * close(2) would send a reset, and that takes our last words with it on the client's side. */
#define LINGER_LIMIT_MS 1000
#define LINGER_LIMIT_BYTES (16u * 1024 * 1024)
/* A client's frames are taken for that long, then it is the others' turn: some frames are cheap to
 * send and dear to take, such as keys, and libuv would read on as long as there is something. */
#define SLICE_US (3 * PX_US_PER_MS)

struct px_conn {
    struct px_conn_opts opts;
    uv_tcp_t tcp;
    uv_timer_t limit_timer, turn_timer;
    uv_connect_t connect_req;
    uv_shutdown_t shutdown_req;
    void (*on_connect)(void *data, int status);
    struct px_buf in;
    struct px_secure secure;
    bool encrypted, raw, held, closing, flushing, lingering, peer_ended, in_input, reading, paused;
    bool waits;       /* for its next turn, with frames in @in */
    size_t n_dropped; /* while it flushes and lingers */
    int n_open;       /* handles whose close callback is due */
    size_t queued;
    unsigned n_writes;
    int64_t last_read_us, write_since_us;
    uint64_t n_in, n_out;
    struct conn_ws *ws;     /* NULL: plain TCP */
    struct px_tls *tls;     /* below the WebSocket; NULL: none */
    struct px_buf cipher;   /* of @tls, as it comes */
    struct px_kcpsock *kcp; /* NULL: TCP; else @tcp is not used */
};

struct conn_ws {
    bool open;
    char path[16], host[PX_WSS_HOST_MAX + 8], key[PX_WS_KEY_TEXT];
    struct px_ws_reader reader;
};

struct write {
    uv_write_t req;
    struct px_conn *conn;
    size_t size;
    uint8_t bytes[];
};

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

static void take_cipher(struct px_conn *c, const void *bytes, size_t size);

static int ask_for_ws(struct px_conn *c) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    px_ws_request_add(c->ws->host, c->ws->path, c->ws->key, &b);
    const int r = px_conn_start(c, NULL);
    if (r == 0 && c->tls)
        take_cipher(c, NULL, 0);
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

static void lost(struct px_conn *c, const struct px_error *why) {
    if (c->closing)
        return;
    px_conn_close(c, false);
    c->opts.ops->on_lost(c->opts.data, why);
}

static int deliver(struct px_conn *c, uint8_t *body, size_t size, struct px_error *err) {
    int n = (int)size;
    if (c->encrypted)
        n = px_secure_open(&c->secure, (struct px_bytes){body, size}, body, err);
    if (n < 0)
        return n;
    c->opts.ops->on_frame(c->opts.data, body, (size_t)n);
    return 1;
}

static void send_ws(struct px_conn *c, enum px_ws_opcode opcode, const void *body, size_t size);

/* The same of a WebSocket's frames; before them comes the answer to our handshake. */
static int next_message(struct px_conn *c, size_t *at, struct px_error *err) {
    struct px_bytes m = {0};
    size_t used = 0;
    const uint8_t *data = (const uint8_t *)c->in.data + *at;
    const size_t size = c->in.size - *at;
    if (!c->ws->open) {
        const int r = px_ws_response_parse(data, size, c->ws->key, &used, err);
        if (r < 0 || r == PX_PARSE_MORE)
            return r < 0 ? r : 0;
        *at += used;
        c->ws->open = true;
        c->on_connect(c->opts.data, 0);
        return 1;
    }
    const int r =
        px_ws_reader_next(&c->ws->reader, data, size, c->opts.max_body_bytes, &m, &used, err);
    if (r < 0 || r == PX_WS_GOT_MORE)
        return r < 0 ? r : 0;
    *at += used;
    if (r == PX_WS_GOT_PING)
        send_ws(c, PX_WS_PONG, m.data, m.size);
    else if (r == PX_WS_GOT_CLOSE)
        return px_fail(err, -EPIPE, "the WebSocket is closed");
    else if (r == PX_WS_GOT_MESSAGE) /* in memory of ours, either way */
        return deliver(c, (uint8_t *)(uintptr_t)m.data, m.size, err);
    return 1;
}

/* One frame off the front of @c->in. 1: delivered, 0: incomplete, negative: broken. */
static int next_frame(struct px_conn *c, size_t *at, struct px_error *err) {
    uint8_t *data = (uint8_t *)c->in.data + *at;
    const size_t size = c->in.size - *at;
    uint32_t body = 0;
    if (c->ws)
        return next_message(c, at, err);
    int r = px_frame_parse(data, size, &body, err);
    if (r < 0 || r == PX_PARSE_MORE)
        return r;
    if (body > c->opts.max_body_bytes)
        return px_fail(err, -EMSGSIZE, "a frame of %u bytes, at most %u are taken", body,
                       c->opts.max_body_bytes);
    const size_t prefix = px_frame_prefix_size(data[0]);
    if (size - prefix < body)
        return 0;
    *at += prefix + body;
    return deliver(c, data + prefix, body, err);
}

static void on_turn(uv_timer_t *t);

static void stop_reading(struct px_conn *c) {
    if (c->kcp)
        px_kcpsock_read(c->kcp, false);
    else
        uv_read_stop((uv_stream_t *)&c->tcp);
}

/* The callback may send, switch to raw, or close; it must not read on its own. What is left when
 * the slice is over waits for the next turn, and so does what the kernel has. */
static void take_input(struct px_conn *c) {
    struct px_error err = {0};
    const int64_t until = px_now_us() + SLICE_US;
    size_t at = 0;
    int r = 1;
    c->in_input = true;
    c->waits = false;
    while (r > 0 && !c->waits && !c->closing && !c->flushing && !c->raw && !c->held) {
        r = next_frame(c, &at, &err);
        c->waits = r > 0 && px_now_us() > until;
    }
    if (c->raw && !c->closing && !c->flushing && at < c->in.size) {
        const size_t from = at;
        at = c->in.size;
        c->opts.ops->on_raw(c->opts.data, (uint8_t *)c->in.data + from, c->in.size - from);
    }
    c->in_input = false;
    px_buf_drop(&c->in, at);
    c->waits &= !c->closing && !c->flushing;
    if (c->waits) {
        stop_reading(c);
        uv_timer_start(&c->turn_timer, on_turn, 0, 0);
    }
    if (r < 0)
        lost(c, &err);
}

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf) {
    struct px_conn *c = h->data;
    *buf = c->tls ? uv_buf_init(px_buf_reserve(&c->cipher, CIPHER_READ_BYTES), CIPHER_READ_BYTES)
                  : uv_buf_init(px_buf_reserve(&c->in, READ_BYTES), READ_BYTES);
}

/* What comes after the last word: of no interest, and the client's end is awaited. */
static void drop_input(struct px_conn *c, ssize_t n) {
    px_buf_reset(&c->in);
    c->n_dropped += n > 0 ? (size_t)n : 0;
    c->peer_ended = n < 0; /* it may still read what is queued */
    if (c->n_dropped > LINGER_LIMIT_BYTES || (c->peer_ended && c->lingering))
        px_conn_close(c, false);
    else if (c->peer_ended)
        uv_read_stop((uv_stream_t *)&c->tcp);
}

static void take_bytes(struct px_conn *c, size_t n) {
    c->last_read_us = px_now_us();
    c->n_in += n;
    take_input(c);
    /* A large frame must not hold its memory for the rest of an idle session. */
    if (!c->closing && c->in.size == 0 && c->in.cap > 2 * READ_BYTES)
        px_buf_fini(&c->in);
}

static void submit(struct px_conn *c, struct write *w);

static void send_cipher(struct px_conn *c, const struct px_buf *b) {
    if (b->size == 0)
        return;
    struct write *w = px_calloc(1, sizeof(*w) + b->size);
    memcpy(w->bytes, b->data, b->size);
    w->size = b->size;
    submit(c, w);
}

/* Of the proxy's TLS: what it means goes on, what it wants is sent. */
static void take_cipher(struct px_conn *c, const void *bytes, size_t size) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    struct px_error err = {0};
    const size_t before = c->in.size;
    const int r = px_tls_take(c->tls, bytes, size, &c->in, &out, &err);
    send_cipher(c, &out);
    if (c->in.size > before)
        take_bytes(c, c->in.size - before);
    if (r <= 0)
        lost(c, r < 0 ? &err : NULL);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct px_conn *c = stream->data;
    if (n == 0 || c->closing)
        return;
    if (c->flushing) {
        drop_input(c, n);
        return;
    }
    if (n < 0) {
        struct px_error err = {0};
        if (n != UV_EOF)
            px_fail_sys(&err, (int)n, "cannot read");
        lost(c, n == UV_EOF ? NULL : &err);
        return;
    }
    if (c->tls) {
        take_cipher(c, buf->base, (size_t)n);
        return;
    }
    c->in.size += (size_t)n;
    take_bytes(c, (size_t)n);
}

static void read_on(struct px_conn *c) {
    if (c->kcp)
        px_kcpsock_read(c->kcp, true);
    else
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static void on_turn(uv_timer_t *t) {
    struct px_conn *c = t->data;
    if (c->closing || c->flushing || !c->waits)
        return;
    take_input(c);
    if (!c->waits && !c->paused && !c->closing)
        read_on(c);
}

int px_conn_start(struct px_conn *c, struct px_error *err) {
    if (c->reading) /* a WebSocket does from its handshake on */
        return 0;
    if (c->kcp) {
        px_kcpsock_read(c->kcp, true);
        c->reading = true;
        return 0;
    }
    const int r = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    c->reading = r == 0;
    return r < 0 ? px_fail_sys(err, r, "cannot read") : 0;
}

void px_conn_pause(struct px_conn *c, bool paused) {
    if (c->closing || paused == c->paused)
        return;
    c->paused = paused;
    if (paused)
        stop_reading(c);
    else if (!c->waits)
        read_on(c);
}

static void on_limit(uv_timer_t *t) {
    px_conn_close(t->data, false);
}

static void on_shutdown(uv_shutdown_t *req, int status) {
    struct px_conn *c = px_container_of(req, struct px_conn, shutdown_req);
    if (status < 0)
        px_conn_close(c, false);
}

/* Everything is written: says so, and waits for the client to do the same. */
static void linger(struct px_conn *c) {
    if (!c->reading || c->peer_ended ||
        uv_shutdown(&c->shutdown_req, (uv_stream_t *)&c->tcp, on_shutdown) < 0) {
        px_conn_close(c, false);
        return;
    }
    c->lingering = true;
    uv_timer_start(&c->limit_timer, on_limit, LINGER_LIMIT_MS, 0);
}

static void on_written(uv_write_t *req, int status) {
    struct write *w = px_container_of(req, struct write, req);
    struct px_conn *c = w->conn;
    c->queued -= w->size;
    c->n_writes--;
    c->write_since_us = c->n_writes ? px_now_us() : 0;
    free(w);
    if (c->closing)
        return;
    if (status < 0) {
        struct px_error err = {0};
        px_fail_sys(&err, status, "cannot write");
        lost(c, &err);
        return;
    }
    if (c->n_writes > 0)
        return;
    if (c->flushing)
        linger(c);
    else if (c->opts.ops->on_dry)
        c->opts.ops->on_dry(c->opts.data);
}

static void submit(struct px_conn *c, struct write *w) {
    if (c->kcp) { /* keeps a copy, in its segments */
        c->n_out += w->size;
        px_kcpsock_write(c->kcp, w->bytes, w->size);
        free(w);
        return;
    }
    uv_buf_t buf = uv_buf_init((char *)w->bytes, (unsigned)w->size);
    w->conn = c;
    c->queued += w->size;
    c->n_out += w->size;
    if (c->n_writes++ == 0)
        c->write_since_us = px_now_us();
    const int r = uv_write(&w->req, (uv_stream_t *)&c->tcp, &buf, 1, on_written);
    if (r < 0) { /* no callback comes */
        c->queued -= w->size;
        c->n_writes--;
        free(w);
    }
}

/* Takes @w, whose bytes are what the other side shall read. */
static void submit_plain(struct px_conn *c, struct write *w) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    if (!c->tls) {
        submit(c, w);
        return;
    }
    if (px_tls_give(c->tls, w->bytes, w->size, &out) == 0)
        send_cipher(c, &out);
    free(w);
}

static void send_ws(struct px_conn *c, enum px_ws_opcode opcode, const void *body, size_t size) {
    struct write *w = px_calloc(1, sizeof(*w) + PX_WS_HEAD_MAX_BYTES + size);
    w->size = px_ws_client_print(opcode, (struct px_bytes){body, size}, w->bytes);
    submit_plain(c, w);
}

static void send_message(struct px_conn *c, const void *body, size_t size) {
    if (!c->encrypted) {
        send_ws(c, PX_WS_BINARY, body, size);
        return;
    }
    uint8_t *sealed = px_calloc(1, size + PX_SEAL_BYTES);
    const size_t n = px_secure_seal(&c->secure, (struct px_bytes){body, size}, sealed);
    send_ws(c, PX_WS_BINARY, sealed, n);
    free(sealed);
}

void px_conn_send(struct px_conn *c, const void *body, size_t size) {
    if (c->closing || c->flushing || size > PX_FRAME_MAX_BYTES)
        return;
    if (c->ws) {
        send_message(c, body, size);
        return;
    }
    struct write *w = px_calloc(1, sizeof(*w) + PX_FRAME_PREFIX_MAX_BYTES + size + PX_SEAL_BYTES);
    const size_t sealed = c->encrypted && size > 1 ? size + PX_SEAL_BYTES : size;
    w->size = px_frame_print((uint32_t)sealed, w->bytes);
    if (c->encrypted)
        px_secure_seal(&c->secure, (struct px_bytes){body, size}, w->bytes + w->size);
    else if (size > 0)
        memcpy(w->bytes + w->size, body, size);
    w->size += sealed;
    submit(c, w);
}

void px_conn_send_raw(struct px_conn *c, const void *bytes, size_t size) {
    if (c->closing || c->flushing || size == 0)
        return;
    struct write *w = px_calloc(1, sizeof(*w) + size);
    memcpy(w->bytes, bytes, size);
    w->size = size;
    submit_plain(c, w);
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
    if (!c->in_input && c->in.size > 0)
        take_input(c);
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

static void one_closed(struct px_conn *c) {
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
    one_closed(h->data);
}

void px_conn_close(struct px_conn *c, bool flush) {
    if (c->closing || (flush && c->flushing))
        return;
    if (flush && c->kcp && !px_kcpsock_is_drained(c->kcp)) {
        stop_reading(c); /* what comes is of no interest any more */
        c->flushing = true;
        uv_timer_start(&c->limit_timer, on_limit, FLUSH_LIMIT_MS, 0);
        return;
    }
    if (flush && !c->kcp && (c->n_writes > 0 || c->reading)) {
        if (c->paused || c->waits)
            read_on(c);
        c->paused = c->waits = false;
        c->flushing = true;
        uv_timer_start(&c->limit_timer, on_limit, FLUSH_LIMIT_MS, 0);
        if (c->n_writes == 0)
            linger(c);
        return;
    }
    c->closing = true;
    if (c->kcp)
        px_kcpsock_close(c->kcp);
    uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
    uv_close((uv_handle_t *)&c->limit_timer, on_handle_closed);
    uv_close((uv_handle_t *)&c->turn_timer, on_handle_closed);
}

/* ---- KCP ---- */

static void on_kcp_bytes(void *data, size_t n) {
    struct px_conn *c = data;
    if (!c->closing && !c->flushing)
        take_bytes(c, n);
}

static void on_kcp_dry(void *data) {
    struct px_conn *c = data;
    if (!c->closing && !c->flushing && c->opts.ops->on_dry)
        c->opts.ops->on_dry(c->opts.data);
}

static void on_kcp_drained(void *data) {
    struct px_conn *c = data;
    if (c->flushing)
        px_conn_close(c, false);
}

static void on_kcp_lost(void *data, const struct px_error *why) {
    struct px_conn *c = data;
    if (c->flushing)
        px_conn_close(c, false);
    else
        lost(c, why);
}

static void on_kcp_closed(void *data) {
    one_closed(data);
}

static const struct px_kcpsock_ops kcp_ops = {.on_bytes = on_kcp_bytes,
                                              .on_dry = on_kcp_dry,
                                              .on_drained = on_kcp_drained,
                                              .on_lost = on_kcp_lost,
                                              .on_closed = on_kcp_closed};

int px_conn_open_kcp(struct px_conn *c, int fd, const struct px_addr *peer, const void *first,
                     size_t size, struct px_error *err) {
    const struct px_kcpsock_opts o = {.loop = c->opts.loop,
                                      .ops = &kcp_ops,
                                      .data = c,
                                      .in = &c->in,
                                      .peer = *peer,
                                      .first = first,
                                      .first_size = size};
    const int r = px_kcpsock_new(&o, fd, &c->kcp, err);
    c->n_open += r == 0;
    return r;
}
