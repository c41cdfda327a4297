/* src/host/banner.h - a strip at the top of the screen that says who watches
 *
 * A window of our own, drawn once per change: it makes no damage while it only stands there, takes
 * no clicks, and comes forward again when something covers it (once a second at most). There while
 * somebody watches and an X server runs. Loop thread. */
#pragma once
#include "host/xdisplay.h"

struct px_host;

struct px_banner {
    xcb_window_t window; /* 0: not there */
    xcb_gcontext_t gc;
    int char_width, ascent, height; /* of the font */
    int screen_width;               /* for which it was placed */
    int64_t raised_us;
    char text[128]; /* Latin-1, as the font has it */
};

/* Makes it say what is true now; cheap when nothing changed. */
void px_banner_update(struct px_host *h);
/* Whether @e was for it. */
bool px_banner_event(struct px_host *h, const xcb_generic_event_t *e);
/* The X server is gone, and the window with it. */
void px_banner_forget(struct px_banner *b);
/* What it shall say, at most @cap - 1 bytes; "": nothing, nobody watches. */
void px_banner_text(const struct px_host *h, char *out, size_t cap);
