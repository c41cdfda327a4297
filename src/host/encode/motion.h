/* src/host/encode/motion.h - where the screen's content has moved to
 *
 * In blocks of 16x16, by whole pixels, exactly. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PX_MOVE_SIDE 16
#define PX_MOVE_REACH 127 /* pixels that content may have moved, each way */
#define PX_MOVES_MAX 3    /* that are looked for in one picture */

struct px_move {
    int16_t x, y; /* where in the last picture, from here */
};

/* Looks in luma @now for what was elsewhere in @before (whole blocks, @stride). @active: which
 * blocks changed, @columns x @rows. @far: how far straight up or down it may have moved (scrolled
 * text, on a slow line), which is also how far two moves may be apart. Returns how many moves it
 * found, most seen first. */
int px_find_moves(const uint8_t *before, int before_stride, const uint8_t *now, int stride,
                  int width, int height, const uint8_t *active, int columns, int rows, int far,
                  struct px_move ret[PX_MOVES_MAX]);

/* Two pictures' luma, and the moves between them. */
struct px_moved {
    const uint8_t *before, *now;
    int before_stride, stride, width, height;
    const struct px_move *moves;
    int n_moves;
};

/* Whether the block at @x, @y, all inside, is as it was or moved. */
bool px_has_moved(const struct px_moved *m, int x, int y);
