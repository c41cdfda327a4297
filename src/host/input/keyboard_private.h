/* src/host/input/keyboard_private.h - modifiers, for keyboard.c and mouse.c */
#pragma once
#include "host/input/keyboard.h"

enum { PX_MOD_SHIFT = 1, PX_MOD_CONTROL = 2, PX_MOD_ALT = 4, PX_MOD_META = 8 };

/* Lets go of the modifiers in @mods that are held; remembers their key codes. */
size_t px_keyboard_lift(struct px_keyboard *k, struct px_held *h, unsigned mods, uint8_t codes[16]);
/* Presses what of @mods is not held; returns what was pressed, for release. */
unsigned px_keyboard_press_modifiers(struct px_keyboard *k, struct px_held *h, unsigned mods);
void px_keyboard_release_modifiers(struct px_keyboard *k, struct px_held *h, unsigned pressed);
/* The modifiers in a message's list; *caps and *num become true if they are in it. */
unsigned px_keyboard_listed_modifiers(const int32_t *list, size_t n, bool *caps, bool *num);
