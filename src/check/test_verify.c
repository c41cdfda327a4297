/* src/check/test_verify.c - what a desktop says, read in bounds */
#include "base/alloc.h"
#include "base/test.h"
#include "check/verify_parse.h"

static void a_word_is_cut_and_cleaned(void **state) {
    char word[8];
    px_verify_word("  running\nmore", word, sizeof(word));
    assert_string_equal(word, "running");
    px_verify_word("\x1b[2Jx", word, sizeof(word));
    assert_string_equal(word, " [2Jx");
    px_verify_word("  \n", word, sizeof(word));
    assert_string_equal(word, "");
}

static void units_are_counted_even_where_there_is_no_room_for_their_names(void **state) {
    char names[PX_VERIFY_TEXT_MAX];
    assert_int_equal(px_verify_first_words("a.service loaded failed\n\n  b.timer x\n", names), 2);
    assert_string_equal(names, "a.service, b.timer");
    assert_int_equal(px_verify_first_words("", names), 0);
    assert_string_equal(names, "");
    char many[4096] = "";
    for (int i = 0; i < 60; i++)
        strcat(many, "a-rather-long-name-of-a-unit.service loaded\n");
    assert_int_equal(px_verify_first_words(many, names), 60);
    px_assert_contains(names, "...");
}

static void an_idmap_is_one_line(void **state) {
    struct px_verify_map m;
    px_assert_ok(px_verify_idmap("         0     100000      65536\n", &m));
    assert_int_equal(m.inside, 0);
    assert_int_equal(m.outside, 100000);
    assert_int_equal(m.count, 65536);
    assert_int_equal(px_verify_idmap("0 0 4294967295\n0 1 2\n", &m), -EBADMSG);
    assert_int_equal(px_verify_idmap("", &m), -EBADMSG);
}

static void a_process_status_gives_filter_and_capabilities(void **state) {
    struct px_verify_status s;
    px_verify_proc_status("Name:\tSeccomp:\t9\nCapBnd:\t00000000a80425fb\nSeccomp:\t2\n"
                          "Seccomp_filters:\t1\n",
                          &s);
    assert_int_equal(s.seccomp, 2);
    assert_int_equal(s.n_filters, 1);
    assert_int_equal(s.cap_bounding, 0xa80425fb);
    px_verify_proc_status("", &s);
    assert_int_equal(s.seccomp, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_cut_and_cleaned),
        cmocka_unit_test(units_are_counted_even_where_there_is_no_room_for_their_names),
        cmocka_unit_test(an_idmap_is_one_line),
        cmocka_unit_test(a_process_status_gives_filter_and_capabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
