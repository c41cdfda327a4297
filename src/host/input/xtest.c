/* src/host/input/xtest.c - carries input out on the X server, by XTEST and XKB */
#include "host/input/xtest.h"
#include "base/log.h"
#include <stdlib.h>
#include <xcb/xkb.h>
#include <xcb/xtest.h>

static void fake(struct px_xdisplay *d, uint8_t type, uint8_t detail, int x, int y) {
    if (d->x)
        xcb_test_fake_input(d->x, type, detail, XCB_CURRENT_TIME,
                            type == XCB_MOTION_NOTIFY && detail == 0 ? d->root : XCB_NONE,
                            (int16_t)x, (int16_t)y, 0);
}

static void on_key(void *data, uint8_t keycode, bool down) {
    fake(data, down ? XCB_KEY_PRESS : XCB_KEY_RELEASE, keycode, 0, 0);
}

static void on_button(void *data, uint8_t button, bool down) {
    fake(data, down ? XCB_BUTTON_PRESS : XCB_BUTTON_RELEASE, button, 0, 0);
}

static void on_move(void *data, int x, int y) {
    fake(data, XCB_MOTION_NOTIFY, 0, x, y);
}

static void on_move_by(void *data, int dx, int dy) {
    fake(data, XCB_MOTION_NOTIFY, 1, dx, dy);
}

static void on_lock(void *data, uint8_t mask, uint8_t on) {
    struct px_xdisplay *d = data;
    if (d->x)
        xcb_xkb_latch_lock_state(d->x, XCB_XKB_ID_USE_CORE_KBD, mask, on, 0, 0, 0, 0, 0);
}

/* A round trip, and only for keys that locks matter to and text: tens of microseconds. */
static uint8_t locked(void *data) {
    struct px_xdisplay *d = data;
    if (!d->x)
        return 0;
    xcb_xkb_get_state_reply_t *r =
        xcb_xkb_get_state_reply(d->x, xcb_xkb_get_state(d->x, XCB_XKB_ID_USE_CORE_KBD), NULL);
    const uint8_t mods = r ? r->lockedMods : 0;
    free(r);
    return mods;
}

/* A client that speaks XKB gets no MappingNotify when another program sets a layout. */
static void watch_layout(struct px_xdisplay *d) {
    const uint16_t events = XCB_XKB_EVENT_TYPE_NEW_KEYBOARD_NOTIFY | XCB_XKB_EVENT_TYPE_MAP_NOTIFY;
    const uint16_t parts =
        XCB_XKB_MAP_PART_KEY_TYPES | XCB_XKB_MAP_PART_KEY_SYMS | XCB_XKB_MAP_PART_MODIFIER_MAP;
    xcb_xkb_select_events(d->x, XCB_XKB_ID_USE_CORE_KBD, events, 0, events, parts, parts, NULL);
}

bool px_xtest_is_mapping_event(const struct px_xdisplay *d, const xcb_generic_event_t *e) {
    const uint8_t type = e->response_type & 0x7f;
    /* Of an XKB event, the byte after its type tells which. */
    return type == XCB_MAPPING_NOTIFY ||
           (d->xkb_event && type == d->xkb_event &&
            (e->pad0 == XCB_XKB_NEW_KEYBOARD_NOTIFY || e->pad0 == XCB_XKB_MAP_NOTIFY));
}

int px_xtest_start(struct px_xdisplay *d, struct px_keyboard *k, struct px_error *err) {
    if (!d->xtest || !d->xkb)
        return px_fail(err, -ENOTSUP, "the X server has no XTEST or no XKB");
    k->sink = (struct px_input_sink){on_key, on_button, on_move, on_move_by, on_lock, locked, d};
    /* A release that comes late over a bad line must not type a row of letters. */
    const uint32_t off = XCB_AUTO_REPEAT_MODE_OFF;
    xcb_change_keyboard_control(d->x, XCB_KB_AUTO_REPEAT_MODE, &off);
    watch_layout(d);
    return px_keymap_load(&k->map, d->x, err);
}

void px_xtest_reload(struct px_xdisplay *d, struct px_keyboard *k) {
    struct px_error err = {0};
    if (px_keymap_load(&k->map, d->x, &err) < 0)
        px_debug("input: %s", err.msg);
}
