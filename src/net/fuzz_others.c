/* src/net/fuzz_others.c - listings of other firewalls: whoever is blamed comes with a cure */
#include "base/cleanup.h"
#include "net/others.h"
#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct px_others o = {0};
    px_cleanup_free char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = 0;
    if (px_others_parse((const char *)data, size, "phoenix0", "eth0", true, &o, NULL) >= 0)
        assert(!o.who[0] == !o.fix[0]);
    px_others_parse_legacy(text, "phoenix0", "eth0", &o);
    assert(!o.who[0] == !o.fix[0]);
    return 0;
}
