/* src/phoenix/test_table.c */
#include "base/test.h"
#include "phoenix/table.h"
#include <locale.h>

static const struct px_term paper = {.width = 0};

static void columns_are_as_wide_as_they_need(void **state) {
    px_cleanup(px_table_freep) struct px_table *t = px_table_new("NAME", "SIZE>", "NOTE", NULL);
    px_table_cell(t, PX_PLAIN, "alice");
    px_table_cell(t, PX_PLAIN, "8");
    px_table_cell(t, PX_GOOD, "fine");
    px_table_cell(t, PX_PLAIN, "%s", "");
    px_table_cell(t, PX_PLAIN, "12345");
    px_table_cell(t, PX_PLAIN, "x");
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_table_render(t, &paper, &out);
    assert_string_equal(px_buf_str(&out), "NAME    SIZE  NOTE\n"
                                          "alice      8  fine\n"
                                          "-      12345  x\n");
}

static void width_is_columns_not_bytes(void **state) {
    px_cleanup(px_table_freep) struct px_table *t = px_table_new("A", "B", NULL);
    px_table_cell(t, PX_PLAIN, "äöü");
    px_table_cell(t, PX_PLAIN, "1");
    px_table_cell(t, PX_PLAIN, "日本");
    px_table_cell(t, PX_PLAIN, "2");
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_table_render(t, &paper, &out);
    assert_string_equal(px_buf_str(&out), "A     B\näöü   1\n日本  2\n");
}

static void only_the_column_that_may_gives_way(void **state) {
    px_cleanup(px_table_freep) struct px_table *t = px_table_new("NAME", "WHY~", NULL);
    px_table_cell(t, PX_PLAIN, "a-long-name");
    px_table_cell(t, PX_PLAIN, "a reason that goes on and on");
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_table_render(t, &(struct px_term){.width = 24}, &out);
    assert_string_equal(px_buf_str(&out), "NAME         WHY\na-long-name  a reason t…\n");
}

static void colours_do_not_count_as_width(void **state) {
    px_cleanup(px_table_freep) struct px_table *t = px_table_new("A", "B", NULL);
    px_table_cell(t, PX_BAD, "x");
    px_table_cell(t, PX_PLAIN, "y");
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_table_render(t, &(struct px_term){.colour = true, .width = 80}, &out);
    px_assert_contains(px_buf_str(&out), "\033[31mx\033[0m  y\n");
}

static void text_from_outside_cannot_steer_the_terminal(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    static const char evil[] = "a\033[2Jb\rc\n\x9b\xe2\x80\xae\xff\xc0\xafz\xed\xa0\x80";
    px_text_add(&out, evil, 0);
    assert_string_equal(px_buf_str(&out), "a?[2Jb?c??????z???");
    assert_int_equal(px_text_width(evil), 18);
}

static void wrapping_keeps_words_whole_and_empty_lines(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_text_wrap(&out, "one two three four\n\nfive", 2, 12);
    assert_string_equal(px_buf_str(&out), "  one two\n  three four\n\n  five\n");
}

int main(void) {
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_they_need),
        cmocka_unit_test(width_is_columns_not_bytes),
        cmocka_unit_test(only_the_column_that_may_gives_way),
        cmocka_unit_test(colours_do_not_count_as_width),
        cmocka_unit_test(text_from_outside_cannot_steer_the_terminal),
        cmocka_unit_test(wrapping_keeps_words_whole_and_empty_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
