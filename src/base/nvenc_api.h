/* src/base/nvenc_api.h - which driver a version of NVENC's interface needs
 *
 * Source: the headers' README (nv-codec-headers) and the Video Codec SDK's release notes, Linux. */
#pragma once
#include <stddef.h>

/* As drivers tell it. */
#define PX_NVENC_API(MAJOR, MINOR) ((unsigned)(MAJOR) << 4 | (unsigned)(MINOR))

/* "550.54.14"; of what is newer than this table, NULL. */
static inline const char *px_nvenc_driver_for(unsigned api) {
    static const struct {
        unsigned api;
        const char *driver;
    } table[] = {{PX_NVENC_API(11, 0), "455.28"},    {PX_NVENC_API(11, 1), "470.57.02"},
                 {PX_NVENC_API(12, 0), "520.56.06"}, {PX_NVENC_API(12, 1), "530.41.03"},
                 {PX_NVENC_API(12, 2), "550.54.14"}, {PX_NVENC_API(13, 0), "570.0"}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (api <= table[i].api)
            return table[i].driver;
    return NULL;
}
