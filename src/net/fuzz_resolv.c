/* src/net/fuzz_resolv.c - what we print of a resolv.conf, we read as the same */
#include "base/cleanup.h"
#include "net/resolv.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    struct px_resolv r, again;
    px_resolv_parse((const char *)data, size, &r);
    px_resolv_print(&r, &out);
    px_resolv_parse(px_buf_str(&out), out.size, &again);
    assert(r.n_servers == again.n_servers && strcmp(r.search, again.search) == 0);
    assert(memcmp(r.servers, again.servers, r.n_servers * sizeof(*r.servers)) == 0);
    assert(!again.loopback && !again.ipv6);
    return 0;
}
