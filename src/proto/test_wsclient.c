/* src/proto/test_wsclient.c */
#include "base/test.h"
#include "proto/wsclient.h"
#include <string.h>

/* What our own server's side makes of it. */
static void request_and_answer_fit_together(void **state) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    char key[PX_WS_KEY_TEXT], answer[PX_WS_ACCEPT_MAX_BYTES];
    struct px_ws_request q;
    size_t used = 0;
    px_ws_request_add("203.0.113.1:21118", "/ws/id", key, &b);
    assert_int_equal(px_ws_request_parse((const uint8_t *)b.data, b.size, &q, &used, NULL),
                     PX_PARSE_DONE);
    assert_int_equal(used, b.size);
    assert_memory_equal(q.path.data, "/ws/id", q.path.size);
    const size_t n = px_ws_accept_print(q.key, answer);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(px_ws_response_parse((const uint8_t *)answer, i, key, &used, NULL),
                         PX_PARSE_MORE);
    assert_int_equal(px_ws_response_parse((const uint8_t *)answer, n, key, &used, NULL),
                     PX_PARSE_DONE);
    assert_int_equal(used, n);
    key[0] ^= 1; /* an answer to another */
    assert_int_equal(px_ws_response_parse((const uint8_t *)answer, n, key, &used, NULL), -EPROTO);
}

static void what_is_no_switch_is_refused(void **state) {
    static const char not_found[] = "HTTP/1.1 404 Not Found\r\n\r\n";
    static uint8_t endless[PX_WS_RESPONSE_MAX_BYTES + 1];
    size_t used = 0;
    assert_int_equal(
        px_ws_response_parse((const uint8_t *)not_found, sizeof(not_found) - 1, "k", &used, NULL),
        -EPROTO);
    memset(endless, 'a', sizeof(endless));
    assert_int_equal(px_ws_response_parse(endless, sizeof(endless), "k", &used, NULL), -EMSGSIZE);
}

static void fragments_are_put_together_with_pings_between(void **state) {
    static const uint8_t in[] = {0x02, 2, 'a', 'b', 0x89, 1, 'p', 0x80, 1, 'c', 0x82, 0, 0x88, 0};
    struct px_ws_reader r = {0};
    struct px_bytes m = {0};
    size_t at = 0, used = 0;
    static const int want[] = {PX_WS_GOT_NOTHING, PX_WS_GOT_PING, PX_WS_GOT_MESSAGE,
                               PX_WS_GOT_MESSAGE, PX_WS_GOT_CLOSE};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(px_ws_reader_next(&r, in + at, 1, 16, &m, &used, NULL), PX_WS_GOT_MORE);
        assert_int_equal(px_ws_reader_next(&r, in + at, sizeof(in) - at, 16, &m, &used, NULL),
                         want[i]);
        if (i == 2)
            assert_memory_equal(m.data, "abc", m.size);
        if (i == 3)
            assert_int_equal(m.size, 0);
        at += used;
    }
    assert_int_equal(at, sizeof(in));
    px_ws_reader_fini(&r);
}

static void bad_frames_are_refused(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        int want;
    } cases[] = {
        {"\x80\x01x", 3, -EPROTO},         /* a continuation of nothing */
        {"\x82\x81\0\0\0\0x", 7, -EPROTO}, /* masked */
        {"\x82\x20", 2, -EMSGSIZE},        /* 32 bytes, 16 are taken */
        {"\xf2\x00", 2, -EPROTO},          /* reserved bits */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct px_ws_reader r = {0};
        struct px_bytes m;
        size_t used = 0;
        assert_int_equal(px_ws_reader_next(&r, (const uint8_t *)cases[i].bytes, cases[i].size, 16,
                                           &m, &used, NULL),
                         cases[i].want);
        px_ws_reader_fini(&r);
    }
}

static void printed_frames_unmask_to_what_they_were(void **state) {
    uint8_t out[PX_WS_HEAD_MAX_BYTES + 5];
    struct px_ws_head h;
    size_t head = 0;
    const size_t n = px_ws_client_print(PX_WS_BINARY, px_bytes_of("hello"), out);
    assert_int_equal(px_ws_head_parse(out, n, &h, &head, NULL), PX_PARSE_DONE);
    assert_true(h.masked && h.fin && h.bytes == 5);
    px_ws_mask(out + head, 5, h.mask, 0);
    assert_memory_equal(out + head, "hello", 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_and_answer_fit_together),
        cmocka_unit_test(what_is_no_switch_is_refused),
        cmocka_unit_test(fragments_are_put_together_with_pings_between),
        cmocka_unit_test(bad_frames_are_refused),
        cmocka_unit_test(printed_frames_unmask_to_what_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
