/* src/host/focus.c - which window is active, as the window manager says */
#include "host/focus.h"
#include "base/cleanup.h"
#include <stdlib.h>

bool px_focus_is_event(const struct px_xdisplay *d, const xcb_generic_event_t *e) {
    return (e->response_type & 0x7f) == XCB_PROPERTY_NOTIFY &&
           ((const xcb_property_notify_event_t *)e)->window == d->root;
}

static xcb_window_t active(struct px_xdisplay *d, xcb_atom_t property) {
    px_cleanup_free xcb_get_property_reply_t *r = xcb_get_property_reply(
        d->x, xcb_get_property(d->x, 0, d->root, property, XCB_ATOM_WINDOW, 0, 1), NULL);
    return r && r->format == 32 && xcb_get_property_value_length(r) == 4
               ? *(const xcb_window_t *)xcb_get_property_value(r)
               : XCB_WINDOW_NONE;
}

bool px_focus_where(struct px_xdisplay *d, const xcb_generic_event_t *e, int *ret_x, int *ret_y) {
    const xcb_atom_t atom = ((const xcb_property_notify_event_t *)e)->atom;
    if (atom != px_xdisplay_atom(d, "_NET_ACTIVE_WINDOW"))
        return false;
    const xcb_window_t w = active(d, atom);
    if (w == XCB_WINDOW_NONE)
        return false;
    px_cleanup_free xcb_get_geometry_reply_t *size =
        xcb_get_geometry_reply(d->x, xcb_get_geometry(d->x, w), NULL);
    px_cleanup_free xcb_translate_coordinates_reply_t *at = xcb_translate_coordinates_reply(
        d->x, xcb_translate_coordinates(d->x, w, d->root, 0, 0), NULL);
    if (!size || !at)
        return false;
    *ret_x = at->dst_x + size->width / 2;
    *ret_y = at->dst_y + size->height / 2;
    return true;
}
