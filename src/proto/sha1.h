/* src/proto/sha1.h - SHA-1 of short text, for the WebSocket handshake only (libsodium has none)
 * Not for anything that needs security. Pure. Source: RFC 3174. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define PX_SHA1_BYTES 20
#define PX_SHA1_INPUT_MAX_BYTES 192

/* @size is at most PX_SHA1_INPUT_MAX_BYTES. */
void px_sha1(const void *data, size_t size, uint8_t ret[PX_SHA1_BYTES]);
