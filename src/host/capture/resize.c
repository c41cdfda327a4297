/* src/host/capture/resize.c - another size for the screen, by RandR */
#include "host/capture/resize.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/randr.h>

static int clamp(int v, int low, int high) {
    return v < low ? low : v > high ? high : v;
}

void px_resize_clamp(int *width, int *height) {
    *width = clamp(*width, 200, 7680) & ~1;
    *height = clamp(*height, 200, 4320) & ~1;
}

/* The first output that drives a CRTC, or the first at all. */
struct target {
    xcb_randr_output_t output;
    xcb_randr_crtc_t crtc;
};

static struct target find_target(struct px_xdisplay *d,
                                 xcb_randr_get_screen_resources_current_reply_t *res) {
    struct target t = {0};
    const xcb_randr_output_t *outputs = xcb_randr_get_screen_resources_current_outputs(res);
    for (int i = 0; i < res->num_outputs && !t.crtc; i++) {
        xcb_randr_get_output_info_reply_t *o = xcb_randr_get_output_info_reply(
            d->x, xcb_randr_get_output_info(d->x, outputs[i], res->config_timestamp), NULL);
        if (o && o->connection == XCB_RANDR_CONNECTION_CONNECTED && o->crtc)
            t = (struct target){outputs[i], o->crtc};
        free(o);
    }
    return t;
}

static xcb_randr_mode_t find_mode(xcb_randr_get_screen_resources_current_reply_t *res, int width,
                                  int height) {
    xcb_randr_mode_info_iterator_t it = xcb_randr_get_screen_resources_current_modes_iterator(res);
    for (; it.rem; xcb_randr_mode_info_next(&it))
        if (it.data->width == width && it.data->height == height)
            return it.data->id;
    return 0;
}

/* Timings of a display that does not exist: anything the driver's limits let pass. */
static xcb_randr_mode_t make_mode(struct px_xdisplay *d, int width, int height) {
    char name[48];
    const int len = snprintf(name, sizeof(name), "phoenix-%dx%d", width, height);
    xcb_randr_mode_info_t m = {.width = (uint16_t)width,
                               .height = (uint16_t)height,
                               .hsync_start = (uint16_t)(width + 8),
                               .hsync_end = (uint16_t)(width + 40),
                               .htotal = (uint16_t)(width + 80),
                               .vsync_start = (uint16_t)(height + 3),
                               .vsync_end = (uint16_t)(height + 9),
                               .vtotal = (uint16_t)(height + 20),
                               .name_len = (uint16_t)len};
    m.dot_clock = (uint32_t)m.htotal * m.vtotal * 30u;
    xcb_randr_create_mode_reply_t *r = xcb_randr_create_mode_reply(
        d->x, xcb_randr_create_mode(d->x, d->root, m, (uint32_t)len, name), NULL);
    const xcb_randr_mode_t mode = r ? r->mode : 0;
    free(r);
    return mode;
}

static bool set_crtc(struct px_xdisplay *d, struct target t, xcb_randr_mode_t mode) {
    xcb_randr_set_crtc_config_reply_t *r = xcb_randr_set_crtc_config_reply(
        d->x,
        xcb_randr_set_crtc_config(d->x, t.crtc, XCB_CURRENT_TIME, XCB_CURRENT_TIME, 0, 0, mode,
                                  XCB_RANDR_ROTATION_ROTATE_0, mode ? 1 : 0, &t.output),
        NULL);
    const bool ok = r && r->status == XCB_RANDR_SET_CONFIG_SUCCESS;
    free(r);
    return ok;
}

/* A screen may not be smaller than its CRTC shows, nor larger than it was: off, size, on. */
static int apply(struct px_xdisplay *d, struct target t, xcb_randr_mode_t mode, int width,
                 int height, struct px_error *err) {
    set_crtc(d, t, 0);
    const uint32_t mm_w = (uint32_t)(width * 254 / 960), mm_h = (uint32_t)(height * 254 / 960);
    xcb_generic_error_t *e =
        xcb_request_check(d->x, xcb_randr_set_screen_size_checked(d->x, d->root, (uint16_t)width,
                                                                  (uint16_t)height, mm_w, mm_h));
    const bool sized = !e;
    free(e);
    if (!set_crtc(d, t, mode) || !sized)
        return px_fail(err, -ERANGE, "the X server does not take %dx%d", width, height);
    return 0;
}

static int resize(struct px_xdisplay *d, xcb_randr_get_screen_resources_current_reply_t *res,
                  int width, int height, struct px_error *err) {
    const struct target t = find_target(d, res);
    xcb_get_geometry_reply_t *old =
        xcb_get_geometry_reply(d->x, xcb_get_geometry(d->x, d->root), NULL);
    const int old_width = old ? old->width : 0, old_height = old ? old->height : 0;
    free(old);
    if (!t.crtc || !old_width)
        return px_fail(err, -ENOTSUP, "the X server has no output to resize");
    xcb_randr_mode_t mode = find_mode(res, width, height);
    if (!mode) {
        mode = make_mode(d, width, height);
        if (mode)
            xcb_randr_add_output_mode(d->x, t.output, mode);
    }
    if (!mode)
        return px_fail(err, -ENOTSUP, "the X server makes no mode of %dx%d", width, height);
    int r = apply(d, t, mode, width, height, err);
    if (r < 0) {
        const xcb_randr_mode_t back = find_mode(res, old_width, old_height);
        if (back)
            (void)apply(d, t, back, old_width, old_height, NULL);
    }
    return r;
}

int px_resize_screen(struct px_xdisplay *d, int width, int height, struct px_error *err) {
    if (!d->randr_event)
        return px_fail(err, -ENOTSUP, "the X server has no RANDR");
    xcb_randr_get_screen_resources_current_reply_t *res =
        xcb_randr_get_screen_resources_current_reply(
            d->x, xcb_randr_get_screen_resources_current(d->x, d->root), NULL);
    if (!res)
        return px_fail(err, -EPIPE, "the X server does not tell its outputs");
    const int r = resize(d, res, width, height, err);
    free(res);
    return r;
}
