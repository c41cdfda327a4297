/* src/host/test_rate.c */
#include "base/test.h"
#include "host/rate.h"

#define MS 1000

static void nothing_known_is_the_wish(void **state) {
    const struct px_rate r = {0};
    assert_int_equal(px_rate_kbps(&r, 40000, false, 1), 40000);
    assert_int_equal(px_rate_kbps(&r, 100, false, 1), PX_RATE_MIN_KBPS);
    assert_int_equal(px_rate_line_kbps(&r, 1), 0);
}

/* Pictures as large as the rate gives them sixty times a second, on a line that takes all. */
static void a_line_that_takes_all_is_given_all(void **state) {
    struct px_rate r = {0};
    for (int i = 0; i < 60; i++)
        px_rate_passed(&r, px_rate_kbps(&r, 40000, false, 1) * 125 / 60, 1 * MS, 1 << 20);
    assert_int_equal(px_rate_kbps(&r, 40000, false, 1), PX_RATE_MAX_KBPS);
}

static void small_packets_prove_nothing(void **state) {
    struct px_rate r = {0};
    for (int i = 0; i < 10000; i++)
        px_rate_passed(&r, 2000, 1 * MS, 1 << 20);
    assert_int_equal(px_rate_kbps(&r, 40000, false, 1), 40000);
}

static void who_wants_little_gets_little(void **state) {
    struct px_rate r = {0};
    px_rate_passed(&r, 1 << 20, 1 * MS, 1 << 28);
    assert_int_equal(px_rate_kbps(&r, 30000, true, 1), 30000);
    assert_true(px_rate_kbps(&r, 30000, false, 1) > 30000);
}

static void a_slow_line_bounds(void **state) {
    struct px_rate r = {0};
    px_rate_passed(&r, 1 << 20, 900 * MS, 1250000); /* 10 Mbit/s */
    assert_int_equal(r.line_kbps, 10000);
    assert_int_equal(px_rate_kbps(&r, 40000, false, 1), 8000);
    assert_int_equal(px_rate_kbps(&r, 40000, false, 2), 4000);
    px_rate_passed(&r, 1 << 20, 900 * MS, 0); /* nothing told */
    assert_int_equal(r.line_kbps, 10000);
}

/* The line is quick again, for hours: up to the end of the scale and no further. */
static void it_comes_back(void **state) {
    struct px_rate r = {.line_kbps = 1000};
    for (int i = 0; i < 100; i++)
        px_rate_passed(&r, 100, 1 * MS, 0);
    assert_int_equal(r.line_kbps, 1000);
    for (int i = 0; i < 1000000; i++)
        px_rate_passed(&r, 1 << 20, 1 * MS, 0);
    assert_int_equal(r.line_kbps, PX_RATE_MAX_KBPS);
}

static void queues_in_the_network_count(void **state) {
    struct px_rate r = {0};
    px_rate_queues(&r, 40000);
    assert_in_range(r.line_kbps, 32000, 32001);
    for (int i = 0; i < 100; i++)
        px_rate_queues(&r, 40000);
    assert_in_range(r.line_kbps, 1, 10);
    assert_int_equal(px_rate_kbps(&r, 40000, false, 1), PX_RATE_MIN_KBPS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known_is_the_wish),
        cmocka_unit_test(a_line_that_takes_all_is_given_all),
        cmocka_unit_test(small_packets_prove_nothing),
        cmocka_unit_test(who_wants_little_gets_little),
        cmocka_unit_test(a_slow_line_bounds),
        cmocka_unit_test(it_comes_back),
        cmocka_unit_test(queues_in_the_network_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
