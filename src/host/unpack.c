/* src/host/unpack.c - zstd frames from a client, in bounds */
#include "host/unpack.h"
#include "base/alloc.h"
#include <stdlib.h>
#include <zstd.h>

int px_host_unpack(const uint8_t *data, size_t size, size_t max_bytes, uint8_t **ret,
                   size_t *ret_size, struct px_error *err) {
    /* Unknown and broken are huge numbers. */
    const unsigned long long full = ZSTD_getFrameContentSize(data, size);
    if (full > max_bytes)
        return px_fail(err, -EFBIG, "more than %zu bytes once unpacked", max_bytes);
    uint8_t *plain = px_calloc(1, full ? full : 1);
    const size_t n = ZSTD_decompress(plain, full, data, size);
    if (ZSTD_isError(n)) {
        free(plain);
        return px_fail(err, -EBADMSG, "%zu bytes that zstd does not unpack", size);
    }
    *ret = plain;
    *ret_size = n;
    return 0;
}
