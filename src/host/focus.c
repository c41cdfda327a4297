/* src/host/focus.c - which window is active, as the window manager says */
#include "host/focus.h"
#include "base/cleanup.h"
#include <stdlib.h>

bool px_focus_is_event(const struct px_xdisplay *d, const xcb_generic_event_t *e) {
    const xcb_property_notify_event_t *p = (const void *)e;
    return (e->response_type & 0x7f) == XCB_PROPERTY_NOTIFY && p->window == d->root &&
           p->atom == d->active_window;
}

static xcb_window_t active(struct px_xdisplay *d) {
    px_cleanup_free xcb_get_property_reply_t *r = xcb_get_property_reply(
        d->x, xcb_get_property(d->x, 0, d->root, d->active_window, XCB_ATOM_WINDOW, 0, 1), NULL);
    return r && r->format == 32 && xcb_get_property_value_length(r) == 4
               ? *(const xcb_window_t *)xcb_get_property_value(r)
               : XCB_WINDOW_NONE;
}

bool px_focus_where(struct px_xdisplay *d, int *ret_x, int *ret_y) {
    const xcb_window_t w = active(d);
    if (w == XCB_WINDOW_NONE)
        return false;
    const xcb_get_geometry_cookie_t size_of = xcb_get_geometry(d->x, w);
    const xcb_translate_coordinates_cookie_t at_of =
        xcb_translate_coordinates(d->x, w, d->root, 0, 0);
    px_cleanup_free xcb_get_geometry_reply_t *size = xcb_get_geometry_reply(d->x, size_of, NULL);
    px_cleanup_free xcb_translate_coordinates_reply_t *at =
        xcb_translate_coordinates_reply(d->x, at_of, NULL);
    if (!size || !at)
        return false;
    *ret_x = at->dst_x + size->width / 2;
    *ret_y = at->dst_y + size->height / 2;
    return true;
}
