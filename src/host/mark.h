/* src/host/mark.h - the pointer of a viewer who only looks, for the others to see
 *
 * RustDesk's "show my cursor": the client sends where its pointer is, though its input does
 * nothing. An arrow of our own stands there, a window that takes no clicks. Loop thread. Source:
 * rustdesk src/server/connection.rs (show_my_cursor). */
#pragma once
#include "host/xdisplay.h"

struct px_session;

struct px_mark {
    xcb_window_t window; /* 0: not there */
};

/* To @x, @y of the desktop; it is made where it is not there. */
void px_mark_move(struct px_session *s, int x, int y);
void px_mark_remove(struct px_session *s);
