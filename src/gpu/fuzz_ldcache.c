/* src/gpu/fuzz_ldcache.c - what we accept, we can change, write and read again */
#include "gpu/ldcache.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct px_ldcache cache, again;
    struct px_buf out = {0};
    if (px_ldcache_parse((const char *)data, size, &cache, NULL) < 0)
        return 0;
    px_ldcache_drop_dir(&cache, "/usr/lib/phoenix/nvidia/lib");
    px_ldcache_add(&cache, "libcuda.so.1", "/usr/lib/phoenix/nvidia/lib/libcuda.so.1");
    px_ldcache_print(&cache, &out);
    int r = px_ldcache_parse(out.data, out.size, &again, NULL);
    assert(r == 0 && again.n_libs == cache.n_libs && again.n_hwcaps == cache.n_hwcaps);
    assert(strcmp(px_ldcache_find(&again, "libcuda.so.1"),
                  "/usr/lib/phoenix/nvidia/lib/libcuda.so.1") == 0);
    px_ldcache_fini(&again);
    px_ldcache_fini(&cache);
    px_buf_fini(&out);
    return 0;
}
