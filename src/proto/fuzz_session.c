/* src/proto/fuzz_session.c - what we accept, we can write and read again */
#include "proto/session.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_message_freep) Pxs__Message *m = NULL, *again = NULL;
    if (px_message_parse(data, size, &m, NULL) < 0)
        return 0;
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_message_print(&m->base, &out);
    assert(px_message_parse((const uint8_t *)out.data, out.size, &again, NULL) == 0);
    assert(again->item_case == m->item_case);
    return 0;
}
