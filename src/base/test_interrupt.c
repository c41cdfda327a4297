/* src/base/test_interrupt.c */
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/proc.h"
#include "base/step.h"
#include "base/test.h"
#include <signal.h>
#include <sys/wait.h>

/* Signals are for a whole process: each case runs in a child of its own, which returns 0 when all
 * went well. */
static int in_child(int (*body)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL); /* a shell's background jobs ignore it */
        _exit(body());
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int step_after_signal(void) {
    struct px_error err = {0};
    px_interrupt_catch();
    if (px_step("a", &err) != 0)
        return 1;
    raise(SIGINT);
    if (px_step("b", &err) != -EINTR)
        return 2;
    return strcmp(err.msg, "stopped by Ctrl-C") == 0 ? 0 : 3;
}

static int second_signal(void) {
    px_interrupt_catch();
    raise(SIGTERM);
    raise(SIGTERM);
    return 0;
}

static void on_line(void *data, const char *line) {
    if (strcmp(line, "ready") == 0)
        raise(SIGTERM);
}

static int proc_during_signal(void) {
    struct px_error err = {0};
    px_interrupt_catch();
    int64_t before = px_now_us();
    int r = px_proc_run(
        &(struct px_proc_opts){.argv = (const char *[]){"sh", "-c", "echo ready; sleep 30", NULL},
                               .on_line = on_line},
        &err);
    if (r != -EINTR || strcmp(err.msg, "stopped by SIGTERM") != 0)
        return 1;
    if (px_now_us() - before > 10 * PX_US_PER_S)
        return 2;
    /* cleaning up must still work */
    return px_proc_run(&(struct px_proc_opts){.argv = (const char *[]){"true", NULL}}, &err);
}

static int ignored_signal(void) {
    signal(SIGHUP, SIG_IGN);
    px_interrupt_catch();
    raise(SIGHUP);
    return px_interrupted();
}

static void steps_stop_after_a_signal(void **state) {
    assert_int_equal(in_child(step_after_signal), 0);
}

static void the_second_signal_ends_the_process(void **state) {
    assert_int_equal(in_child(second_signal), 128 + SIGTERM);
}

static void programs_in_progress_are_ended_and_later_ones_run(void **state) {
    assert_int_equal(in_child(proc_during_signal), 0);
}

static void ignored_signals_stay_ignored(void **state) {
    assert_int_equal(in_child(ignored_signal), 0);
}

static void nothing_changes_without_asking_for_it(void **state) {
    assert_false(px_interrupt_caught());
    assert_false(px_interrupted());
    px_assert_ok(px_step("a", NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_stop_after_a_signal),
        cmocka_unit_test(the_second_signal_ends_the_process),
        cmocka_unit_test(programs_in_progress_are_ended_and_later_ones_run),
        cmocka_unit_test(ignored_signals_stay_ignored),
        cmocka_unit_test(nothing_changes_without_asking_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
