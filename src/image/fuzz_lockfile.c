/* src/image/fuzz_lockfile.c - what we accept, we can write and read again */
#include "base/alloc.h"
#include "image/lockfile.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_lockfile_freep) struct px_lockfile *lock = NULL;
    px_cleanup(px_lockfile_freep) struct px_lockfile *again = NULL;
    if (px_lockfile_parse("x", (const char *)data, size, &lock, NULL) < 0)
        return 0;
    px_cleanup_free char *text = px_lockfile_print(lock);
    int r = px_lockfile_parse("y", text, strlen(text), &again, NULL);
    assert(r == 0);
    px_cleanup_free char *text2 = px_lockfile_print(again);
    assert(strcmp(text, text2) == 0);
    return 0;
}
