/* src/proto/fuzz_rendezvous.c - what we decode, we can encode, and it decodes to the same bytes */
#include "proto/rendezvous.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct px_rdv_msg msg, again;
    struct px_bytes id, pk;
    (void)px_rdv_id_pk_decode((struct px_bytes){data, size}, &id, &pk, NULL);
    if (px_rdv_decode((struct px_bytes){data, size}, &msg, NULL) < 0 || msg.kind == PX_RDV_NONE)
        return 0;
    /* A number in a longer form than needed shrinks, one above 32 bits too; nothing grows but a
     * negative int32 that came in 5 bytes. */
    const size_t cap = size * 2 + 64;
    uint8_t *one = malloc(cap), *two = malloc(cap);
    int n = px_rdv_encode(&msg, one, cap, NULL);
    assert(n > 0);
    int r = px_rdv_decode((struct px_bytes){one, (size_t)n}, &again, NULL);
    assert(r == 0 && again.kind == msg.kind);
    r = px_rdv_encode(&again, two, cap, NULL);
    assert(r == n && memcmp(one, two, (size_t)n) == 0);
    struct px_wire_out o = {.data = two, .cap = cap};
    px_wire_put_fields(&o, msg.body, 0);
    assert(o.size == msg.body.size && memcmp(two, msg.body.data, o.size) == 0);
    free(one);
    free(two);
    return 0;
}
