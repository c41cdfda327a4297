/* src/image/fuzz_aptfile.c - source lists, index paragraphs and pip's log: no input does harm */
#include "base/alloc.h"
#include "image/pip.h"
#include "image/pool.h"
#include "image/sources.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    for (int deb822 = 0; deb822 < 2; deb822++) {
        px_cleanup(px_apt_sources_fini) struct px_apt_sources sources = {0};
        px_cleanup_free char *derived = NULL;
        px_apt_sources_parse(text, size, deb822, &sources);
        if (px_apt_sources_derive(&sources, "bookworm", "trixie", "main", &derived, NULL) == 0)
            assert(strstr(derived, "Suites: trixie\n"));
    }
    px_cleanup(px_debs_fini) struct px_debs debs = {0};
    px_cleanup(px_store_names_fini) struct px_store_names names = {0};
    px_debs_parse(text, size, &debs, NULL);
    px_pip_log_parse(text, size, &names);
    for (size_t i = 0; i < names.n; i++)
        assert(!strchr(names.items[i], '/'));
    return 0;
}
