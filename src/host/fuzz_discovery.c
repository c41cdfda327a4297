/* src/host/fuzz_discovery.c - whatever comes to the discovery port */
#include "host/discovery.h"
#include "proto/rendezvous.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct px_discovery_names names = {"123456789", "user", "desk"};
    uint8_t pong[PX_DISCOVERY_PONG_MAX];
    struct px_rdv_msg m;
    const int n =
        px_discovery_answer((struct px_bytes){data, size}, &names, "02:00:00:00:00:01", pong);
    assert(n >= 0 && n <= PX_DISCOVERY_PONG_MAX);
    if (n > 0) /* an answer is none to itself, or two hosts would go on for ever */
        assert(px_rdv_decode((struct px_bytes){pong, (size_t)n}, &m, NULL) == 0 &&
               px_discovery_answer((struct px_bytes){pong, (size_t)n}, &names, "", pong) == 0);
    return 0;
}
