/* src/proto/test_ws.c */
#include "base/test.h"
#include "base/cleanup.h"
#include "proto/ws.h"

static const char request[] = "GET /ws/id?x=1 HTTP/1.1\r\n"
                              "Host: a\r\n"
                              "upgrade: WebSocket\r\n"
                              "Connection: keep-alive, Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "X-Forwarded-For: 203.0.113.9, 10.0.0.1\r\n"
                              "\r\n";

static void request_is_read_and_answered_as_rfc6455_shows(void **state) {
    struct px_ws_request req;
    size_t used = 0;
    char answer[PX_WS_ACCEPT_MAX_BYTES];
    assert_int_equal(
        px_ws_request_parse((const uint8_t *)request, strlen(request), &req, &used, NULL),
        PX_PARSE_DONE);
    assert_int_equal(used, strlen(request));
    assert_memory_equal(req.path.data, "/ws/id?x=1", req.path.size);
    assert_int_equal(req.path.size, 10);
    assert_memory_equal(req.forwarded.data, "203.0.113.9", req.forwarded.size);
    px_ws_accept_print(req.key, answer);
    px_assert_contains(answer, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
}

static void request_waits_for_its_empty_line(void **state) {
    struct px_ws_request req;
    size_t used = 0;
    for (size_t n = 0; n < strlen(request); n++)
        assert_int_equal(px_ws_request_parse((const uint8_t *)request, n, &req, &used, NULL),
                         PX_PARSE_MORE);
}

static void what_is_no_upgrade_is_refused(void **state) {
    const char *bad[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\n\r\n",
                         "\x16\x03\x01\n\n"};
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++) {
        struct px_ws_request req;
        size_t used = 0;
        assert_int_equal(
            px_ws_request_parse((const uint8_t *)bad[i], strlen(bad[i]), &req, &used, NULL),
            -EPROTO);
    }
    static uint8_t endless[PX_WS_REQUEST_MAX_BYTES + 1];
    struct px_ws_request req;
    size_t used = 0;
    memset(endless, 'a', sizeof(endless));
    assert_int_equal(px_ws_request_parse(endless, sizeof(endless), &req, &used, NULL), -EMSGSIZE);
}

static void head_is_read_in_all_three_lengths(void **state) {
    const struct {
        uint64_t bytes;
        size_t head;
    } cases[] = {{0, 6}, {125, 6}, {126, 8}, {65535, 8}, {65536, 14}, {1u << 30, 14}};
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        const struct px_ws_head head = {.fin = true,
                                        .masked = true,
                                        .opcode = PX_WS_BINARY,
                                        .mask = {1, 2, 3, 4},
                                        .bytes = cases[i].bytes};
        struct px_ws_head again;
        uint8_t raw[PX_WS_HEAD_MAX_BYTES];
        size_t used = 0, n = px_ws_head_print(&head, raw);
        assert_int_equal(n, cases[i].head);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(px_ws_head_parse(raw, k, &again, &used, NULL), PX_PARSE_MORE);
        assert_int_equal(px_ws_head_parse(raw, n, &again, &used, NULL), PX_PARSE_DONE);
        assert_int_equal(used, n);
        assert_true(again.bytes == head.bytes && again.fin && again.masked);
        assert_memory_equal(again.mask, head.mask, 4);
    }
}

static void head_that_breaks_the_rules_is_refused(void **state) {
    const struct {
        uint8_t raw[10];
    } bad[] = {
        {{0xc2, 0}},                              /* reserved bit */
        {{0x83, 0}},                              /* unknown opcode */
        {{0x09, 0}},                              /* fragmented ping */
        {{0x89, 126, 0, 126}},                    /* long ping */
        {{0x82, 126, 0, 5}},                      /* not minimal */
        {{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5}},    /* not minimal */
        {{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}}, /* 2^63 */
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++) {
        struct px_ws_head head;
        size_t used = 0;
        assert_int_equal(px_ws_head_parse(bad[i].raw, sizeof(bad[i].raw), &head, &used, NULL),
                         -EPROTO);
    }
}

static void mask_is_the_same_in_pieces_as_at_once(void **state) {
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t once[100], pieces[100];
    for (size_t i = 0; i < sizeof(once); i++)
        once[i] = pieces[i] = (uint8_t)(i * 7);
    px_ws_mask(once, sizeof(once), mask, 0);
    size_t at = 0;
    for (size_t n = 1; at < sizeof(pieces); n++) {
        size_t k = n < sizeof(pieces) - at ? n : sizeof(pieces) - at;
        px_ws_mask(pieces + at, k, mask, at);
        at += k;
    }
    assert_memory_equal(once, pieces, sizeof(once));
    uint8_t hello[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58}; /* RFC 6455, 5.7 */
    px_ws_mask(hello, 5, mask, 0);
    assert_memory_equal(hello, "Hello", 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_read_and_answered_as_rfc6455_shows),
        cmocka_unit_test(request_waits_for_its_empty_line),
        cmocka_unit_test(what_is_no_upgrade_is_refused),
        cmocka_unit_test(head_is_read_in_all_three_lengths),
        cmocka_unit_test(head_that_breaks_the_rules_is_refused),
        cmocka_unit_test(mask_is_the_same_in_pieces_as_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
