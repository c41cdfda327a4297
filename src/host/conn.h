/* src/host/conn.h - one connection that carries frames
 *
 * Reads frames (opening records once encryption is on), queues what is sent, tells when the queue
 * has run dry. TCP_NOTSENT_LOWAT is low, so that dry means: the kernel holds next to nothing
 * unsent, and a picture made now is on its way now.
 *
 * Frames go over TCP, as messages of a WebSocket (then there is no raw mode), or over KCP, where
 * dry means that all of it fits into what the line holds.
 *
 * Callbacks run on the loop; none runs after px_conn_close() except on_closed, the last one, inside
 * which (or after which) the owner frees its own struct. */
#pragma once
#include "base/error.h"
#include "host/link.h"
#include "proto/addr.h"
#include "proto/secure.h"
#include "proto/wss.h"
#include <stdint.h>
#include <uv.h>

struct px_conn;
struct px_tls_trust;

struct px_conn_ops {
    /* One frame's plain body, lent; may be empty. */
    void (*on_frame)(void *data, const uint8_t *body, size_t size);
    /* Bytes after px_conn_set_raw(). */
    void (*on_raw)(void *data, const uint8_t *bytes, size_t size);
    /* All that was sent is with the kernel, and little of it unsent. NULL: not wanted. */
    void (*on_dry)(void *data);
    /* The other side left (@why NULL) or something broke; the connection is closing by itself. */
    void (*on_lost)(void *data, const struct px_error *why);
    /* Everything is released; the conn is gone after this call. */
    void (*on_closed)(void *data);
};

struct px_conn_opts {
    uv_loop_t *loop;
    const struct px_conn_ops *ops; /* lent for the life of the connection */
    void *data;
    uint32_t max_body_bytes; /* of a frame; larger closes the connection */
};

/* A connection without a socket yet. */
struct px_conn *px_conn_new(const struct px_conn_opts *opts);
int px_conn_accept(struct px_conn *c, uv_stream_t *listener, struct px_error *err);
/* Takes @fd, a connected socket, or one that px_conn_connect() shall connect. */
int px_conn_open_fd(struct px_conn *c, int fd, struct px_error *err);
/* Takes @fd, a UDP socket on which @first came from @peer, the beginning of a KCP stream. */
int px_conn_open_kcp(struct px_conn *c, int fd, const struct px_addr *peer, const void *first,
                     size_t size, struct px_error *err);
/* @on_connect gets 0 or a negative errno. */
int px_conn_connect(struct px_conn *c, const struct px_addr *to,
                    void (*on_connect)(void *data, int status), struct px_error *err);
/* The same to a WebSocket at @path there; @on_connect comes after its handshake. Reads from then
 * on.
 */
int px_conn_connect_ws(struct px_conn *c, const struct px_addr *to, const char *path,
                       void (*on_connect)(void *data, int status), struct px_error *err);
/* The same over TLS; the other side must prove that it is @at. */
int px_conn_connect_wss(struct px_conn *c, const struct px_addr *to, const struct px_wss *at,
                        struct px_tls_trust *trust, const char *path,
                        void (*on_connect)(void *data, int status), struct px_error *err);
int px_conn_start(struct px_conn *c, struct px_error *err);
bool px_conn_is_ws(const struct px_conn *c);

/* Queues a frame; the bytes are copied (and sealed). A closing connection swallows it. */
void px_conn_send(struct px_conn *c, const void *body, size_t size);
void px_conn_send_raw(struct px_conn *c, const void *bytes, size_t size);
size_t px_conn_queued_bytes(const struct px_conn *c);
/* From the next frame on, in both directions. */
void px_conn_set_secure(struct px_conn *c, const struct px_secure *s);
bool px_conn_is_secure(const struct px_conn *c);
void px_conn_set_max_body(struct px_conn *c, uint32_t max_body_bytes);
/* What is read from now on is kept until px_conn_set_raw(). */
void px_conn_hold(struct px_conn *c);
/* No more frames, no more encryption, both ways. What was already read goes to on_raw. */
void px_conn_set_raw(struct px_conn *c);
/* Stops and resumes reading (a tunnel whose other end is slow). */
void px_conn_pause(struct px_conn *c, bool paused);

void px_conn_own(const struct px_conn *c, struct px_addr *ret);
void px_conn_peer(const struct px_conn *c, struct px_addr *ret);
/* So far, as they went over the line. */
void px_conn_bytes(const struct px_conn *c, uint64_t *ret_in, uint64_t *ret_out);
int64_t px_conn_last_read_us(const struct px_conn *c);
/* When the oldest write that is still queued began; 0: none. */
int64_t px_conn_blocked_since_us(const struct px_conn *c);
void px_conn_link(const struct px_conn *c, struct px_link_info *ret);

/* @flush: sends what is queued first (a second at most), then a FIN, and drops what the client
 * sends until it ends, too (another second at most); else closes at once. Twice is fine. */
void px_conn_close(struct px_conn *c, bool flush);
