/* src/desktop/png.h - pictures as PNG. Any thread. Source: libpng(3). */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stdint.h>

/* Adds a picture of 8 bits per colour to @png. @row fills in line @y, 3 * @width_px bytes; called
 * once per line from the top. -EIO: libpng's own word; @png is then as it was. */
int px_png_write(uint32_t width_px, uint32_t height_px,
                 void (*row)(void *data, uint32_t y, uint8_t *rgb), void *data, struct px_buf *png,
                 struct px_error *err);
