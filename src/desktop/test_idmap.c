/* src/desktop/test_idmap.c */
#include "base/test.h"
#include "desktop/idmap.h"

static const struct px_ids span = {.first = 100, .count = 10};

static void alloc_takes_the_lowest_gap(void **state) {
    /* out of order, overlapping, partly outside: what old records may look like */
    const struct px_ids taken[] = {{107, 50}, {90, 12}, {100, 3}};
    struct px_ids got = {0};
    px_assert_ok(px_idmap_alloc(span, taken, 3, 4, &got, NULL));
    assert_int_equal(got.first, 103);
    assert_int_equal(got.count, 4);
}

static void alloc_fills_the_span_to_its_last_id(void **state) {
    const struct px_ids taken[] = {{100, 5}};
    struct px_ids got = {0};
    px_assert_ok(px_idmap_alloc(span, taken, 1, 5, &got, NULL));
    assert_int_equal(px_ids_end(got), 110);
}

static void alloc_says_how_to_get_room(void **state) {
    const struct px_ids taken[] = {{104, 1}};
    struct px_ids block = {0};
    struct px_error err = {0};
    assert_int_equal(px_idmap_alloc(span, taken, 1, 6, &block, &err), -ENOSPC);
    assert_int_equal(block.count, 0); /* untouched */
    assert_string_equal(err.msg, "no free block of 6 ids in 100:10");
    assert_string_equal(err.hint, "remove a desktop, or raise ids.count in the host file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alloc_takes_the_lowest_gap),
        cmocka_unit_test(alloc_fills_the_span_to_its_last_id),
        cmocka_unit_test(alloc_says_how_to_get_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
