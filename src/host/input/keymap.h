/* src/host/input/keymap.h - which key gives which symbol
 *
 * A copy of the X server's core mapping. For symbols that no key has, a key without any is bound;
 * the least lately bound one, as programs may still be looking up what they got. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <xcb/xcb.h>

enum { PX_LEVEL_SHIFT = 1, PX_LEVEL_ALTGR = 2 };

struct px_keymap {
    xcb_connection_t *x; /* NULL in tests: bind only notes */
    uint8_t min_keycode, max_keycode;
    int per_keycode;
    uint32_t *syms; /* (max - min + 1) * per_keycode */
    uint8_t spare[64];
    uint32_t spare_sym[64];
    unsigned n_spare, next_spare;
    uint8_t modifiers[8][8]; /* key codes of Shift, Lock, Control, Mod1..5 */
};

int px_keymap_load(struct px_keymap *m, xcb_connection_t *x, struct px_error *err);
void px_keymap_fini(struct px_keymap *m);
/* Lists the keys without a symbol; for maps made by hand. */
void px_keymap_find_spares(struct px_keymap *m);
/* The key that gives @keysym (the one that needs fewest modifiers); 0: none. *level: what to hold.
 */
uint8_t px_keymap_find(const struct px_keymap *m, uint32_t keysym, unsigned *level);
/* The same, binding a spare key if need be. 0: no spare key either. */
uint8_t px_keymap_get(struct px_keymap *m, uint32_t keysym, unsigned *level);
/* First symbol of a key, 0: none. */
uint32_t px_keymap_first(const struct px_keymap *m, uint8_t keycode);
/* Mask (1 << 0..7) of the modifiers that hold a key with @keysym. */
uint8_t px_keymap_modifier_mask(const struct px_keymap *m, uint32_t keysym);
