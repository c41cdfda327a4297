/* src/host/encode/test_budget.c */
#include "base/test.h"
#include "host/encode/budget.h"
#include <math.h>

#define SCREEN (1920 * 1080)

static void a_quick_line_gets_the_best(void **state) {
    struct px_budget b = {0};
    px_budget_pass(&b, 100000, 0);
    assert_int_equal(px_budget_quantizer(&b, PX_BUDGET_WHOLE, SCREEN, 14, 44), 14);
    assert_int_equal(px_budget_quantizer(&b, PX_BUDGET_CHANGE, SCREEN, 14, 44), 14);
}

static void a_slow_line_gets_a_coarse_picture_and_small_changes_fine(void **state) {
    struct px_budget b = {0};
    px_budget_pass(&b, 1000, 0);
    assert_in_range(px_budget_quantizer(&b, PX_BUDGET_WHOLE, SCREEN, 14, 44), 40, 44);
    assert_int_equal(px_budget_quantizer(&b, PX_BUDGET_CHANGE, 20 * 20, 14, 44), 14);
}

static void pictures_that_never_end_settle_at_the_rate(void **state) {
    struct px_budget b = {0};
    const unsigned rate_kbps = 8000;
    int64_t sent = 0;
    for (int i = 0; i < 300; i++) { /* 5 s of 60 a second; 100 kB each at quantizer 14 */
        px_budget_pass(&b, rate_kbps, i * 1000 / 60);
        const int q = px_budget_quantizer(&b, PX_BUDGET_CHANGE, SCREEN, 14, 51);
        const size_t bytes = (size_t)(100000 >> (q - 14) / 6);
        px_budget_spend(&b, PX_BUDGET_CHANGE, bytes, SCREEN, q);
        sent += i >= 60 ? (int64_t)bytes : 0;
    }
    assert_in_range(sent / 4 * 8 / 1000, rate_kbps * 6 / 10, rate_kbps * 12 / 10);
}

static void rest_gives_room_for_one_good_picture_not_for_many(void **state) {
    struct px_budget b = {0};
    px_budget_pass(&b, 8000, 0);
    px_budget_spend(&b, PX_BUDGET_WHOLE, 1000000, SCREEN, 14);
    px_budget_pass(&b, 8000, 3600 * 1000);
    assert_int_equal(b.credit_bytes, 8000 * PX_BUDGET_MS / 8);
}

/* What is new of a change costs what a whole picture did, at first; a slow line gets it coarser
 * than was wished for, so that it takes a bounded part of its time. */
static void what_is_new_takes_no_longer_than_the_line_can_bear(void **state) {
    static const unsigned rates_kbps[] = {500, 2000, 10000};
    for (size_t i = 0; i < sizeof(rates_kbps) / sizeof(rates_kbps[0]); i++) {
        struct px_budget b = {0};
        px_budget_pass(&b, rates_kbps[i], 0);
        px_budget_spend(&b, PX_BUDGET_WHOLE, 400000, SCREEN, 14);
        const int q = px_budget_coarser(&b, PX_BUDGET_NEW, SCREEN, 44, PX_BUDGET_QUANTIZER_MAX);
        const double bytes = 400000 * pow(2, (14 - q) / 12.0);
        assert_true(q >= 44);
        assert_true(bytes * 8 < rates_kbps[i] * PX_BUDGET_HARD_MS * 1.1 ||
                    q == PX_BUDGET_QUANTIZER_MAX);
        assert_int_equal(px_budget_coarser(&b, PX_BUDGET_NEW, 40 * 40, 44, 79), 44);
    }
}

static void parts_fit_the_line_and_cost_no_credit(void **state) {
    struct px_budget b = {0};
    px_budget_pass(&b, 2000, 0);
    px_budget_spend(&b, PX_BUDGET_WHOLE, 400000, SCREEN, 14);
    const int64_t credit = b.credit_bytes;
    for (int i = 0; i < 50; i++) { /* each pixel costs twice what was thought */
        const int64_t px = px_budget_part(&b, 14);
        px_budget_spend(&b, PX_BUDGET_PART, (size_t)(px * 2 * 400000 / SCREEN), px, 14);
    }
    const int64_t bytes = px_budget_part(&b, 14) * 2 * 400000 / SCREEN;
    assert_in_range(bytes, 2000 * PX_BUDGET_PART_MS / 8 * 9 / 10, 2000 * PX_BUDGET_PART_MS / 8);
    assert_int_equal(b.credit_bytes, credit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quick_line_gets_the_best),
        cmocka_unit_test(a_slow_line_gets_a_coarse_picture_and_small_changes_fine),
        cmocka_unit_test(pictures_that_never_end_settle_at_the_rate),
        cmocka_unit_test(what_is_new_takes_no_longer_than_the_line_can_bear),
        cmocka_unit_test(parts_fit_the_line_and_cost_no_credit),
        cmocka_unit_test(rest_gives_room_for_one_good_picture_not_for_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
