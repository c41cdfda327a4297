/* src/host/clipboard/fuzz_uris.c - paths that we find are absolute, and come back from what we
 * print
 */
#include "base/cleanup.h"
#include "host/clipboard/uris.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct px_paths p;
    px_uris_parse((const char *)data, size, &p);
    for (int gnome = 0; gnome < 2; gnome++) {
        px_cleanup(px_buf_fini) struct px_buf out = {0};
        struct px_paths again;
        px_uris_print(&p, gnome, &out);
        px_uris_parse(px_buf_str(&out), out.size, &again);
        assert(again.n == p.n);
        for (size_t i = 0; i < p.n; i++)
            assert(*p.list[i] == '/' && strcmp(p.list[i], again.list[i]) == 0);
        px_paths_fini(&again);
    }
    px_paths_fini(&p);
    return 0;
}
