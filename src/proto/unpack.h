/* src/proto/unpack.h - zstd frames of the other side, in bounds
 *
 * Pure. Memory grows with what really comes out, up to @max_bytes, whatever the frame claims.
 * Source: RFC 8878. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

/* Adds what @data holds, one frame or several, to @out. -EBADMSG: other bytes, or a frame that is
 * not whole; -EFBIG: more than @max_bytes. What came out before that stays in @out. */
int px_unpack(const uint8_t *data, size_t size, size_t max_bytes, struct px_buf *out,
              struct px_error *err);
