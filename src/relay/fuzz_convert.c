/* src/relay/fuzz_convert.c - what comes out does not depend on how the input was cut */
#include "relay/convert.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int run(const uint8_t *data, size_t size, uint8_t mode, size_t step, struct px_buf *out) {
    struct px_convert c = {.from_ws = mode % 3 != 0, .to_ws = mode % 3 != 1};
    px_cleanup(px_buf_fini) struct px_buf pong = {0};
    uint8_t *copy = malloc(size ? size : 1);
    bool ping = false;
    int r = PX_PARSE_MORE;
    memcpy(copy, data, size);
    for (size_t i = 0; i < size && r == PX_PARSE_MORE; i += step)
        r = px_convert_feed(&c, copy + i, size - i < step ? size - i : step, out, &pong, &ping,
                            NULL);
    assert(pong.size <= PX_WS_CONTROL_MAX_BYTES);
    px_convert_fini(&c);
    free(copy);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    const size_t step = 1 + data[1] % 7;
    px_cleanup(px_buf_fini) struct px_buf whole = {0};
    px_cleanup(px_buf_fini) struct px_buf parts = {0};
    int a = run(data + 2, size - 2, data[0], size, &whole);
    int b = run(data + 2, size - 2, data[0], step, &parts);
    assert(a == b && whole.size == parts.size);
    assert(whole.size == 0 || memcmp(whole.data, parts.data, whole.size) == 0);
    return 0;
}
