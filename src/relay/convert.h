/* src/relay/convert.h - from one carrier's message framing to the other's, as the bytes come
 *
 * Frames (proto/frame.h) and WebSocket binary messages are turned into each other without waiting
 * for their end, except a fragmented WebSocket message on its way to a TCP peer, whose length is
 * known only at the last fragment: it is collected, up to PX_CONVERT_MESSAGE_MAX_BYTES. Empty
 * messages and text are dropped. Pure, one direction per struct. */
#pragma once
#include "base/buf.h"
#include "proto/frame.h"
#include "proto/ws.h"

#define PX_CONVERT_MESSAGE_MAX_BYTES (16u * 1024 * 1024)

struct px_convert {
    bool from_ws, to_ws;                 /* not both false */
    uint8_t carry[PX_WS_HEAD_MAX_BYTES]; /* a header that was cut */
    size_t n_carry;
    uint64_t left; /* payload bytes of the current frame still to come */
    uint64_t at;   /* how many came */
    struct px_ws_head head;
    bool in_fragments, drop, drop_message;
    struct px_buf message; /* fragments being collected */
    struct px_buf control; /* payload of the ping that is coming */
};

void px_convert_fini(struct px_convert *c);
/* Whether the output stands between two messages: only then may a Pong be put into it. */
bool px_convert_between(const struct px_convert *c);
/* Adds to @out what @data becomes; @data is unmasked in place. @pong gets the payload of the last
 * ping (ping set to true). PX_PARSE_MORE: all used up; PX_PARSE_DONE: the peer says goodbye.
 * -EPROTO, -EMSGSIZE. */
int px_convert_feed(struct px_convert *c, uint8_t *data, size_t size, struct px_buf *out,
                    struct px_buf *pong, bool *ret_ping, struct px_error *err);
