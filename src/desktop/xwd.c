/* src/desktop/xwd.c - window dumps of xwd(1) */
#include "desktop/xwd.h"
#include "desktop/png.h"
#include <assert.h>
#include <stdbool.h>

#define N_WORDS 25
#define COLOUR_BYTES 12

enum { /* word numbers in the header */
       HEADER_SIZE = 0,
       VERSION = 1,
       FORMAT = 2,
       WIDTH = 4,
       HEIGHT = 5,
       BYTE_ORDER_ = 7,
       BITS_PER_PIXEL = 11,
       BYTES_PER_LINE = 12,
       VISUAL = 13,
       RED = 14,
       GREEN = 15,
       BLUE = 16,
       N_COLOURS = 19,
};

#define VERSION_7 7
#define ZPIXMAP 2
#define TRUE_COLOUR 4
/* What xwd says, with 24 bits per pixel, where windows of several visuals are on the screen: the
 * panel's has an alpha channel. It has brought them all to plain red, green and blue by then. */
#define DIRECT_COLOUR 5

static uint32_t word(const uint8_t *data, unsigned n) {
    const uint8_t *p = data + (size_t)n * 4;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A mask of neighbouring bits, at most 16, that lie in a pixel. */
static bool channel_of(uint32_t mask, uint32_t bits_per_pixel, struct px_xwd_channel *ret) {
    if (mask == 0)
        return false;
    ret->shift = (unsigned)__builtin_ctz(mask);
    ret->bits = (unsigned)__builtin_popcount(mask);
    const uint32_t run = mask >> ret->shift;
    return (run & (run + 1)) == 0 && ret->bits <= 16 && ret->shift + ret->bits <= bits_per_pixel;
}

static int check_kind(const uint8_t *d, struct px_xwd *x, struct px_error *err) {
    const uint32_t bits = word(d, BITS_PER_PIXEL);
    if (word(d, FORMAT) != ZPIXMAP ||
        (word(d, VISUAL) != TRUE_COLOUR && word(d, VISUAL) != DIRECT_COLOUR))
        return px_fail(err, -ENOTSUP,
                       "screen dump of format %u, visual %u (not ZPixmap, TrueColor)",
                       word(d, FORMAT), word(d, VISUAL));
    if (bits != 16 && bits != 24 && bits != 32)
        return px_fail(err, -ENOTSUP, "screen dump with %u bits per pixel", bits);
    if (!channel_of(word(d, RED), bits, &x->red) || !channel_of(word(d, GREEN), bits, &x->green) ||
        !channel_of(word(d, BLUE), bits, &x->blue))
        return px_fail(err, -EINVAL, "screen dump with colour masks %x, %x, %x", word(d, RED),
                       word(d, GREEN), word(d, BLUE));
    x->bytes_per_pixel = bits / 8;
    x->big_endian = word(d, BYTE_ORDER_) != 0;
    return 0;
}

static int check_size(const uint8_t *d, struct px_xwd *x, struct px_error *err) {
    x->width_px = word(d, WIDTH);
    x->height_px = word(d, HEIGHT);
    x->stride_bytes = word(d, BYTES_PER_LINE);
    if (x->width_px < 1 || x->height_px < 1 || x->width_px > PX_XWD_SIDE_MAX ||
        x->height_px > PX_XWD_SIDE_MAX)
        return px_fail(err, -EMSGSIZE, "screen dump of %ux%u pixels (1 to %d a side are read)",
                       x->width_px, x->height_px, PX_XWD_SIDE_MAX);
    if (x->stride_bytes < x->width_px * x->bytes_per_pixel)
        return px_fail(err, -EINVAL, "screen dump with lines of %u bytes for %u pixels",
                       x->stride_bytes, x->width_px);
    return 0;
}

int px_xwd_parse(const void *data, size_t size, struct px_xwd *ret, struct px_error *err) {
    const uint8_t *d = data;
    struct px_xwd x = {0};
    if (size > PX_XWD_MAX_BYTES)
        return px_fail(err, -EMSGSIZE, "screen dump of %zu bytes", size);
    if (size < (size_t)N_WORDS * 4 || word(d, VERSION) != VERSION_7 ||
        word(d, HEADER_SIZE) < N_WORDS * 4)
        return px_fail(err, -EINVAL, "not a screen dump of xwd");
    int r = check_kind(d, &x, err);
    if (r < 0 || (r = check_size(d, &x, err)) < 0)
        return r;
    /* 64 bits: none of these sums of two 32-bit numbers and products can overflow. */
    const uint64_t start =
        (uint64_t)word(d, HEADER_SIZE) + (uint64_t)word(d, N_COLOURS) * COLOUR_BYTES;
    const uint64_t end = start + (uint64_t)x.stride_bytes * x.height_px;
    if (end > size)
        return px_fail(err, -EMSGSIZE, "screen dump ends early: %zu bytes of %ju", size,
                       (uintmax_t)end);
    x.pixels = d + start;
    *ret = x;
    return 0;
}

static uint8_t to_byte(uint32_t pixel, struct px_xwd_channel c) {
    const uint32_t max = (1u << c.bits) - 1;
    const uint32_t value = pixel >> c.shift & max;
    return c.bits == 8 ? (uint8_t)value : (uint8_t)((value * 255 + max / 2) / max);
}

static uint32_t pixel_at(const uint8_t *p, uint32_t n, int big_endian) {
    uint32_t pixel = 0;
    for (uint32_t i = 0; i < n; i++)
        pixel |= (uint32_t)p[i] << 8 * (big_endian ? n - 1 - i : i);
    return pixel;
}

void px_xwd_row(const struct px_xwd *xwd, uint32_t y, uint8_t *rgb) {
    assert(y < xwd->height_px);
    const uint8_t *p = xwd->pixels + (size_t)y * xwd->stride_bytes;
    for (uint32_t i = 0; i < xwd->width_px; i++, p += xwd->bytes_per_pixel) {
        const uint32_t pixel = pixel_at(p, xwd->bytes_per_pixel, xwd->big_endian);
        *rgb++ = to_byte(pixel, xwd->red);
        *rgb++ = to_byte(pixel, xwd->green);
        *rgb++ = to_byte(pixel, xwd->blue);
    }
}

static void on_row(void *data, uint32_t y, uint8_t *rgb) {
    px_xwd_row(data, y, rgb);
}

int px_xwd_to_png(const void *data, size_t size, struct px_buf *png, struct px_error *err) {
    struct px_xwd xwd;
    int r = px_xwd_parse(data, size, &xwd, err);
    return r < 0 ? r : px_png_write(xwd.width_px, xwd.height_px, on_row, &xwd, png, err);
}
