/* src/host/capture/shot.c - a picture of the screen as PNG */
#include "host/capture/shot.h"
#include "base/cleanup.h"
#include "host/xdisplay.h"
#include <png.h>
#include <stdlib.h>
#include <xcb/xcb.h>

static void disconnect(xcb_connection_t **x) {
    xcb_disconnect(*x);
}

static struct px_rect cut(struct px_rect a, int width, int height) {
    const struct px_rect all = {0, 0, width, height};
    if (a.w <= 0 || a.h <= 0 || a.x < 0 || a.y < 0 || a.x >= width || a.y >= height)
        return all;
    a.w = a.w < width - a.x ? a.w : width - a.x;
    a.h = a.h < height - a.y ? a.h : height - a.y;
    return a;
}

/* B,G,R,x to B,G,R in place: PNG would take the unused byte for transparency. */
static void squeeze(uint8_t *p, size_t n_pixels) {
    for (size_t i = 0; i < n_pixels; i++) {
        p[i * 3] = p[i * 4];
        p[i * 3 + 1] = p[i * 4 + 1];
        p[i * 3 + 2] = p[i * 4 + 2];
    }
}

static int to_png(uint8_t *pixels, struct px_rect a, struct px_buf *out, struct px_error *err) {
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)a.w,
                       .height = (png_uint_32)a.h,
                       .format = PNG_FORMAT_BGR,
                       .flags = PNG_IMAGE_FLAG_FAST};
    squeeze(pixels, (size_t)a.w * (size_t)a.h);
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *at = px_buf_reserve(out, size);
    if (!png_image_write_to_memory(&image, at, &size, 0, pixels, 0, NULL))
        return px_fail(err, -EINVAL, "%s", image.message);
    if (size > PX_SHOT_MAX_BYTES)
        return px_fail(err, -EFBIG, "the picture takes more than %u MiB", PX_SHOT_MAX_BYTES >> 20);
    out->size += size;
    return 0;
}

int px_shot_png(const char *display, struct px_rect area, struct px_buf *out,
                struct px_error *err) {
    int n = 0;
    px_cleanup(disconnect) xcb_connection_t *x = px_x_connect(display, &n);
    if (xcb_connection_has_error(x))
        return px_fail(err, -ECONNREFUSED, "no X server at '%s'", display);
    xcb_screen_iterator_t it = xcb_setup_roots_iterator(xcb_get_setup(x));
    for (; n > 0 && it.rem > 1; n--)
        xcb_screen_next(&it);
    const xcb_window_t root = it.data->root;
    px_cleanup_free xcb_get_geometry_reply_t *g =
        xcb_get_geometry_reply(x, xcb_get_geometry(x, root), NULL);
    if (!g)
        return px_fail(err, -ECONNREFUSED, "no X server at '%s'", display);
    const struct px_rect a = cut(area, g->width, g->height);
    px_cleanup_free xcb_get_image_reply_t *image =
        xcb_get_image_reply(x,
                            xcb_get_image(x, XCB_IMAGE_FORMAT_Z_PIXMAP, root, (int16_t)a.x,
                                          (int16_t)a.y, (uint16_t)a.w, (uint16_t)a.h, UINT32_MAX),
                            NULL);
    if (!image)
        return px_fail(err, -EAGAIN, "the screen's size changed");
    if ((size_t)xcb_get_image_data_length(image) < (size_t)a.w * (size_t)a.h * 4 ||
        xcb_get_setup(x)->image_byte_order != XCB_IMAGE_ORDER_LSB_FIRST)
        return px_fail(err, -ENOTSUP, "the X screen's pixels are not 32 bits B,G,R,x");
    return to_png(xcb_get_image_data(image), a, out, err);
}
