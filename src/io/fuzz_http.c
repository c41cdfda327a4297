/* src/io/fuzz_http.c - a path lies inside its request, and more bytes behind the head change
 * nothing */
#include "io/http.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct px_bytes path = {0}, again = {0};
    uint8_t longer[512];
    const int r = px_http_request_parse(data, size, &path);
    assert(r == PX_PARSE_DONE || r == PX_PARSE_MORE || r == -EPROTO || r == -EMSGSIZE);
    if (r == PX_PARSE_DONE)
        assert(path.size > 0 && path.data > data && path.data + path.size < data + size);
    if (r == PX_PARSE_MORE || size + 4 > sizeof(longer))
        return 0;
    memcpy(longer, data, size);
    memcpy(longer + size, "\r\n x", 4);
    assert(px_http_request_parse(longer, size + 4, &again) == r);
    assert(again.size == path.size);
    return 0;
}
