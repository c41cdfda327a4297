/* src/desktop/xwd.h - window dumps of xwd(1), which a desktop made: bytes of a stranger
 *
 * Header: 25 words of 32 bits, big endian; then the window's name up to header_size, ncolors
 * entries of 12 bytes, then height lines of bytes_per_line bytes.
 *
 *      0 header_size   4 width      8 bitmap_unit     12 bytes_per_line  16 blue_mask
 *      1 version (7)   5 height     9 bit_order       13 visual_class    17 bits_per_rgb
 *      2 format        6 xoffset   10 bitmap_pad      14 red_mask        18 colormap_entries
 *      3 depth         7 byteorder 11 bits_per_pixel  15 green_mask      19 ncolors   20..24 window
 *
 * Read: ZPixmap, TrueColor, 16, 24 or 32 bits per pixel, what X servers have today. Pure; any
 * thread. Source: X11/XWDFile.h. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define PX_XWD_SIDE_MAX 16384
#define PX_XWD_MAX_BYTES (256u * 1024 * 1024)

struct px_xwd_channel {
    unsigned shift, bits; /* bits: 1..16 */
};

struct px_xwd {
    uint32_t width_px, height_px;
    const uint8_t *pixels; /* lent by the dump */
    uint32_t stride_bytes, bytes_per_pixel;
    int big_endian;
    struct px_xwd_channel red, green, blue;
};

/* -EINVAL: not such a dump; -ENOTSUP: one of a kind that is not read; -EMSGSIZE: above a limit or
 * shorter than it says. */
int px_xwd_parse(const void *data, size_t size, struct px_xwd *ret, struct px_error *err);
/* Line @y (below height_px) as red, green, blue bytes: 3 * width_px of them. */
void px_xwd_row(const struct px_xwd *xwd, uint32_t y, uint8_t *rgb);

/* The whole way; the PNG is added to @png. */
int px_xwd_to_png(const void *data, size_t size, struct px_buf *png, struct px_error *err);
