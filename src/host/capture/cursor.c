/* src/host/capture/cursor.c - the pointer's shape, as messages */
#include "host/capture/cursor.h"
#include "base/alloc.h"
#include "proto/session.h"
#include <string.h>
#include <xcb/xfixes.h>
#include <zstd.h>

#define ZSTD_LEVEL 3
#define SIDE_MAX 512

void px_cursor_fini(struct px_cursor *c) {
    px_buf_fini(&c->body);
    c->id = 0;
}

int px_cursor_start(struct px_xdisplay *d, struct px_error *err) {
    if (!d->xfixes_event)
        return px_fail(err, -ENOTSUP, "the X server has no XFIXES");
    xcb_xfixes_select_cursor_input(d->x, d->root, XCB_XFIXES_CURSOR_NOTIFY_MASK_DISPLAY_CURSOR);
    return 0;
}

bool px_cursor_is_event(const struct px_xdisplay *d, const xcb_generic_event_t *e) {
    return d->xfixes_event &&
           (e->response_type & 0x7f) == d->xfixes_event + XCB_XFIXES_CURSOR_NOTIFY;
}

static uint64_t hash(uint64_t h, const void *data, size_t size) {
    const uint8_t *p = data;
    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * UINT64_C(1099511628211); /* FNV-1a */
    return h;
}

uint64_t px_cursor_print(const uint32_t *argb, unsigned width, unsigned height, int hot_x,
                         int hot_y, struct px_buf *body) {
    const size_t n = (size_t)width * height;
    px_cleanup_free uint8_t *rgba = px_calloc(n ? n : 1, 4);
    for (size_t i = 0; i < n; i++) {
        const uint32_t p = argb[i];
        if (p >> 24 == 0)
            continue; /* stays 0 */
        rgba[4 * i] = (uint8_t)(p >> 16);
        rgba[4 * i + 1] = (uint8_t)(p >> 8);
        rgba[4 * i + 2] = (uint8_t)p;
        rgba[4 * i + 3] = (uint8_t)(p >> 24);
    }
    const int32_t head[] = {(int32_t)width, (int32_t)height, hot_x, hot_y};
    const uint64_t id =
        hash(hash(UINT64_C(14695981039346656037), head, sizeof(head)), rgba, n * 4) | 1;

    const size_t bound = ZSTD_compressBound(n * 4);
    px_cleanup_free uint8_t *packed = px_calloc(1, bound);
    Pxs__CursorData c = PXS__CURSOR_DATA__INIT;
    c.id = id;
    c.hotx = hot_x;
    c.hoty = hot_y;
    c.width = (int32_t)width;
    c.height = (int32_t)height;
    c.colors = (ProtobufCBinaryData){ZSTD_compress(packed, bound, rgba, n * 4, ZSTD_LEVEL), packed};
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_CURSOR_DATA;
    m.cursor_data = &c;
    px_message_print(&m.base, body);
    return id;
}

int px_cursor_read(struct px_xdisplay *d, struct px_cursor *c, struct px_error *err) {
    xcb_xfixes_get_cursor_image_reply_t *r =
        xcb_xfixes_get_cursor_image_reply(d->x, xcb_xfixes_get_cursor_image(d->x), NULL);
    if (!r)
        return px_fail(err, -EPIPE, "the X server does not tell its cursor");
    px_cleanup(px_buf_fini) struct px_buf body = {0};
    uint64_t id;
    const size_t n = (size_t)r->width * r->height;
    if (r->width <= SIDE_MAX && r->height <= SIDE_MAX && n > 0 &&
        (size_t)xcb_xfixes_get_cursor_image_cursor_image_length(r) >= n)
        id = px_cursor_print(xcb_xfixes_get_cursor_image_cursor_image(r), r->width, r->height,
                             r->xhot, r->yhot, &body);
    else
        id = px_cursor_print((const uint32_t[]){0}, 1, 1, 0, 0, &body); /* hidden */
    free(r);
    if (id == c->id)
        return 0;
    px_cursor_fini(c);
    c->id = id;
    c->body = body;
    body = (struct px_buf){0};
    return 1;
}
