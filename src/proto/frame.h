/* src/proto/frame.h - length prefix of each message on a TCP stream
 *
 *     byte 0          byte 1          byte 2          byte 3
 *     +-----------+---+---------------+---------------+---------------+
 *     | N low     | h | N             | N             | N high        |   h: prefix bytes - 1
 *     +-----------+---+---------------+---------------+---------------+
 *
 * 1 to 4 bytes, little endian; N is the payload length in bytes. Longer prefixes than needed are
 * read, the shortest is written. N = 0 is a keep-alive. Pure functions, any thread.
 * Source: rustdesk/hbb_common src/bytes_codec.rs. */
#pragma once
#include "base/error.h"
#include "proto/wire.h"

#define PX_FRAME_PREFIX_MAX_BYTES 4
#define PX_FRAME_MAX_BYTES (64u * 1024 * 1024) /* payload; nothing stock comes near */

/* PX_PARSE_DONE: the prefix is complete, *ret_bytes is N. PX_PARSE_MORE: @data ends inside it.
 * -EMSGSIZE: N is above PX_FRAME_MAX_BYTES. */
int px_frame_parse(const uint8_t *data, size_t size, uint32_t *ret_bytes, struct px_error *err);
/* Length of the prefix that starts with @first, 1..4. */
size_t px_frame_prefix_size(uint8_t first);
/* Writes the shortest prefix for a payload of @bytes; returns its length. */
size_t px_frame_print(uint32_t bytes, uint8_t out[PX_FRAME_PREFIX_MAX_BYTES]);
