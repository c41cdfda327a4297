/* src/proto/fuzz_ws.c - frame heads survive their own encoding; requests of any kind are parsed */
#include "proto/ws.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct px_ws_head head, again;
    struct px_ws_request req;
    size_t used = 0, used_again = 0;
    uint8_t out[PX_WS_HEAD_MAX_BYTES];
    char answer[PX_WS_ACCEPT_MAX_BYTES];
    if (px_ws_head_parse(data, size, &head, &used, NULL) == PX_PARSE_DONE) {
        size_t n = px_ws_head_print(&head, out);
        assert(n == used && memcmp(out, data, n) == 0);
        int r = px_ws_head_parse(out, n, &again, &used_again, NULL);
        assert(r == PX_PARSE_DONE && again.bytes == head.bytes && used_again == n);
    }
    if (px_ws_request_parse(data, size, &req, &used, NULL) == PX_PARSE_DONE) {
        assert(used <= size && req.key.size > 0);
        assert(px_ws_accept_print(req.key, answer) < sizeof(answer));
    }
    return 0;
}
