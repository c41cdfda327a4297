/* src/host/capture/shot.h - a picture of the screen as PNG
 * Opens an X connection of its own and blocks (some 100 ms for 1920x1080): for a worker thread. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "host/capture/region.h"

#define PX_SHOT_MAX_BYTES (60u * 1024 * 1024) /* of a PNG: it has to fit into one message */

/* @area is cut to the screen; empty: all of it. -ECONNREFUSED: no server; -ENOTSUP: its pixels
 * have another form than 32 bits B,G,R,x; -EFBIG. */
int px_shot_png(const char *display, struct px_rect area, struct px_buf *out, struct px_error *err);
