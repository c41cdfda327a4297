/* src/proto/wsclient.h - WebSocket, the client's side (ws.h has the frames)
 *
 * Plain ws without extensions. Pure but for random numbers. Source: RFC 6455. */
#pragma once
#include "base/buf.h"
#include "proto/ws.h"

#define PX_WS_KEY_TEXT 25 /* base64 of 16 bytes, NUL */
#define PX_WS_RESPONSE_MAX_BYTES 8192

/* Draws a key and adds the request for @path at @host to @out. */
void px_ws_request_add(const char *host, const char *path, char ret_key[PX_WS_KEY_TEXT],
                       struct px_buf *out);
/* Looks at the answer. PX_PARSE_DONE: it is "101" with the right Sec-WebSocket-Accept; *ret_size up
 * to and with the empty line. PX_PARSE_MORE. -EPROTO: anything else; -EMSGSIZE: too long. */
int px_ws_response_parse(const uint8_t *data, size_t size, const char *key, size_t *ret_size,
                         struct px_error *err);

/* What comes after it, put together again from fragments. */
struct px_ws_reader {
    struct px_buf message; /* of a fragmented one, so far */
    bool fragmented;
};
void px_ws_reader_fini(struct px_ws_reader *r);

enum px_ws_got {
    PX_WS_GOT_MORE,    /* data ends before the frame does; *ret_used is 0 */
    PX_WS_GOT_NOTHING, /* a fragment, or something to ignore */
    PX_WS_GOT_MESSAGE, /* *ret: a binary one, lent (into @data or the reader) until the next call */
    PX_WS_GOT_PING,    /* *ret: to be sent back as a pong */
    PX_WS_GOT_CLOSE,
};
/* Takes one frame off @data, *ret_used bytes. -EPROTO; -EMSGSIZE: a message above @max_bytes. */
int px_ws_reader_next(struct px_ws_reader *r, const uint8_t *data, size_t size, uint32_t max_bytes,
                      struct px_bytes *ret, size_t *ret_used, struct px_error *err);

/* Adds @body as one masked frame to @out, which has room for PX_WS_HEAD_MAX_BYTES more than it;
 * returns the length. */
size_t px_ws_client_print(enum px_ws_opcode opcode, struct px_bytes body, uint8_t *out);
