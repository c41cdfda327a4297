/* src/host/input/mouse.c - mouse and touch messages to clicks and moves
 *
 * XTEST knows wheels as clicks of buttons 4 to 7 only. Clients scale trackpads to whole clicks
 * themselves for Linux desktops; fractions of touch gestures are added up here. */
#include "host/input/keyboard_private.h"

#define WHEEL_MAX 100
#define RELATIVE_MAX 10000

static int clamp(int v, int low, int high) {
    return v < low ? low : v > high ? high : v;
}

static uint8_t x_button(int button) {
    switch (button) {
    case PX_BUTTON_LEFT:
        return 1;
    case PX_BUTTON_RIGHT:
        return 3;
    case PX_BUTTON_MIDDLE:
        return 2;
    case PX_BUTTON_BACK:
        return 8;
    case PX_BUTTON_FORWARD:
        return 9;
    }
    return 0;
}

static void wheel(struct px_keyboard *k, uint8_t button, int clicks) {
    for (int i = 0; i < clicks && i < WHEEL_MAX; i++) {
        k->sink.button(k->sink.data, button, true);
        k->sink.button(k->sink.data, button, false);
    }
}

static void scroll(struct px_keyboard *k, int x, int y) {
    x = clamp(x, -WHEEL_MAX, WHEEL_MAX);
    y = clamp(y, -WHEEL_MAX, WHEEL_MAX);
    wheel(k, 4, y);
    wheel(k, 5, -y);
    wheel(k, 6, x);
    wheel(k, 7, -x);
}

static void click(struct px_keyboard *k, struct px_held *h, const Pxs__MouseEvent *e, bool down) {
    const uint8_t b = x_button(e->mask >> 3);
    bool caps = false, num = false;
    uint8_t lifted[16];
    if (!b || (!down && !(h->buttons & 1u << b)))
        return;
    if (!down) {
        k->sink.button(k->sink.data, b, false);
        h->buttons &= ~(1u << b);
        return;
    }
    const unsigned listed = px_keyboard_listed_modifiers(e->modifiers, e->n_modifiers, &caps, &num);
    px_keyboard_lift(k, h, 15u & ~listed, lifted);
    const unsigned pressed = px_keyboard_press_modifiers(k, h, listed);
    k->sink.button(k->sink.data, b, true);
    h->buttons |= 1u << b;
    px_keyboard_release_modifiers(k, h, pressed);
}

void px_keyboard_mouse(struct px_keyboard *k, struct px_held *h, const Pxs__MouseEvent *e) {
    switch (e->mask & 7) {
    case PX_MOUSE_MOVE:
        k->sink.move(k->sink.data, clamp(e->x, 0, k->width - 1), clamp(e->y, 0, k->height - 1));
        break;
    case PX_MOUSE_DOWN: /* where the pointer is; some clients send 0,0 here */
        click(k, h, e, true);
        break;
    case PX_MOUSE_UP:
        click(k, h, e, false);
        break;
    case PX_MOUSE_WHEEL:
    case PX_MOUSE_TRACKPAD:
        scroll(k, e->x, e->y);
        break;
    case PX_MOUSE_RELATIVE:
        k->sink.move_by(k->sink.data, clamp(e->x, -RELATIVE_MAX, RELATIVE_MAX),
                        clamp(e->y, -RELATIVE_MAX, RELATIVE_MAX));
        break;
    }
}

/* ---- touch ---- */

#define PAN_PER_CLICK 40    /* pixels of finger per wheel click */
#define SCALE_PER_CLICK 100 /* a tenth of the size */

/* Whole clicks of what @sum has come to; the rest stays for the next event. */
static int whole(int *sum, int delta, int per_click) {
    *sum += clamp(delta, -RELATIVE_MAX, RELATIVE_MAX);
    const int clicks = *sum / per_click;
    *sum -= clicks * per_click;
    return clicks;
}

void px_keyboard_touch(struct px_keyboard *k, struct px_held *h, const Pxs__PointerDeviceEvent *e) {
    if (e->device_case != PXS__POINTER_DEVICE_EVENT__DEVICE_TOUCH_EVENT)
        return;
    const Pxs__TouchEvent *t = e->touch_event;
    switch (t->gesture_case) {
    case PXS__TOUCH_EVENT__GESTURE_PAN_UPDATE:
        scroll(k, whole(&h->pan_x, t->pan_update->x, PAN_PER_CLICK),
               whole(&h->pan_y, t->pan_update->y, PAN_PER_CLICK));
        break;
    case PXS__TOUCH_EVENT__GESTURE_SCALE_UPDATE:
        if (t->scale_update->scale == 0)
            h->scale = 0;
        const int clicks = whole(&h->scale, t->scale_update->scale, SCALE_PER_CLICK);
        if (clicks) {
            const unsigned pressed = px_keyboard_press_modifiers(k, h, PX_MOD_CONTROL);
            scroll(k, 0, clicks);
            px_keyboard_release_modifiers(k, h, pressed);
        }
        break;
    case PXS__TOUCH_EVENT__GESTURE_PAN_START:
    case PXS__TOUCH_EVENT__GESTURE_PAN_END:
    case PXS__TOUCH_EVENT__GESTURE__NOT_SET:
    default:
        h->pan_x = h->pan_y = 0;
        break;
    }
}
