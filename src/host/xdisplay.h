/* src/host/xdisplay.h - the loop's connection to the X server
 *
 * For input, cursor, clipboard and resolution; the video thread has its own. Events go to one
 * callback; when the server goes away, on_lost is the last one. Belongs to the loop's thread. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <uv.h>
#include <xcb/xcb.h>

struct px_xdisplay_ops {
    void (*on_event)(void *data, const xcb_generic_event_t *e);
    void (*on_lost)(void *data);
};

struct px_xdisplay {
    xcb_connection_t *x;
    xcb_window_t root;
    uint8_t xfixes_event, randr_event, xkb_event; /* first event numbers; 0: the server lacks it */
    bool xtest, xkb;
    xcb_atom_t active_window; /* _NET_ACTIVE_WINDOW */
    /* private */
    uv_poll_t poll;
    uv_prepare_t prepare;
    const struct px_xdisplay_ops *ops;
    void *data;
    int n_open;
    bool closing;
    void (*on_closed)(void *data);
};

/* xcb_connect() for any thread; @display "": $DISPLAY. Never NULL: see xcb_connection_has_error().
 */
xcb_connection_t *px_x_connect(const char *display, int *ret_screen);
/* -ECONNREFUSED: no server. */
int px_xdisplay_open(struct px_xdisplay *d, uv_loop_t *loop, const char *display,
                     const struct px_xdisplay_ops *ops, void *data, struct px_error *err);
/* @on_closed (may be NULL): the struct may go. */
void px_xdisplay_close(struct px_xdisplay *d, void (*on_closed)(void *data));
xcb_atom_t px_xdisplay_atom(struct px_xdisplay *d, const char *name);
