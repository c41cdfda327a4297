/* src/base/test_server_name.c */
#include "base/server_name.h"
#include "base/cleanup.h"
#include "base/test.h"
#include <errno.h>

static void hosts_ports_and_what_follows_are_told(void **state) {
    static const struct {
        const char *text, *host, *rest;
        unsigned port;
        bool wss;
    } cases[] = {
        {"rd.example.com", "rd.example.com", "", 0, false},
        {"rd.example.com:21116", "rd.example.com", "", 21116, false},
        {"10.0.0.1:1", "10.0.0.1", "", 1, false},
        {"2001:db8::1", "2001:db8::1", "", 0, false},
        {"[2001:db8::1]", "[2001:db8::1]", "", 0, false},
        {"[2001:db8::1]:65535", "[2001:db8::1]", "", 65535, false},
        {"wss://rd.example.com", "rd.example.com", "", 0, true},
        {"wss://rd.example.com:8443/", "rd.example.com", "/", 8443, true},
        {"wss://[2001:db8::1]:444/ws/id", "[2001:db8::1]", "/ws/id", 444, true},
        {"a b", "a", " b", 0, false},
        {"a:443x", "a", "x", 443, false},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_server_name s = {0};
        if (px_server_name_parse(cases[i].text, &s) != 0)
            fail_msg("'%s'", cases[i].text);
        assert_int_equal(s.n_host, strlen(cases[i].host));
        assert_memory_equal(s.host, cases[i].host, s.n_host);
        assert_int_equal(s.port, cases[i].port);
        assert_int_equal(s.wss, cases[i].wss);
        assert_string_equal(s.rest, cases[i].rest);
    }
}

static void what_is_none_is_refused_and_nothing_told(void **state) {
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        {"", -EINVAL},
        {":443", -EINVAL},
        {"wss://", -EINVAL},
        {"wss://:1", -EINVAL},
        {"[2001:db8::1", -EINVAL},
        {"[]", -EINVAL},
        {"/a", -EINVAL},
        {"wss://2001:db8::1", -ERANGE},
        {"a:", -ERANGE},
        {"a:0", -ERANGE},
        {"a:65536", -ERANGE},
        {"a:99999999999999999999", -ERANGE},
        {"a:+1", -ERANGE},
        {"a: 1", -ERANGE},
        {"ws://a", -ERANGE},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_server_name s = {0};
        if (px_server_name_parse(cases[i].text, &s) != cases[i].code)
            fail_msg("'%s'", cases[i].text);
        assert_null(s.host);
    }
}

static void names_have_an_end(void **state) {
    char text[PX_SERVER_HOST_MAX + 2];
    struct px_server_name s = {0};
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(px_server_name_parse(text, &s), -EINVAL);
    assert_int_equal(px_server_name_parse(text + 1, &s), 0);
    assert_int_equal(s.n_host, PX_SERVER_HOST_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_ports_and_what_follows_are_told),
        cmocka_unit_test(what_is_none_is_refused_and_nothing_told),
        cmocka_unit_test(names_have_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
