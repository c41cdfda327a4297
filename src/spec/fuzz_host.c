/* src/spec/fuzz_host.c - what we accept holds what the header promises */
#include "spec/host.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_host_freep) struct px_host_spec *host = NULL;
    struct px_error err = {0};
    if (px_host_parse("f", (const char *)data, size, &host, &err) < 0) {
        assert(err.msg[0] && !strchr(err.msg, '\n') && !host);
        return 0;
    }
    assert(host->state_dir[0] == '/' && host->run_dir[0] == '/');
    assert(host->ids.count >= 65536 && (uint64_t)host->ids.first + host->ids.count <= UINT32_MAX);
    assert(host->network.prefix >= 8 && host->network.prefix <= 29);
    assert((ntohl(host->network.range.s_addr) & (UINT32_MAX >> host->network.prefix)) == 0);
    assert(host->network.bridge[0] && host->network.n_dns <= 3);
    for (size_t i = 0; i < host->network.n_open; i++)
        assert(host->network.open[i].port > 0);
    return 0;
}
