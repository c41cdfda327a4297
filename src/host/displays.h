/* src/host/displays.h - the parts of the X screen that clients know as displays
 *
 * The monitors of RandR 1.5 (outputs, or parts that `xrandr --setmonitor` made), the primary one
 * first, then from left to right. Where there is only one, it is the whole screen, whatever size
 * that has. Coordinates are the X screen's. */
#pragma once
#include "host/capture/region.h"
#include "host/xdisplay.h"
#include <stdbool.h>

#define PX_DISPLAYS_MAX 8 /* more are left out */

struct px_display {
    struct px_rect area; /* even, as pictures with halved colour planes want */
    char name[32];
};

struct px_displays {
    struct px_display list[PX_DISPLAYS_MAX];
    int n; /* at least 1 */
};

/* One display of the whole screen: before there is an X server. */
void px_displays_init(struct px_displays *l, int width, int height);
/* What RandR tells now; @width, @height: the screen's, as it is captured. Round trip. */
void px_displays_read(struct px_displays *l, struct px_xdisplay *d, int width, int height);
/* Asks for the events that tell of changes, and for those of focus.h. */
void px_displays_watch(struct px_xdisplay *d);
bool px_displays_is_event(const struct px_xdisplay *d, const xcb_generic_event_t *e);
/* The part that a stream for display @i shows; empty: all of the screen, however large. */
struct px_rect px_displays_view(const struct px_displays *l, int i);
/* The display at @x, @y; 0 where there is none. */
int px_displays_at(const struct px_displays *l, int x, int y);
