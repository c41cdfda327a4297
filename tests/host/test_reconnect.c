/* tests/host/test_reconnect.c - clients that come and go a thousand times, in every way there is,
 * directly and through a phoenix-server with its relay
 *
 * Another one watches all the while: its pictures go on, and afterwards the host holds what it held
 * before. A host takes twenty requests a second from the server, so there it is 80 clients; with
 * PX_RECONNECTS=1000 in the environment as many desktops, terminals and tunnels come by the relay
 * instead, in some five minutes. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "fixture.h"
#include "holds.h"
#include "ports.h"
#include "server.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

#define WARM 100
#define TIMES 1000
#define MEMORY_KB (8 * 1024) /* what a leak of 8 kB a client would fill */
#define STALL_US (20 * SECOND)
#define LARGE_BYTES (2 * 1024 * 1024)
#define SEEN_MAX 4096

static const struct px_client_login as_viewer = {.username = ID, .password = PASSWORD};

/* ---- who watches ---- */

static struct {
    struct px_client *client;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint frames;
    atomic_llong longest_us;   /* between two pictures, of a screen that never rests */
    atomic_llong painted_us;   /* what the next picture shows; 0: nothing new */
    int64_t seen_us[SEEN_MAX]; /* from paint to picture; the thread's while it runs */
    atomic_uint n_seen;
} watcher;

/* Something new on the screen. */
static void paint_next(void) {
    static uint32_t colour;
    if (watcher.painted_us == 0)
        watcher.painted_us = px_now_us();
    paint(700, 100, 50, 50, colour += 0x010305);
}

static void *watch(void *data) {
    int64_t last = px_now_us();
    while (!watcher.stop) {
        Pxs__Message *m = NULL;
        const int r = px_client_recv(watcher.client, px_now_us() + SECOND / 10, &m, NULL);
        if (r < 0)
            break;
        if (r == 0 || m->item_case != PXS__MESSAGE__ITEM_VIDEO_FRAME) {
            px_message_free(m);
            continue;
        }
        px_message_free(m);
        const int64_t now = px_now_us();
        if (now - last > watcher.longest_us)
            watcher.longest_us = now - last;
        last = now;
        const int64_t painted = watcher.painted_us;
        if (painted && watcher.n_seen < SEEN_MAX)
            watcher.seen_us[watcher.n_seen++] = now - painted;
        watcher.painted_us = 0;
        watcher.frames++;
    }
    return NULL;
}

static int by_time(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Of what was seen since the last call. */
static void say_seen(const char *when) {
    int64_t list[SEEN_MAX];
    const unsigned n = watcher.n_seen;
    memcpy(list, watcher.seen_us, n * sizeof(list[0]));
    watcher.n_seen = 0;
    qsort(list, n, sizeof(list[0]), by_time);
    if (n > 0)
        print_message("# %s: from a change to its picture %.1f ms, 95 %% %.1f, at most %.1f (%u)\n",
                      when, (double)list[n / 2] / 1e3, (double)list[n * 95 / 100] / 1e3,
                      (double)list[n - 1] / 1e3, n);
}

static bool has_seen(void *data) {
    return watcher.painted_us == 0;
}

/* With nobody coming or going. */
static void watch_alone(const char *when) {
    for (int i = 0; i < 30; i++) {
        paint_next();
        wait_for(has_seen, NULL, SECOND);
        px_sleep_us(SECOND / 50); /* the next one is not held back for its rate */
    }
    say_seen(when);
}

/* ---- who comes and goes ---- */

static struct px_client *(*come_in)(void) = dial;

static struct px_client *by_relay(void) {
    return server_dial(true);
}

static struct px_client *enter(const struct px_client_login *l) {
    px_cleanup(px_client_closep) struct px_client *c = come_in();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_client_login(c, l, 20 * SECOND, &m, &err), &err);
    return px_take_ptr(c);
}

static void only_connects(void) {
    px_client_close(come_in());
}

static void leaves_before_the_login(void) {
    px_cleanup(px_client_closep) struct px_client *c = come_in();
    px_assert_ok(px_client_wait_hash(c, 10 * SECOND, NULL));
}

static void logs_in_and_leaves(void) {
    px_client_close(enter(&as_viewer));
}

static void says_goodbye(void) {
    px_cleanup(px_client_closep) struct px_client *c = enter(&as_viewer);
    send_hex(c, "9A01034A0178"); /* close_reason "x" */
}

static void leaves_in_a_frame_of_its_own(void) {
    px_cleanup(px_client_closep) struct px_client *c = enter(&as_viewer);
    px_assert_ok(px_client_send_raw(c, "\xa2\x0f\x12", 3, NULL)); /* a frame of 1000 bytes begins */
}

/* Pictures and all else that comes lie unread: the host gets a reset while it writes. */
static void leaves_in_a_picture(void) {
    px_cleanup(px_client_closep) struct px_client *c = come_in();
    const int small = 4096;
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    px_assert_ok(px_client_login(c, &as_viewer, 10 * SECOND, &m, NULL));
    px_assert_ok(px_client_refresh(c, NULL));
    px_message_free(await(c, PXS__MESSAGE__ITEM_VIDEO_FRAME, 10 * SECOND));
}

static struct px_client *with_files(void) {
    struct px_client_login l = as_viewer;
    l.files_dir = f.dir;
    return enter(&l);
}

static void send_action(struct px_client *c, Pxs__FileAction *a) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_FILE_ACTION;
    m.file_action = a;
    px_assert_ok(px_client_send(c, &m, NULL));
}

static void await_response(struct px_client *c, Pxs__FileResponse__ResponseCase want) {
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_FILE_RESPONSE, 10 * SECOND);
        assert_non_null(m);
        if (m->file_response->response_case == want)
            return;
    }
}

static ProtobufCBinaryData bytes(const char *s) {
    return (ProtobufCBinaryData){strlen(s), (uint8_t *)s};
}

/* After the first block of many. */
static void leaves_in_a_download(void) {
    px_cleanup(px_client_closep) struct px_client *c = with_files();
    px_cleanup_free char *path = px_asprintf("%s/large", f.dir);
    Pxs__FileSend s = PXS__FILE_SEND__INIT;
    Pxs__FileSendConfirm k = PXS__FILE_SEND_CONFIRM__INIT;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    s.id = k.id = 7;
    s.path = bytes(path);
    a.action_case = PXS__FILE_ACTION__ACTION_SEND;
    a.send = &s;
    send_action(c, &a);
    await_response(c, PXS__FILE_RESPONSE__RESPONSE_DIGEST);
    k.decision_case = PXS__FILE_SEND_CONFIRM__DECISION_OFFSET_BLK;
    a.action_case = PXS__FILE_ACTION__ACTION_SEND_CONFIRM;
    a.send_confirm = &k;
    send_action(c, &a);
    await_response(c, PXS__FILE_RESPONSE__RESPONSE_BLOCK);
}

/* After one block of what it promised. */
static void leaves_in_an_upload(void) {
    px_cleanup(px_client_closep) struct px_client *c = with_files();
    static char data[1000];
    Pxs__FileEntry e = PXS__FILE_ENTRY__INIT, *list[] = {&e};
    Pxs__FileReceive r = PXS__FILE_RECEIVE__INIT;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    Pxs__FileDigest d = PXS__FILE_DIGEST__INIT;
    Pxs__FileBlock b = PXS__FILE_BLOCK__INIT;
    Pxs__FileResponse out = PXS__FILE_RESPONSE__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    e.entry_type = PX_FILE_FILE;
    e.name = bytes("upload");
    e.size = d.file_size = LARGE_BYTES;
    r.id = d.id = b.id = 9;
    r.path = bytes(f.dir);
    r.n_files = 1;
    r.files = list;
    a.action_case = PXS__FILE_ACTION__ACTION_RECEIVE;
    a.receive = &r;
    send_action(c, &a);
    m.item_case = PXS__MESSAGE__ITEM_FILE_RESPONSE;
    m.file_response = &out;
    out.response_case = PXS__FILE_RESPONSE__RESPONSE_DIGEST;
    out.digest = &d;
    px_assert_ok(px_client_send(c, &m, NULL));
    b.data = (ProtobufCBinaryData){sizeof(data), (uint8_t *)data};
    out.response_case = PXS__FILE_RESPONSE__RESPONSE_BLOCK;
    out.block = &b;
    px_assert_ok(px_client_send(c, &m, NULL));
}

/* With a shell that has something to say. */
static void leaves_a_terminal(void) {
    struct px_client_login l = as_viewer;
    l.terminal_service = "";
    px_cleanup(px_client_closep) struct px_client *c = enter(&l);
    Pxs__TerminalOpen o = PXS__TERMINAL_OPEN__INIT;
    Pxs__TerminalAction a = PXS__TERMINAL_ACTION__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    o.rows = 24;
    o.cols = 80;
    a.action_case = PXS__TERMINAL_ACTION__ACTION_OPEN;
    a.open = &o;
    m.item_case = PXS__MESSAGE__ITEM_TERMINAL_ACTION;
    m.terminal_action = &a;
    px_assert_ok(px_client_send(c, &m, NULL));
    px_message_free(await(c, PXS__MESSAGE__ITEM_TERMINAL_RESPONSE, 10 * SECOND));
}

static int target = -1;
static uint16_t target_port;

/* With bytes under way in both directions. */
static void leaves_a_tunnel(void) {
    struct px_client_login l = as_viewer;
    l.tunnel_host = "127.0.0.1";
    l.tunnel_port = target_port;
    px_cleanup(px_client_closep) struct px_client *c = enter(&l);
    px_cleanup_close int fd = accept4(target, NULL, NULL, SOCK_CLOEXEC);
    assert_int_equal(send(fd, "from the target", 15, MSG_NOSIGNAL), 15);
    px_assert_ok(px_client_send_raw(c, "to the target", 13, NULL));
}

static void (*const ways[])(void) = {only_connects,
                                     logs_in_and_leaves,
                                     leaves_before_the_login,
                                     logs_in_and_leaves,
                                     says_goodbye,
                                     logs_in_and_leaves,
                                     leaves_in_a_frame_of_its_own,
                                     logs_in_and_leaves,
                                     leaves_in_a_picture,
                                     leaves_in_a_download,
                                     leaves_a_terminal,
                                     leaves_in_an_upload,
                                     leaves_a_tunnel};

/* ---- what the host holds ---- */

/* What the host and the server hold; the shells of terminals are gone a while after their client.
 */
struct held {
    unsigned host_fds, host_threads, server_fds;
};

static struct held held(void) {
    return (struct held){holds_fds(f.host_pid), holds_threads(f.host_pid), holds_fds(server_pid())};
}

static bool holds_no_more(void *data) {
    const struct held *before = data, now = held();
    return now.host_fds <= before->host_fds && now.host_threads <= before->host_threads &&
           now.server_fds <= before->server_fds;
}

static void expect_no_more(struct held *before) {
    if (wait_for(holds_no_more, before, 60 * SECOND))
        return;
    const struct held now = held();
    fail_msg("%u descriptors and %u threads before, %u and %u after; the server's %u and %u",
             before->host_fds, before->host_threads, now.host_fds, now.host_threads,
             before->server_fds, now.server_fds);
}

static void come_and_go(unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        paint_next();
        ways[i % PX_N_ELEMENTS(ways)]();
    }
}

/* In records: over the relay and straight in turns; some leave before the login. */
static void come_through_the_server(unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        px_cleanup(px_client_closep) struct px_client *c = server_dial(i % 2);
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        struct px_error err = {0};
        paint_next();
        if (i % 5)
            px_assert_ok_err(px_client_login(c, &as_viewer, 20 * SECOND, &m, &err), &err);
    }
}

static void come_by_relay(void (*way)(void), unsigned times) {
    come_in = by_relay;
    for (unsigned i = 0; i < times; i++) {
        paint_next();
        way();
    }
    come_in = dial;
}

static void desktops_by_relay(unsigned times) {
    come_by_relay(logs_in_and_leaves, times);
}

static void terminals_by_relay(unsigned times) {
    come_by_relay(leaves_a_terminal, times);
}

static void tunnels_by_relay(unsigned times) {
    come_by_relay(leaves_a_tunnel, times);
}

static bool has_measured(void *data) {
    px_cleanup_free char *figures = get_file("state/encoders");
    return *figures != '\0';
}

/* @come, @warm times and then @times: afterwards there is no more than before, and the watcher has
 * had its pictures. */
static void leave_nothing_behind(void (*come)(unsigned), unsigned warm, unsigned times) {
    watcher.client = login(&as_viewer);
    /* What a viewer takes is there with its first picture. */
    px_message_free(await_frame(watcher.client, NULL, 10 * SECOND));
    watcher.stop = false;
    watcher.longest_us = 0;
    struct held before = held(); /* with the watcher's */
    assert_int_equal(pthread_create(&watcher.thread, NULL, watch, NULL), 0);
    before.host_threads = 1000; /* some are started when they are first needed, and stay */
    come(warm);                 /* what is made once is made */
    assert_true(wait_for(has_measured, NULL, 60 * SECOND)); /* which takes memory, once */
    watcher.n_seen = 0;
    watch_alone("before");
    expect_no_more(&before);
    before.host_threads = holds_threads(f.host_pid);
    const long before_kb = holds_kb(f.host_pid), server_kb = holds_kb(server_pid());
    const unsigned frames = watcher.frames;
    watcher.longest_us = 0;
    come(times);
    say_seen("meanwhile");
    expect_no_more(&before);
    watch_alone("afterwards");
    const long after_kb = holds_kb(f.host_pid), server_after_kb = holds_kb(server_pid());
    const unsigned seen = watcher.frames;
    watcher.stop = true;
    pthread_join(watcher.thread, NULL);
    paint(700, 100, 50, 50, 0xffffff); /* for the picture that is awaited below, and no sooner */
    print_message("# private memory: %ld kB, after %u clients %ld kB; the server's %ld and %ld kB; "
                  "%u descriptors, %u threads; pictures: %u, the longest wait for one %lld ms\n",
                  before_kb, times, after_kb, server_kb, server_after_kb, before.host_fds,
                  before.host_threads, seen - frames, watcher.longest_us / 1000);
    assert_true(after_kb < before_kb + MEMORY_KB);
    assert_true(server_after_kb < server_kb + MEMORY_KB);
    assert_true(seen > frames);
    assert_true(watcher.longest_us < STALL_US);
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(watcher.client, NULL, 10 * SECOND);
    assert_non_null(m);
    px_client_close(watcher.client);
}

static void a_thousand_clients_leave_nothing_behind_and_the_viewer_alone(void **state) {
    leave_nothing_behind(come_and_go, WARM, TIMES);
}

static void clients_through_the_server_leave_nothing_behind(void **state) {
    leave_nothing_behind(come_through_the_server, 10, 80);
}

static unsigned n_reconnects(void) {
    const char *times = getenv("PX_RECONNECTS");
    return times ? (unsigned)strtoul(times, NULL, 10) : 0;
}

static void desktops_by_the_relay_leave_nothing_behind(void **state) {
    leave_nothing_behind(desktops_by_relay, 20, n_reconnects());
}

static void terminals_by_the_relay_leave_nothing_behind(void **state) {
    leave_nothing_behind(terminals_by_relay, 20, n_reconnects());
}

static void tunnels_by_the_relay_leave_nothing_behind(void **state) {
    leave_nothing_behind(tunnels_by_relay, 20, n_reconnects());
}

static int start(void **state) {
    char path[128];
    fixture_x(false);
    target = ports_listen(&target_port);
    server_start();
    fixture_host(server_config());
    server_await_host();
    snprintf(path, sizeof(path), "%s/large", f.dir);
    px_cleanup_free char *bytes = px_new0(char, LARGE_BYTES);
    for (size_t i = 0; i < LARGE_BYTES; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    px_assert_ok(px_file_write_atomic(AT_FDCWD, path, bytes, LARGE_BYTES, 0600, NULL));
    return 0;
}

int main(void) {
    const struct CMUnitTest usual[] = {
        cmocka_unit_test(a_thousand_clients_leave_nothing_behind_and_the_viewer_alone),
        cmocka_unit_test(clients_through_the_server_leave_nothing_behind),
    };
    const struct CMUnitTest many[] = {
        cmocka_unit_test(desktops_by_the_relay_leave_nothing_behind),
        cmocka_unit_test(terminals_by_the_relay_leave_nothing_behind),
        cmocka_unit_test(tunnels_by_the_relay_leave_nothing_behind),
    };
    return n_reconnects() ? cmocka_run_group_tests(many, start, fixture_end)
                          : cmocka_run_group_tests(usual, start, fixture_end);
}
