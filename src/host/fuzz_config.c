/* src/host/fuzz_config.c - host.json: what is taken keeps its bounds, what is not leaves nothing */
#include "host/config.h"
#include "proto/wss.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct px_host_config zeros;
    struct px_host_config c = {0};
    struct px_error err = {0};
    struct px_wss wss;
    if (px_host_config_parse((const char *)data, size, &c, &err) < 0) {
        assert(err.msg[0] && memcmp(&c, &zeros, sizeof(c)) == 0); /* says why, takes nothing */
        return 0;
    }
    assert(strlen(c.id) >= 6 && strlen(c.id) <= 16);
    assert(c.n_direct <= PX_HOST_DIRECT_MAX && c.n_allow <= PX_HOST_ALLOW_MAX);
    assert(!c.tls_name || (c.tls_port >= 1 && c.tls_port <= 65535));
    if (c.server && strncmp(c.server, PX_WSS_SCHEME, strlen(PX_WSS_SCHEME)) == 0)
        assert(px_wss_parse(c.server, &wss));
    const struct px_addr from = px_addr_v4(192, 0, 2, 1, 1);
    assert(c.n_allow > 0 || px_host_config_allows(&c, &from));
    px_host_config_fini(&c);
    assert(memcmp(&c, &zeros, sizeof(c)) == 0);
    return 0;
}
