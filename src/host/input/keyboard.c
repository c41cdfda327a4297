/* src/host/input/keyboard.c - key messages to presses and releases */
#include "host/input/keyboard.h"
#include "host/input/controlkey.h"
#include "host/input/keyboard_private.h"
#include <string.h>

#define SYM_NUM_LOCK 0xff7f
#define SYM_ALTGR 0xfe03
#define SYM_DELETE 0xffff
#define MASK_LOCK 2 /* the core Lock modifier */

static bool is_held(const struct px_held *h, uint8_t code) {
    return h->keys[code / 8] & 1u << code % 8;
}

static void key_down(struct px_keyboard *k, struct px_held *h, uint8_t code) {
    k->sink.key(k->sink.data, code, true);
    h->keys[code / 8] |= (uint8_t)(1u << code % 8);
}

static void key_up(struct px_keyboard *k, struct px_held *h, uint8_t code) {
    k->sink.key(k->sink.data, code, false);
    h->keys[code / 8] &= (uint8_t) ~(1u << code % 8);
}

static unsigned modifier_of_sym(uint32_t sym) {
    switch (sym) {
    case 0xffe1:
    case 0xffe2:
        return PX_MOD_SHIFT;
    case 0xffe3:
    case 0xffe4:
        return PX_MOD_CONTROL;
    case 0xffe7:
    case 0xffe8:
    case 0xffe9:
    case 0xffea:
        return PX_MOD_ALT;
    case 0xffeb:
    case 0xffec:
        return PX_MOD_META;
    }
    return 0;
}

static unsigned modifier_of_code(const struct px_keyboard *k, uint8_t code) {
    return modifier_of_sym(px_keymap_first(&k->map, code));
}

static unsigned held_modifiers(const struct px_keyboard *k, const struct px_held *h) {
    unsigned mods = 0;
    for (unsigned c = 8; c < 256; c++)
        if (is_held(h, (uint8_t)c))
            mods |= modifier_of_code(k, (uint8_t)c);
    return mods;
}

static const uint32_t modifier_syms[] = {0xffe1, 0xffe3, 0xffe9, 0xffeb}; /* in bit order */

size_t px_keyboard_lift(struct px_keyboard *k, struct px_held *h, unsigned mods,
                        uint8_t codes[16]) {
    size_t n = 0;
    for (unsigned c = 8; c < 256 && n < 16; c++)
        if (is_held(h, (uint8_t)c) && modifier_of_code(k, (uint8_t)c) & mods) {
            codes[n++] = (uint8_t)c;
            key_up(k, h, (uint8_t)c);
        }
    return n;
}

static void put_back(struct px_keyboard *k, struct px_held *h, const uint8_t *codes, size_t n) {
    for (size_t i = 0; i < n; i++)
        key_down(k, h, codes[i]);
}

unsigned px_keyboard_press_modifiers(struct px_keyboard *k, struct px_held *h, unsigned mods) {
    unsigned pressed = 0, level;
    const unsigned missing = mods & ~held_modifiers(k, h);
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t code =
            missing & 1u << i ? px_keymap_find(&k->map, modifier_syms[i], &level) : 0;
        if (code) {
            key_down(k, h, code);
            pressed |= 1u << i;
        }
    }
    return pressed;
}

void px_keyboard_release_modifiers(struct px_keyboard *k, struct px_held *h, unsigned pressed) {
    unsigned level;
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t code =
            pressed & 1u << i ? px_keymap_find(&k->map, modifier_syms[i], &level) : 0;
        if (code)
            key_up(k, h, code);
    }
}

unsigned px_keyboard_listed_modifiers(const int32_t *list, size_t n, bool *caps, bool *num) {
    unsigned mods = 0;
    for (size_t i = 0; i < n; i++) {
        mods |= modifier_of_sym(px_control_keysym(list[i]));
        *caps |= list[i] == PX_KEY_CAPS_LOCK;
        *num |= list[i] == PX_KEY_NUM_LOCK;
    }
    return mods;
}

static bool is_keypad(uint32_t sym) {
    return sym >= 0xff80 && sym <= 0xffb9 && sym != 0xff8d;
}

/* Letters, and the punctuation keys that carry letters in some layouts: those for which a client
 * tells caps lock. */
static bool follows_caps(uint32_t sym) {
    return (sym >= 'a' && sym <= 'z') || (sym >= 'A' && sym <= 'Z') ||
           (sym >= 0xc0 && sym <= 0xff) || (sym && sym < 0x80 && strchr("[];',.", (int)sym)) ||
           (sym >= 0x01000100 && sym <= 0x0110ffff);
}

static void set_lock(struct px_keyboard *k, uint8_t mask, bool on) {
    if (mask && ((k->sink.locked(k->sink.data) & mask) != 0) != on)
        k->sink.lock(k->sink.data, mask, on ? mask : 0);
}

static void sync_locks(struct px_keyboard *k, uint32_t sym, bool caps, bool num) {
    if (follows_caps(sym))
        set_lock(k, MASK_LOCK, caps);
    else if (is_keypad(sym))
        set_lock(k, px_keymap_modifier_mask(&k->map, SYM_NUM_LOCK), num);
}

/* The one rule for all clients: click, press (again is a repeat), or release. */
static void actuate(struct px_keyboard *k, struct px_held *h, uint8_t code,
                    const Pxs__KeyEvent *e) {
    const bool held = is_held(h, code);
    if (e->press) {
        if (held)
            key_up(k, h, code);
        key_down(k, h, code);
        key_up(k, h, code);
    } else if (e->down) {
        if (held && modifier_of_code(k, code))
            return;
        if (held) /* the server's own repeat is off: this is how X shows one */
            key_up(k, h, code);
        key_down(k, h, code);
    } else if (held)
        key_up(k, h, code);
}

static void map_key(struct px_keyboard *k, struct px_held *h, const Pxs__KeyEvent *e) {
    bool caps = false, num = false;
    if (e->chr < 8 || e->chr > 255)
        return;
    px_keyboard_listed_modifiers(e->modifiers, e->n_modifiers, &caps, &num);
    if (e->down || e->press)
        sync_locks(k, px_keymap_first(&k->map, (uint8_t)e->chr), caps, num);
    actuate(k, h, (uint8_t)e->chr, e);
}

/* Holds what a symbol's level needs while @code goes down. */
static void actuate_at(struct px_keyboard *k, struct px_held *h, uint8_t code, unsigned level,
                       const Pxs__KeyEvent *e) {
    unsigned ignored;
    const uint8_t altgr = level & PX_LEVEL_ALTGR ? px_keymap_find(&k->map, SYM_ALTGR, &ignored) : 0;
    const bool down = e->down || e->press;
    unsigned pressed = 0;
    if (down && level & PX_LEVEL_SHIFT)
        pressed = px_keyboard_press_modifiers(k, h, PX_MOD_SHIFT);
    const bool add_altgr = down && altgr && !is_held(h, altgr);
    if (add_altgr)
        key_down(k, h, altgr);
    actuate(k, h, code, e);
    if (add_altgr)
        key_up(k, h, altgr);
    px_keyboard_release_modifiers(k, h, pressed);
}

static void named_key(struct px_keyboard *k, struct px_held *h, const Pxs__KeyEvent *e,
                      uint32_t sym, bool character) {
    bool caps = false, num = false;
    unsigned level = 0, pressed = 0;
    uint8_t lifted[16];
    size_t n_lifted = 0;
    const unsigned own = modifier_of_sym(sym);
    const unsigned listed = px_keyboard_listed_modifiers(e->modifiers, e->n_modifiers, &caps, &num);
    const uint8_t code = px_keymap_get(&k->map, sym, &level);
    if (!code)
        return;
    if (!e->down && !e->press) {
        actuate(k, h, code, e);
        return;
    }
    const bool shortcut =
        (listed | held_modifiers(k, h)) & (PX_MOD_CONTROL | PX_MOD_ALT | PX_MOD_META);
    unsigned wanted = listed;
    if (character && !shortcut) /* the character says all about Shift */
        wanted &= ~(unsigned)PX_MOD_SHIFT;
    if (!own)
        n_lifted = px_keyboard_lift(k, h, 15u & ~wanted, lifted);
    (void)n_lifted; /* not put back: the client says that they are up */
    if (!own)
        pressed = px_keyboard_press_modifiers(k, h, wanted);
    sync_locks(k, sym, caps, num);
    actuate_at(k, h, code, character && !shortcut ? level : 0, e);
    px_keyboard_release_modifiers(k, h, pressed);
}

/* What clients send as keys to hosts that are not Windows; one that sends the number means them. */
static void ctrl_alt_del(struct px_keyboard *k, struct px_held *h, const Pxs__KeyEvent *e) {
    int32_t held[] = {PX_KEY_CONTROL, PX_KEY_ALT};
    const Pxs__KeyEvent click = {
        .press = true, .modifiers = held, .n_modifiers = PX_N_ELEMENTS(held)};
    if (e->down || e->press)
        named_key(k, h, &click, SYM_DELETE, false);
}

/* Types one symbol at its level, with nothing else held but what the caller left. */
static void type_symbol(struct px_keyboard *k, struct px_held *h, uint32_t sym) {
    unsigned level = 0;
    const uint8_t code = px_keymap_get(&k->map, sym, &level);
    const Pxs__KeyEvent click = {.press = true};
    if (code)
        actuate_at(k, h, code, level, &click);
}

/* One code point off the front of @text; returns its length. Bad bytes give 0 in *ret. */
static size_t decode(const uint8_t *p, size_t size, uint32_t *ret) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t n = p[0] < 0x80             ? 1
                     : (p[0] & 0xe0) == 0xc0 ? 2
                     : (p[0] & 0xf0) == 0xe0 ? 3
                     : (p[0] & 0xf8) == 0xf0 ? 4
                                             : 0;
    *ret = 0;
    if (n == 0 || n > size)
        return 1;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 1;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (n == 1 || (c >= least[n] && c <= 0x10ffff))
        *ret = c;
    return n;
}

void px_keyboard_text(struct px_keyboard *k, struct px_held *h, const uint8_t *text, size_t size) {
    uint8_t lifted[16];
    size_t n_lifted = 0;
    if (size > PX_TYPED_TEXT_MAX_BYTES)
        size = PX_TYPED_TEXT_MAX_BYTES;
    const bool shortcut = held_modifiers(k, h) & (PX_MOD_CONTROL | PX_MOD_ALT | PX_MOD_META);
    if (!shortcut)
        n_lifted = px_keyboard_lift(k, h, PX_MOD_SHIFT, lifted);
    const bool caps = k->sink.locked(k->sink.data) & MASK_LOCK;
    if (caps)
        set_lock(k, MASK_LOCK, false);
    for (size_t at = 0; at < size;) {
        uint32_t c;
        at += decode(text + at, size - at, &c);
        const uint32_t sym = px_unicode_keysym(c);
        if (sym)
            type_symbol(k, h, sym);
    }
    if (caps)
        set_lock(k, MASK_LOCK, true);
    put_back(k, h, lifted, n_lifted);
}

static uint32_t hash_text(const uint8_t *text, size_t size) {
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        h = (h ^ text[i]) * 16777619u;
    return h;
}

/* Some clients send down only, some up only; one that sends both means it once. */
static void text_event(struct px_keyboard *k, struct px_held *h, const Pxs__KeyEvent *e,
                       const uint8_t *text, size_t size) {
    const uint32_t hash = hash_text(text, size);
    const bool echo = !e->down && !e->press && h->last_text_down && h->last_text_hash == hash;
    h->last_text_down = e->down && !e->press;
    h->last_text_hash = hash;
    if (!echo)
        px_keyboard_text(k, h, text, size);
}

static size_t encode(uint32_t c, uint8_t out[4]) {
    if (c < 0x80)
        return out[0] = (uint8_t)c, 1;
    if (c < 0x800)
        return out[0] = (uint8_t)(0xc0 | c >> 6), out[1] = (uint8_t)(0x80 | (c & 63)), 2;
    const int n = c < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 63));
    out[0] = (uint8_t)((n == 3 ? 0xe0 : 0xf0) | c);
    return (size_t)n;
}

void px_keyboard_key(struct px_keyboard *k, struct px_held *h, const Pxs__KeyEvent *e) {
    uint8_t utf8[4];
    if (e->key_case != PXS__KEY_EVENT__KEY_SEQ && e->key_case != PXS__KEY_EVENT__KEY_UNICODE)
        h->last_text_down = false;
    switch (e->key_case) {
    case PXS__KEY_EVENT__KEY_CONTROL_KEY:
        if (e->control_key == PX_KEY_CTRL_ALT_DEL)
            ctrl_alt_del(k, h, e);
        else
            named_key(k, h, e, px_control_keysym(e->control_key), false);
        break;
    case PXS__KEY_EVENT__KEY_CHR:
        if (e->mode == PX_KEY_MAP || e->mode == PX_KEY_TRANSLATE)
            map_key(k, h, e);
        else
            named_key(k, h, e, px_unicode_keysym(e->chr), true);
        break;
    case PXS__KEY_EVENT__KEY_UNICODE:
        if (e->unicode <= 0x10ffff)
            text_event(k, h, e, utf8, encode(e->unicode, utf8));
        break;
    case PXS__KEY_EVENT__KEY_SEQ:
        text_event(k, h, e, e->seq.data, e->seq.len);
        break;
    case PXS__KEY_EVENT__KEY_WIN2WIN_HOTKEY:
    case PXS__KEY_EVENT__KEY__NOT_SET:
    default: /* protobuf-c adds a value to hold the enum at int's size */
        break;
    }
}

bool px_held_any(const struct px_held *h) {
    for (size_t i = 0; i < sizeof(h->keys); i++)
        if (h->keys[i])
            return true;
    return h->buttons != 0;
}

void px_keyboard_release(struct px_keyboard *k, struct px_held *h) {
    for (unsigned b = 1; b < 32; b++)
        if (h->buttons & 1u << b)
            k->sink.button(k->sink.data, (uint8_t)b, false);
    for (unsigned c = 8; c < 256; c++)
        if (is_held(h, (uint8_t)c))
            k->sink.key(k->sink.data, (uint8_t)c, false);
    *h = (struct px_held){0};
}
