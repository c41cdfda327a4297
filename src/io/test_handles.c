/* src/io/test_handles.c */
#include "base/test.h"
#include "io/handles.h"

static void a_handle_finds_its_object_until_removed(void **state) {
    struct px_handles h = {0};
    int a, b;
    uint64_t ha = px_handles_add(&h, &a), hb = px_handles_add(&h, &b);
    assert_true(ha != 0 && ha != hb);
    assert_ptr_equal(px_handles_get(&h, ha), &a);
    px_handles_remove(&h, ha);
    assert_null(px_handles_get(&h, ha));
    assert_ptr_equal(px_handles_get(&h, hb), &b);
    px_handles_fini(&h);
}

static void a_handle_is_never_given_out_twice(void **state) {
    struct px_handles h = {0};
    int a;
    uint64_t old = px_handles_add(&h, &a);
    px_handles_remove(&h, old);
    px_handles_remove(&h, old); /* twice does no harm */
    uint64_t again = px_handles_add(&h, &a);
    assert_true(again != old);
    assert_null(px_handles_get(&h, old));
    assert_null(px_handles_get(&h, 0));
    px_handles_fini(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_finds_its_object_until_removed),
        cmocka_unit_test(a_handle_is_never_given_out_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
