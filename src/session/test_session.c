/* src/session/test_session.c - what a client makes of a host's bytes */
#include "base/alloc.h"
#include "base/test.h"
#include "session/clipboard.h"
#include "session/decoder.h"
#include "session/probe_parts.h"
#include <sys/socket.h>
#include <zstd.h>

static size_t pack(const void *data, size_t size, uint8_t *to, size_t cap) {
    const size_t n = ZSTD_compress(to, cap, data, size, 3);
    assert_false(ZSTD_isError(n));
    return n;
}

static void times_are_spread(void **state) {
    int64_t us[100], p50, p95, max;
    for (int i = 0; i < 100; i++)
        us[i] = 100 - i;
    px_probe_spread(us, 100, &p50, &p95, &max);
    assert_int_equal(p50, 51);
    assert_int_equal(p95, 96);
    assert_int_equal(max, 100);
    us[0] = 7;
    px_probe_spread(us, 1, &p50, &p95, &max);
    assert_int_equal(p50, 7);
    assert_int_equal(p95, 7);
    assert_int_equal(max, 7);
}

/* A client on one end of a socket, the test plays the host on the other. */
static struct px_client *client(int *host) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    *host = fds[1];
    return px_client_adopt(fds[0]);
}

static void a_large_frame_before_the_login_ends_it(void **state) {
    px_cleanup_close int host = -1;
    px_cleanup(px_client_closep) struct px_client *c = client(&host);
    const uint8_t *body;
    size_t size;
    struct px_error err = {0};
    assert_int_equal(write(host, "\x03\x00\x00\x01", 4), 4); /* 4 MiB */
    const int r = px_client_recv_body(c, INT64_MAX, &body, &size, &err);
    assert_int_equal(r, -EMSGSIZE);
    px_assert_contains(err.msg, "before the login");
}

static void send_frame(int host, const Pxs__Message *m) {
    px_cleanup(px_buf_fini) struct px_buf body = {0};
    px_message_print(&m->base, &body);
    const uint16_t head = (uint16_t)(body.size << 2 | 1);
    assert_int_equal(write(host, &head, 2), 2);
    assert_int_equal(write(host, body.data, body.size), (ssize_t)body.size);
}

static void a_long_challenge_is_refused(void **state) {
    px_cleanup_close int host = -1;
    px_cleanup(px_client_closep) struct px_client *c = client(&host);
    char salt[400];
    memset(salt, 'x', sizeof(salt));
    salt[399] = '\0';
    Pxs__Hash hash = PXS__HASH__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    hash.salt = salt;
    hash.challenge = (char *)"abc";
    m.item_case = PXS__MESSAGE__ITEM_HASH;
    m.hash = &hash;
    send_frame(host, &m);
    assert_int_equal(px_client_wait_hash(c, 5000000, NULL), -EBADMSG);
}

static void text_is_found_among_the_formats(void **state) {
    Pxs__Clipboard html = PXS__CLIPBOARD__INIT, text = PXS__CLIPBOARD__INIT;
    Pxs__Clipboard *items[] = {&html, &text};
    Pxs__MultiClipboards multi = PXS__MULTI_CLIPBOARDS__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    uint8_t packed[256];
    html.format = PX_CLIPBOARD_HTML;
    html.content = (ProtobufCBinaryData){3, (uint8_t *)"<b>"};
    text.compress = true;
    text.content = (ProtobufCBinaryData){pack("h\xc3\xa4llo", 6, packed, sizeof(packed)), packed};
    multi.n_clipboards = 2;
    multi.clipboards = items;
    m.item_case = PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS;
    m.multi_clipboards = &multi;
    px_cleanup_free char *found = px_clipboard_text(&m);
    assert_string_equal(found, "h\xc3\xa4llo");
    text.content.len = 3;
    assert_null(px_clipboard_text(&m));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_spread),
        cmocka_unit_test(a_large_frame_before_the_login_ends_it),
        cmocka_unit_test(a_long_challenge_is_refused),
        cmocka_unit_test(text_is_found_among_the_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
