/* src/phoenix-host/target.c - a small window that surely answers: what clicks are measured on */
#include "target.h"
#include "base/clock.h"
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xcb/xcb.h>

#define SIDE 48
#define LIFE_US (60 * PX_US_PER_S) /* should whoever started us forget to end us */
#define WATCH_US (300 * PX_US_PER_MS)

struct target {
    xcb_connection_t *x;
    xcb_window_t root, window;
    xcb_gcontext_t gc;
    int left, top;
    bool white;
};

struct pointer {
    int x, y;
    unsigned held; /* buttons and modifiers */
};

static struct pointer where(struct target *t) {
    xcb_query_pointer_reply_t *r =
        xcb_query_pointer_reply(t->x, xcb_query_pointer(t->x, t->root), NULL);
    const struct pointer p = {r ? r->root_x : 0, r ? r->root_y : 0, r ? r->mask & 0x1fffu : 0};
    free(r);
    return p;
}

/* What was asked for has been done when an answer to something later comes. */
static void sync_up(struct target *t) {
    free(xcb_get_input_focus_reply(t->x, xcb_get_input_focus(t->x), NULL));
}

static void draw(struct target *t) {
    const uint32_t colour = t->white ? 0xffffff : 0;
    const xcb_rectangle_t all = {0, 0, SIDE, SIDE};
    xcb_change_gc(t->x, t->gc, XCB_GC_FOREGROUND, &colour);
    xcb_poly_fill_rectangle(t->x, t->window, t->gc, 1, &all);
    xcb_flush(t->x);
}

/* The window manager is not asked (override-redirect): the window stands where it is put, on top,
 * and takes the focus from nobody. */
static void open_window(struct target *t) {
    const xcb_screen_t *s = xcb_setup_roots_iterator(xcb_get_setup(t->x)).data;
    const uint32_t values[] = {0, 1, XCB_EVENT_MASK_BUTTON_PRESS | XCB_EVENT_MASK_EXPOSURE};
    t->root = s->root;
    t->left = s->width_in_pixels - SIDE;
    t->top = s->height_in_pixels - SIDE;
    t->window = xcb_generate_id(t->x);
    xcb_create_window(t->x, XCB_COPY_FROM_PARENT, t->window, t->root, (int16_t)t->left,
                      (int16_t)t->top, SIDE, SIDE, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT,
                      XCB_COPY_FROM_PARENT,
                      XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK, values);
    t->gc = xcb_generate_id(t->x);
    xcb_create_gc(t->x, t->gc, t->window, 0, NULL);
    xcb_map_window(t->x, t->window);
    draw(t);
}

static void take_events(struct target *t) {
    xcb_generic_event_t *e;
    while ((e = xcb_poll_for_event(t->x))) {
        const unsigned kind = e->response_type & 0x7f;
        if (kind == XCB_BUTTON_PRESS)
            t->white = !t->white;
        if (kind == XCB_BUTTON_PRESS || kind == XCB_EXPOSE)
            draw(t);
        free(e);
    }
}

/* Until stdin ends. */
static void serve(struct target *t) {
    const int64_t until = px_now_us() + LIFE_US;
    while (!xcb_connection_has_error(t->x) && px_now_us() < until) {
        struct pollfd p[] = {{.fd = xcb_get_file_descriptor(t->x), .events = POLLIN},
                             {.fd = STDIN_FILENO, .events = POLLIN}};
        char byte;
        take_events(t);
        if (poll(p, 2, (int)((until - px_now_us()) / PX_US_PER_MS) + 1) < 0)
            continue;
        if (p[1].revents && read(STDIN_FILENO, &byte, 1) <= 0)
            return;
    }
}

int px_target_main(void) {
    struct target t = {.x = xcb_connect(NULL, NULL)};
    if (xcb_connection_has_error(t.x)) {
        fputs("phoenix-host: target: no X server at $DISPLAY\n", stderr);
        return 1;
    }
    t.root = xcb_setup_roots_iterator(xcb_get_setup(t.x)).data->root;
    const struct pointer first = where(&t);
    px_sleep_us(WATCH_US);
    const struct pointer then = where(&t);
    if (first.x != then.x || first.y != then.y || then.held) {
        puts("busy");
        xcb_disconnect(t.x);
        return 0;
    }
    open_window(&t);
    sync_up(&t); /* it is drawn */
    printf("at %d %d\n", t.left + SIDE / 2, t.top + SIDE / 2);
    fflush(stdout);
    serve(&t);
    xcb_warp_pointer(t.x, XCB_NONE, t.root, 0, 0, 0, 0, (int16_t)then.x, (int16_t)then.y);
    sync_up(&t);
    xcb_disconnect(t.x);
    return 0;
}
