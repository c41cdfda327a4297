/* src/host/test_discovery.c */
#include "base/test.h"
#include "host/discovery.h"
#include "proto/rendezvous.h"
#include <string.h>

static const struct px_discovery_names names = {"123456789", "user", "desk"};

static int answer(const char *bytes, size_t size, uint8_t ret[PX_DISCOVERY_PONG_MAX]) {
    return px_discovery_answer((struct px_bytes){(const uint8_t *)bytes, size}, &names,
                               "02:00:00:00:00:01", ret);
}

static bool is(struct px_bytes b, const char *text) {
    return b.size == strlen(text) && memcmp(b.data, text, b.size) == 0;
}

static void a_ping_is_answered(void **state) {
    uint8_t pong[PX_DISCOVERY_PONG_MAX];
    struct px_rdv_msg m;
    const int n = answer("\xb2\x01\x06\x0a\x04ping", 9, pong);
    assert_true(n > 0);
    px_assert_ok(px_rdv_decode((struct px_bytes){pong, (size_t)n}, &m, NULL));
    assert_int_equal(m.kind, PX_RDV_PEER_DISCOVERY);
    assert_true(is(m.peer_discovery.cmd, "pong"));
    assert_true(is(m.peer_discovery.id, "123456789"));
    assert_true(is(m.peer_discovery.username, "user"));
    assert_true(is(m.peer_discovery.hostname, "desk"));
    assert_true(is(m.peer_discovery.platform, "Linux"));
    assert_true(is(m.peer_discovery.mac, "02:00:00:00:00:01"));
}

static void nothing_else_is(void **state) {
    uint8_t pong[PX_DISCOVERY_PONG_MAX];
    assert_int_equal(answer("\xb2\x01\x06\x0a\x04pong", 9, pong),
                     0); /* or two would go on for ever */
    assert_int_equal(answer("\xb2\x01\x06\x0a\x04pin", 8, pong), 0);
    assert_int_equal(answer("\xb2\x01\x02\x0a\x00", 5, pong), 0);
    assert_int_equal(answer("\x32\x00", 2, pong), 0);
    assert_int_equal(answer("ping", 4, pong), 0);
    assert_int_equal(answer("", 0, pong), 0);
}

static void only_neighbours_are(void **state) {
    const struct px_addr self = px_addr_v4(127, 0, 0, 9, 1),
                         test_net = px_addr_v4(203, 0, 113, 9, 1);
    const struct px_addr v6 = {.port = 1};
    char mac[18];
    assert_true(px_discovery_neighbour(&self, mac));
    assert_string_equal(mac, "00:00:00:00:00:00");
    assert_false(px_discovery_neighbour(&test_net, mac));
    assert_false(px_discovery_neighbour(&v6, mac));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ping_is_answered),
        cmocka_unit_test(nothing_else_is),
        cmocka_unit_test(only_neighbours_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
