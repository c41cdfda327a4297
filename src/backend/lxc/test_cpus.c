#include "backend/lxc/cpus.h"
#include "base/test.h"

static bool set[PX_CPUS_MAX];

static const char *picked(const struct px_cpu *cpus, size_t n, size_t wanted) {
    static char text[PX_CPUS_TEXT_MAX];
    px_cpus_pick(cpus, n, wanted, set);
    px_assert_ok(px_cpus_format(set, text, sizeof(text), NULL));
    return text;
}

static void parse_and_format_are_inverse(void **state) {
    static const char *const lists[] = {"0", "0-3", "0-3,8", "1,3,5", "4095", ""};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        char text[PX_CPUS_TEXT_MAX];
        px_assert_ok(px_cpus_parse(lists[i], set, NULL));
        px_assert_ok(px_cpus_format(set, text, sizeof(text), NULL));
        assert_string_equal(text, lists[i]);
    }
    px_assert_ok(px_cpus_parse("0-1\n", set, NULL)); /* as the kernel writes it */
    assert_true(set[1] && !set[2]);
}

static void parse_refuses_what_is_no_list(void **state) {
    static const char *const lists[] = {"x",    "1-",   "-1",  "3-1",
                                        "4096", "0,,1", "1 2", "0-99999999999999999999"};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (px_cpus_parse(lists[i], set, NULL) != -EINVAL)
            fail_msg("'%s' passed", lists[i]);
}

static void format_says_when_there_is_no_room(void **state) {
    char text[4];
    px_assert_ok(px_cpus_parse("100-200", set, NULL));
    assert_int_equal(px_cpus_format(set, text, sizeof(text), NULL), -ENOSPC);
}

static void pick_takes_the_least_loaded(void **state) {
    const struct px_cpu cpus[] = {{0, 0, 0, 2}, {1, 1, 0, 0}, {2, 2, 0, 1}, {3, 3, 0, 0}};
    assert_string_equal(picked(cpus, 4, 2), "1,3");
    assert_string_equal(picked(cpus, 4, 3), "1-3");
}

static void pick_takes_both_threads_of_a_core(void **state) {
    const struct px_cpu cpus[] = {{0, 0, 0, 0}, {1, 1, 0, 0}, {2, 0, 0, 0}, {3, 1, 0, 0}};
    assert_string_equal(picked(cpus, 4, 2), "0,2");
}

static void pick_prefers_a_core_that_nobody_uses(void **state) {
    /* One thread of core 0 is busy: its other one is not as good as a free core. */
    const struct px_cpu cpus[] = {{0, 0, 0, 1}, {1, 1, 0, 0}, {2, 0, 0, 0}, {3, 1, 0, 0}};
    assert_string_equal(picked(cpus, 4, 1), "1");
}

static void pick_stays_in_one_node_where_it_fits(void **state) {
    const struct px_cpu cpus[] = {{0, 0, 0, 0}, {1, 1, 0, 3}, {2, 2, 1, 1}, {3, 3, 1, 1}};
    assert_string_equal(picked(cpus, 4, 2), "2-3"); /* 2 in all, against 3 in node 0 */
    assert_string_equal(picked(cpus, 4, 1), "0");
    assert_string_equal(picked(cpus, 4, 3), "0,2-3"); /* no node has three */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_and_format_are_inverse),
        cmocka_unit_test(parse_refuses_what_is_no_list),
        cmocka_unit_test(format_says_when_there_is_no_room),
        cmocka_unit_test(pick_takes_the_least_loaded),
        cmocka_unit_test(pick_takes_both_threads_of_a_core),
        cmocka_unit_test(pick_prefers_a_core_that_nobody_uses),
        cmocka_unit_test(pick_stays_in_one_node_where_it_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
