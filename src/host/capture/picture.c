/* src/host/capture/picture.c - a picture as encoders take it */
#include "host/capture/picture.h"
#include "base/alloc.h"
#include <assert.h>
#include <libyuv.h>
#include <stdlib.h>
#include <string.h>

void px_picture_init(struct px_picture *p, int width, int height, bool i444) {
    assert(width > 0 && height > 0 && width <= 16384 && height <= 16384);
    const int c_width = i444 ? width : (width + 1) / 2, c_height = i444 ? height : (height + 1) / 2;
    *p = (struct px_picture){.width = width, .height = height, .i444 = i444};
    p->strides[0] = (width + 63) & ~63;
    p->strides[1] = p->strides[2] = (c_width + 63) & ~63;
    const size_t y_bytes = (size_t)p->strides[0] * (size_t)height;
    const size_t c_bytes = (size_t)p->strides[1] * (size_t)c_height;
    p->memory = aligned_alloc(64, (y_bytes + 2 * c_bytes + 63) & ~(size_t)63);
    if (!p->memory)
        abort();
    p->planes[0] = p->memory;
    p->planes[1] = p->memory + y_bytes;
    p->planes[2] = p->planes[1] + c_bytes;
    memset(p->planes[0], 16, y_bytes);
    memset(p->planes[1], 128, 2 * c_bytes);
}

void px_picture_fini(struct px_picture *p) {
    free(p->memory);
    *p = (struct px_picture){0};
}

void px_picture_put_bgrx(struct px_picture *p, int x, int y, const uint8_t *bgrx, int stride,
                         int width, int height) {
    assert(x >= 0 && y >= 0 && x + width <= p->width && y + height <= p->height);
    const int shift = p->i444 ? 0 : 1;
    uint8_t *out[3];
    for (int i = 0; i < 3; i++) {
        const int s = i ? shift : 0;
        out[i] = p->planes[i] + (ptrdiff_t)(y >> s) * p->strides[i] + (x >> s);
    }
    /* libyuv's "ARGB" is that word in little endian: B, G, R, A in memory. */
    (p->i444 ? ARGBToI444 : ARGBToI420)(bgrx, stride, out[0], p->strides[0], out[1], p->strides[1],
                                        out[2], p->strides[2], width, height);
}
