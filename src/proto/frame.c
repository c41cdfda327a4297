/* src/proto/frame.c - length prefix of each message on a TCP stream */
#include "proto/frame.h"
#include <assert.h>

size_t px_frame_prefix_size(uint8_t first) {
    return (size_t)(first & 3) + 1;
}

int px_frame_parse(const uint8_t *data, size_t size, uint32_t *ret_bytes, struct px_error *err) {
    if (size == 0 || size < px_frame_prefix_size(data[0]))
        return PX_PARSE_MORE;
    uint32_t raw = 0;
    for (size_t i = 0; i < px_frame_prefix_size(data[0]); i++)
        raw |= (uint32_t)data[i] << (8 * i);
    if (raw >> 2 > PX_FRAME_MAX_BYTES)
        return px_fail(err, -EMSGSIZE, "frame of %u bytes is above %u", raw >> 2,
                       PX_FRAME_MAX_BYTES);
    *ret_bytes = raw >> 2;
    return PX_PARSE_DONE;
}

size_t px_frame_print(uint32_t bytes, uint8_t out[PX_FRAME_PREFIX_MAX_BYTES]) {
    assert(bytes < 1u << 30);
    size_t n = bytes < 1u << 6 ? 1 : bytes < 1u << 14 ? 2 : bytes < 1u << 22 ? 3 : 4;
    uint32_t raw = bytes << 2 | (uint32_t)(n - 1);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(raw >> (8 * i));
    return n;
}
