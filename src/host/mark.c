/* src/host/mark.c - the pointer of a viewer who only looks, for the others to see */
#include "host/mark.h"
#include "base/cleanup.h"
#include "host/session.h"
#include <string.h>
#include <xcb/xfixes.h>

#define NAME "phoenix-host pointer"
#define ROWS 16
#define HEAD_ROWS 12
#define SHAPE_BOUNDING 0 /* X11/extensions/shapeconst.h */
#define SHAPE_INPUT 2

/* One for each viewer, as far as they go. */
static uint32_t colour(const struct px_session *s) {
    static const uint32_t all[] = {0xd81b60, 0x1e88e5, 0xf57c00, 0x2e9e3f, 0x8e24aa, 0x00838f};
    unsigned at = 0;
    for (const struct px_session *o = s->host->sessions; o && o != s; o = o->next)
        at++;
    return all[at % PX_N_ELEMENTS(all)];
}

static void shape(struct px_xdisplay *d, xcb_window_t window) {
    const xcb_xfixes_region_t r = xcb_generate_id(d->x), nothing = xcb_generate_id(d->x);
    xcb_rectangle_t rows[ROWS];
    if (!d->xfixes_event)
        return;
    for (int i = 0; i < ROWS; i++) /* a head, and a stem aslant below it */
        rows[i] = i < HEAD_ROWS
                      ? (xcb_rectangle_t){0, (int16_t)i, (uint16_t)(i + 1), 1}
                      : (xcb_rectangle_t){(int16_t)(4 + (i - HEAD_ROWS) / 2), (int16_t)i, 4, 1};
    xcb_xfixes_create_region(d->x, r, ROWS, rows);
    xcb_xfixes_set_window_shape_region(d->x, window, SHAPE_BOUNDING, 0, 0, r);
    xcb_xfixes_destroy_region(d->x, r);
    xcb_xfixes_create_region(d->x, nothing, 0, NULL);
    xcb_xfixes_set_window_shape_region(d->x, window, SHAPE_INPUT, 0, 0, nothing);
    xcb_xfixes_destroy_region(d->x, nothing);
}

static void make(struct px_session *s) {
    struct px_xdisplay *d = s->host->x;
    const uint32_t looks[] = {colour(s), 1};
    const xcb_window_t w = s->mark.window = xcb_generate_id(d->x);
    xcb_create_window(d->x, XCB_COPY_FROM_PARENT, w, d->root, 0, 0, HEAD_ROWS, ROWS, 0,
                      XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                      XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT, looks);
    xcb_change_property(d->x, XCB_PROP_MODE_REPLACE, w, XCB_ATOM_WM_NAME, XCB_ATOM_STRING, 8,
                        strlen(NAME), NAME);
    shape(d, w);
}

static int32_t within(int v, int size) {
    return v < 0 ? 0 : v < size ? v : size > 0 ? size - 1 : 0;
}

void px_mark_move(struct px_session *s, int x, int y) {
    const struct px_host *h = s->host;
    if (!h->x)
        return;
    const bool fresh = !s->mark.window;
    if (fresh)
        make(s);
    const uint32_t at[] = {(uint32_t)within(x, h->width), (uint32_t)within(y, h->height),
                           XCB_STACK_MODE_ABOVE};
    xcb_configure_window(h->x->x, s->mark.window,
                         XCB_CONFIG_WINDOW_X | XCB_CONFIG_WINDOW_Y | XCB_CONFIG_WINDOW_STACK_MODE,
                         at);
    if (fresh)
        xcb_map_window(h->x->x, s->mark.window);
}

void px_mark_remove(struct px_session *s) {
    if (s->mark.window && s->host->x)
        xcb_destroy_window(s->host->x->x, s->mark.window);
    s->mark.window = 0;
}
