/* tests/host/test_displays.c - several displays: shown, switched, together, coming and going */
#include "base/clock.h"
#include "base/proc.h"
#include "fixture.h"
#include <png.h>
#include <sys/wait.h>
#include <xcb/xtest.h>

#define LEFT 0x2040c0
#define RIGHT 0xc04020

static void xrandr(const char *a, const char *b, const char *c, const char *d) {
    const char *const argv[] = {"xrandr", a, b, c, d, NULL};
    const struct px_proc_opts o = {.argv = argv, .inherit_env = true, .timeout_us = 10 * SECOND};
    struct px_error err = {0};
    px_assert_ok_err(px_proc_check(&o, &err), &err);
}

static void set_monitor(const char *name, int x, int width, const char *output) {
    char place[64];
    snprintf(place, sizeof(place), "%d/100x%d/100+%d+0", width, f.height, x);
    xrandr("--setmonitor", name, place, output);
}

static void split_screen(void) {
    set_monitor("left", 0, f.width / 2, "DUMMY0");
    set_monitor("right", f.width / 2, f.width / 2, "none");
    paint(0, 0, f.width / 2, f.height, LEFT);
    paint(f.width / 2, 0, f.width / 2, f.height, RIGHT);
}

static void join_screen(void) {
    xrandr("--delmonitor", "right", NULL, NULL);
    xrandr("--delmonitor", "left", NULL, NULL);
}

static bool near(uint32_t a, uint32_t b) {
    for (int shift = 0; shift < 24; shift += 8)
        if (abs((int)(a >> shift & 0xff) - (int)(b >> shift & 0xff)) > 12)
            return false;
    return true;
}

/* Waits for a list of @n displays. */
static void await_displays(struct px_client *c, size_t n) {
    const int64_t until = px_now_us() + 10 * SECOND;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_PEER_INFO, until - px_now_us());
        if (!m)
            fail_msg("no list of %zu displays", n);
        if (m->peer_info->n_displays == n)
            return;
    }
}

/* Decodes until display @i shows half the screen in @colour; other displays' pictures are fine if
 * @others. */
static void expect_display(struct px_client *c, int i, uint32_t colour, bool others) {
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    const int64_t until = px_now_us() + 10 * SECOND;
    bool started = false;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_VIDEO_FRAME, until - px_now_us());
        struct px_error err = {0};
        if (!m)
            fail_msg("display %d does not show %06x", i, colour);
        if (m->video_frame->display != i) {
            assert_true(others);
            continue;
        }
        started |= px_video_frame_first(m->video_frame)->key;
        if (!started)
            continue;
        px_assert_ok_err(px_decoder_push(d, m->video_frame, &err), &err);
        if (px_decoder_width(d) == f.width / 2 && px_decoder_height(d) == f.height &&
            near(px_decoder_pixel(d, 5, 5), colour) &&
            near(px_decoder_pixel(d, f.width / 2 - 5, f.height - 5), colour))
            return;
    }
}

static void capture(struct px_client *c, int32_t *set, size_t n) {
    Pxs__CaptureDisplays d = PXS__CAPTURE_DISPLAYS__INIT;
    Pxs__Misc misc = PXS__MISC__INIT;
    d.n_set = n;
    d.set = set;
    misc.item_case = PXS__MISC__ITEM_CAPTURE_DISPLAYS;
    misc.capture_displays = &d;
    px_assert_ok(px_client_send_misc(c, &misc, NULL));
}

static void switch_to(struct px_client *c, int display) {
    Pxs__SwitchDisplay d = PXS__SWITCH_DISPLAY__INIT;
    Pxs__Misc misc = PXS__MISC__INIT;
    d.display = display;
    misc.item_case = PXS__MISC__ITEM_SWITCH_DISPLAY;
    misc.switch_display = &d;
    px_assert_ok(px_client_send_misc(c, &misc, NULL));
}

static Pxs__Message *await_switch(struct px_client *c, int display) {
    const int64_t until = px_now_us() + 10 * SECOND;
    for (;;) {
        Pxs__Message *m = await(c, PXS__MESSAGE__ITEM_MISC, until - px_now_us());
        if (!m)
            fail_msg("no switch_display %d", display);
        if (m->misc->item_case == PXS__MISC__ITEM_SWITCH_DISPLAY &&
            m->misc->switch_display->display == display)
            return m;
        px_message_free(m);
    }
}

static void displays_come_and_go_in_mid_session(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    px_message_free(await_frame(c, d, PATIENCE));
    assert_int_equal(px_decoder_width(d), f.width);
    split_screen();
    await_displays(c, 2);
    expect_display(c, 0, LEFT, false); /* what it watched goes on with the first */
    join_screen();
    await_displays(c, 1);
    const int64_t until = px_now_us() + 10 * SECOND;
    while (px_decoder_width(d) != f.width || !near(px_decoder_pixel(d, f.width - 5, 5), RIGHT)) {
        px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, NULL, until - px_now_us());
        assert_non_null(m);
        if (px_video_frame_first(m->video_frame)->key || px_decoder_width(d) == f.width)
            (void)px_decoder_push(d, m->video_frame, NULL);
    }
}

static void peer_info_lists_them_with_their_places(void **state) {
    split_screen();
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_PEER_INFO, 5 * SECOND);
    assert_non_null(m);
    assert_int_equal(m->peer_info->n_displays, 2);
    const Pxs__DisplayInfo *l = m->peer_info->displays[0], *r = m->peer_info->displays[1];
    assert_string_equal(l->name, "left");
    assert_string_equal(r->name, "right");
    assert_int_equal(l->x, 0);
    assert_int_equal(r->x, f.width / 2);
    assert_int_equal(r->width, f.width / 2);
    assert_int_equal(r->height, f.height);
}

/* As stock clients do it: switch_display, capture_displays, refresh_video_display. */
static void switching_shows_the_other_one_only(void **state) {
    split_screen();
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    expect_display(c, 0, LEFT, false);
    switch_to(c, 1);
    px_cleanup(px_message_freep) Pxs__Message *m = await_switch(c, 1);
    assert_int_equal(m->misc->switch_display->x, f.width / 2);
    assert_int_equal(m->misc->switch_display->width, f.width / 2);
    capture(c, (int32_t[]){1}, 1);
    send_hex(c, "9A0103F80101"); /* refresh_video_display 1 */
    expect_display(c, 1, RIGHT, true);
    paint(0, 0, f.width, f.height, LEFT);
    send_hex(c, "9A01025001"); /* refresh_video: what is watched */
    expect_display(c, 1, LEFT, false);
}

static void all_displays_can_be_watched_at_once(void **state) {
    split_screen();
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    capture(c, (int32_t[]){0, 1, 7}, 3); /* one that is not there is left out */
    expect_display(c, 1, RIGHT, true);
    send_hex(c, "9A01025001"); /* refresh_video: all of them */
    expect_display(c, 0, LEFT, true);
    paint(0, 0, f.width / 2, f.height, RIGHT);
    send_hex(c, "9A01025001");
    expect_display(c, 0, RIGHT, true);
}

static void one_that_is_not_there_changes_nothing(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_message_free(await_frame(c, NULL, PATIENCE));
    switch_to(c, 3);
    switch_to(c, -1);
    capture(c, (int32_t[]){5, -1}, 2);
    send_hex(c, "9A01025001");
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, NULL, PATIENCE);
    assert_non_null(m);
    assert_int_equal(m->video_frame->display, 0);
}

static void await_follow(struct px_client *c, int display) {
    const int64_t until = px_now_us() + 10 * SECOND;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_MISC, until - px_now_us());
        assert_non_null(m);
        if (m->misc->item_case != PXS__MISC__ITEM_FOLLOW_CURRENT_DISPLAY)
            continue;
        assert_int_equal(m->misc->follow_current_display, display);
        return;
    }
}

static void clients_follow_the_pointer_when_they_want(void **state) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.follow_remote_cursor = PX_OPTION_YES;
    split_screen();
    xcb_test_fake_input(f.x, XCB_MOTION_NOTIFY, 0, 0, f.root, 10, 10, 0);
    px_cleanup(px_client_closep) struct px_client *c = desktop(&o);
    await_displays(c, 2);
    xcb_test_fake_input(f.x, XCB_MOTION_NOTIFY, 0, 0, f.root, (int16_t)(f.width - 9), 10, 0);
    xcb_flush(f.x);
    await_follow(c, 1);
}

static void make_active(int16_t x) {
    const char name[] = "_NET_ACTIVE_WINDOW";
    px_cleanup_free xcb_intern_atom_reply_t *a =
        xcb_intern_atom_reply(f.x, xcb_intern_atom(f.x, 0, sizeof(name) - 1, name), NULL);
    const xcb_window_t w = xcb_generate_id(f.x);
    xcb_create_window(f.x, XCB_COPY_FROM_PARENT, w, f.root, x, 10, 50, 50, 0,
                      XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT, 0, NULL);
    xcb_change_property(f.x, XCB_PROP_MODE_REPLACE, f.root, a->atom, XCB_ATOM_WINDOW, 32, 1, &w);
    xcb_flush(f.x);
}

/* The test is the window manager. */
static void clients_follow_the_active_window_when_they_want(void **state) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.follow_remote_window = PX_OPTION_YES;
    split_screen();
    px_cleanup(px_client_closep) struct px_client *c = desktop(&o);
    await_displays(c, 2);
    make_active((int16_t)(f.width - 60));
    await_follow(c, 1);
    make_active(10);
    await_follow(c, 0);
}

/* A window that was active before anybody asked. */
static void clients_are_told_where_it_is_when_they_ask(void **state) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    split_screen();
    make_active((int16_t)(f.width - 60));
    px_cleanup(px_client_closep) struct px_client *later = desktop(NULL);
    await_displays(later, 2);
    o.follow_remote_window = PX_OPTION_YES;
    send_option(later, &o);
    await_follow(later, 1);
    px_cleanup(px_client_closep) struct px_client *at_login = desktop(&o);
    await_follow(at_login, 1);
}

static void screenshots_are_of_one_display(void **state) {
    split_screen();
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    await_displays(c, 2);
    send_hex(c, "EA010508011201 73"); /* screenshot_request, display 1, sid "s" */
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_SCREENSHOT_RESPONSE, 20 * SECOND);
    assert_non_null(m);
    png_image image = {.version = PNG_IMAGE_VERSION};
    const ProtobufCBinaryData d = m->screenshot_response->data;
    assert_true(png_image_begin_read_from_memory(&image, d.data, d.len));
    assert_int_equal(image.width, f.width / 2);
    png_image_free(&image);
}

/* The last: the X server does not come back. */
static void asking_where_the_window_is_without_an_x_server_ends_nothing(void **state) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.follow_remote_window = PX_OPTION_YES;
    split_screen();
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    await_displays(c, 2);
    fixture_end_x();
    px_cleanup(px_client_closep) struct px_client *later = desktop(&o);
    px_cleanup(px_client_closep) struct px_client *alive = desktop(NULL);
    assert_int_equal(waitpid(f.host_pid, NULL, WNOHANG), 0);
}

/* What a failed test left behind. */
static int one_screen(void **state) {
    const char *const names[] = {"right", "left"};
    for (size_t i = 0; i < PX_N_ELEMENTS(names); i++) {
        const char *const argv[] = {"xrandr", "--delmonitor", names[i], NULL};
        const struct px_proc_opts o = {.argv = argv, .inherit_env = true};
        (void)px_proc_check(&o, NULL);
    }
    return 0;
}

static int start(void **state) {
    fixture_x(true);
    fixture_host("");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(displays_come_and_go_in_mid_session, one_screen),
        cmocka_unit_test_teardown(peer_info_lists_them_with_their_places, one_screen),
        cmocka_unit_test_teardown(switching_shows_the_other_one_only, one_screen),
        cmocka_unit_test_teardown(all_displays_can_be_watched_at_once, one_screen),
        cmocka_unit_test_teardown(one_that_is_not_there_changes_nothing, one_screen),
        cmocka_unit_test_teardown(clients_follow_the_pointer_when_they_want, one_screen),
        cmocka_unit_test_teardown(clients_follow_the_active_window_when_they_want, one_screen),
        cmocka_unit_test_teardown(clients_are_told_where_it_is_when_they_ask, one_screen),
        cmocka_unit_test_teardown(screenshots_are_of_one_display, one_screen),
        cmocka_unit_test(asking_where_the_window_is_without_an_x_server_ends_nothing),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
