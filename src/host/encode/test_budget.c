/* src/host/encode/test_budget.c */
#include "base/test.h"
#include "host/encode/budget.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quick_line_gets_the_best),
        cmocka_unit_test(a_slow_line_gets_a_coarse_picture_and_small_changes_fine),
        cmocka_unit_test(pictures_that_never_end_settle_at_the_rate),
        cmocka_unit_test(rest_gives_room_for_one_good_picture_not_for_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
