/* src/rendezvous/test_routes.c */
#include "base/test.h"
#include "base/clock.h"
#include "rendezvous/routes.h"
#include <sodium.h>

static void a_route_is_found_by_address_until_removed(void **state) {
    px_cleanup(px_routes_freep) struct px_routes *r = px_routes_new();
    const struct px_addr a = px_addr_v4(192, 0, 2, 1, 5), b = px_addr_v4(192, 0, 2, 1, 6);
    const struct px_route to = {.worker = 3, .handle = 77};
    struct px_route got = {0};
    assert_true(px_routes_add(r, &a, &to));
    assert_false(px_routes_add(r, &a, &to)); /* taken */
    assert_false(px_routes_find(r, &b, &got));
    assert_true(px_routes_find(r, &a, &got));
    assert_int_equal(got.handle, 77);
    px_routes_remove(r, &a);
    assert_false(px_routes_find(r, &a, &got));
}

static void many_routes_do_not_get_mixed_up(void **state) {
    px_cleanup(px_routes_freep) struct px_routes *r = px_routes_new();
    for (uint16_t i = 1; i < 20000; i++) {
        const struct px_addr a = px_addr_v4(192, 0, 2, 1, i);
        assert_true(px_routes_add(r, &a, &(struct px_route){.handle = i}));
    }
    for (uint16_t i = 1; i < 20000; i += 3) {
        const struct px_addr a = px_addr_v4(192, 0, 2, 1, i);
        px_routes_remove(r, &a);
    }
    for (uint16_t i = 1; i < 20000; i++) {
        const struct px_addr a = px_addr_v4(192, 0, 2, 1, i);
        struct px_route got = {0};
        assert_int_equal(px_routes_find(r, &a, &got), i % 3 != 1);
        assert_int_equal(got.handle, i % 3 != 1 ? i : 0);
    }
}

static void a_grant_is_for_one_source_and_peer_and_ends(void **state) {
    px_cleanup(px_grants_freep) struct px_grants *g = px_grants_new(1024);
    const struct px_addr a = px_addr_v4(192, 0, 2, 1, 5), same = px_addr_v4(192, 0, 2, 1, 9),
                         b = px_addr_v4(192, 0, 2, 2, 5);
    const int64_t t0 = 1000 * PX_US_PER_S;
    uint64_t relay = 0;
    px_grants_give(g, &a, 42, 7, t0);
    assert_true(px_grants_has(g, &same, 42, t0, &relay)); /* from any port */
    assert_int_equal(relay, 7);
    assert_false(px_grants_has(g, &a, 43, t0, &relay));
    assert_false(px_grants_has(g, &b, 42, t0, &relay));
    assert_false(px_grants_has(g, &a, 42, t0 + 600 * PX_US_PER_S, &relay));
    px_grants_give(g, &a, 42, 8, t0 + PX_US_PER_S); /* replaces */
    assert_true(px_grants_has(g, &a, 42, t0 + 600 * PX_US_PER_S, &relay));
    assert_int_equal(relay, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_is_found_by_address_until_removed),
        cmocka_unit_test(many_routes_do_not_get_mixed_up),
        cmocka_unit_test(a_grant_is_for_one_source_and_peer_and_ends),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
