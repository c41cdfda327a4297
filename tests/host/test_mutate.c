/* tests/host/test_mutate.c - clients that send nonsense
 *
 * Messages of every kind (messages.h) are made and changed at random (the seed is fixed;
 * PHOENIX_TEST_SEED gives another) and sent before and after the login, for each purpose, in the
 * clear and encrypted. Another session watches meanwhile: it must keep its picture. The host is the
 * one that was built with sanitizers where there is one, and must have nothing to say at its end.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "fixture.h"
#include "messages.h"
#include "server.h"
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ROUNDS 6 /* each kind so often, in each place */

static char play[96]; /* the folder for files */

/* Takes what has come; false: the host has closed. */
static bool take_some(struct px_client *c) {
    for (;;) {
        Pxs__Message *m = NULL;
        const int r = px_client_recv(c, px_now_us(), &m, NULL);
        px_message_free(m);
        if (r <= 0)
            return r == 0;
    }
}

/* Every kind, @from on, changed or not, until the host has had enough; the number sent. */
static unsigned annoy(struct px_client *c, unsigned from, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        px_cleanup(px_buf_fini) struct px_buf body = {0};
        messages_make((from + i) % messages_kinds(), &body, NULL);
        if (messages_random(2))
            messages_mutate(&body);
        if (!messages_harmless(&body, play))
            continue;
        if (px_client_send_body(c, body.data, body.size, NULL) < 0 || !take_some(c))
            return i + 1;
    }
    return n;
}

/* As many clients of that sort as it takes for all kinds to have been sent. */
static void annoy_by(struct px_client *(*fresh)(void)) {
    const unsigned all = ROUNDS * messages_kinds();
    unsigned n_clients = 0;
    for (unsigned i = 0; i < all; n_clients++) {
        px_cleanup(px_client_closep) struct px_client *c = fresh();
        i += annoy(c, i, all - i);
    }
    print_message("# %u messages of %u kinds, %u clients\n", all, messages_kinds(), n_clients);
}

static void watch_still_works(struct px_client *watcher) {
    static uint32_t colour;
    drain(watcher, 20000);
    paint(700, 100, 50, 50, colour += 0x112233);
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(watcher, NULL, PATIENCE);
    assert_non_null(m);
    assert_int_equal(kill(f.host_pid, 0), 0);
}

static struct px_client *stranger(void) {
    struct px_client *c = dial();
    px_assert_ok(px_client_wait_hash(c, 20 * SECOND, NULL));
    return c;
}

static struct px_client *viewer(void) {
    return desktop(NULL);
}

static struct px_client *with_files(void) {
    const struct px_client_login l = {.username = ID, .password = PASSWORD, .files_dir = play};
    return login(&l);
}

static struct px_client *with_terminal(void) {
    const struct px_client_login l = {.username = ID, .password = PASSWORD, .terminal_service = ""};
    return login(&l);
}

static void nonsense_before_the_login(void **state) {
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL);
    annoy_by(stranger);
    watch_still_works(watcher);
}

static void nonsense_in_a_desktop_session(void **state) {
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL);
    annoy_by(viewer);
    watch_still_works(watcher);
}

static void nonsense_in_a_file_session(void **state) {
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL);
    annoy_by(with_files);
    watch_still_works(watcher);
}

static void nonsense_in_a_terminal(void **state) {
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL);
    annoy_by(with_terminal);
    watch_still_works(watcher);
}

/* Through the server and its relay, in records. */
static struct px_client *encrypted_stranger(void) {
    struct px_client *c = server_dial(true);
    px_assert_ok(px_client_wait_hash(c, 20 * SECOND, NULL));
    return c;
}

static struct px_client *encrypted_viewer(void) {
    const struct px_client_login l = {.username = ID, .password = PASSWORD};
    struct px_client *c = server_dial(true);
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    px_assert_ok(px_client_login(c, &l, 20 * SECOND, &m, NULL));
    return c;
}

static void nonsense_in_records_before_the_login(void **state) {
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL);
    annoy_by(encrypted_stranger);
    watch_still_works(watcher);
}

static void nonsense_in_records_in_a_desktop_session(void **state) {
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL);
    annoy_by(encrypted_viewer);
    watch_still_works(watcher);
}

static void raw_bytes_of_any_kind(void **state) {
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL);
    for (int i = 0; i < 60; i++) {
        px_cleanup(px_client_closep) struct px_client *c = i % 2 ? dial() : desktop(NULL);
        uint8_t junk[4096];
        for (size_t k = 0; k < sizeof(junk); k++)
            junk[k] = (uint8_t)messages_random(256);
        (void)px_client_send_raw(c, junk, 1 + messages_random(sizeof(junk) - 1), NULL);
    }
    watch_still_works(watcher);
}

static void floods_of_input_are_taken(void **state) {
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL), *c = desktop(NULL);
    for (int i = 0; i < 20000; i++)
        px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, (int)messages_random(1280),
                                     (int)messages_random(720), NULL));
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, 11, 22, NULL));
    watch_still_works(watcher);
    xcb_query_pointer_reply_t *p = NULL;
    const int64_t until = px_now_us() + 5 * SECOND;
    do {
        free(p);
        px_sleep_us(20000);
        p = xcb_query_pointer_reply(f.x, xcb_query_pointer(f.x, f.root), NULL);
    } while ((p->root_x != 11 || p->root_y != 22) && px_now_us() < until);
    assert_int_equal(p->root_x, 11);
    free(p);
}

static bool exists(const char *path) {
    return path && access(path, X_OK) == 0;
}

static int start(void **state) {
    const char *seed = getenv("PHOENIX_TEST_SEED"), *sanitized = getenv("PX_SANITIZED");
    px_cleanup_free char *host =
        sanitized ? px_asprintf("%s/src/phoenix-host/phoenix-host", sanitized) : NULL;
    messages_seed(seed ? (uint32_t)strtoul(seed, NULL, 10) : 1);
    if (exists(host))
        setenv("PHOENIX_HOST", host, 1);
    print_message("# %s\n", exists(host) ? "a host with sanitizers" : "a host as it is installed");
    setenv("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1", 1);
    fixture_x(false);
    snprintf(play, sizeof(play), "%s/play", f.dir);
    assert_int_equal(mkdir(play, 0700), 0);
    messages_dir(play);
    put_file("play/large", PASSWORD);
    server_start();
    fixture_host(server_config());
    server_await_host();
    return 0;
}

/* Leaks are told at the end. */
static int end(void **state) {
    fixture_stop_host();
    px_cleanup_free char *log = get_file("phoenix-host.log");
    const char *at = strstr(log, "Sanitizer:");
    at = at ? at : strstr(log, "runtime error:");
    if (at)
        fprintf(stderr, "# %.3000s\n", at);
    fixture_end(state);
    return at ? -1 : 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonsense_before_the_login),
        cmocka_unit_test(nonsense_in_a_desktop_session),
        cmocka_unit_test(nonsense_in_a_file_session),
        cmocka_unit_test(nonsense_in_a_terminal),
        cmocka_unit_test(nonsense_in_records_before_the_login),
        cmocka_unit_test(nonsense_in_records_in_a_desktop_session),
        cmocka_unit_test(raw_bytes_of_any_kind),
        cmocka_unit_test(floods_of_input_are_taken),
    };
    return cmocka_run_group_tests(tests, start, end);
}
