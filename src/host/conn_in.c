/* src/host/conn_in.c - a connection's bytes to frames */
#include "host/conn_private.h"
#include "base/clock.h"
#include "base/cleanup.h"
#include "proto/frame.h"

#define READ_BYTES (256 * 1024)
#define CIPHER_READ_BYTES (32 * 1024) /* TLS has records of 16 KiB */
#define LINGER_LIMIT_BYTES (16u * 1024 * 1024)
/* A client's frames are taken for that long, then it is the others' turn: some frames are cheap to
 * send and dear to take, such as keys, and libuv would read on as long as there is something. */
#define SLICE_US (3 * PX_US_PER_MS)

/* Unsent to a client that asks and asks: above this it is not read, or its questions would be
 * memory of ours. Strangers get less, for they are answered in a few words. */
#define UNREAD_MAX_BYTES (8u * 1024 * 1024)
#define UNREAD_SLACK_BYTES (256 * 1024)

static bool is_full(const struct px_conn *c) {
    const uint32_t body = c->opts.max_body_bytes;
    const uint32_t max = body < UNREAD_MAX_BYTES ? body + UNREAD_SLACK_BYTES : UNREAD_MAX_BYTES;
    return px_conn_queued_bytes(c) > max;
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
        px_conn_send_ws(c, PX_WS_PONG, m.data, m.size);
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

void px_conn_stop_reading(struct px_conn *c) {
    if (c->kcp)
        px_kcpsock_read(c->kcp, false);
    else
        uv_read_stop((uv_stream_t *)&c->tcp);
}

/* The callback may send, switch to raw, or close; it must not read on its own. What is left when
 * the slice is over waits for the next turn, and so does what the kernel has. */
void px_conn_take_input(struct px_conn *c) {
    struct px_error err = {0};
    const int64_t until = px_now_us() + SLICE_US;
    const bool was_full = c->full;
    size_t at = 0;
    int r = 1;
    c->in_input = true;
    c->waits = c->full = false;
    while (r > 0 && !c->waits && !c->full && !c->closing && !c->flushing && !c->raw && !c->held) {
        r = next_frame(c, &at, &err);
        c->waits = r > 0 && px_now_us() > until;
        c->full = !c->raw && is_full(c);
    }
    if (c->raw && !c->closing && !c->flushing && at < c->in.size) {
        const size_t from = at;
        at = c->in.size;
        c->opts.ops->on_raw(c->opts.data, (uint8_t *)c->in.data + from, c->in.size - from);
    }
    c->in_input = false;
    px_buf_drop(&c->in, at);
    c->waits &= !c->closing && !c->flushing && !c->full;
    c->full &= !c->closing && !c->flushing;
    if (c->waits || c->full)
        px_conn_stop_reading(c);
    else if (was_full && !c->paused && !c->closing && !c->flushing)
        px_conn_read_on(c);
    if (c->waits)
        uv_timer_start(&c->turn_timer, on_turn, 0, 0);
    if (r < 0)
        px_conn_lost(c, &err);
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

void px_conn_take_bytes(struct px_conn *c, size_t n) {
    c->last_read_us = px_now_us();
    c->n_in += n;
    px_conn_take_input(c);
    /* A large frame must not hold its memory for the rest of an idle session. */
    if (!c->closing && c->in.size == 0 && c->in.cap > 2 * READ_BYTES)
        px_buf_fini(&c->in);
}

void px_conn_take_cipher(struct px_conn *c, const void *bytes, size_t size) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    struct px_error err = {0};
    const size_t before = c->in.size;
    const int r = px_tls_take(c->tls, bytes, size, &c->in, &out, &err);
    px_conn_send_cipher(c, &out);
    if (c->in.size > before)
        px_conn_take_bytes(c, c->in.size - before);
    if (r <= 0)
        px_conn_lost(c, r < 0 ? &err : NULL);
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
        px_conn_lost(c, n == UV_EOF ? NULL : &err);
        return;
    }
    if (c->tls) {
        px_conn_take_cipher(c, buf->base, (size_t)n);
        return;
    }
    c->in.size += (size_t)n;
    px_conn_take_bytes(c, (size_t)n);
}

void px_conn_read_on(struct px_conn *c) {
    if (c->kcp)
        px_kcpsock_read(c->kcp, true);
    else
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static void on_turn(uv_timer_t *t) {
    struct px_conn *c = t->data;
    if (c->closing || c->flushing || !c->waits)
        return;
    px_conn_take_input(c);
    if (!c->waits && !c->full && !c->paused && !c->closing)
        px_conn_read_on(c);
}

void px_conn_maybe_go_on(struct px_conn *c) {
    if (!c->full || c->closing || c->flushing || is_full(c))
        return;
    c->full = false;
    c->waits = true;
    uv_timer_start(&c->turn_timer, on_turn, 0, 0);
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
        px_conn_stop_reading(c);
    else if (!c->waits && !c->full)
        px_conn_read_on(c);
}
