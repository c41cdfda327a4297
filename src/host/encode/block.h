/* src/host/encode/block.h - macroblocks: 16x16 pixels in 4:2:0, as VP8 and H.264 have them
 * Pure. */
#pragma once
#include "host/encode/surface.h"

struct px_block {
    uint8_t y[16][16], uv[2][8][8];
};

struct px_block_at {
    const struct px_planes *now;    /* as the decoder will have it; what is above and left is */
    const struct px_planes *before; /* the decoder's last picture; may be @now: no moves then */
    int columns, rows, column, row;
    bool cut; /* what is above may not be looked at: another thread has it */
};

/* Of a picture of @width x @height; beyond its edges the last pixel goes on. */
void px_block_read(const struct px_planes *from, int width, int height, int column, int row,
                   struct px_block *ret);
void px_block_store(const struct px_block_at *at, const struct px_block *p);
unsigned px_block_distance(const uint8_t a[16][16], const uint8_t b[16][16]);
/* @guess of the last picture will do for @want: no pixel is farther than @near. @same: as it was,
 * or moved, so only chroma is looked at, which blurs a little each time it moves by half a pixel.
 */
bool px_block_will_do(const struct px_block *want, const struct px_block *guess, bool same,
                      int near);

/* 8x8 pixels of @plane from @x, @y on and half a pixel right or down, as the format has it. */
typedef void px_guess_half_fn(const uint8_t *plane, int stride, int width, int height, int x, int y,
                              bool half_x, bool half_y, uint8_t to[8][8]);
void px_block_guess_moved(const struct px_block_at *at, struct px_move m, px_guess_half_fn *half,
                          struct px_block *ret);
