/* src/host/unpack.h - zstd frames from a client, in bounds
 *
 * Clients say in the frame's head how large it is unpacked (RFC 8878, 3.1.1.1.4). Pure. */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

/* *ret: the caller's, never NULL, maybe of 0 bytes. -EFBIG: more than @max_bytes, or does not say;
 * -EBADMSG: no whole frame. */
int px_host_unpack(const uint8_t *data, size_t size, size_t max_bytes, uint8_t **ret,
                   size_t *ret_size, struct px_error *err);
