/* tests/host/test_size.c - the session checklist: other sizes, and an X server that goes away */
#include "base/clock.h"
#include "fixture.h"
#include "holds.h"
#include "host/xdisplay.h"
#include <pthread.h>
#include <sys/wait.h>

static void ask_size(struct px_client *c, int width, int height) {
    Pxs__Resolution r = PXS__RESOLUTION__INIT;
    Pxs__DisplayResolution d = PXS__DISPLAY_RESOLUTION__INIT;
    Pxs__Misc misc = PXS__MISC__INIT;
    r.width = width;
    r.height = height;
    d.resolution = &r;
    misc.item_case = PXS__MISC__ITEM_CHANGE_DISPLAY_RESOLUTION;
    misc.change_display_resolution = &d;
    px_assert_ok(px_client_send_misc(c, &misc, NULL));
}

/* Item 41: the announcement first, then a key frame of that size. */
static void expect_size(struct px_client *c, struct px_decoder *d, int width, int height) {
    bool told = false;
    const int64_t until = px_now_us() + 5 * SECOND;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        struct px_error err = {0};
        if (px_client_recv(c, until, &m, NULL) <= 0)
            fail_msg("no picture of %dx%d", width, height);
        if (m->item_case == PXS__MESSAGE__ITEM_MISC &&
            m->misc->item_case == PXS__MISC__ITEM_SWITCH_DISPLAY) {
            told = m->misc->switch_display->width == width &&
                   m->misc->switch_display->height == height;
            assert_non_null(m->misc->switch_display->original_resolution);
        }
        if (m->item_case != PXS__MESSAGE__ITEM_VIDEO_FRAME)
            continue;
        px_assert_ok_err(px_decoder_push(d, m->video_frame, &err), &err);
        if (px_decoder_width(d) != width || px_decoder_height(d) != height) {
            assert_false(told); /* no frame of the old size after the announcement */
            continue;
        }
        assert_true(told);
        assert_true(px_video_frame_first(m->video_frame)->key);
        return;
    }
}

static void item_41_size_is_told_before_its_first_frame(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    px_message_free(await_frame(c, d, PATIENCE));
    ask_size(c, 1600, 900);
    expect_size(c, d, 1600, 900);
    ask_size(c, 801, 601); /* made even */
    expect_size(c, d, 800, 600);
    ask_size(c, 1920, 1080);
    expect_size(c, d, 1920, 1080);
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, 1919, 1079, NULL));
    px_sleep_us(200000);
    xcb_query_pointer_reply_t *p =
        xcb_query_pointer_reply(f.x, xcb_query_pointer(f.x, f.root), NULL);
    assert_int_equal(p->root_x, 1919);
    assert_int_equal(p->root_y, 1079);
    free(p);
}

static void absurd_sizes_are_clamped_or_left(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    px_message_free(await_frame(c, d, PATIENCE));
    ask_size(c, 65536, 65536);
    ask_size(c, -5, 0);
    ask_size(c, 1, 1);
    expect_size(c, d, 200, 200);
}

/* ---- sizes that nobody has, in every message that names one ---- */

static const struct {
    int32_t width, height;
} absurd[] = {{65536, 65536}, {0, 0},         {-1, -1},        {INT32_MIN, INT32_MIN},
              {16385, 16385}, {65536, 1},     {1, 65536},      {INT32_MAX, INT32_MAX},
              {1, 1},         {16384, 16384}, {-65536, 65536}, {0, 720}};

static void send_misc(struct px_client *c, Pxs__Misc__ItemCase kind, int32_t w, int32_t h) {
    Pxs__Resolution r = PXS__RESOLUTION__INIT;
    Pxs__DisplayResolution d = PXS__DISPLAY_RESOLUTION__INIT;
    Pxs__SwitchDisplay s = PXS__SWITCH_DISPLAY__INIT;
    Pxs__Misc misc = PXS__MISC__INIT;
    r.width = s.width = w;
    r.height = s.height = h;
    d.resolution = s.original_resolution = &r;
    misc.item_case = kind;
    if (kind == PXS__MISC__ITEM_CHANGE_RESOLUTION)
        misc.change_resolution = &r;
    else if (kind == PXS__MISC__ITEM_CHANGE_DISPLAY_RESOLUTION)
        misc.change_display_resolution = &d;
    else
        misc.switch_display = &s;
    px_assert_ok(px_client_send_misc(c, &misc, NULL));
}

/* Pixels of that size, of which there are hardly any. */
static void send_pixels(struct px_client *c, int32_t w, int32_t h) {
    Pxs__Clipboard item = PXS__CLIPBOARD__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    uint8_t few[64] = {0};
    item.format = PX_CLIPBOARD_RGBA;
    item.width = w;
    item.height = h;
    item.content = (ProtobufCBinaryData){sizeof(few), few};
    m.item_case = PXS__MESSAGE__ITEM_CLIPBOARD;
    m.clipboard = &item;
    px_assert_ok(px_client_send(c, &m, NULL));
}

static void send_numbers(struct px_client *c, int32_t a, int32_t b) {
    int32_t list[] = {a, b};
    Pxs__CaptureDisplays capture = PXS__CAPTURE_DISPLAYS__INIT;
    Pxs__ScreenshotRequest shot = PXS__SCREENSHOT_REQUEST__INIT;
    Pxs__Misc misc = PXS__MISC__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    capture.n_set = 2;
    capture.set = list;
    misc.item_case = PXS__MISC__ITEM_CAPTURE_DISPLAYS;
    misc.capture_displays = &capture;
    px_assert_ok(px_client_send_misc(c, &misc, NULL));
    misc.item_case = PXS__MISC__ITEM_REFRESH_VIDEO_DISPLAY;
    misc.refresh_video_display = a;
    px_assert_ok(px_client_send_misc(c, &misc, NULL));
    shot.display = a ? a : b ? b : -1;
    m.item_case = PXS__MESSAGE__ITEM_SCREENSHOT_REQUEST;
    m.screenshot_request = &shot;
    px_assert_ok(px_client_send(c, &m, NULL));
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, a, b, NULL));
}

/* In a session of its own: rows and columns. */
static void send_terminal_size(struct px_client *c, int32_t w, int32_t h) {
    Pxs__TerminalOpen o = PXS__TERMINAL_OPEN__INIT;
    Pxs__TerminalAction a = PXS__TERMINAL_ACTION__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    o.rows = (uint32_t)h;
    o.cols = (uint32_t)w;
    a.open = &o;
    m.item_case = PXS__MESSAGE__ITEM_TERMINAL_ACTION;
    m.terminal_action = &a;
    a.action_case = PXS__TERMINAL_ACTION__ACTION_OPEN;
    px_assert_ok(px_client_send(c, &m, NULL));
    a.action_case = PXS__TERMINAL_ACTION__ACTION_RESIZE;
    px_assert_ok(px_client_send(c, &m, NULL));
}

/* A screen of 7680x4320 is the largest that there is: its picture and its encoder. */
#define LARGEST_KB (1536 * 1024)
#define AFTER_KB (24 * 1024)

static struct { long before, most; } kb;

static bool holds_little_more(void *data) {
    return holds_kb(f.host_pid) < kb.before + AFTER_KB;
}

static void absurd_sizes_in_any_message_cost_no_memory(void **state) {
    static const Pxs__Misc__ItemCase kinds[] = {PXS__MISC__ITEM_CHANGE_RESOLUTION,
                                                PXS__MISC__ITEM_CHANGE_DISPLAY_RESOLUTION,
                                                PXS__MISC__ITEM_SWITCH_DISPLAY};
    const struct px_client_login l = {.username = ID, .password = PASSWORD, .terminal_service = ""};
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL), *t = login(&l);
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    px_message_free(await_frame(c, d, 10 * SECOND));
    kb.before = kb.most = holds_kb(f.host_pid);
    for (size_t i = 0; i < PX_N_ELEMENTS(absurd); i++) {
        const int32_t w = absurd[i].width, h = absurd[i].height;
        for (size_t k = 0; k < PX_N_ELEMENTS(kinds); k++)
            send_misc(c, kinds[k], w, h);
        send_pixels(c, w, h);
        send_numbers(c, w, h);
        send_terminal_size(t, w, h);
        drain(c, SECOND / 10);
        drain(t, 0);
        const long now = holds_kb(f.host_pid);
        kb.most = now > kb.most ? now : kb.most;
    }
    px_decoder_free(d);
    d = px_decoder_new();
    ask_size(c, 1280, 720);
    px_assert_ok(px_client_refresh(c, NULL));
    const int64_t until = px_now_us() + 60 * SECOND;
    while (px_decoder_width(d) != 1280) { /* nobody is thrown out, and all is as before */
        px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, NULL, until - px_now_us());
        assert_non_null(m);
        if (px_video_frame_first(m->video_frame)->key || px_decoder_width(d) > 0)
            px_assert_ok(px_decoder_push(d, m->video_frame, NULL));
    }
    assert_true(wait_for(holds_little_more, NULL, 20 * SECOND));
    print_message("# %ld kB before, at most %ld kB, %ld kB after\n", kb.before, kb.most,
                  holds_kb(f.host_pid));
    assert_true(kb.most < kb.before + LARGEST_KB);
}

static bool has_first_size(void *data) {
    xcb_get_geometry_reply_t *g = xcb_get_geometry_reply(f.x, xcb_get_geometry(f.x, f.root), NULL);
    const bool same = g->width == f.width && g->height == f.height;
    free(g);
    return same;
}

static void size_comes_back_when_the_last_client_leaves(void **state) {
    struct px_client *c = desktop(NULL);
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    px_message_free(await_frame(c, d, PATIENCE));
    ask_size(c, 1024, 768);
    expect_size(c, d, 1024, 768);
    px_client_close(c);
    assert_true(wait_for(has_first_size, NULL, PATIENCE));
}

static bool pointer_follows(void *data) {
    px_assert_ok(px_client_mouse(data, PX_MOUSE_MOVE, 321, 123, NULL));
    px_sleep_us(50000);
    xcb_query_pointer_reply_t *p =
        xcb_query_pointer_reply(f.x, xcb_query_pointer(f.x, f.root), NULL);
    const bool there = p->root_x == 321 && p->root_y == 123;
    free(p);
    return there;
}

/* Last: it ends the X server. The session stays, and has a picture and input again afterwards. */
static void sessions_outlive_the_x_server(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    px_message_free(await_frame(c, d, PATIENCE));
    fixture_end_x();
    px_message_free(await_frame(c, d, PATIENCE)); /* dark */
    fixture_x_again();
    const int64_t until = px_now_us() + 5 * SECOND;
    uint32_t seen = 0;
    while ((seen & 0xff) < 200 && px_now_us() < until) {
        paint(100, 100, 200, 200, 0x0000ff);
        px_message_free(await_frame(c, d, SECOND / 5));
        seen = px_decoder_pixel(d, 200, 200);
    }
    assert_true((seen & 0xff) >= 200);
    assert_true(wait_for(pointer_follows, c, PATIENCE)); /* the host looks twice a second */
}

#define AT_ONCE 4

static void *connect_now(void *barrier) {
    pthread_barrier_wait(barrier);
    int screen = 0;
    xcb_disconnect(px_x_connect("", &screen));
    return NULL;
}

/* As the host's loop and its video thread do. libXau's buffer is made by a process's first
 * connection, so each round is a process of its own. */
static void threads_connect_at_once(void **state) {
    unsetenv("XAUTHORITY"); /* then libXau makes the path itself */
    for (int round = 0; round < 100; round++) {
        const pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            pthread_t threads[AT_ONCE];
            pthread_barrier_t barrier;
            pthread_barrier_init(&barrier, NULL, AT_ONCE);
            for (int i = 0; i < AT_ONCE; i++)
                pthread_create(&threads[i], NULL, connect_now, &barrier);
            for (int i = 0; i < AT_ONCE; i++)
                pthread_join(threads[i], NULL);
            _exit(0);
        }
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

static int start(void **state) {
    fixture_x(true);
    fixture_host("");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_connect_at_once),
        cmocka_unit_test(item_41_size_is_told_before_its_first_frame),
        cmocka_unit_test(absurd_sizes_are_clamped_or_left),
        cmocka_unit_test(absurd_sizes_in_any_message_cost_no_memory),
        cmocka_unit_test(size_comes_back_when_the_last_client_leaves),
        cmocka_unit_test(sessions_outlive_the_x_server),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
