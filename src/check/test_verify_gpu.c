/* src/check/test_verify_gpu.c - rates inside and outside, side by side */
#include "base/test.h"
#include "check/verify_gpu_parse.h"

static void add(struct px_rates *rates, bool inside, const char *subject, const char *text,
                double value, const char *unit) {
    px_cleanup(px_findings_fini) struct px_findings list = {0};
    px_found_ok(&list, subject, "%s", text);
    if (unit)
        px_findings_value(&list, value, unit);
    px_rates_add(rates, &list, inside);
}

static struct px_rates rates;

static void medians_are_compared(void **state) {
    static const double outside[] = {4270, 4280, 100}, inside[] = {4260, 4300, 4262};
    px_cleanup(px_findings_fini) struct px_findings found = {0};
    rates = (struct px_rates){0};
    for (size_t i = 0; i < 3; i++) {
        add(&rates, false, "bandwidth", "card 0: in device memory", outside[i], "GB/s");
        add(&rates, true, "bandwidth", "card 0: in device memory", inside[i], "GB/s");
    }
    px_rates_judge(&rates, 0.95, &found);
    assert_int_equal(found.n, 1);
    assert_int_equal(found.items[0].verdict, PX_VERDICT_OK);
    assert_string_equal(found.items[0].text,
                        "bandwidth, card 0: 4262 GB/s inside, 4270 outside: 0.998");
    assert_true(found.items[0].value > 0.998 && found.items[0].value < 0.9982);
}

static void slower_inside_is_a_warning(void **state) {
    px_cleanup(px_findings_fini) struct px_findings found = {0};
    rates = (struct px_rates){0};
    add(&rates, false, "pinned", "card 1: x", 50, "GB/s");
    add(&rates, true, "pinned", "card 1: x", 40, "GB/s");
    px_rates_judge(&rates, 0.95, &found);
    assert_int_equal(found.items[0].verdict, PX_VERDICT_WARN);
    px_assert_contains(found.items[0].fix, "gpu top");
}

static void only_what_both_measured_counts(void **state) {
    px_cleanup(px_findings_fini) struct px_findings found = {0};
    rates = (struct px_rates){0};
    add(&rates, false, "bandwidth", "card 0: x", 4000, "GB/s");
    add(&rates, true, "bandwidth", "card 1: x", 4000, "GB/s"); /* another card */
    add(&rates, true, "pinned", "card 0: x", 4000, "GB/s");    /* another measurement */
    add(&rates, true, "bandwidth", "card 0: x", 4, "TB/s");    /* another unit */
    add(&rates, true, "bandwidth", "card 0: x", -4000, "GB/s");
    add(&rates, true, "bandwidth", "card 0: x", 0, "GB/s");
    add(&rates, true, "bandwidth", "card 0: x", 0, NULL);
    px_rates_judge(&rates, 0.95, &found);
    assert_int_equal(found.n, 0);
}

static void a_liar_fills_nothing_over(void **state) {
    rates = (struct px_rates){0};
    for (int i = 0; i < 200; i++) {
        char text[32];
        snprintf(text, sizeof(text), "card %d: x", i);
        for (int k = 0; k < 20; k++)
            add(&rates, true, "bandwidth", text, 1, "GB/s");
    }
    assert_int_equal(rates.n, PX_RATES_MAX);
    assert_int_equal(rates.items[0].n[1], PX_RATES_ROUNDS_MAX);
    add(&rates, true, "a subject that is longer than any measurement's is", "card 0: x", 1, "GB/s");
    assert_int_equal(rates.n, PX_RATES_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(medians_are_compared),
        cmocka_unit_test(slower_inside_is_a_warning),
        cmocka_unit_test(only_what_both_measured_counts),
        cmocka_unit_test(a_liar_fills_nothing_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
