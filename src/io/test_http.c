/* src/io/test_http.c - heads of requests */
#include "base/test.h"
#include "io/http.h"

static int parse(const char *text, struct px_bytes *ret) {
    return px_http_request_parse((const uint8_t *)text, strlen(text), ret);
}

static void the_path_is_the_middle_word(void **state) {
    struct px_bytes path = {0};
    assert_int_equal(parse("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\nbody", &path),
                     PX_PARSE_DONE);
    assert_true(px_bytes_equal(path, px_bytes_of("/metrics?x=1")));
}

static void a_head_without_its_end_waits_and_has_a_limit(void **state) {
    static uint8_t big[PX_HTTP_HEAD_MAX_BYTES];
    struct px_bytes path;
    assert_int_equal(parse("", &path), PX_PARSE_MORE);
    assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\n", &path), PX_PARSE_MORE);
    memset(big, 'x', sizeof(big));
    assert_int_equal(px_http_request_parse(big, sizeof(big) - 1, &path), PX_PARSE_MORE);
    assert_int_equal(px_http_request_parse(big, sizeof(big), &path), -EMSGSIZE);
}

static void what_is_no_request_is_an_error(void **state) {
    static const char *const bad[] = {"\r\n\r\n",
                                      "GET\r\n\r\n",
                                      "GET /\r\n\r\n",
                                      "GET  HTTP/1.1\r\n\r\n",
                                      "GET / HTTP/2\r\n\r\n",
                                      "GET /\r\n HTTP/1.1\r\n\r\n",
                                      "GET / HTTP/1\r\n\r\n"};
    struct px_bytes path;
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++)
        assert_int_equal(parse(bad[i], &path), -EPROTO);
    static const uint8_t zeros[] = "G\0T /a\0b HTTP/1.0\r\n\r\n";
    assert_int_equal(px_http_request_parse(zeros, sizeof(zeros) - 1, &path), PX_PARSE_DONE);
    assert_int_equal(path.size, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_path_is_the_middle_word),
        cmocka_unit_test(a_head_without_its_end_waits_and_has_a_limit),
        cmocka_unit_test(what_is_no_request_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
