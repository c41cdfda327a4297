/* src/host/test_guard.c */
#include "base/clock.h"
#include "base/test.h"
#include "host/guard.h"

static struct px_guard guard;

static int clear(void **state) {
    guard = (struct px_guard){0};
    return 0;
}

static void item_29_seventh_failure_in_a_minute_means_wait(void **state) {
    const struct px_addr a = px_addr_v4(10, 0, 0, 1, 5000), b = px_addr_v4(10, 0, 0, 2, 5000);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(px_guard_check(&guard, &a, 1000), PX_GUARD_PASS);
        px_guard_failed(&guard, &a, 1000);
    }
    assert_int_equal(px_guard_check(&guard, &a, 1000), PX_GUARD_WAIT);
    assert_int_equal(px_guard_check(&guard, &b, 1000), PX_GUARD_PASS);
    assert_int_equal(px_guard_check(&guard, &a, 61 * PX_US_PER_S), PX_GUARD_PASS);
}

static void more_than_thirty_lock_out_for_an_hour(void **state) {
    const struct px_addr a = px_addr_v4(10, 0, 0, 1, 5000);
    for (int i = 0; i < 31; i++)
        px_guard_failed(&guard, &a, i * 60 * PX_US_PER_S);
    const int64_t last = 30 * 60 * PX_US_PER_S;
    assert_int_equal(px_guard_check(&guard, &a, last + 120 * PX_US_PER_S), PX_GUARD_LOCKED);
    assert_int_equal(px_guard_check(&guard, &a, last + 3601 * PX_US_PER_S), PX_GUARD_PASS);
}

static void success_forgets_the_address(void **state) {
    const struct px_addr a = px_addr_v4(10, 0, 0, 1, 5000);
    for (int i = 0; i < 20; i++)
        px_guard_failed(&guard, &a, 1000);
    px_guard_passed(&guard, &a);
    assert_int_equal(px_guard_check(&guard, &a, 1000), PX_GUARD_PASS);
}

static void ipv6_prefixes_are_counted_too(void **state) {
    struct px_addr a = {.ip = {0x20, 1, 0xd, 0xb8}};
    for (int i = 0; i < 61; i++) {
        a.ip[15] = (uint8_t)i; /* another address of one /64 each time */
        assert_int_equal(px_guard_check(&guard, &a, 1000), PX_GUARD_PASS);
        px_guard_failed(&guard, &a, 1000);
    }
    a.ip[15] = 200;
    assert_int_equal(px_guard_check(&guard, &a, 1000), PX_GUARD_LOCKED);
    a.ip[7] = 9;
    assert_int_equal(px_guard_check(&guard, &a, 1000), PX_GUARD_PASS);
}

static void table_stays_bounded(void **state) {
    for (int i = 0; i < 5000; i++) {
        const struct px_addr a = px_addr_v4(10, 1, (uint8_t)(i >> 8), (uint8_t)i, 1);
        px_guard_failed(&guard, &a, i);
    }
    const struct px_addr last = px_addr_v4(10, 1, 4999 >> 8, (uint8_t)(4999 & 255), 1);
    for (int i = 0; i < 7; i++)
        px_guard_failed(&guard, &last, 5000);
    assert_int_equal(px_guard_check(&guard, &last, 5000), PX_GUARD_WAIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(item_29_seventh_failure_in_a_minute_means_wait, clear),
        cmocka_unit_test_setup(more_than_thirty_lock_out_for_an_hour, clear),
        cmocka_unit_test_setup(success_forgets_the_address, clear),
        cmocka_unit_test_setup(ipv6_prefixes_are_counted_too, clear),
        cmocka_unit_test_setup(table_stays_bounded, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
