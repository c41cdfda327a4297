/* src/net/fuzz_note.c - what we accept as a note, we can write and read again */
#include "base/cleanup.h"
#include "net/note.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_loaded_fini) struct px_loaded note = {0};
    px_cleanup(px_loaded_fini) struct px_loaded again = {0};
    if (px_loaded_parse((const char *)data, size, &note, NULL) < 0)
        return 0;
    px_cleanup_free char *text = px_loaded_print(&note);
    const int r = px_loaded_parse(text, strlen(text), &again, NULL);
    assert(r >= 0 && again.n_ports == note.n_ports && again.digest == note.digest);
    for (size_t i = 0; i < note.n_ports; i++)
        assert(px_loaded_has(&again, &note.ports[i]));
    return 0;
}
