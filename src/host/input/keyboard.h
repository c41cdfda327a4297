/* src/host/input/keyboard.h - key and mouse messages to key presses, releases and clicks
 *
 * Decides what is pressed when; a sink (the X server, or a test) carries it out. What a connection
 * holds down is in its struct px_held, so that it can be let go when the connection ends. */
#pragma once
#include "host/input/keymap.h"
#include "proto/session.h"

struct px_input_sink {
    void (*key)(void *data, uint8_t keycode, bool down);
    void (*button)(void *data, uint8_t button, bool down);
    void (*move)(void *data, int x, int y);
    void (*move_by)(void *data, int dx, int dy);
    /* Modifiers of @mask locked (caps, num) as in @on. */
    void (*lock)(void *data, uint8_t mask, uint8_t on);
    uint8_t (*locked)(void *data); /* which are */
    void *data;
};

struct px_keyboard {
    struct px_input_sink sink;
    struct px_keymap map;
    int width, height; /* of the desktop, to clamp to */
};

struct px_held {
    uint8_t keys[32]; /* a bit per key code */
    uint32_t buttons; /* a bit per X button */
    uint32_t last_text_hash;
    bool last_text_down;
    int pan_x, pan_y, scale; /* of touch gestures, not yet a click */
};

#define PX_TYPED_TEXT_MAX_BYTES 65536

void px_keyboard_key(struct px_keyboard *k, struct px_held *held, const Pxs__KeyEvent *e);
void px_keyboard_mouse(struct px_keyboard *k, struct px_held *held, const Pxs__MouseEvent *e);
void px_keyboard_touch(struct px_keyboard *k, struct px_held *held,
                       const Pxs__PointerDeviceEvent *e);
/* Types UTF-8 text, whatever the layout and the lock keys; bad bytes are left out. */
void px_keyboard_text(struct px_keyboard *k, struct px_held *held, const uint8_t *text,
                      size_t size);
/* Lets everything go. */
void px_keyboard_release(struct px_keyboard *k, struct px_held *held);
bool px_held_any(const struct px_held *held);
