/* src/host/capture/cursor.h - the pointer's shape, as messages
 *
 * A shape is named by a hash of its size, hot spot and pixels: programs make new X cursors for the
 * same picture all the time. Loop thread. */
#pragma once
#include "base/buf.h"
#include "host/xdisplay.h"

struct px_cursor {
    uint64_t id;        /* 0: no shape yet */
    struct px_buf body; /* an encoded Message.cursor_data */
};

int px_cursor_start(struct px_xdisplay *d, struct px_error *err);
/* Whether @e says that the shape changed. */
bool px_cursor_is_event(const struct px_xdisplay *d, const xcb_generic_event_t *e);
/* Asks the server for the shape. 1: it differs from what @c held; 0: the same; -EPIPE. */
int px_cursor_read(struct px_xdisplay *d, struct px_cursor *c, struct px_error *err);
void px_cursor_fini(struct px_cursor *c);

/* The message of @width x @height premultiplied A,R,G,B words; pure. Returns the id. */
uint64_t px_cursor_print(const uint32_t *argb, unsigned width, unsigned height, int hot_x,
                         int hot_y, struct px_buf *body);
