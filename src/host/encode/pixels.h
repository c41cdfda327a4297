/* src/host/encode/pixels.h - squares of pixels, in and out
 *
 * With sides that are constants where they are used: lines become single moves. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PX_PIXELS_INLINE static inline __attribute__((always_inline))

static inline int px_least(int a, int b) {
    return a < b ? a : b;
}

/* To 0 .. @max. */
static inline int px_clamp(int v, int max) {
    return v < 0 ? 0 : v > max ? max : v;
}

PX_PIXELS_INLINE void px_copy_square(uint8_t *to, int to_stride, const uint8_t *from, int stride,
                                     int side) {
    for (int y = 0; y < side; y++, to += to_stride, from += stride)
        memcpy(to, from, (size_t)side);
}

/* Of a plane of @width x @height, from @x, @y on; beyond its edges the last pixel goes on. */
PX_PIXELS_INLINE void px_read_square(const uint8_t *from, int stride, int width, int height, int x,
                                     int y, int side, uint8_t *to, int to_stride) {
    if (x >= 0 && y >= 0 && x + side <= width && y + side <= height) {
        px_copy_square(to, to_stride, from + (ptrdiff_t)y * stride + x, stride, side);
        return;
    }
    for (int i = 0; i < side; i++)
        for (int k = 0; k < side; k++)
            to[i * to_stride + k] =
                from[(ptrdiff_t)px_clamp(y + i, height - 1) * stride + px_clamp(x + k, width - 1)];
}
