/* tests/host/test_halfway.c - clients that leave anywhere between the first byte and the login
 *
 * The host runs in this process; its clients come as if through a server, so there is a handshake,
 * and the login goes in a record. Of each, every length is sent. */
#include "base/clock.h"
#include "holds.h"
#include "inside.h"
#include "proto/frame.h"
#include "proto/handshake.h"
#include <sodium.h>
#include <sys/socket.h>

#define MEMORY_KB (4 * 1024)

/* Of the fixture's identity: the key whose seed is 00..1f. */
static void host_key(uint8_t pk[PX_SIGN_PK_BYTES]) {
    uint8_t seed[32], sk[PX_SIGN_SK_BYTES];
    for (uint8_t i = 0; i < 32; i++)
        seed[i] = i;
    crypto_sign_seed_keypair(pk, sk, seed);
}

/* A frame of the client's, as it goes over the line. */
static void add_frame(const struct px_buf *body, struct px_buf *out) {
    uint8_t prefix[PX_FRAME_PREFIX_MAX_BYTES];
    px_buf_add(out, prefix, px_frame_print((uint32_t)body->size, prefix));
    px_buf_add(out, body->data, body->size);
}

static struct px_client *adopted(void) {
    int line[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
    inside_adopt(line[0]);
    return px_client_adopt(line[1]);
}

/* Takes the host's identity and says what a client answers; the record's key is set. */
static void make_answer(struct px_client *c, struct px_buf *out) {
    uint8_t pk[PX_SIGN_PK_BYTES];
    const uint8_t *body;
    size_t size;
    px_cleanup(px_buf_fini) struct px_buf answer = {0};
    host_key(pk);
    assert_int_equal(px_client_recv_body(c, px_now_us() + 20 * SECOND, &body, &size, NULL), 1);
    px_assert_ok(px_handshake_answer(pk, ID, body, size, &c->secure, &answer, NULL));
    add_frame(&answer, out);
}

/* The login as it would be sent. */
static void make_login(struct px_client *c, struct px_buf *out) {
    const struct px_client_login l = {.username = ID, .password = PASSWORD};
    const int fd = c->fd;
    int line[2];
    px_assert_ok(px_client_wait_hash(c, 20 * SECOND, NULL));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line), 0);
    c->fd = line[0];
    px_assert_ok(px_client_send_login(c, &l, NULL));
    c->fd = fd;
    out->size += (size_t)recv(line[1], px_buf_reserve(out, 4096), 4096, 0);
    close(line[0]);
    close(line[1]);
}

/* Sends @n bytes of it; true: that was not all. */
static bool sends_part(struct px_client *c, const struct px_buf *what, size_t n) {
    if (n > what->size)
        return false;
    px_assert_ok(px_client_send_raw(c, what->data, n, NULL));
    return true;
}

/* 1: it left in the handshake, 2: in the login; 0: it got through both. */
static int visit_until(size_t n) {
    px_cleanup(px_client_closep) struct px_client *c = adopted();
    px_cleanup(px_buf_fini) struct px_buf answer = {0}, request = {0};
    make_answer(c, &answer);
    if (sends_part(c, &answer, n))
        return 1;
    px_assert_ok(px_client_send_raw(c, answer.data, answer.size, NULL));
    c->encrypted = true;
    make_login(c, &request);
    return sends_part(c, &request, n - answer.size - 1) ? 2 : 0;
}

static bool holds_no_more(void *before) {
    return holds_fds(getpid()) <= *(unsigned *)before;
}

static void leaving_anywhere_before_the_login_leaves_nothing(void **state) {
    int counts[3] = {0};
    inside_start("", NULL);
    px_cleanup(px_client_closep) struct px_client *watcher = desktop(NULL);
    px_message_free(await_frame(watcher, NULL, 10 * SECOND));
    for (size_t n = 0; n < 40; n++) /* what is made once is made */
        visit_until(3 * n);
    drain(watcher, SECOND / 2);
    unsigned fds = holds_fds(getpid());
    const unsigned threads = holds_threads(getpid());
    const long kb = holds_kb(getpid());
    for (size_t n = 0; counts[0] == 0; n++)
        counts[visit_until(n)]++;
    assert_true(wait_for(holds_no_more, &fds, 20 * SECOND));
    print_message("# left at %d places in the handshake and %d in the login; %u descriptors, %u "
                  "threads, %ld kB before and %ld kB after\n",
                  counts[1], counts[2], fds, threads, kb, holds_kb(getpid()));
    assert_int_equal(holds_threads(getpid()), threads);
    assert_true(holds_kb(getpid()) < kb + MEMORY_KB);
    assert_true(counts[1] > 80 && counts[2] > 100);
    drain(watcher, 0);
    paint(100, 100, 50, 50, 0x123456);
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(watcher, NULL, 10 * SECOND);
    assert_non_null(m);
    px_client_close(watcher);
    watcher = NULL;
    inside_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaving_anywhere_before_the_login_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, fixture_start_x, fixture_end);
}
