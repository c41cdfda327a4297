/* src/host/conn_out.c - frames to a connection's bytes */
#include "host/conn_private.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "proto/frame.h"
#include <string.h>

struct write {
    uv_write_t req;
    struct px_conn *conn;
    size_t size;
    uint8_t bytes[];
};

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
        px_conn_lost(c, &err);
        return;
    }
    px_conn_maybe_go_on(c);
    if (c->n_writes > 0)
        return;
    if (c->flushing)
        px_conn_linger(c);
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

void px_conn_send_cipher(struct px_conn *c, const struct px_buf *b) {
    if (b->size == 0)
        return;
    struct write *w = px_calloc(1, sizeof(*w) + b->size);
    memcpy(w->bytes, b->data, b->size);
    w->size = b->size;
    submit(c, w);
}

/* Takes @w, whose bytes are what the other side shall read. */
static void submit_plain(struct px_conn *c, struct write *w) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    if (!c->tls) {
        submit(c, w);
        return;
    }
    if (px_tls_give(c->tls, w->bytes, w->size, &out) == 0)
        px_conn_send_cipher(c, &out);
    free(w);
}

void px_conn_send_ws(struct px_conn *c, enum px_ws_opcode opcode, const void *body, size_t size) {
    struct write *w = px_calloc(1, sizeof(*w) + PX_WS_HEAD_MAX_BYTES + size);
    w->size = px_ws_client_print(opcode, (struct px_bytes){body, size}, w->bytes);
    submit_plain(c, w);
}

static void send_message(struct px_conn *c, const void *body, size_t size) {
    if (!c->encrypted) {
        px_conn_send_ws(c, PX_WS_BINARY, body, size);
        return;
    }
    uint8_t *sealed = px_calloc(1, size + PX_SEAL_BYTES);
    const size_t n = px_secure_seal(&c->secure, (struct px_bytes){body, size}, sealed);
    px_conn_send_ws(c, PX_WS_BINARY, sealed, n);
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
