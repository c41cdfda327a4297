/* src/host/capture/screen.c - reads the X screen, and only what changed of it */
#include "host/capture/screen.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "host/xdisplay.h"
#include <string.h>
#include <sys/mman.h>
#include <xcb/damage.h>
#include <xcb/randr.h>
#include <xcb/shm.h>
#include <xcb/xcb.h>
#include <xcb/xfixes.h>

struct px_screen {
    xcb_connection_t *x;
    xcb_window_t root;
    int width, height;
    uint8_t damage_event;
    xcb_damage_damage_t damage;
    xcb_xfixes_region_t region;
    bool damaged, stale_size;
    bool shm; /* the server takes it */
    xcb_shm_seg_t seg;
    uint8_t *memory; /* shared with the server */
    size_t memory_size;
    int64_t convert_us;
};

static void release_shm(struct px_screen *s) {
    if (!s->memory)
        return;
    if (s->x)
        xcb_shm_detach(s->x, s->seg);
    munmap(s->memory, s->memory_size);
    s->memory = NULL;
}

void px_screen_rest(struct px_screen *s) {
    release_shm(s);
    xcb_flush(s->x);
}

void px_screen_close(struct px_screen *s) {
    if (!s)
        return;
    release_shm(s);
    if (s->x)
        xcb_disconnect(s->x);
    free(s);
}

/* Room for the whole screen, shared by fd: no key, no permission trouble, gone with both ends. */
static void attach_shm(struct px_screen *s) {
    if (!s->shm || s->memory)
        return;
    const size_t size = (size_t)s->width * (size_t)s->height * 4;
    px_cleanup_close int fd = memfd_create("phoenix-screen", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
        return;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return;
    s->seg = xcb_generate_id(s->x);
    xcb_void_cookie_t cookie = xcb_shm_attach_fd_checked(s->x, s->seg, px_take_fd(&fd), 0);
    xcb_generic_error_t *e = xcb_request_check(s->x, cookie);
    if (e) {
        free(e);
        munmap(p, size);
        s->shm = false; /* a remote display: pixels come through the socket */
        return;
    }
    s->memory = p;
    s->memory_size = size;
}

static int read_size(struct px_screen *s, struct px_error *err) {
    xcb_get_geometry_reply_t *g =
        xcb_get_geometry_reply(s->x, xcb_get_geometry(s->x, s->root), NULL);
    if (!g)
        return px_fail(err, -EPIPE, "the X server is gone");
    s->width = g->width;
    s->height = g->height;
    const int depth = g->depth;
    free(g);
    const xcb_setup_t *setup = xcb_get_setup(s->x);
    xcb_format_iterator_t it = xcb_setup_pixmap_formats_iterator(setup);
    for (; it.rem; xcb_format_next(&it))
        if (it.data->depth == depth && it.data->bits_per_pixel == 32 &&
            setup->image_byte_order == XCB_IMAGE_ORDER_LSB_FIRST && depth >= 24) {
            release_shm(s);
            s->stale_size = false;
            return 0;
        }
    return px_fail(err, -ENOTSUP, "the X screen's depth is %d, only 24 bit colour is read", depth);
}

static bool has(xcb_connection_t *x, xcb_extension_t *ext) {
    const xcb_query_extension_reply_t *e = xcb_get_extension_data(x, ext);
    return e && e->present;
}

static int start_damage(struct px_screen *s, struct px_error *err) {
    if (!has(s->x, &xcb_damage_id) || !has(s->x, &xcb_xfixes_id))
        return px_fail(err, -ENOTSUP, "the X server has no DAMAGE or no XFIXES");
    s->damage_event = xcb_get_extension_data(s->x, &xcb_damage_id)->first_event;
    free(xcb_damage_query_version_reply(s->x, xcb_damage_query_version(s->x, 1, 1), NULL));
    free(xcb_xfixes_query_version_reply(s->x, xcb_xfixes_query_version(s->x, 5, 0), NULL));
    xcb_shm_query_version_reply_t *v = NULL;
    if (has(s->x, &xcb_shm_id))
        v = xcb_shm_query_version_reply(s->x, xcb_shm_query_version(s->x), NULL);
    s->shm = v && (v->major_version > 1 || v->minor_version >= 2);
    free(v);
    const uint32_t mask = XCB_EVENT_MASK_STRUCTURE_NOTIFY;
    xcb_change_window_attributes(s->x, s->root, XCB_CW_EVENT_MASK, &mask);
    s->damage = xcb_generate_id(s->x);
    s->region = xcb_generate_id(s->x);
    /* One event when there is damage at all; the server adds the rest up until it is asked. */
    xcb_damage_create(s->x, s->damage, s->root, XCB_DAMAGE_REPORT_LEVEL_NON_EMPTY);
    xcb_xfixes_create_region(s->x, s->region, 0, NULL);
    return 0;
}

int px_screen_open(const char *display, struct px_screen **ret, struct px_error *err) {
    px_cleanup(px_screen_closep) struct px_screen *s = px_new0(struct px_screen, 1);
    int n = 0;
    s->x = px_x_connect(display, &n);
    if (xcb_connection_has_error(s->x))
        return px_fail(err, -ECONNREFUSED, "no X server at '%s'", display);
    xcb_screen_iterator_t it = xcb_setup_roots_iterator(xcb_get_setup(s->x));
    for (; n > 0 && it.rem > 1; n--)
        xcb_screen_next(&it);
    s->root = it.data->root;
    int r = start_damage(s, err);
    if (r >= 0)
        r = read_size(s, err);
    if (r < 0)
        return r;
    s->damaged = true;
    *ret = px_take_ptr(s);
    return 0;
}

int px_screen_fd(const struct px_screen *s) {
    return xcb_get_file_descriptor(s->x);
}

void px_screen_size(const struct px_screen *s, int *ret_width, int *ret_height) {
    *ret_width = s->width;
    *ret_height = s->height;
}

bool px_screen_changed(const struct px_screen *s) {
    return s->damaged;
}

static void take_event(struct px_screen *s, const xcb_generic_event_t *e) {
    const uint8_t type = e->response_type & 0x7f;
    if (type == s->damage_event + XCB_DAMAGE_NOTIFY)
        s->damaged = true;
    if (type == XCB_CONFIGURE_NOTIFY &&
        ((const xcb_configure_notify_event_t *)(const void *)e)->window == s->root)
        s->stale_size = true;
}

int px_screen_dispatch(struct px_screen *s, struct px_error *err) {
    xcb_generic_event_t *e;
    while ((e = xcb_poll_for_event(s->x))) {
        take_event(s, e);
        free(e);
    }
    if (xcb_connection_has_error(s->x))
        return px_fail(err, -EPIPE, "the X server is gone");
    if (!s->stale_size)
        return 0;
    s->damaged = true;
    return read_size(s, err);
}

/* What was damaged since the last call, from the server. */
static int take_damage(struct px_screen *s, struct px_region *out, struct px_error *err) {
    xcb_damage_subtract(s->x, s->damage, XCB_NONE, s->region);
    xcb_xfixes_fetch_region_reply_t *f =
        xcb_xfixes_fetch_region_reply(s->x, xcb_xfixes_fetch_region(s->x, s->region), NULL);
    if (!f)
        return px_fail(err, -EPIPE, "the X server is gone");
    const xcb_rectangle_t *rects = xcb_xfixes_fetch_region_rectangles(f);
    const int n = xcb_xfixes_fetch_region_rectangles_length(f);
    for (int i = 0; i < n; i++)
        px_region_add(out,
                      (struct px_rect){rects[i].x, rects[i].y, rects[i].width, rects[i].height});
    free(f);
    return 0;
}

int64_t px_screen_convert_us(const struct px_screen *s) {
    return s->convert_us;
}

static void put(struct px_screen *s, struct px_picture *i420, struct px_picture *i444,
                struct px_rect r, const uint8_t *pixels) {
    const int64_t since_us = px_now_us();
    if (i420)
        px_picture_put_bgrx(i420, r.x, r.y, pixels, r.w * 4, r.w, r.h);
    if (i444)
        px_picture_put_bgrx(i444, r.x, r.y, pixels, r.w * 4, r.w, r.h);
    s->convert_us += px_now_us() - since_us;
}

static int grab_shm(struct px_screen *s, const struct px_region *want, struct px_picture *i420,
                    struct px_picture *i444) {
    xcb_shm_get_image_cookie_t cookies[PX_REGION_MAX];
    size_t offsets[PX_REGION_MAX], at = 0;
    int r = 0;
    for (int i = 0; i < want->n; i++) {
        const struct px_rect q = want->rects[i];
        offsets[i] = at;
        cookies[i] = xcb_shm_get_image(s->x, s->root, (int16_t)q.x, (int16_t)q.y, (uint16_t)q.w,
                                       (uint16_t)q.h, UINT32_MAX, XCB_IMAGE_FORMAT_Z_PIXMAP, s->seg,
                                       (uint32_t)at);
        at += (size_t)q.w * (size_t)q.h * 4;
    }
    for (int i = 0; i < want->n; i++) {
        xcb_shm_get_image_reply_t *reply = xcb_shm_get_image_reply(s->x, cookies[i], NULL);
        if (!reply) {
            r = -EAGAIN;
            continue;
        }
        free(reply);
        put(s, i420, i444, want->rects[i], s->memory + offsets[i]);
    }
    return r;
}

static int grab_socket(struct px_screen *s, const struct px_region *want, struct px_picture *i420,
                       struct px_picture *i444) {
    for (int i = 0; i < want->n; i++) {
        const struct px_rect q = want->rects[i];
        xcb_get_image_reply_t *reply = xcb_get_image_reply(
            s->x,
            xcb_get_image(s->x, XCB_IMAGE_FORMAT_Z_PIXMAP, s->root, (int16_t)q.x, (int16_t)q.y,
                          (uint16_t)q.w, (uint16_t)q.h, UINT32_MAX),
            NULL);
        const size_t size = (size_t)q.w * (size_t)q.h * 4;
        const bool whole = reply && (size_t)xcb_get_image_data_length(reply) >= size;
        if (whole)
            put(s, i420, i444, q, xcb_get_image_data(reply));
        free(reply);
        if (!whole)
            return -EAGAIN;
    }
    return 0;
}

/* Rectangles overlap or nearly fill the screen: one read of their hull is cheaper, and the shared
 * memory never has to hold more than one screen. */
static void simplify(struct px_region *r, int width, int height) {
    if (px_region_area(r) * 4 < (int64_t)width * height * 3)
        return;
    struct px_rect hull = r->rects[0];
    for (int i = 1; i < r->n; i++)
        hull = px_rect_union(hull, r->rects[i]);
    r->rects[0] = hull;
    r->n = 1;
}

int px_screen_grab(struct px_screen *s, bool everything, struct px_picture *i420,
                   struct px_picture *i444, struct px_region *changed, struct px_error *err) {
    struct px_region want = {0};
    s->convert_us = 0;
    int r = take_damage(s, &want, err);
    if (r < 0)
        return r;
    s->damaged = false;
    if (everything)
        px_region_add(&want, (struct px_rect){0, 0, s->width, s->height});
    px_region_align(&want, s->width, s->height);
    if (want.n == 0)
        return 0;
    simplify(&want, s->width, s->height);
    attach_shm(s);
    r = s->memory ? grab_shm(s, &want, i420, i444) : grab_socket(s, &want, i420, i444);
    if (xcb_connection_has_error(s->x))
        return px_fail(err, -EPIPE, "the X server is gone");
    if (r < 0) {
        s->damaged = s->stale_size = true;
        return px_fail(err, -EAGAIN, "the screen's size changed");
    }
    px_region_add_all(changed, &want);
    return 0;
}
