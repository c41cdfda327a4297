/* src/desktop/test_subid.c */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/test.h"
#include "desktop/subid.h"

static void parse_passes_over_what_is_no_entry(void **state) {
    const char text[] = "root:100000:65536\n\n# x\nbad\na:b:c\nx:1:99999999999\n:1:2\nme:200000:10";
    px_cleanup_free struct px_subid_line *lines = NULL;
    size_t n = 0;
    px_subid_parse(text, sizeof(text) - 1, &lines, &n);
    assert_int_equal(n, 2);
    assert_string_equal(lines[0].owner, "root");
    assert_int_equal(lines[1].ids.first, 200000);
    assert_int_equal(lines[1].ids.count, 10);
}

static void choose_keeps_our_line_and_avoids_others(void **state) {
    struct px_ids span = {0};
    const struct px_subid_line others[] = {{"root", {0x70000000, 65536}},
                                           {"phoenix", {5000000, 99}}};
    px_assert_ok(px_subid_choose(others, 2, 65536, &span, NULL));
    assert_int_equal(span.first, 0x70000000 + 65536);
    const struct px_subid_line ours[] = {{"phoenix", {5000000, 131072}}};
    px_assert_ok(px_subid_choose(ours, 1, 65536, &span, NULL));
    assert_int_equal(span.first, 5000000);
}

static void check_names_whose_ids_they_are(void **state) {
    struct px_error err = {0};
    const struct px_subid_line lines[] = {{"lxd", {1000000, 65536}}};
    assert_int_equal(px_subid_check(lines, 1, (struct px_ids){1065535, 10}, &err), -EEXIST);
    px_assert_contains(err.msg, "'lxd'");
    px_assert_ok(px_subid_check(lines, 1, (struct px_ids){1065536, 10}, &err));
}

static void write_is_idempotent_and_keeps_other_lines(void **state) {
    char dir[] = "/tmp/px-test-subid-XXXXXX";
    assert_non_null(mkdtemp(dir));
    px_cleanup_close int fd = px_dir_open(AT_FDCWD, dir, NULL);
    px_assert_ok(px_file_write_atomic(fd, "subuid", "a:1:2", 5, 0644, NULL));
    for (int i = 0; i < 2; i++)
        px_assert_ok(px_subid_write(dir, (struct px_ids){1000, 10}, NULL));
    px_cleanup_free char *uid = NULL, *gid = NULL;
    px_assert_ok(px_file_read(fd, "subuid", 100, &uid, NULL, NULL));
    px_assert_ok(px_file_read(fd, "subgid", 100, &gid, NULL, NULL));
    assert_string_equal(uid, "a:1:2\nphoenix:1000:10\n");
    assert_string_equal(gid, "phoenix:1000:10\n");
    assert_false(px_exists(fd, "subuid.lock"));
    px_assert_ok(px_rm_rf(AT_FDCWD, dir, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_passes_over_what_is_no_entry),
        cmocka_unit_test(choose_keeps_our_line_and_avoids_others),
        cmocka_unit_test(check_names_whose_ids_they_are),
        cmocka_unit_test(write_is_idempotent_and_keeps_other_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
