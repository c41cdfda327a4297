/* src/host/xdisplay.c - the loop's connection to the X server */
#include "host/xdisplay.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/randr.h>
#include <xcb/xfixes.h>
#include <xcb/xkb.h>
#include <xcb/xtest.h>

static void drain(struct px_xdisplay *d, bool read_socket) {
    xcb_generic_event_t *e;
    while (!d->closing &&
           (e = read_socket ? xcb_poll_for_event(d->x) : xcb_poll_for_queued_event(d->x))) {
        d->ops->on_event(d->data, e);
        free(e);
    }
    if (d->closing || !xcb_connection_has_error(d->x))
        return;
    uv_poll_stop(&d->poll);
    uv_prepare_stop(&d->prepare);
    d->ops->on_lost(d->data);
}

static void on_readable(uv_poll_t *p, int status, int events) {
    drain(p->data, true);
}

/* Replies that were waited for may have brought events along; requests may not be out yet. */
static void on_prepare(uv_prepare_t *p) {
    struct px_xdisplay *d = p->data;
    drain(d, false);
    if (!d->closing)
        xcb_flush(d->x);
}

static uint8_t first_event(xcb_connection_t *x, xcb_extension_t *ext) {
    const xcb_query_extension_reply_t *e = xcb_get_extension_data(x, ext);
    return e && e->present ? e->first_event : 0;
}

static bool present(xcb_connection_t *x, xcb_extension_t *ext) {
    const xcb_query_extension_reply_t *e = xcb_get_extension_data(x, ext);
    return e && e->present;
}

static void start_extensions(struct px_xdisplay *d) {
    d->xfixes_event = first_event(d->x, &xcb_xfixes_id);
    d->randr_event = first_event(d->x, &xcb_randr_id);
    d->xtest = present(d->x, &xcb_test_id);
    if (d->xfixes_event)
        free(xcb_xfixes_query_version_reply(d->x, xcb_xfixes_query_version(d->x, 5, 0), NULL));
    if (d->randr_event)
        free(xcb_randr_query_version_reply(d->x, xcb_randr_query_version(d->x, 1, 5), NULL));
    if (present(d->x, &xcb_xkb_id)) {
        xcb_xkb_use_extension_reply_t *r =
            xcb_xkb_use_extension_reply(d->x, xcb_xkb_use_extension(d->x, 1, 0), NULL);
        d->xkb = r && r->supported;
        d->xkb_event = first_event(d->x, &xcb_xkb_id);
        free(r);
    }
}

/* libxcb looks for the cookie by libXau, whose XauFileName() keeps the path in a static buffer that
 * it frees and makes anew: of two threads at once each may free what the other has. */
xcb_connection_t *px_x_connect(const char *display, int *ret_screen) {
    static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&one_at_a_time);
    xcb_connection_t *x = xcb_connect(*display ? display : NULL, ret_screen);
    pthread_mutex_unlock(&one_at_a_time);
    return x;
}

int px_xdisplay_open(struct px_xdisplay *d, uv_loop_t *loop, const char *display,
                     const struct px_xdisplay_ops *ops, void *data, struct px_error *err) {
    int n = 0;
    *d = (struct px_xdisplay){.ops = ops, .data = data};
    d->x = px_x_connect(display, &n);
    if (xcb_connection_has_error(d->x)) {
        xcb_disconnect(d->x);
        d->x = NULL;
        return px_fail(err, -ECONNREFUSED, "no X server at '%s'", display);
    }
    xcb_screen_iterator_t it = xcb_setup_roots_iterator(xcb_get_setup(d->x));
    for (; n > 0 && it.rem > 1; n--)
        xcb_screen_next(&it);
    d->root = it.data->root;
    start_extensions(d);
    d->active_window = px_xdisplay_atom(d, "_NET_ACTIVE_WINDOW");
    uv_poll_init(loop, &d->poll, xcb_get_file_descriptor(d->x));
    uv_prepare_init(loop, &d->prepare);
    d->poll.data = d->prepare.data = d;
    d->n_open = 2;
    uv_poll_start(&d->poll, UV_READABLE, on_readable);
    uv_prepare_start(&d->prepare, on_prepare);
    return 0;
}

static void on_handle_closed(uv_handle_t *h) {
    struct px_xdisplay *d = h->data;
    if (--d->n_open == 0 && d->on_closed)
        d->on_closed(d->data);
}

void px_xdisplay_close(struct px_xdisplay *d, void (*on_closed)(void *data)) {
    if (d->closing || !d->x)
        return;
    d->closing = true;
    d->on_closed = on_closed;
    uv_close((uv_handle_t *)&d->poll, on_handle_closed);
    uv_close((uv_handle_t *)&d->prepare, on_handle_closed);
    xcb_disconnect(d->x);
    d->x = NULL;
}

xcb_atom_t px_xdisplay_atom(struct px_xdisplay *d, const char *name) {
    xcb_intern_atom_reply_t *r =
        xcb_intern_atom_reply(d->x, xcb_intern_atom(d->x, 0, (uint16_t)strlen(name), name), NULL);
    const xcb_atom_t atom = r ? r->atom : XCB_ATOM_NONE;
    free(r);
    return atom;
}
