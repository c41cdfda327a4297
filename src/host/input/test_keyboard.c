/* src/host/input/test_keyboard.c - key and mouse messages to what is pressed, without an X server
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/test.h"
#include "host/input/controlkey.h"
#include "host/input/keyboard.h"

/* What the sink got: "+38 -38 b1+ m10,20 L2" */
static struct px_buf got;
static uint8_t locks;

static void on_key(void *data, uint8_t code, bool down) {
    px_buf_printf(&got, "%c%u ", down ? '+' : '-', code);
}
static void on_button(void *data, uint8_t button, bool down) {
    px_buf_printf(&got, "b%u%c ", button, down ? '+' : '-');
}
static void on_move(void *data, int x, int y) {
    px_buf_printf(&got, "m%d,%d ", x, y);
}
static void on_move_by(void *data, int x, int y) {
    px_buf_printf(&got, "r%d,%d ", x, y);
}
static void on_lock(void *data, uint8_t mask, uint8_t on) {
    locks = (uint8_t)((locks & ~mask) | on);
    px_buf_printf(&got, "L%u ", locks);
}
static uint8_t get_locks(void *data) {
    return locks;
}

static struct px_keyboard k;
static struct px_held held;

static void set(unsigned code, uint32_t plain, uint32_t shifted, uint32_t altgr) {
    uint32_t *row = k.map.syms + (code - 8) * 6;
    row[0] = row[2] = plain;
    row[1] = row[3] = shifted;
    row[4] = altgr;
}

static int setup(void **state) {
    k = (struct px_keyboard){.width = 1000, .height = 500};
    k.sink =
        (struct px_input_sink){on_key, on_button, on_move, on_move_by, on_lock, get_locks, NULL};
    k.map.min_keycode = 8;
    k.map.max_keycode = 255;
    k.map.per_keycode = 6;
    k.map.syms = px_calloc(248 * 6, sizeof(uint32_t));
    for (unsigned c = 8; c < 250; c++)
        set(c, 0xff000000 + c, 0, 0); /* taken by something else; 250 to 255 are spare */
    set(38, 'a', 0, 0);
    set(10, '1', '!', 0);
    set(26, 'e', 0, 0x010020ac); /* the euro sign by AltGr */
    set(50, 0xffe1, 0, 0);
    set(37, 0xffe3, 0, 0);
    set(64, 0xffe9, 0, 0);
    set(108, 0xfe03, 0, 0);
    set(36, 0xff0d, 0, 0);
    px_keymap_find_spares(&k.map);
    held = (struct px_held){0};
    locks = 0;
    px_buf_reset(&got);
    return 0;
}

static int teardown(void **state) {
    px_keymap_fini(&k.map);
    px_buf_fini(&got);
    return 0;
}

static Pxs__KeyEvent chr(unsigned code, int mode, bool down, bool press) {
    Pxs__KeyEvent e = PXS__KEY_EVENT__INIT;
    e.key_case = PXS__KEY_EVENT__KEY_CHR;
    e.chr = code;
    e.mode = mode;
    e.down = down;
    e.press = press;
    return e;
}

static void expect(const char *want) {
    assert_string_equal(px_buf_str(&got), want);
    px_buf_reset(&got);
}

static void map_keys_go_through_as_they_are(void **state) {
    Pxs__KeyEvent e = chr(38, PX_KEY_MAP, true, false);
    px_keyboard_key(&k, &held, &e);
    expect("+38 ");
    px_keyboard_key(&k, &held, &e); /* a repeat is shown as X shows one */
    expect("-38 +38 ");
    e.down = false;
    px_keyboard_key(&k, &held, &e);
    px_keyboard_key(&k, &held, &e); /* up twice */
    expect("-38 ");
    e = chr(300, PX_KEY_MAP, true, false);
    px_keyboard_key(&k, &held, &e);
    e = chr(7, PX_KEY_MAP, true, false);
    px_keyboard_key(&k, &held, &e);
    expect("");
}

static void held_modifiers_do_not_repeat(void **state) {
    const Pxs__KeyEvent e = chr(50, PX_KEY_MAP, true, false);
    px_keyboard_key(&k, &held, &e);
    px_keyboard_key(&k, &held, &e);
    expect("+50 ");
}

static void legacy_characters_hold_what_their_level_needs(void **state) {
    Pxs__KeyEvent e = chr('A', PX_KEY_LEGACY, false, true);
    px_keyboard_key(&k, &held, &e);
    expect("+50 +38 -38 -50 ");
    e = chr('!', PX_KEY_LEGACY, false, true);
    px_keyboard_key(&k, &held, &e);
    expect("+50 +10 -10 -50 ");
    e = chr(0x20ac, PX_KEY_LEGACY, false, true);
    px_keyboard_key(&k, &held, &e);
    expect("+108 +26 -26 -108 ");
}

static void legacy_shortcuts_press_their_modifiers(void **state) {
    int32_t control[] = {PX_KEY_CONTROL};
    Pxs__KeyEvent e = chr('a', PX_KEY_LEGACY, false, true);
    e.modifiers = control;
    e.n_modifiers = 1;
    px_keyboard_key(&k, &held, &e);
    expect("+37 +38 -38 -37 ");
}

static void what_no_key_gives_is_bound_to_a_spare_one(void **state) {
    px_keyboard_text(&k, &held, (const uint8_t *)"\xd0\xb6\xd0\xb7\xd0\xb6", 6);
    expect("+255 -255 +254 -254 +255 -255 "); /* bound once, found again */
}

static void spare_keys_are_used_in_turn(void **state) {
    static const uint8_t seven[] = "\xd0\xb0\xd0\xb1\xd0\xb2\xd0\xb3\xd0\xb4\xd0\xb5\xd0\xb6";
    px_keyboard_text(&k, &held, seven, 14);
    expect("+255 -255 +254 -254 +253 -253 +252 -252 +251 -251 +250 -250 +255 -255 ");
}

static void text_is_typed_once_whatever_is_locked_or_held(void **state) {
    Pxs__KeyEvent shift = chr(50, PX_KEY_MAP, true, false), e = PXS__KEY_EVENT__INIT;
    locks = 2;
    px_keyboard_key(&k, &held, &shift);
    expect("+50 ");
    e.key_case = PXS__KEY_EVENT__KEY_SEQ;
    e.seq = (ProtobufCBinaryData){1, (uint8_t *)"a"};
    e.down = true;
    px_keyboard_key(&k, &held, &e);
    expect("-50 L0 +38 -38 L2 +50 ");
    e.down = false; /* the same, let go */
    px_keyboard_key(&k, &held, &e);
    expect("");
    px_keyboard_key(&k, &held, &e); /* from a client that sends no downs */
    expect("-50 L0 +38 -38 L2 +50 ");
}

static void bad_utf8_is_left_out(void **state) {
    px_keyboard_text(&k, &held,
                     (const uint8_t *)"\xff\xc3"
                                      "a\xe2\x82",
                     5);
    expect("+38 -38 ");
}

static void caps_lock_follows_letters_only(void **state) {
    int32_t caps[] = {PX_KEY_CAPS_LOCK};
    Pxs__KeyEvent e = chr(38, PX_KEY_MAP, true, false);
    e.modifiers = caps;
    e.n_modifiers = 1;
    px_keyboard_key(&k, &held, &e);
    expect("L2 +38 ");
    e = chr(36, PX_KEY_MAP, true, false); /* Return says nothing about caps lock */
    px_keyboard_key(&k, &held, &e);
    expect("+36 ");
    assert_int_equal(locks, 2);
}

static void mouse(int mask, int x, int y) {
    Pxs__MouseEvent e = PXS__MOUSE_EVENT__INIT;
    e.mask = mask;
    e.x = x;
    e.y = y;
    px_keyboard_mouse(&k, &held, &e);
}

static void buttons_act_where_the_pointer_is(void **state) {
    mouse(PX_MOUSE_MOVE, 5000, -3);
    mouse(PX_BUTTON_RIGHT << 3 | PX_MOUSE_DOWN, 0, 0);
    mouse(PX_BUTTON_RIGHT << 3 | PX_MOUSE_UP, 0, 0);
    mouse(PX_BUTTON_RIGHT << 3 | PX_MOUSE_UP, 0, 0);
    mouse(3 << 3 | PX_MOUSE_DOWN, 0, 0); /* two buttons at once mean nothing */
    expect("m999,0 b3+ b3- ");
}

static void wheels_click_and_are_bounded(void **state) {
    mouse(PX_MOUSE_WHEEL, 0, 2);
    mouse(PX_MOUSE_TRACKPAD, -1, 0);
    expect("b4+ b4- b4+ b4- b7+ b7- ");
    mouse(PX_MOUSE_WHEEL, 0, INT32_MIN);
    assert_int_equal(got.size, 100 * 8);
}

static void pan(int x, int y) {
    Pxs__TouchPan p = PXS__TOUCH_PAN__INIT;
    Pxs__TouchEvent t = PXS__TOUCH_EVENT__INIT;
    Pxs__PointerDeviceEvent e = PXS__POINTER_DEVICE_EVENT__INIT;
    p.x = x;
    p.y = y;
    t.gesture_case = PXS__TOUCH_EVENT__GESTURE_PAN_UPDATE;
    t.pan_update = &p;
    e.device_case = PXS__POINTER_DEVICE_EVENT__DEVICE_TOUCH_EVENT;
    e.touch_event = &t;
    px_keyboard_touch(&k, &held, &e);
}

static void scale(int by) {
    Pxs__TouchScaleUpdate p = PXS__TOUCH_SCALE_UPDATE__INIT;
    Pxs__TouchEvent t = PXS__TOUCH_EVENT__INIT;
    Pxs__PointerDeviceEvent e = PXS__POINTER_DEVICE_EVENT__INIT;
    p.scale = by;
    t.gesture_case = PXS__TOUCH_EVENT__GESTURE_SCALE_UPDATE;
    t.scale_update = &p;
    e.device_case = PXS__POINTER_DEVICE_EVENT__DEVICE_TOUCH_EVENT;
    e.touch_event = &t;
    px_keyboard_touch(&k, &held, &e);
}

static void small_gestures_add_up_to_clicks(void **state) {
    pan(0, 15);
    pan(0, 15);
    expect("");
    pan(0, 15);
    expect("b4+ b4- ");
    pan(0, 35); /* 5 were left */
    expect("b4+ b4- ");
    pan(-90, 0);
    expect("b7+ b7- b7+ b7- ");
    scale(60);
    expect("");
    scale(60);
    expect("+37 b4+ b4- -37 ");
    scale(-220);
    expect("+37 b5+ b5- b5+ b5- -37 ");
    scale(0); /* the fingers are up: nothing is left over */
    scale(99);
    expect("");
    pan(INT32_MAX, INT32_MIN);
    assert_int_equal(got.size, 200 * 8);
}

static void release_lets_everything_go(void **state) {
    const Pxs__KeyEvent e = chr(38, PX_KEY_MAP, true, false);
    px_keyboard_key(&k, &held, &e);
    mouse(PX_BUTTON_LEFT << 3 | PX_MOUSE_DOWN, 0, 0);
    assert_true(px_held_any(&held));
    px_buf_reset(&got);
    px_keyboard_release(&k, &held);
    expect("b1- -38 ");
    assert_false(px_held_any(&held));
}

static void ctrl_alt_del_is_these_keys(void **state) {
    Pxs__KeyEvent e = PXS__KEY_EVENT__INIT;
    set(119, 0xffff, 0, 0);
    e.key_case = PXS__KEY_EVENT__KEY_CONTROL_KEY;
    e.control_key = PX_KEY_CTRL_ALT_DEL;
    e.down = true;
    px_keyboard_key(&k, &held, &e);
    expect("+37 +64 +119 -119 -37 -64 ");
    e.down = false;
    px_keyboard_key(&k, &held, &e);
    expect("");
    assert_false(px_held_any(&held));
}

static void named_keys_have_their_odd_order(void **state) {
    assert_int_equal(px_control_keysym(9), 0xffbe);  /* F1 */
    assert_int_equal(px_control_keysym(10), 0xffc7); /* F10 */
    assert_int_equal(px_control_keysym(13), 0xffbf); /* F2 */
    assert_int_equal(px_control_keysym(27), 0xff0d);
    assert_int_equal(px_control_keysym(0), 0);
    assert_int_equal(px_control_keysym(-1), 0);
    assert_int_equal(px_control_keysym(5000), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(map_keys_go_through_as_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(held_modifiers_do_not_repeat, setup, teardown),
        cmocka_unit_test_setup_teardown(legacy_characters_hold_what_their_level_needs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(legacy_shortcuts_press_their_modifiers, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_key_gives_is_bound_to_a_spare_one, setup, teardown),
        cmocka_unit_test_setup_teardown(spare_keys_are_used_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(text_is_typed_once_whatever_is_locked_or_held, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bad_utf8_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(caps_lock_follows_letters_only, setup, teardown),
        cmocka_unit_test_setup_teardown(buttons_act_where_the_pointer_is, setup, teardown),
        cmocka_unit_test_setup_teardown(wheels_click_and_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(small_gestures_add_up_to_clicks, setup, teardown),
        cmocka_unit_test_setup_teardown(release_lets_everything_go, setup, teardown),
        cmocka_unit_test_setup_teardown(ctrl_alt_del_is_these_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(named_keys_have_their_odd_order, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
