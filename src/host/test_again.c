/* src/host/test_again.c */
#include "base/clock.h"
#include "base/test.h"
#include "host/again.h"

#define MINUTE (60 * PX_US_PER_S)

/* When datagrams leave, asked every second as the host does. */
static unsigned sent(struct px_again *a, int64_t from, int64_t to) {
    unsigned n = 0;
    for (int64_t now = from; now < to; now += PX_US_PER_S)
        n += px_again_take(a, now);
    return n;
}

static void udp_is_tried_after_five_minutes_and_then_every_fifteen(void **state) {
    struct px_again a;
    px_again_begin(&a, 7 * MINUTE);
    assert_int_equal(sent(&a, 7 * MINUTE, 12 * MINUTE), 0);
    assert_int_equal(sent(&a, 12 * MINUTE, 13 * MINUTE), 3);
    assert_int_equal(sent(&a, 13 * MINUTE, 27 * MINUTE), 0);
    assert_int_equal(sent(&a, 27 * MINUTE, 28 * MINUTE), 3);
    assert_int_equal(sent(&a, 28 * MINUTE, 42 * MINUTE), 0);
    assert_int_equal(sent(&a, 42 * MINUTE, 58 * MINUTE), 6);
}

static void a_change_begins_a_round_at_once(void **state) {
    struct px_again a;
    px_again_begin(&a, 0);
    px_again_at_once(&a, MINUTE);
    assert_true(px_again_take(&a, MINUTE));
    assert_int_equal(sent(&a, MINUTE, 2 * MINUTE), 2);
    px_again_at_once(&a, 2 * MINUTE);
    assert_int_equal(sent(&a, 2 * MINUTE, 3 * MINUTE), 3);
    assert_int_equal(sent(&a, 3 * MINUTE, 17 * MINUTE), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(udp_is_tried_after_five_minutes_and_then_every_fifteen),
        cmocka_unit_test(a_change_begins_a_round_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
