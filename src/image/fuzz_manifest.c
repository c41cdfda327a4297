/* src/image/fuzz_manifest.c - a manifest that is accepted has whole digests only */
#include "image/digest.h"
#include "image/manifest.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_manifest_freep) struct px_manifest *m = NULL;
    if (px_manifest_parse("x", (const char *)data, size, &m, NULL) < 0)
        return 0;
    assert(px_digest_valid(m->digest));
    for (size_t i = 0; i < m->n_layers; i++)
        assert(px_digest_valid(m->layers[i].digest));
    return 0;
}
