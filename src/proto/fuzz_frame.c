/* src/proto/fuzz_frame.c - what we accept, we can write and read again */
#include "proto/frame.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint32_t bytes = 0, again = 0;
    uint8_t out[PX_FRAME_PREFIX_MAX_BYTES];
    if (px_frame_parse(data, size, &bytes, NULL) != PX_PARSE_DONE)
        return 0;
    int r = px_frame_parse(out, px_frame_print(bytes, out), &again, NULL);
    assert(r == PX_PARSE_DONE && again == bytes);
    assert(px_frame_prefix_size(out[0]) <= px_frame_prefix_size(data[0]));
    return 0;
}
