/* src/host/input/xtest.h - carries input out on the X server, by XTEST and XKB
 * Belongs to the loop's thread; requests go out with the loop's next turn. */
#pragma once
#include "host/input/keyboard.h"
#include "host/xdisplay.h"

/* Fills the sink (whose data is @d, lent), loads the key map, turns the server's key repeat off.
 * -ENOTSUP: the server has no XTEST or no XKB. */
int px_xtest_start(struct px_xdisplay *d, struct px_keyboard *k, struct px_error *err);
/* The layout changed: load it again. */
bool px_xtest_is_mapping_event(const struct px_xdisplay *d, const xcb_generic_event_t *e);
void px_xtest_reload(struct px_xdisplay *d, struct px_keyboard *k);
