/* src/proto/fuzz_unpack.c - blocks of files, keys of terminals, clipboards: what unpacks is within
 * its limit, and packs and unpacks again */
#include "proto/unpack.h"
#include <assert.h>
#include <string.h>
#include <zstd.h>

#define MAX_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t packed[ZSTD_COMPRESSBOUND(MAX_BYTES)];
    px_cleanup(px_buf_fini) struct px_buf plain = {0}, again = {0};
    const int r = px_unpack(data, size, MAX_BYTES, &plain, NULL);
    assert(plain.size <= MAX_BYTES);
    if (r < 0)
        return 0;
    const size_t n = ZSTD_compress(packed, sizeof(packed), plain.data, plain.size, 1);
    assert(!ZSTD_isError(n));
    assert(px_unpack(packed, n, plain.size, &again, NULL) == 0);
    assert(again.size == plain.size && memcmp(plain.data, again.data, plain.size) == 0);
    return 0;
}
