/* src/base/test_error.c */
#include "base/test.h"

static void wrap_puts_what_we_did_in_front_and_keeps_the_hint(void **state) {
    struct px_error err = {0};
    int r = px_fail(&err, -ENOSPC, "no free block of %d ids", 10);
    assert_int_equal(px_hint(&err, r, "remove a desktop"), -ENOSPC);
    px_hint(&err, r, "a later hint is worse");
    assert_int_equal(px_wrap(&err, r, "desktop '%s'", "a"), -ENOSPC);
    assert_string_equal(err.msg, "desktop 'a': no free block of 10 ids");
    assert_string_equal(err.hint, "remove a desktop");
}

static void fail_sys_adds_the_reason(void **state) {
    struct px_error err = {.hint = "old"};
    assert_int_equal(px_fail_sys(&err, -EACCES, "cannot open 'x'"), -EACCES);
    assert_string_equal(err.msg, "cannot open 'x': Permission denied");
    assert_string_equal(err.hint, "");
}

static void long_text_is_cut_not_overrun(void **state) {
    struct px_error err = {0};
    char big[3000];
    memset(big, 'a', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    px_fail(&err, -EINVAL, "%s", big);
    px_wrap(&err, -EINVAL, "%s", big);
    px_hint(&err, -EINVAL, "%s", big);
    assert_int_equal(strlen(err.msg), PX_ERROR_MSG_MAX - 1);
    assert_int_equal(strlen(err.hint), PX_ERROR_HINT_MAX - 1);
}

static void what_is_quoted_stays_one_line_of_utf8(void **state) {
    struct px_error err = {0};
    px_fail(&err, -EINVAL, "name '%s'", "a\nphoenix: all is well\x1b[2J");
    assert_string_equal(err.msg, "name 'a phoenix: all is well [2J'");
    px_fail(&err, -EINVAL, "name '%.1s'", "\xc3\xa9");
    px_hint(&err, -EINVAL, "x\r");
    assert_string_equal(err.msg, "name '?'");
    assert_string_equal(err.hint, "x ");
}

static void null_takes_the_code_only(void **state) {
    assert_int_equal(px_wrap(NULL, px_fail(NULL, -EIO, "x"), "y"), -EIO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrap_puts_what_we_did_in_front_and_keeps_the_hint),
        cmocka_unit_test(fail_sys_adds_the_reason),
        cmocka_unit_test(long_text_is_cut_not_overrun),
        cmocka_unit_test(what_is_quoted_stays_one_line_of_utf8),
        cmocka_unit_test(null_takes_the_code_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
