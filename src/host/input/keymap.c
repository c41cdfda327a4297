/* src/host/input/keymap.c - which key gives which symbol */
#include "host/input/keymap.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <string.h>

static const uint32_t *row(const struct px_keymap *m, unsigned keycode) {
    return m->syms + (size_t)(keycode - m->min_keycode) * (size_t)m->per_keycode;
}

void px_keymap_fini(struct px_keymap *m) {
    free(m->syms);
    *m = (struct px_keymap){0};
}

void px_keymap_find_spares(struct px_keymap *m) {
    m->n_spare = m->next_spare = 0;
    /* From the top: the codes below are the ones that keyboards send. */
    for (unsigned k = m->max_keycode; k >= m->min_keycode && k > 8; k--) {
        bool empty = true;
        for (int i = 0; i < m->per_keycode; i++)
            empty &= row(m, k)[i] == 0;
        if (empty && m->n_spare < PX_N_ELEMENTS(m->spare)) {
            m->spare_sym[m->n_spare] = 0;
            m->spare[m->n_spare++] = (uint8_t)k;
        }
    }
}

/* Our own bindings stay known over a reload (our own change causes one). */
static void keep_spares(struct px_keymap *m, const struct px_keymap *old) {
    for (unsigned i = 0; i < old->n_spare; i++) {
        const uint8_t k = old->spare[i];
        if (old->spare_sym[i] && k >= m->min_keycode && k <= m->max_keycode &&
            row(m, k)[0] == old->spare_sym[i] && m->n_spare < PX_N_ELEMENTS(m->spare)) {
            m->spare[m->n_spare] = k;
            m->spare_sym[m->n_spare++] = old->spare_sym[i];
        }
    }
}

static void load_modifiers(struct px_keymap *m) {
    xcb_get_modifier_mapping_reply_t *r =
        xcb_get_modifier_mapping_reply(m->x, xcb_get_modifier_mapping(m->x), NULL);
    if (!r)
        return;
    const uint8_t *codes = xcb_get_modifier_mapping_keycodes(r);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned k = 0; k < r->keycodes_per_modifier && k < 8; k++)
            m->modifiers[i][k] = codes[i * r->keycodes_per_modifier + k];
    free(r);
}

int px_keymap_load(struct px_keymap *m, xcb_connection_t *x, struct px_error *err) {
    const xcb_setup_t *setup = xcb_get_setup(x);
    struct px_keymap n = {
        .x = x, .min_keycode = setup->min_keycode, .max_keycode = setup->max_keycode};
    const uint8_t count = (uint8_t)(n.max_keycode - n.min_keycode + 1);
    xcb_get_keyboard_mapping_reply_t *r =
        xcb_get_keyboard_mapping_reply(x, xcb_get_keyboard_mapping(x, n.min_keycode, count), NULL);
    if (!r)
        return px_fail(err, -EPIPE, "the X server does not tell its keyboard mapping");
    n.per_keycode = r->keysyms_per_keycode;
    const size_t len = (size_t)count * r->keysyms_per_keycode;
    n.syms = px_calloc(len, sizeof(*n.syms));
    if ((size_t)xcb_get_keyboard_mapping_keysyms_length(r) >= len)
        memcpy(n.syms, xcb_get_keyboard_mapping_keysyms(r), len * sizeof(*n.syms));
    free(r);
    px_keymap_find_spares(&n);
    if (m->syms)
        keep_spares(&n, m);
    load_modifiers(&n);
    px_keymap_fini(m);
    *m = n;
    return 0;
}

/* Columns of the core mapping: group 1 level 1 and 2, group 2 the same, then group 1 level 3 and 4.
 */
static const struct {
    int column;
    unsigned level;
} columns[] = {
    {0, 0}, {1, PX_LEVEL_SHIFT}, {4, PX_LEVEL_ALTGR}, {5, PX_LEVEL_ALTGR | PX_LEVEL_SHIFT}};

/* A key with one letter stands for both cases. */
static uint32_t sym_at(const struct px_keymap *m, unsigned keycode, int column) {
    if (column >= m->per_keycode)
        return 0;
    const uint32_t s = row(m, keycode)[column];
    if (s || column != 1)
        return s;
    const uint32_t lower = row(m, keycode)[0];
    return lower >= 'a' && lower <= 'z' ? lower - 32 : 0;
}

uint8_t px_keymap_find(const struct px_keymap *m, uint32_t keysym, unsigned *level) {

    for (size_t c = 0; keysym && m->syms && c < PX_N_ELEMENTS(columns); c++)
        for (unsigned k = m->min_keycode; k <= m->max_keycode; k++) {
            const uint32_t s = sym_at(m, k, columns[c].column);
            if (s == keysym) {
                *level = columns[c].level;
                return (uint8_t)k;
            }
        }
    return 0;
}

static void bind(struct px_keymap *m, unsigned slot, uint32_t keysym) {
    const uint8_t k = m->spare[slot];
    uint32_t *to = m->syms + (size_t)(k - m->min_keycode) * (size_t)m->per_keycode;
    /* Both levels of both groups: no modifier changes what it gives. */
    for (int i = 0; i < m->per_keycode; i++)
        to[i] = i < 4 ? keysym : 0;
    m->spare_sym[slot] = keysym;
    if (m->x)
        xcb_change_keyboard_mapping(m->x, 1, k, (uint8_t)m->per_keycode, to);
}

uint8_t px_keymap_get(struct px_keymap *m, uint32_t keysym, unsigned *level) {
    const uint8_t k = px_keymap_find(m, keysym, level);
    if (k || m->n_spare == 0 || keysym == 0)
        return k;
    const unsigned slot = m->next_spare;
    m->next_spare = (m->next_spare + 1) % m->n_spare;
    bind(m, slot, keysym);
    *level = 0;
    return m->spare[slot];
}

uint32_t px_keymap_first(const struct px_keymap *m, uint8_t keycode) {
    if (!m->syms || keycode < m->min_keycode || keycode > m->max_keycode)
        return 0;
    return row(m, keycode)[0];
}

uint8_t px_keymap_modifier_mask(const struct px_keymap *m, uint32_t keysym) {
    uint8_t mask = 0;
    for (unsigned i = 0; i < 8; i++)
        for (unsigned k = 0; k < 8; k++)
            if (m->modifiers[i][k] && px_keymap_first(m, m->modifiers[i][k]) == keysym)
                mask |= (uint8_t)(1u << i);
    return mask;
}
