/* src/proto/test_wss.c */
#include "base/test.h"
#include "proto/wss.h"

static void addresses_of_proxies_are_told_from_others(void **state) {
    static const struct {
        const char *text, *host, *header;
        unsigned port; /* 0: it is none */
    } cases[] = {
        {"wss://rd.example.com", "rd.example.com", "rd.example.com", 443},
        {"wss://rd.example.com/", "rd.example.com", "rd.example.com", 443},
        {"wss://rd.example.com:8443", "rd.example.com", "rd.example.com:8443", 8443},
        {"wss://10.0.0.1:1", "10.0.0.1", "10.0.0.1:1", 1},
        {"wss://[2001:db8::1]:444", "[2001:db8::1]", "[2001:db8::1]:444", 444},
        {"wss://[2001:db8::1]", "[2001:db8::1]", "[2001:db8::1]", 443},
        {.text = "rd.example.com"},
        {.text = "ws://rd.example.com"},
        {.text = "wss://"},
        {.text = "wss://:443"},
        {.text = "wss://a:0"},
        {.text = "wss://a:65536"},
        {.text = "wss://a:x"},
        {.text = "wss://a:443x"},
        {.text = "wss://a/ws/id"},
        {.text = "wss://[2001:db8::1"},
        {.text = "wss://[]"},
        {.text = "wss://a\r\nX-Real-IP: 1"},
        {.text = "wss://a b"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct px_wss w = {.host = ""};
        char header[PX_WSS_HOST_MAX + 8];
        if (px_wss_parse(cases[i].text, &w) != (cases[i].port > 0))
            fail_msg("'%s'", cases[i].text);
        if (!cases[i].port)
            continue;
        px_wss_header(&w, header);
        assert_string_equal(w.host, cases[i].host);
        assert_string_equal(header, cases[i].header);
        assert_int_equal(w.port, cases[i].port);
    }
}

static void relays_are_behind_the_proxy_of_their_name(void **state) {
    static const struct px_wss server = {"rd.example.com", 8443};
    static const struct {
        const char *relay, *host; /* NULL: none */
        unsigned port;
    } cases[] = {
        {"", "rd.example.com", 8443},
        {"rd.example.com", "rd.example.com", 8443},
        {"rd.example.com:21117", "rd.example.com", 8443},
        {"192.0.2.7:21117", "rd.example.com", 8443},
        {"rd.example.co", "rd.example.co", 443},
        {"other.example.com:21117", "other.example.com", 443},
        {.relay = "192.0.2.8:21117"},
        {.relay = "[2001:db8::1]:21117"},
    };
    const struct px_addr at = px_addr_v4(192, 0, 2, 7, 8443);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct px_wss w = {.host = ""};
        if (px_wss_of_relay(&server, &at, cases[i].relay, &w) != (cases[i].host != NULL))
            fail_msg("'%s'", cases[i].relay);
        assert_string_equal(w.host, cases[i].host ? cases[i].host : ""); /* untouched */
        assert_int_equal(w.port, cases[i].port);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_of_proxies_are_told_from_others),
        cmocka_unit_test(relays_are_behind_the_proxy_of_their_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
