/* src/io/stream.c - messages over a TCP connection */
#include "io/stream.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "proto/frame.h"
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define READ_BYTES (64u * 1024)
#define READS_PER_TURN 4
#define HANDSHAKE_US (10 * PX_US_PER_S)
#define LINGER_US (2 * PX_US_PER_S)

static void released(void *data) {
    struct px_stream *s = data;
    px_buf_fini(&s->in);
    px_buf_fini(&s->out);
    px_buf_fini(&s->fragments);
    free(s->secure);
    s->secure = NULL;
    s->ops->on_closed(s);
}

void px_stream_abort(struct px_stream *s, const char *reason) {
    if (s->state == PX_STREAM_CLOSED)
        return;
    if (s->state != PX_STREAM_ENDING)
        s->end_reason = reason;
    s->state = PX_STREAM_CLOSED;
    px_loop_disarm(s->loop, &s->timer);
    px_loop_unwatch(s->loop, &s->watch);
    px_closep(&s->watch.fd);
    s->watch.fd = -1;
    px_loop_defer(s->loop, released, s);
}

/* Everything written: tell the peer, then wait for its end, so that data of its that is still on
 * the way does not turn our last words into a reset. */
static void say_goodbye(struct px_stream *s) {
    if (s->state != PX_STREAM_ENDING || s->out.size > 0 || s->shut)
        return;
    s->shut = true;
    shutdown(s->watch.fd, SHUT_WR);
}

void px_stream_end(struct px_stream *s, const char *reason) {
    if (s->state >= PX_STREAM_ENDING)
        return;
    s->end_reason = reason;
    s->state = PX_STREAM_ENDING;
    px_loop_arm(s->loop, &s->timer, px_loop_now_us(s->loop) + LINGER_US);
    say_goodbye(s);
    px_loop_again(s->loop, &s->watch); /* reads the rest, or sees that the peer left */
}

static void write_out(struct px_stream *s) {
    while (s->out.size > 0) {
        ssize_t n = send(s->watch.fd, s->out.data, s->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            return px_stream_abort(s, "write");
        px_buf_drop(&s->out, (size_t)n);
    }
    px_buf_fini(&s->out);
    say_goodbye(s);
}

static void put(struct px_stream *s, struct iovec iov[2]) {
    size_t total = iov[0].iov_len + iov[1].iov_len, sent = 0;
    if (s->out.size == 0) {
        const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
        ssize_t n = sendmsg(s->watch.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return px_stream_abort(s, "write");
        sent = n > 0 ? (size_t)n : 0;
    }
    if (sent == total)
        return;
    if (s->out.size + total - sent > PX_STREAM_OUT_MAX_BYTES)
        return px_stream_abort(s, "slow-reader");
    for (int i = 0; i < 2; i++) {
        size_t skip = sent < iov[i].iov_len ? sent : iov[i].iov_len;
        px_buf_add(&s->out, (uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip);
        sent -= skip;
    }
}

static void send_ws(struct px_stream *s, enum px_ws_opcode opcode, struct px_bytes msg) {
    uint8_t head[PX_WS_HEAD_MAX_BYTES];
    const struct px_ws_head h = {.fin = true, .opcode = opcode, .bytes = msg.size};
    struct iovec iov[2] = {{head, px_ws_head_print(&h, head)}, {(void *)msg.data, msg.size}};
    put(s, iov);
}

void px_stream_send(struct px_stream *s, struct px_bytes msg) {
    px_cleanup_free uint8_t *sealed = NULL;
    uint8_t head[PX_FRAME_PREFIX_MAX_BYTES];
    if (s->state != PX_STREAM_OPEN)
        return;
    if (s->ws)
        return send_ws(s, PX_WS_BINARY, msg);
    if (s->secure && msg.size > 1) {
        sealed = px_calloc(1, msg.size + PX_SEAL_BYTES);
        msg = (struct px_bytes){sealed, px_secure_seal(s->secure, msg, sealed)};
    }
    struct iovec iov[2] = {{head, px_frame_print((uint32_t)msg.size, head)},
                           {(void *)msg.data, msg.size}};
    put(s, iov);
}

void px_stream_secure(struct px_stream *s, const struct px_secure *secure) {
    s->secure = px_memdup(secure, sizeof(*secure));
}

void px_stream_set_idle(struct px_stream *s, int64_t idle_us) {
    s->idle_us = idle_us;
    if (s->state != PX_STREAM_OPEN)
        return;
    if (idle_us)
        px_loop_arm(s->loop, &s->timer, s->last_rx_us + idle_us);
    else
        px_loop_disarm(s->loop, &s->timer);
}

/* Each take_*() uses up the front of @data: number of bytes used, 0: needs more, less than 0: the
 * stream is over. */
static ssize_t deliver(struct px_stream *s, uint8_t *data, size_t size) {
    struct px_bytes msg = {data, size};
    if (s->secure) {
        int n = px_secure_open(s->secure, msg, data, NULL);
        if (n < 0)
            return n;
        msg.size = (size_t)n;
    }
    return s->ops->on_message(s, msg);
}

static ssize_t take_frame(struct px_stream *s, uint8_t *data, size_t size) {
    uint32_t bytes = 0;
    int r = px_frame_parse(data, size, &bytes, NULL);
    if (r <= 0)
        return r;
    size_t head = px_frame_prefix_size(data[0]);
    if (bytes > s->max_message_bytes)
        return -EMSGSIZE;
    if (size - head < bytes)
        return 0;
    ssize_t d = deliver(s, data + head, bytes);
    return d < 0 ? d : (ssize_t)(head + bytes);
}

static ssize_t take_upgrade(struct px_stream *s, uint8_t *data, size_t size) {
    struct px_ws_request req;
    size_t used = 0;
    char answer[PX_WS_ACCEPT_MAX_BYTES];
    int r = px_ws_request_parse(data, size, &req, &used, NULL);
    if (r <= 0)
        return r;
    struct iovec iov[2] = {{answer, px_ws_accept_print(req.key, answer)}, {NULL, 0}};
    put(s, iov);
    if (s->state == PX_STREAM_CLOSED)
        return -EPIPE;
    s->state = PX_STREAM_OPEN;
    px_loop_disarm(s->loop, &s->timer);
    px_stream_set_idle(s, s->idle_us);
    r = s->ops->on_upgrade ? s->ops->on_upgrade(s, &req) : 0;
    return r < 0 ? r : (ssize_t)used;
}

static int take_ws_control(struct px_stream *s, const struct px_ws_head *h, struct px_bytes msg) {
    if (h->opcode == PX_WS_PING)
        send_ws(s, PX_WS_PONG, msg);
    if (h->opcode == PX_WS_CLOSE) {
        send_ws(s, PX_WS_CLOSE, (struct px_bytes){msg.data, msg.size < 2 ? msg.size : 2});
        px_stream_end(s, NULL);
    }
    return 0;
}

static int take_ws_data(struct px_stream *s, const struct px_ws_head *h, uint8_t *data,
                        size_t size) {
    bool first = h->opcode != PX_WS_CONTINUATION;
    if (first == s->in_fragments)
        return -EPROTO;
    if (first)
        s->drop_fragments = h->opcode == PX_WS_TEXT;
    s->in_fragments = !h->fin;
    if (s->drop_fragments)
        return 0;
    if (first && h->fin)
        return s->ops->on_message(s, (struct px_bytes){data, size});
    if (s->fragments.size + size > s->max_message_bytes)
        return -EMSGSIZE;
    px_buf_add(&s->fragments, data, size);
    if (!h->fin)
        return 0;
    px_cleanup(px_buf_fini) struct px_buf whole = s->fragments;
    s->fragments = (struct px_buf){0};
    return s->ops->on_message(s, (struct px_bytes){(uint8_t *)whole.data, whole.size});
}

static ssize_t take_ws(struct px_stream *s, uint8_t *data, size_t size) {
    struct px_ws_head h;
    size_t head = 0;
    int r = px_ws_head_parse(data, size, &h, &head, NULL);
    if (r <= 0)
        return r;
    if (!h.masked)
        return -EPROTO; /* RFC 6455, 5.1 */
    if (h.bytes > s->max_message_bytes)
        return -EMSGSIZE;
    if (size - head < h.bytes)
        return 0;
    px_ws_mask(data + head, (size_t)h.bytes, h.mask, 0);
    r = h.opcode >= PX_WS_CLOSE
            ? take_ws_control(s, &h, (struct px_bytes){data + head, (size_t)h.bytes})
            : take_ws_data(s, &h, data + head, (size_t)h.bytes);
    return r < 0 ? r : (ssize_t)(head + h.bytes);
}

/* Returns how much of @data was used up. */
static size_t take_all(struct px_stream *s, uint8_t *data, size_t size) {
    size_t used = 0;
    while (used < size && s->state < PX_STREAM_ENDING) {
        ssize_t n = s->state == PX_STREAM_UPGRADING ? take_upgrade(s, data + used, size - used)
                    : s->ws                         ? take_ws(s, data + used, size - used)
                                                    : take_frame(s, data + used, size - used);
        if (n < 0)
            px_stream_end(s, n == -EMSGSIZE ? "too-large" : n == -EDQUOT ? "too-many" : "protocol");
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    return used;
}

static void take_bytes(struct px_stream *s, uint8_t *data, size_t size) {
    if (s->state >= PX_STREAM_ENDING)
        return;            /* lingering: nobody wants it */
    if (s->in.size == 0) { /* the usual case: whole messages, no copy */
        size_t used = take_all(s, data, size);
        if (used > 0) /* only whole ones count: a byte now and then would hold us for ever */
            s->last_rx_us = px_loop_now_us(s->loop);
        if (used < size && s->state < PX_STREAM_ENDING)
            px_buf_add(&s->in, data + used, size - used);
        return;
    }
    px_buf_add(&s->in, data, size);
    size_t used = take_all(s, (uint8_t *)s->in.data, s->in.size);
    if (used > 0)
        s->last_rx_us = px_loop_now_us(s->loop);
    if (used == s->in.size)
        px_buf_fini(&s->in);
    else
        px_buf_drop(&s->in, used);
}

static void on_events(struct px_watch *w, uint32_t events) {
    struct px_stream *s = px_container_of(w, struct px_stream, watch);
    uint8_t *scratch = px_loop_scratch(s->loop);
    if (events & EPOLLOUT)
        write_out(s);
    for (int i = 0; i < READS_PER_TURN; i++) {
        if (s->state == PX_STREAM_CLOSED)
            return;
        ssize_t n = recv(s->watch.fd, scratch, READ_BYTES, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            return px_stream_abort(s, n < 0 ? "reset" : NULL);
        take_bytes(s, scratch, (size_t)n);
    }
    px_loop_again(s->loop, w);
}

static void on_timeout(struct px_timer *t) {
    struct px_stream *s = px_container_of(t, struct px_stream, timer);
    const int64_t due = s->last_rx_us + s->idle_us;
    if (s->state == PX_STREAM_OPEN && px_loop_now_us(s->loop) < due)
        return px_loop_arm(s->loop, t, due); /* something came since */
    px_stream_abort(s, s->state == PX_STREAM_UPGRADING ? "handshake-timeout" : "idle");
}

int px_stream_init(struct px_stream *s, struct px_loop *loop, int fd,
                   const struct px_stream_opts *opts, struct px_error *err) {
    s->watch = (struct px_watch){.fd = fd, .on_events = on_events};
    s->timer = (struct px_timer){.on_timeout = on_timeout};
    s->loop = loop;
    s->ops = opts->ops;
    s->ws = opts->ws;
    s->max_message_bytes = opts->max_message_bytes;
    s->idle_us = opts->idle_us;
    s->last_rx_us = px_loop_now_us(loop);
    s->state = opts->ws ? PX_STREAM_UPGRADING : PX_STREAM_OPEN;
    int r = px_loop_watch(loop, &s->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, err);
    if (r < 0) {
        px_closep(&s->watch.fd);
        s->watch.fd = -1;
        s->state = PX_STREAM_CLOSED;
        return r;
    }
    if (opts->ws)
        px_loop_arm(loop, &s->timer, px_loop_now_us(loop) + HANDSHAKE_US);
    else
        px_stream_set_idle(s, opts->idle_us);
    return 0;
}
