/* src/session/client_input.c - mouse, keys, and the other usual messages of a client */
#include "session/client.h"
#include <string.h>

int px_client_mouse(struct px_client *c, int mask, int x, int y, struct px_error *err) {
    Pxs__MouseEvent e = PXS__MOUSE_EVENT__INIT;
    e.mask = mask;
    e.x = x;
    e.y = y;
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_MOUSE_EVENT;
    m.mouse_event = &e;
    return px_client_send(c, &m, err);
}

int px_client_click(struct px_client *c, int x, int y, struct px_error *err) {
    int r = px_client_mouse(c, PX_MOUSE_MOVE, x, y, err);
    if (r >= 0)
        r = px_client_mouse(c, PX_BUTTON_LEFT << 3 | PX_MOUSE_DOWN, x, y, err);
    return r < 0 ? r : px_client_mouse(c, PX_BUTTON_LEFT << 3 | PX_MOUSE_UP, x, y, err);
}

static int send_key(struct px_client *c, Pxs__KeyEvent *e, struct px_error *err) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_KEY_EVENT;
    m.key_event = e;
    return px_client_send(c, &m, err);
}

int px_client_type(struct px_client *c, const char *utf8, struct px_error *err) {
    Pxs__KeyEvent e = PXS__KEY_EVENT__INIT;
    e.key_case = PXS__KEY_EVENT__KEY_SEQ;
    e.seq = (ProtobufCBinaryData){strlen(utf8), (uint8_t *)utf8};
    return send_key(c, &e, err);
}

int px_client_key(struct px_client *c, unsigned keycode, bool down, struct px_error *err) {
    Pxs__KeyEvent e = PXS__KEY_EVENT__INIT;
    e.down = down;
    e.key_case = PXS__KEY_EVENT__KEY_CHR;
    e.chr = keycode;
    e.mode = PX_KEY_MAP;
    return send_key(c, &e, err);
}

int px_client_control_key(struct px_client *c, int control_key, struct px_error *err) {
    Pxs__KeyEvent e = PXS__KEY_EVENT__INIT;
    e.press = true;
    e.key_case = PXS__KEY_EVENT__KEY_CONTROL_KEY;
    e.control_key = control_key;
    return send_key(c, &e, err);
}

int px_client_refresh(struct px_client *c, struct px_error *err) {
    Pxs__Misc misc = PXS__MISC__INIT;
    misc.item_case = PXS__MISC__ITEM_REFRESH_VIDEO_DISPLAY;
    return px_client_send_misc(c, &misc, err);
}
