/* src/io/stream.h - messages over a TCP connection: framed (proto/frame.h) or WebSocket
 *
 * A stream is embedded in its owner. It hands over whole messages, decrypted where the channel is
 * secure; it answers pings and takes WebSocket fragments together. Idle ones hold no buffers.
 * What a peer does not read is kept up to PX_STREAM_OUT_MAX_BYTES, then the stream ends.
 * Belongs to its loop's thread. */
#pragma once
#include "base/buf.h"
#include "io/loop.h"
#include "proto/addr.h"
#include "proto/secure.h"
#include "proto/ws.h"

#define PX_STREAM_OUT_MAX_BYTES (1024u * 1024)

struct px_stream;
struct px_stream_ops {
    /* The WebSocket handshake came through; may be NULL. Less than 0: ends the stream. */
    int (*on_upgrade)(struct px_stream *s, const struct px_ws_request *req);
    /* @msg is lent for the call; an empty one is a keep-alive. Less than 0: ends the stream. */
    int (*on_message)(struct px_stream *s, struct px_bytes msg);
    /* Last call, from the loop and never from inside another call; @s may be freed. */
    void (*on_closed)(struct px_stream *s);
};

enum px_stream_state {
    PX_STREAM_UPGRADING, /* waits for the WebSocket request */
    PX_STREAM_OPEN,
    PX_STREAM_ENDING, /* writes what is left, then waits for the peer to close */
    PX_STREAM_CLOSED,
};

struct px_stream {
    struct px_watch watch;
    struct px_timer timer; /* idle, handshake or linger limit */
    struct px_loop *loop;  /* lent */
    const struct px_stream_ops *ops;
    struct px_secure *secure; /* NULL: plain */
    struct px_buf in, out, fragments;
    size_t max_message_bytes;
    int64_t idle_us, last_rx_us; /* since the last whole message; idle_us 0: no limit */
    enum px_stream_state state;
    bool ws, in_fragments, drop_fragments, shut;
    const char *end_reason; /* for logs; NULL: the peer closed */
};

struct px_stream_opts {
    const struct px_stream_ops *ops;
    bool ws;
    size_t max_message_bytes;
    int64_t idle_us;
};

/* Takes @fd, also on failure. */
int px_stream_init(struct px_stream *s, struct px_loop *loop, int fd,
                   const struct px_stream_opts *opts, struct px_error *err);
/* Queues one message. Nothing happens on a stream that is ending. */
void px_stream_send(struct px_stream *s, struct px_bytes msg);
/* Switches on encryption for all that follows, both ways. */
void px_stream_secure(struct px_stream *s, const struct px_secure *secure);
void px_stream_set_idle(struct px_stream *s, int64_t idle_us);
/* Writes what is queued, then closes. @reason: a string constant, or NULL. */
void px_stream_end(struct px_stream *s, const char *reason);
/* Closes at once. */
void px_stream_abort(struct px_stream *s, const char *reason);
