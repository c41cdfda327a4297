/* src/base/test_proc.c */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/proc.h"
#include "base/test.h"
#include <sys/mman.h>

#define ARGV(...)                                                                                  \
    (const char *const[]) {                                                                        \
        __VA_ARGS__, NULL                                                                          \
    }

static void output_and_status_come_back(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0}, e = {0};
    struct px_proc_opts opts = {
        .argv = ARGV("sh", "-c", "cat; echo oops >&2; exit 3"),
        .input = "hello",
        .input_size = 5,
        .out = &out,
        .out_err = &e,
    };
    assert_int_equal(px_proc_run(&opts, NULL), 3);
    assert_string_equal(px_buf_str(&out), "hello");
    assert_string_equal(px_buf_str(&e), "oops\n");
}

static void check_tells_the_last_line_of_stderr(void **state) {
    struct px_error err = {0};
    struct px_proc_opts opts = {.argv = ARGV("sh", "-c", "echo a >&2; echo 'b c' >&2; exit 1")};
    assert_int_equal(px_proc_check(&opts, &err), -EIO);
    assert_string_equal(err.msg, "'sh' ended with status 1: b c");
}

static void missing_program_is_named(void **state) {
    struct px_error err = {0};
    struct px_proc_opts opts = {.argv = ARGV("px-no-such-program")};
    assert_int_equal(px_proc_run(&opts, &err), -ENOENT);
    px_assert_contains(err.msg, "px-no-such-program");
}

static void time_limit_ends_it_and_its_children(void **state) {
    struct px_error err = {0};
    const int64_t begin = px_now_us();
    struct px_proc_opts opts = {.argv = ARGV("sh", "-c", "sleep 60 & sleep 60"),
                                .timeout_us = 100 * PX_US_PER_MS};
    assert_int_equal(px_proc_run(&opts, &err), -ETIMEDOUT);
    assert_true(px_now_us() - begin < 5 * PX_US_PER_S);
}

static void a_daemon_that_keeps_the_pipe_does_not_hold_us(void **state) {
    const int64_t begin = px_now_us();
    struct px_proc_opts opts = {.argv = ARGV("sh", "-c", "sleep 5 & exit 0")};
    assert_int_equal(px_proc_run(&opts, NULL), 0);
    assert_true(px_now_us() - begin < 3 * PX_US_PER_S);
}

static void environment_is_clean_unless_given(void **state) {
    setenv("PX_SECRET", "s", 1);
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    struct px_proc_opts opts = {.argv = ARGV("env"), .out = &out};
    assert_int_equal(px_proc_run(&opts, NULL), 0);
    assert_null(strstr(out.data, "PX_SECRET"));
    px_buf_reset(&out);
    opts.env = (const char *const[]){"PX_SECRET=t", NULL};
    opts.inherit_env = true;
    assert_int_equal(px_proc_run(&opts, NULL), 0);
    px_assert_contains(out.data, "PX_SECRET=t");
    assert_null(strstr(out.data, "PX_SECRET=s"));
}

static void collect(void *data, const char *line) {
    px_buf_printf(data, "[%s]", line);
}

static void lines_are_given_one_by_one(void **state) {
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    struct px_proc_opts opts = {
        .argv = ARGV("printf", "a\\nb\\nlast"), .on_line = collect, .data = &got};
    assert_int_equal(px_proc_run(&opts, NULL), 0);
    assert_string_equal(px_buf_str(&got), "[a][b][last]");
}

static void the_log_gets_what_nobody_else_takes(void **state) {
    px_cleanup_close int log = memfd_create("log", MFD_CLOEXEC);
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    struct px_proc_opts opts = {.argv = ARGV("echo", "a"), .log_fd = log};
    assert_int_equal(px_proc_run(&opts, NULL), 0);
    assert_int_equal(lseek(log, 0, SEEK_END), 2);
    opts.on_line = collect; /* which writes it there itself, if it wants */
    opts.data = &got;
    assert_int_equal(px_proc_run(&opts, NULL), 0);
    assert_string_equal(px_buf_str(&got), "[a]");
    assert_int_equal(lseek(log, 0, SEEK_END), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_status_come_back),
        cmocka_unit_test(check_tells_the_last_line_of_stderr),
        cmocka_unit_test(missing_program_is_named),
        cmocka_unit_test(time_limit_ends_it_and_its_children),
        cmocka_unit_test(a_daemon_that_keeps_the_pipe_does_not_hold_us),
        cmocka_unit_test(environment_is_clean_unless_given),
        cmocka_unit_test(lines_are_given_one_by_one),
        cmocka_unit_test(the_log_gets_what_nobody_else_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
