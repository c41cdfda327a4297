/* src/desktop/test_worker.c */
#include "base/buf.h"
#include "base/test.h"
#include "desktop/worker.h"
#include <signal.h>

static int good(void *data, const struct px_events *events, struct px_error *err) {
    const struct px_event e = {.kind = PX_EVENT_STEP, .text = "working"};
    px_event_send(events, &e);
    return 0;
}

static int bad(void *data, const struct px_events *events, struct px_error *err) {
    px_fail(err, -ENOSPC, "no room");
    return px_hint(err, -ENOSPC, "make some");
}

static int dies(void *data, const struct px_events *events, struct px_error *err) {
    raise(SIGKILL);
    return 0;
}

static void note(void *data, const struct px_event *e) {
    px_buf_printf(data, "%s:%d:%s;", e->desktop, (int)e->kind, e->err ? e->err->msg : e->text);
}

static void each_job_reports_its_own_end(void **state) {
    px_cleanup(px_buf_fini) struct px_buf log = {0};
    const struct px_events events = {note, &log};
    struct px_job jobs[] = {{.desktop = "a", .run = good},
                            {.desktop = "b", .run = bad},
                            {.desktop = "c", .run = dies},
                            {.desktop = "d", .run = good}};
    struct px_error err = {0};
    assert_int_equal(px_workers_run(jobs, 4, 2, &events, &err), 2);
    assert_int_equal(jobs[0].result, 0);
    assert_int_equal(jobs[1].result, -ENOSPC);
    assert_string_equal(jobs[1].err.hint, "make some");
    assert_int_equal(jobs[2].result, -EIO);
    assert_int_equal(jobs[3].result, 0);
    px_assert_contains(px_buf_str(&log), "a:0:working;");
    px_assert_contains(px_buf_str(&log), "b:2:no room;");
    px_assert_contains(px_buf_str(&log), "c:2:the process at work on it was ended by signal 9;");
    px_assert_contains(px_buf_str(&log), "d:0:working;");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_job_reports_its_own_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
