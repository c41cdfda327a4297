/* src/proto/fuzz_addr.c - any bytes are an address, and an address survives its own encoding */
#include "proto/addr.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t out[PX_ADDR_MANGLED_MAX_BYTES];
    char text[PX_ADDR_TEXT_MAX];
    const struct px_addr a = px_addr_unmangle((struct px_bytes){data, size});
    const size_t n = px_addr_mangle(&a, size > 4 ? px_le32(data) : 0x12345678, out);
    const struct px_addr b = px_addr_unmangle((struct px_bytes){out, n});
    static const struct px_addr none;
    assert(px_addr_equal(&a, &b) || px_addr_same_ip(&a, &none)); /* "::" reads back as 0.0.0.0 */
    struct px_addr again;
    int r = px_addr_parse(px_addr_text(&b, text), 0, &again, NULL);
    assert(r == 0 && px_addr_equal(&again, &b));
    if (size < PX_ADDR_TEXT_MAX) { /* the text parsers take anything as well */
        struct px_addr_block block;
        memcpy(text, data, size);
        text[size] = '\0';
        if (px_addr_block_parse(text, &block, NULL) == 0)
            assert(block.bits <= 128);
        (void)px_addr_parse(text, 1, &again, NULL);
    }
    return 0;
}
