/* src/base/test_buf.c */
#include "base/buf.h"
#include "base/test.h"

static void bytes_grow_and_end_in_nul(void **state) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    assert_string_equal(px_buf_str(&b), "");
    for (int i = 0; i < 1000; i++)
        px_buf_printf(&b, "%d,", i % 10);
    assert_int_equal(b.size, 2000);
    assert_int_equal(b.data[2000], 0);
    px_buf_drop(&b, 1998);
    assert_string_equal(b.data, "9,");
    px_buf_reset(&b);
    assert_string_equal(px_buf_str(&b), "");
}

static void take_hands_over_and_empties(void **state) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    char *s = px_buf_take(&b);
    assert_string_equal(s, "");
    free(s);
    px_buf_puts(&b, "x");
    s = px_buf_take(&b);
    assert_string_equal(s, "x");
    assert_null(b.data);
    free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_grow_and_end_in_nul),
        cmocka_unit_test(take_hands_over_and_empties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
