/* src/host/focus.h - which window is active, as the window manager says
 * _NET_ACTIVE_WINDOW of the root window (EWMH, "Root Window Properties"). Loop thread. */
#pragma once
#include "host/xdisplay.h"
#include <stdbool.h>

/* Another window is active, or none (px_displays_watch() asks for these events). */
bool px_focus_is_event(const struct px_xdisplay *d, const xcb_generic_event_t *e);
/* The middle of the active window, in the X screen's coordinates. False: there is none. Two round
 * trips. */
bool px_focus_where(struct px_xdisplay *d, int *ret_x, int *ret_y);
