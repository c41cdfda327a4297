/* src/proto/unpack.c - zstd frames of the other side, in bounds */
#include "proto/unpack.h"
#include <zstd.h>

#define STEP_BYTES (128 * 1024)
#define WINDOW_LOG_MAX 26 /* 64 MiB: what the largest clipboard may need */

int px_unpack(const uint8_t *data, size_t size, size_t max_bytes, struct px_buf *out,
              struct px_error *err) {
    ZSTD_DCtx *z = ZSTD_createDCtx();
    if (!z)
        return px_fail(err, -ENOMEM, "no memory to unpack");
    ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    ZSTD_inBuffer in = {data, size, 0};
    size_t made = 0, left = 1;
    int r = 0;
    while (r == 0 && (left > 0 || in.pos < size)) {
        ZSTD_outBuffer to = {px_buf_reserve(out, STEP_BYTES), STEP_BYTES, 0};
        const size_t at = in.pos;
        left = ZSTD_decompressStream(z, &to, &in);
        made += to.pos;
        if (ZSTD_isError(left) || (to.pos == 0 && in.pos == at && left > 0))
            r = px_fail(err, -EBADMSG, "%zu bytes that zstd does not unpack", size);
        else if (made > max_bytes)
            r = px_fail(err, -EFBIG, "more than %zu bytes once unpacked", max_bytes);
        else
            out->size += to.pos;
    }
    ZSTD_freeDCtx(z);
    px_buf_add(out, "", 0);
    return r;
}
