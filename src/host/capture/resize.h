/* src/host/capture/resize.h - another size for the screen, by RandR */
#pragma once
#include "host/xdisplay.h"

/* Makes the (first) output @width x @height. -ENOTSUP: the server cannot, as Xvfb; -ERANGE: it has
 * no room for so much. Blocks for a few round trips (3 to 25 ms with the dummy driver). */
int px_resize_screen(struct px_xdisplay *d, int width, int height, struct px_error *err);
/* Clamps a client's wish to what makes sense: 200..7680 x 200..4320, even. */
void px_resize_clamp(int *width, int *height);
