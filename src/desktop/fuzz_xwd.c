/* src/desktop/fuzz_xwd.c - every line of a dump that we accept can be read */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "desktop/xwd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct px_xwd xwd;
    if (px_xwd_parse(data, size, &xwd, NULL) < 0)
        return 0;
    px_cleanup_free uint8_t *line = px_new0(uint8_t, (size_t)xwd.width_px * 3);
    for (uint32_t y = 0; y < xwd.height_px; y++)
        px_xwd_row(&xwd, y, line);
    return 0;
}
