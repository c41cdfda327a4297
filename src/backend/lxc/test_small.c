/* src/backend/lxc/test_small.c - modules with little in them that needs no container */
#include "backend/lxc/exec.h"
#include "backend/lxc/ready.h"
#include "backend/lxc/tree.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/test.h"

static void ready_hears_its_line_only(void **state) {
    static const struct {
        const char *text;
        bool ready;
    } cases[] = {{"READY=1", true},
                 {"READY=1\nSTATUS=Startup finished in 261ms.", true},
                 {"X_SYSTEMD_UNIT_ACTIVE=basic.target\nREADY=1\n", true},
                 {"READY=10", false},
                 {"XREADY=1", false},
                 {"STATUS=READY=1", false},
                 {"", false},
                 {"\n\n", false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(px_ready_parse(cases[i].text, strlen(cases[i].text)), cases[i].ready);
    assert_false(px_ready_parse("READY=1", 6)); /* not a byte beyond the end */
}

static void request_is_read_as_written(void **state) {
    char text[] = "1000\0"
                  "1001\0"
                  "27,44\0"
                  "/home/ai\0"
                  "1\0"
                  "501000\0"
                  "500005\0"
                  "2500000\0"
                  "2\0"
                  "A=1\0"
                  "B=\0"
                  "ls\0"
                  "-l\0"
                  "";
    struct px_exec_request q;
    px_assert_ok(px_exec_request_parse(text, sizeof(text), &q, NULL));
    assert_int_equal(q.uid, 1000);
    assert_int_equal(q.gid, 1001);
    assert_int_equal(q.n_groups, 2);
    assert_int_equal(q.groups[1], 44);
    assert_string_equal(q.cwd, "/home/ai");
    assert_true(q.tty);
    assert_int_equal(q.tty_uid, 501000);
    assert_int_equal(q.tty_gid, 500005);
    assert_int_equal(q.timeout_us, 2500000);
    assert_string_equal(q.env[1], "B=");
    assert_null(q.env[2]);
    assert_string_equal(q.argv[0], "ls");
    assert_string_equal(q.argv[1], "-l");
    assert_string_equal(q.argv[2], ""); /* an empty argument is one */
    assert_null(q.argv[3]);
    px_exec_request_fini(&q);
}

static void request_that_is_cut_is_refused(void **state) {
    static const char whole[] = "0\0"
                                "0\0"
                                "\0"
                                "/\0"
                                "0\0"
                                "0\0"
                                "5\0"
                                "0\0"
                                "0\0"
                                "ls";
    for (size_t size = 0; size < sizeof(whole); size++) {
        px_cleanup_free char *text = px_memdup(whole, sizeof(whole));
        struct px_exec_request q;
        struct px_error err;
        assert_true(px_exec_request_parse(text, size, &q, &err) < 0);
    }
}

static void mounts_in_fresh_file_systems_come_late(void **state) {
    assert_true(px_tree_mounts_late("/run/phoenix"));
    assert_true(px_tree_mounts_late("/dev"));
    assert_true(px_tree_mounts_late("/sys/x"));
    assert_false(px_tree_mounts_late("/runner"));
    assert_false(px_tree_mounts_late("/etc/dev"));
    assert_false(px_tree_mounts_late("/"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ready_hears_its_line_only),
        cmocka_unit_test(request_is_read_as_written),
        cmocka_unit_test(request_that_is_cut_is_refused),
        cmocka_unit_test(mounts_in_fresh_file_systems_come_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
