/* src/phoenix-server/fuzz_config.c - any text is a config or an error with a message */
#include "base/alloc.h"
#include "phoenix-server/config.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup_free char *text = px_strndup((const char *)data, size);
    struct px_config c;
    struct px_error err = {0};
    px_config_init(&c);
    if (px_config_parse(&c, "file", text, 0, &err) < 0)
        assert(err.msg[0]);
    assert(c.port >= 3 && c.port <= 65533);
    px_config_fini(&c);
    return 0;
}
