/* src/host/clipboard/fuzz_descriptor.c - lists that we accept have safe names, and come back */
#include "base/cleanup.h"
#include "host/clipboard/descriptor.h"
#include "host/files/listing.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct px_descriptors l, again;
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    if (px_descriptors_parse(data, size, &l, NULL) < 0)
        return 0;
    px_descriptors_print(&l, &out);
    const int r = px_descriptors_parse((const uint8_t *)out.data, out.size, &again, NULL);
    assert(r == 0 && again.n == l.n);
    for (size_t i = 0; i < l.n; i++) {
        assert(px_upload_name_ok((const uint8_t *)l.list[i].name, strlen(l.list[i].name)));
        assert(strcmp(l.list[i].name, again.list[i].name) == 0);
        assert(l.list[i].size == again.list[i].size && l.list[i].is_dir == again.list[i].is_dir);
    }
    px_descriptors_fini(&l);
    px_descriptors_fini(&again);
    return 0;
}
