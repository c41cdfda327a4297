/* src/desktop/fuzz_record.c - what we accept, we can write and read again to the same text */
#include "base/cleanup.h"
#include "desktop/record.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_record_freep) struct px_record *rec = NULL, *again = NULL;
    if (px_record_parse((const char *)data, size, &rec, NULL) < 0)
        return 0;
    px_cleanup_free char *text = px_record_print(rec);
    assert(text);
    int r = px_record_parse(text, strlen(text), &again, NULL);
    assert(r == 0);
    px_cleanup_free char *same = px_record_print(again);
    assert(strcmp(text, same) == 0);
    return 0;
}
