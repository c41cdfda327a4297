#include "backend/lxc/account.h"
#include "base/test.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
                             "broken line\n"
                             "short:x:1:1\n"
                             "ai:x:1000:1001:AI,,,:/home/ai:/bin/bash\n"
                             "big:x:4294967295:1::/:/bin/sh\n"
                             "bare:x:7:7:::\n"
                             "last:x:8:8::/last:/bin/zsh"; /* no newline */
static const char group[] = "video:x:44:ai\nrender:x:105:x,ai,y\nprimary:x:1001:ai\nno:x:9:\nai\n";

static int find(const char *name, struct px_account *ret, struct px_error *err) {
    return px_account_find(passwd, sizeof(passwd) - 1, group, sizeof(group) - 1, name, ret, err);
}

static void find_gives_ids_home_shell_and_groups(void **state) {
    struct px_account a;
    px_assert_ok(find("ai", &a, NULL));
    assert_int_equal(a.uid, 1000);
    assert_int_equal(a.gid, 1001);
    assert_string_equal(a.home, "/home/ai");
    assert_string_equal(a.shell, "/bin/bash");
    assert_int_equal(a.n_groups, 2); /* not the primary one */
    assert_int_equal(a.groups[0], 44);
    assert_int_equal(a.groups[1], 105);
}

static void find_fills_what_is_empty(void **state) {
    struct px_account a;
    px_assert_ok(find("bare", &a, NULL));
    assert_string_equal(a.home, "/");
    assert_string_equal(a.shell, "/bin/sh");
}

static void find_takes_a_last_line_without_newline(void **state) {
    struct px_account a;
    px_assert_ok(find("last", &a, NULL));
    assert_string_equal(a.shell, "/bin/zsh");
}

static void find_skips_lines_that_make_no_sense(void **state) {
    static const char *const names[] = {"short", "big", "broken line", "nobody", ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct px_account a = {.uid = 5};
        struct px_error err = {0};
        assert_int_equal(find(names[i], &a, &err), -ENOENT);
        assert_int_equal(a.uid, 5); /* untouched */
        px_assert_contains(err.msg, "no user");
    }
}

static void find_stands_empty_files(void **state) {
    struct px_account a;
    assert_int_equal(px_account_find(NULL, 0, NULL, 0, "ai", &a, NULL), -ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_gives_ids_home_shell_and_groups),
        cmocka_unit_test(find_fills_what_is_empty),
        cmocka_unit_test(find_takes_a_last_line_without_newline),
        cmocka_unit_test(find_skips_lines_that_make_no_sense),
        cmocka_unit_test(find_stands_empty_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
