/* src/host/fuzz_unpack.c - packed blocks of uploads, keys of terminals, clipboards: what unpacks is
 * within its limit, and packs and unpacks again */
#include "base/cleanup.h"
#include "host/unpack.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define MAX_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t packed[ZSTD_COMPRESSBOUND(MAX_BYTES)];
    px_cleanup_free uint8_t *plain = NULL, *again = NULL;
    size_t n = 0, n_again = 0;
    if (px_host_unpack(data, size, MAX_BYTES, &plain, &n, NULL) < 0) {
        assert(!plain && n == 0);
        return 0;
    }
    assert(n <= MAX_BYTES);
    const size_t n_packed = ZSTD_compress(packed, sizeof(packed), plain, n, 1);
    assert(!ZSTD_isError(n_packed));
    assert(px_host_unpack(packed, n_packed, n, &again, &n_again, NULL) == 0);
    assert(n_again == n && memcmp(plain, again, n) == 0);
    return 0;
}
