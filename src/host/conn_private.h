/* src/host/conn_private.h - what the files of a connection share: conn.c (its life and what it
 * tells of itself), conn_in.c (bytes to frames), conn_out.c (frames to bytes), conn_kcp.c (over
 * UDP) */
#pragma once
#include "base/buf.h"
#include "host/conn.h"
#include "host/kcpsock.h"
#include "proto/tls.h"
#include "proto/wsclient.h"

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
    bool full;        /* it does not read what it asked for: nothing more is taken meanwhile */
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

/* Closes, and tells the owner; nothing while it closes already. */
void px_conn_lost(struct px_conn *c, const struct px_error *why);
/* Everything is written: says so, and waits for the client to do the same. */
void px_conn_linger(struct px_conn *c);
/* A handle's close callback has come. */
void px_conn_one_closed(struct px_conn *c);

/* The frames in @c->in, as many as its turn allows. */
void px_conn_take_input(struct px_conn *c);
/* @n more bytes are in @c->in. */
void px_conn_take_bytes(struct px_conn *c, size_t n);
/* Something was written: the client may be taken from again. */
void px_conn_maybe_go_on(struct px_conn *c);
/* Of the proxy's TLS: what it means goes on, what it wants is sent. */
void px_conn_take_cipher(struct px_conn *c, const void *bytes, size_t size);
void px_conn_read_on(struct px_conn *c);
void px_conn_stop_reading(struct px_conn *c);

/* Bytes of TLS, as they are. */
void px_conn_send_cipher(struct px_conn *c, const struct px_buf *b);
void px_conn_send_ws(struct px_conn *c, enum px_ws_opcode opcode, const void *body, size_t size);
