/* tests/host/test_bounds.c - what hostile clients cost the host and those who watch beside them */
#include "base/alloc.h"
#include "base/clock.h"
#include "fixture.h"
#include "holds.h"
#include "proto/frame.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

static const struct px_client_login as_viewer = {.username = ID, .password = PASSWORD};

/* ---- the last word ---- */

#define UNREAD_BYTES (4 * 1024 * 1024)

/* Empty frames, as many as the sockets take, up to that. */
static size_t send_much(struct px_client *c) {
    static const uint8_t zeros[65536];
    size_t n = 0;
    while (n < UNREAD_BYTES) {
        const ssize_t sent = send(c->fd, zeros, sizeof(zeros), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            break;
        n += (size_t)sent;
    }
    return n;
}

/* That message comes, and then the end: a FIN, no reset. */
static void assert_last_word(struct px_client *c, const char *words) {
    struct px_error err = {0};
    bool said = false;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        const int r = px_client_recv(c, px_now_us() + 10 * SECOND, &m, &err);
        if (r <= 0) {
            assert_int_equal(r, -EPIPE);
            break;
        }
        if (m->item_case == PXS__MESSAGE__ITEM_LOGIN_RESPONSE)
            said = strcmp(m->login_response->error, words) == 0;
        else if (m->item_case == PXS__MESSAGE__ITEM_MISC &&
                 m->misc->item_case == PXS__MISC__ITEM_CLOSE_REASON)
            said = strcmp(m->misc->close_reason, words) == 0;
    }
    assert_true(said);
    assert_string_equal(err.msg, "the host closed the connection");
}

/* What the host has not read when it closes would have the kernel send a reset, which takes what is
 * on its way to the client with it. */
static void refusal_arrives_although_more_was_sent_than_read(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    struct px_client_login l = as_viewer;
    px_assert_ok(px_client_wait_hash(c, 10 * SECOND, NULL));
    l.username = "987654321";
    kill(f.host_pid, SIGSTOP);
    c->no_echo = true; /* nothing of ours after what lies unread */
    px_assert_ok(px_client_send_login(c, &l, NULL));
    l = as_viewer;
    l.files_dir = "/"; /* another purpose than before: the host closes */
    px_assert_ok(px_client_send_login(c, &l, NULL));
    print_message("# %zu bytes unread\n", send_much(c));
    kill(f.host_pid, SIGCONT);
    assert_last_word(c, "Connection not allowed");
}

static void reason_arrives_although_more_was_sent_than_read(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = login(&as_viewer);
    px_message_free(await_frame(c, NULL, 10 * SECOND));
    drain(c, SECOND / 5);
    c->no_echo = true;
    kill(f.host_pid, SIGSTOP);
    print_message("# %zu bytes unread\n", send_much(c));
    kill(f.host_pid, SIGTERM);
    kill(f.host_pid, SIGCONT);
    assert_last_word(c, "Reset by the peer");
    fixture_stop_host();
    fixture_host("");
}

/* ---- a desktop at work, and how soon somebody beside the hostile one sees a click ---- */

#define PATCH 64
#define TILE_W 320
#define TILE_H 180

static struct {
    pthread_t thread;
    atomic_bool stop, busy; /* @busy: the whole screen changes, some 10 times a second */
    xcb_connection_t *x;
    xcb_window_t patch;
    xcb_gcontext_t gc;
} scene;

static void fill_patch(uint32_t rgb) {
    const xcb_rectangle_t r = {0, 0, PATCH, PATCH};
    xcb_change_gc(scene.x, scene.gc, XCB_GC_FOREGROUND, &rgb);
    xcb_poly_fill_rectangle(scene.x, scene.patch, scene.gc, 1, &r);
    xcb_flush(scene.x);
}

/* All of it in another colour, and noise in a part, so that a picture has its weight. */
static void fill_screen(void) {
    static uint32_t tile[TILE_W * TILE_H], state = 1;
    for (int i = 0; i < TILE_W * TILE_H; i++)
        tile[i] = (state = state * 1664525u + 1013904223u) >> 8;
    const xcb_rectangle_t r = {0, 0, (uint16_t)f.width, (uint16_t)f.height};
    xcb_change_gc(scene.x, scene.gc, XCB_GC_FOREGROUND, &tile[0]);
    xcb_poly_fill_rectangle(scene.x, f.root, scene.gc, 1, &r);
    xcb_put_image(scene.x, XCB_IMAGE_FORMAT_Z_PIXMAP, f.root, scene.gc, TILE_W, TILE_H,
                  (int16_t)(state % 900), (int16_t)(state / 900 % 500), 0, 24, sizeof(tile),
                  (const uint8_t *)tile);
    xcb_flush(scene.x);
}

static void *play_scene(void *data) {
    bool on = false;
    int64_t next = px_now_us();
    while (!scene.stop) {
        xcb_generic_event_t *e = xcb_poll_for_event(scene.x);
        if (e && (e->response_type & 0x7f) == XCB_BUTTON_PRESS)
            fill_patch((on = !on) ? 0xffffff : 0);
        if (e) {
            free(e);
            continue;
        }
        if (scene.busy && px_now_us() >= next) {
            fill_screen();
            next = px_now_us() + SECOND / 10;
        }
        px_sleep_us(1000);
    }
    return NULL;
}

/* A window at the screen's top left that changes its colour with each click. */
static void scene_start(void) {
    scene.x = xcb_connect(f.display, NULL);
    assert_int_equal(xcb_connection_has_error(scene.x), 0);
    scene.patch = xcb_generate_id(scene.x);
    scene.gc = xcb_generate_id(scene.x);
    const uint32_t values[] = {0, 1, XCB_EVENT_MASK_BUTTON_PRESS};
    xcb_create_window(scene.x, XCB_COPY_FROM_PARENT, scene.patch, f.root, 0, 0, PATCH, PATCH, 0,
                      XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                      XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK, values);
    xcb_create_gc(scene.x, scene.gc, f.root, 0, NULL);
    xcb_map_window(scene.x, scene.patch);
    xcb_flush(scene.x);
    assert_int_equal(pthread_create(&scene.thread, NULL, play_scene, NULL), 0);
}

static void scene_end(void) {
    scene.stop = true;
    pthread_join(scene.thread, NULL);
    xcb_disconnect(scene.x);
}

struct viewer {
    struct px_client *c;
    struct px_decoder *d;
};

static bool patch_is_light(const struct viewer *v) {
    return (px_decoder_pixel(v->d, PATCH / 2, PATCH / 2) & 0xff) > 128;
}

/* From a click to the decoded picture that shows it. */
static int64_t click_us(struct viewer *v) {
    const bool was = patch_is_light(v);
    const int64_t t0 = px_now_us(), until = t0 + 20 * SECOND;
    px_assert_ok(px_client_click(v->c, PATCH / 2, PATCH / 2, NULL));
    while (patch_is_light(v) == was) {
        px_cleanup(px_message_freep) Pxs__Message *m = await_frame(v->c, v->d, until - px_now_us());
        assert_non_null(m);
    }
    return px_now_us() - t0;
}

static int by_time(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The middle one of clicks for that long. */
static int64_t usual_click_us(struct viewer *v, int64_t us) {
    int64_t times[2000];
    size_t n = 0;
    const int64_t until = px_now_us() + us;
    do
        times[n++] = click_us(v);
    while (n < PX_N_ELEMENTS(times) && px_now_us() < until);
    qsort(times, n, sizeof(times[0]), by_time);
    return times[n / 2];
}

static struct viewer viewer(void) {
    struct viewer v = {desktop(NULL), px_decoder_new()};
    px_message_free(await_frame(v.c, v.d, 10 * SECOND));
    return v;
}

static void viewer_end(struct viewer *v) {
    px_client_close(v->c);
    px_decoder_free(v->d);
}

/* What others may lose by a hostile client: generous, for a machine that has more to do, and far
 * from what waiting for one would mean (three seconds with the official host). */
static void assert_no_worse(const char *who, int64_t before_us, int64_t beside_us) {
    print_message("# a click is seen after %.1f ms, beside %s after %.1f ms\n",
                  (double)before_us / 1000, who, (double)beside_us / 1000);
    assert_true(beside_us < 3 * before_us + 3 * SECOND / 2);
}

/* ---- one that does not read ---- */

#define STUCK_KB (80 * 1024) /* an encoder of its own, and a socket full of pictures */
#define AFTER_KB (12 * 1024) /* what allocators keep */

static bool does_not_read(void *data) {
    px_cleanup_free char *log = get_file("phoenix-host.log");
    return strstr(log, "does not read") != NULL;
}

static bool holds_little_more(void *before_kb) {
    return holds_kb(f.host_pid) < *(long *)before_kb + AFTER_KB;
}

static void one_that_stops_reading_costs_little_and_is_let_go(void **state) {
    struct viewer v = viewer();
    const int small = 4096;
    scene.busy = true;
    usual_click_us(&v, SECOND); /* what is made once is made */
    const int64_t before_us = usual_click_us(&v, 2 * SECOND);
    long before_kb = holds_kb(f.host_pid), most_kb = 0;
    px_cleanup(px_client_closep) struct px_client *stuck = dial();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    setsockopt(stuck->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    px_assert_ok(px_client_login(stuck, &as_viewer, 10 * SECOND, &m, NULL));
    const int64_t t0 = px_now_us();
    int64_t times[100];
    size_t n = 0;
    while (!does_not_read(NULL)) {
        assert_true(n < PX_N_ELEMENTS(times));
        times[n++] = usual_click_us(&v, SECOND / 2);
        const long kb = holds_kb(f.host_pid);
        most_kb = kb > most_kb ? kb : most_kb;
    }
    print_message("# let go after %.1f s; %ld kB before, at most %ld kB\n",
                  (double)(px_now_us() - t0) / 1e6, before_kb, most_kb);
    assert_true(px_now_us() - t0 > 10 * SECOND); /* a line may be dead for a while */
    assert_true(most_kb < before_kb + STUCK_KB);
    qsort(times, n, sizeof(times[0]), by_time);
    assert_no_worse("one that does not read", before_us, times[n / 2]);
    scene.busy = false;
    assert_true(wait_for(holds_little_more, &before_kb, 20 * SECOND));
    viewer_end(&v);
}

/* ---- one that floods ---- */

#define FLOOD_KB (16 * 1024)
#define FLOOD_WAIT_US (5 * SECOND) /* it was 12 while a client was read for as long as it sent */

static struct {
    struct px_client *c;
    atomic_bool stop;
    atomic_ullong n;
} flood;

/* Moves, keys, and all else that is cheap to say, as fast as the host takes them. */
static void *send_flood(void *data) {
    static const char events[] = "\x20\x52\x06\x10\xc8\x01\x18\x90\x03" /* a move */
                                 "\x20\x7a\x06\x08\x01\x20\x26\x48\x01" /* a key down */
                                 "\x18\x7a\x04\x20\x26\x48\x01"         /* and up */
                                 "\x10\x52\x02\x08\x09"                 /* the left button */
                                 "\x10\x52\x02\x08\x0a"
                                 "\x18\x52\x04\x08\x03\x18\x02"; /* the wheel */
    static char many[(sizeof(events) - 1) * 500];
    for (size_t i = 0; i < sizeof(many); i++)
        many[i] = events[i % (sizeof(events) - 1)];
    while (!flood.stop && px_client_send_raw(flood.c, many, sizeof(many), NULL) >= 0)
        flood.n += 6 * 500;
    return NULL;
}

static bool holds_no_more_fds(void *before) {
    return holds_fds(f.host_pid) <= *(unsigned *)before;
}

static void one_that_floods_input_leaves_the_others_theirs(void **state) {
    struct viewer v = viewer();
    pthread_t thread;
    scene.busy = false;
    usual_click_us(&v, SECOND);
    const int64_t before_us = usual_click_us(&v, SECOND);
    const long before_kb = holds_kb(f.host_pid);
    unsigned fds = holds_fds(f.host_pid);
    flood.c = desktop(NULL);
    assert_int_equal(pthread_create(&thread, NULL, send_flood, NULL), 0);
    const int64_t t0 = px_now_us();
    unsigned n_frames = 0;
    int64_t longest_us = 0, last = t0;
    /* The pointer is the flooding one's, so it is what is painted that is looked at. */
    while (n_frames < 25 || px_now_us() < t0 + 3 * SECOND) {
        paint(600, 300, 64, 64, n_frames * 0x030507);
        px_cleanup(px_message_freep) Pxs__Message *m = await_frame(v.c, v.d, 20 * SECOND);
        assert_non_null(m);
        const int64_t now = px_now_us();
        longest_us = now - last > longest_us ? now - last : longest_us;
        last = now;
        n_frames++;
    }
    const double seconds = (double)(px_now_us() - t0) / 1e6;
    const long during_kb = holds_kb(f.host_pid);
    flood.stop = true;
    shutdown(flood.c->fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    px_client_close(flood.c);
    assert_true(wait_for(holds_no_more_fds, &fds, 60 * SECOND)); /* what was under way is taken */
    print_message("# %.0f events/s sent; %u pictures, the longest wait %.1f ms; %ld kB before, %ld "
                  "kB beside\n",
                  (double)flood.n / seconds, n_frames, (double)longest_us / 1000, before_kb,
                  during_kb);
    assert_true(during_kb < before_kb + FLOOD_KB);
    assert_true(longest_us < FLOOD_WAIT_US);
    assert_no_worse("a flood that ends", before_us, usual_click_us(&v, SECOND));
    viewer_end(&v);
}

/* ---- one that asks and does not read the answers ---- */

#define ASKED_MAX_BYTES (96 * 1024 * 1024)
#define ANSWERS_KB (24 * 1024)
#define QUESTION_BYTES 60000
#define DEAF_US (2 * SECOND) /* nobody reads what it sends for so long */

/* A probe, which is echoed as it is, with a field that nobody knows. */
static void make_question(struct px_buf *body) {
    static const uint8_t head[] = {0x2a, 0x02, 0x10, 0x01, 0xc2, 0xa9, 0x07, 0xe0, 0xd4, 0x03};
    static const uint8_t zeros[QUESTION_BYTES];
    px_buf_add(body, head, sizeof(head));
    px_buf_add(body, zeros, sizeof(zeros));
}

/* Questions until the host reads no more, @ASKED_MAX_BYTES of them at most; how many are whole. */
static unsigned ask_on(struct px_client *c, const struct px_buf *body) {
    uint8_t frame[QUESTION_BYTES + 64];
    const size_t prefix = px_frame_print((uint32_t)body->size, frame), size = prefix + body->size;
    memcpy(frame + prefix, body->data, body->size);
    size_t n = 0;
    int64_t last = px_now_us();
    while (n < ASKED_MAX_BYTES && px_now_us() < last + DEAF_US) {
        const size_t at = n % size;
        const ssize_t sent = send(c->fd, frame + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            n += (size_t)sent;
            last = px_now_us();
        } else if (errno == EAGAIN)
            px_sleep_us(SECOND / 1000);
        else
            break;
    }
    return (unsigned)(n / size);
}

/* A peer's memory is its own: what is not read on that side is not piled up on this one. */
static void ask_and_do_not_read(struct px_client *c, const char *who) {
    px_cleanup(px_buf_fini) struct px_buf body = {0};
    make_question(&body);
    const long before_kb = holds_kb(f.host_pid);
    const unsigned asked = ask_on(c, &body);
    const long kb = holds_kb(f.host_pid);
    print_message("# %s: %u questions of %zu bytes; %ld kB before, %ld kB now\n", who, asked,
                  body.size, before_kb, kb);
    assert_true(kb < before_kb + ANSWERS_KB);
    unsigned answered = 0;
    while (answered < asked) { /* who reads again has them all */
        const uint8_t *got;
        size_t size;
        assert_int_equal(px_client_recv_body(c, px_now_us() + 20 * SECOND, &got, &size, NULL), 1);
        answered += size == body.size;
    }
}

static void a_stranger_that_does_not_read_answers_waits_for_them(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    px_assert_ok(px_client_wait_hash(c, 10 * SECOND, NULL));
    ask_and_do_not_read(c, "a stranger");
}

static void a_viewer_that_does_not_read_answers_waits_for_them(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = login(&as_viewer);
    ask_and_do_not_read(c, "a viewer");
}

/* Only its length is known yet. */
static void a_stranger_has_no_frames_above_64_kib(void **state) {
    uint8_t prefix[PX_FRAME_PREFIX_MAX_BYTES];
    px_cleanup(px_client_closep) struct px_client *c = dial();
    px_assert_ok(px_client_wait_hash(c, 10 * SECOND, NULL));
    px_assert_ok(px_client_send_raw(c, prefix, px_frame_print(64 * 1024 + 1, prefix), NULL));
    assert_true(is_closed(c, 10 * SECOND));
}

static int start(void **state) {
    fixture_x(false);
    fixture_host("");
    scene_start();
    return 0;
}

static int end(void **state) {
    scene_end();
    return fixture_end(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusal_arrives_although_more_was_sent_than_read),
        cmocka_unit_test(reason_arrives_although_more_was_sent_than_read),
        cmocka_unit_test(one_that_stops_reading_costs_little_and_is_let_go),
        cmocka_unit_test(one_that_floods_input_leaves_the_others_theirs),
        cmocka_unit_test(a_stranger_has_no_frames_above_64_kib),
        cmocka_unit_test(a_stranger_that_does_not_read_answers_waits_for_them),
        cmocka_unit_test(a_viewer_that_does_not_read_answers_waits_for_them),
    };
    return cmocka_run_group_tests(tests, start, end);
}
