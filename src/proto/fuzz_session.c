/* src/proto/fuzz_session.c - what we accept, we can write and read again */
#include "proto/session.h"
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fields that we do not know are never sent on. protobuf-c keeps them, also some that it would not
 * take again (field number 0 in two bytes): they are no part of the promise. */
static void strip_unknown(ProtobufCMessage *m) {
    for (unsigned i = 0; i < m->n_unknown_fields; i++)
        free(m->unknown_fields[i].data);
    free(m->unknown_fields);
    m->unknown_fields = NULL;
    m->n_unknown_fields = 0;
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        char *at = (char *)m + f->offset, *quantifier = (char *)m + f->quantifier_offset;
        if (f->type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            for (size_t n = 0; n < *(size_t *)quantifier; n++)
                strip_unknown((*(ProtobufCMessage ***)at)[n]);
            continue;
        }
        const bool one_of = f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
        if ((!one_of || *(uint32_t *)quantifier == f->id) && *(ProtobufCMessage **)at)
            strip_unknown(*(ProtobufCMessage **)at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_message_freep) Pxs__Message *m = NULL, *again = NULL;
    if (px_message_parse(data, size, &m, NULL) < 0)
        return 0;
    strip_unknown(&m->base);
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_message_print(&m->base, &out);
    assert(px_message_parse((const uint8_t *)out.data, out.size, &again, NULL) == 0);
    assert(again->item_case == m->item_case);
    return 0;
}
