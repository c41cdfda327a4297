/* tests/host/test_bounds.c - what hostile clients cost the host and those who watch beside them */
#include "base/clock.h"
#include "fixture.h"
#include <signal.h>
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

static int start(void **state) {
    fixture_x(false);
    fixture_host("");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusal_arrives_although_more_was_sent_than_read),
        cmocka_unit_test(reason_arrives_although_more_was_sent_than_read),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
