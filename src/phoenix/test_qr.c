/* src/phoenix/test_qr.c */
#include "base/test.h"
#include "phoenix/qr.h"
#include <string.h>

static void code_has_its_corners_and_a_white_rim(void **state) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    px_assert_ok(px_qr_print("hello", &b, NULL)); /* version 1: 21 modules, 2 of white around */
    const char *text = px_buf_str(&b);
    size_t n_lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        n_lines++;
    assert_int_equal(n_lines, 13); /* 25 rows, two a line */
    const char *second = strchr(text, '\n') + 1;
    /* the upper left corner: rows 0 and 1 are a full line and its two ends */
    assert_int_equal(strncmp(second, "\033[30;107m  █▀▀▀▀▀█ ", strlen("\033[30;107m  █▀▀▀▀▀█ ")),
                     0);
}

static void too_long_a_text_is_refused(void **state) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    char text[4000];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(px_qr_print(text, &b, NULL), -EMSGSIZE);
    assert_int_equal(b.size, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_has_its_corners_and_a_white_rim),
        cmocka_unit_test(too_long_a_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
