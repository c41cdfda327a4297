/* src/io/test_sources.c - the clock is an argument */
#include "base/test.h"
#include "base/clock.h"
#include "io/sources.h"
#include "proto/secure.h"

#define T0 (1000 * PX_US_PER_S)

static struct px_sources *with(struct px_sources_opts opts) {
    if (!opts.n_entries)
        opts.n_entries = 64;
    return px_sources_new(&opts);
}

static void register_burst_is_thirty_two_then_a_quiet_minute(void **state) {
    px_cleanup(px_sources_freep) struct px_sources *s =
        with((struct px_sources_opts){.register_burst = 32, .register_ids = 300});
    const struct px_addr a = px_addr_v4(192, 0, 2, 1, 5);
    for (uint64_t i = 0; i < 32; i++)
        assert_true(px_sources_may_register(s, &a, i * 977, T0));
    assert_false(px_sources_may_register(s, &a, 999, T0));
    assert_false(px_sources_may_register(s, &a, 999, T0 + 60 * PX_US_PER_S));
    assert_true(px_sources_may_register(s, &a, 999, T0 + 61 * PX_US_PER_S));
    const struct px_addr b = px_addr_v4(192, 0, 2, 2, 5);
    assert_true(px_sources_may_register(s, &b, 1, T0)); /* others are not touched */
}

static void after_the_days_ids_only_known_ones_pass(void **state) {
    px_cleanup(px_sources_freep) struct px_sources *s =
        with((struct px_sources_opts){.register_ids = 300});
    const struct px_addr a = px_addr_v4(192, 0, 2, 1, 5);
    uint64_t refused_at = 0, x = 88172645463325252u;
    for (uint64_t i = 1; i <= 400 && !refused_at; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        if (!px_sources_may_register(s, &a, x, T0))
            refused_at = i;
    }
    assert_in_range(refused_at, 285, 330);
    assert_true(px_sources_may_register(s, &a, x, T0 + 86402 * PX_US_PER_S));
}

static void connections_have_a_limit_per_source(void **state) {
    px_cleanup(px_sources_freep) struct px_sources *s =
        with((struct px_sources_opts){.max_conns = 2});
    const struct px_addr a = px_addr_v4(192, 0, 2, 1, 5), b = px_addr_v4(192, 0, 2, 2, 5);
    assert_true(px_sources_connect(s, &a, T0));
    assert_true(px_sources_connect(s, &a, T0));
    assert_false(px_sources_connect(s, &a, T0));
    assert_true(px_sources_connect(s, &b, T0));
    px_sources_disconnect(s, &a);
    assert_true(px_sources_connect(s, &a, T0));
}

static void connection_rate_refills(void **state) {
    px_cleanup(px_sources_freep) struct px_sources *s =
        with((struct px_sources_opts){.conns_per_second = 2});
    const struct px_addr a = px_addr_v4(192, 0, 2, 1, 5);
    for (int i = 0; i < 20; i++)
        assert_true(px_sources_connect(s, &a, T0));
    assert_false(px_sources_connect(s, &a, T0));
    assert_true(px_sources_connect(s, &a, T0 + PX_US_PER_S / 2));
    assert_false(px_sources_connect(s, &a, T0 + PX_US_PER_S / 2));
}

static void one_subscriber_of_ipv6_is_one_source(void **state) {
    px_cleanup(px_sources_freep) struct px_sources *s =
        with((struct px_sources_opts){.max_conns = 1});
    struct px_addr a, b, c;
    px_assert_ok(px_addr_parse("2001:db8:0:1::1", 1, &a, NULL));
    px_assert_ok(px_addr_parse("2001:db8:0:1:ffff::2", 1, &b, NULL));
    px_assert_ok(px_addr_parse("2001:db8:0:2::1", 1, &c, NULL));
    assert_true(px_sources_connect(s, &a, T0));
    assert_false(px_sources_connect(s, &b, T0));
    assert_true(px_sources_connect(s, &c, T0));
}

static bool count_one(const struct px_source_info *info, void *data) {
    ++*(size_t *)data;
    return true;
}

static void a_flood_of_addresses_does_not_push_out_open_connections(void **state) {
    px_cleanup(px_sources_freep) struct px_sources *s =
        with((struct px_sources_opts){.max_conns = 1});
    const struct px_addr a = px_addr_v4(192, 0, 2, 1, 5);
    assert_true(px_sources_connect(s, &a, T0));
    for (unsigned i = 0; i < 100000; i++) {
        const struct px_addr x =
            px_addr_v4(10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 1);
        (void)px_sources_may_register(s, &x, i, T0 + i);
    }
    assert_false(px_sources_connect(s, &a, T0 + PX_US_PER_S));
    size_t n = 0;
    px_sources_each(s, count_one, &n);
    assert_int_equal(n, 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(register_burst_is_thirty_two_then_a_quiet_minute),
        cmocka_unit_test(after_the_days_ids_only_known_ones_pass),
        cmocka_unit_test(connections_have_a_limit_per_source),
        cmocka_unit_test(connection_rate_refills),
        cmocka_unit_test(one_subscriber_of_ipv6_is_one_source),
        cmocka_unit_test(a_flood_of_addresses_does_not_push_out_open_connections),
    };
    return px_secure_init(NULL) < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
