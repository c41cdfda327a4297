/* src/proto/ws.h - WebSocket, the server's side: handshake and frame headers
 *
 *      0               1               2 ..            then, from a client
 *     +-+---+---------+-+-------------+ - - - - - - - +---------------+---------
 *     |F| 0 | opcode  |M| length 7bit | 16 or 64 bit  | mask, 4 bytes | payload
 *     +-+---+---------+-+-------------+ - - - - - - - +---------------+---------
 *
 * No extensions, no subprotocol; any path. Payloads stay with the caller, who may pass them on
 * piece by piece. Pure functions, any thread. Source: RFC 6455. */
#pragma once
#include "base/error.h"
#include "proto/wire.h"

enum px_ws_opcode {
    PX_WS_CONTINUATION = 0,
    PX_WS_TEXT = 1,
    PX_WS_BINARY = 2,
    PX_WS_CLOSE = 8,
    PX_WS_PING = 9,
    PX_WS_PONG = 10,
};

#define PX_WS_HEAD_MAX_BYTES 14
#define PX_WS_CONTROL_MAX_BYTES 125
#define PX_WS_REQUEST_MAX_BYTES 8192 /* of the handshake */
#define PX_WS_ACCEPT_MAX_BYTES 192   /* of our answer to it */

struct px_ws_head {
    bool fin, masked;
    enum px_ws_opcode opcode;
    uint8_t mask[4];
    uint64_t bytes; /* of payload */
};

/* PX_PARSE_DONE: *ret and *ret_size (length of the header) are set. PX_PARSE_MORE.
 * -EPROTO: reserved bits, unknown opcode, fragmented or long control frame, length not minimal. */
int px_ws_head_parse(const uint8_t *data, size_t size, struct px_ws_head *ret, size_t *ret_size,
                     struct px_error *err);
/* Writes a header (masked ones with head->mask); returns its length. */
size_t px_ws_head_print(const struct px_ws_head *head, uint8_t out[PX_WS_HEAD_MAX_BYTES]);
/* Masks or unmasks in place; @at: how far into the payload @data starts. */
void px_ws_mask(uint8_t *data, size_t size, const uint8_t mask[4], uint64_t at);

struct px_ws_request {
    struct px_bytes key; /* Sec-WebSocket-Key */
    struct px_bytes path;
    struct px_bytes
        forwarded; /* X-Real-IP, else first element of X-Forwarded-For; empty: neither */
};
/* Looks at an HTTP request. PX_PARSE_DONE: *ret and *ret_size (up to and with the empty line).
 * PX_PARSE_MORE. -EMSGSIZE: longer than PX_WS_REQUEST_MAX_BYTES. -EPROTO: not a WebSocket upgrade.
 */
int px_ws_request_parse(const uint8_t *data, size_t size, struct px_ws_request *ret,
                        size_t *ret_size, struct px_error *err);
/* The "101 Switching Protocols" answer to @key; returns its length. */
size_t px_ws_accept_print(struct px_bytes key, char out[PX_WS_ACCEPT_MAX_BYTES]);
