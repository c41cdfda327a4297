/* src/proto/fuzz_wsclient.c - whatever a server sends, the reader goes forward or says why not */
#include "proto/wsclient.h"
#include <assert.h>

#define MAX_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct px_ws_reader r = {0};
    struct px_bytes m = {0};
    size_t used = 0;
    (void)px_ws_response_parse(data, size, "dGhlIHNhbXBsZSBub25jZQ==", &used, NULL);
    for (size_t at = 0; at < size; at += used) {
        const int got = px_ws_reader_next(&r, data + at, size - at, MAX_BYTES, &m, &used, NULL);
        if (got < 0 || got == PX_WS_GOT_MORE || got == PX_WS_GOT_CLOSE)
            break;
        assert(used > 0 && used <= size - at);
        assert(got != PX_WS_GOT_MESSAGE || m.size <= MAX_BYTES);
    }
    px_ws_reader_fini(&r);
    return 0;
}
