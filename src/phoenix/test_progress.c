/* src/phoenix/test_progress.c */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/test.h"
#include "phoenix/progress.h"
#include <locale.h>

static void a_line_never_exceeds_the_terminal(void **state) {
    const struct px_progress_line line = {.key = "desktop",
                                          .text = "installing packages",
                                          .detail = "xfce4-session",
                                          .fraction = 0.61,
                                          .elapsed_us = 48 * PX_US_PER_S};
    for (unsigned width = 10; width < 140; width++) {
        px_cleanup(px_buf_fini) struct px_buf out = {0};
        px_progress_draw(&out, &line, 7, 3, width, false);
        if (px_text_width(px_buf_str(&out)) > width)
            fail_msg("%u columns: '%s'", width, px_buf_str(&out));
    }
}

static void a_line_shows_part_and_time(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    struct px_progress_line line = {
        .key = "ai", .text = "unpacking", .fraction = 0.5, .elapsed_us = 1234 * PX_US_PER_MS};
    px_progress_draw(&out, &line, 4, 0, 60, false);
    assert_string_equal(px_buf_str(&out),
                        "⠋ ai    unpacking          ██████████░░░░░░░░░░  50%   1.2 s");
    px_buf_reset(&out);
    line.fraction = -1;
    line.elapsed_us = 75 * PX_US_PER_S;
    px_progress_draw(&out, &line, 4, 1, 40, false);
    assert_string_equal(px_buf_str(&out), "⠙ ai    unpacking                 1:15  ");
}

/* All that a progress on a pipe wrote, without the times of day. */
static char *written_by(void (*work)(struct px_progress *), bool quiet) {
    int p[2];
    assert_int_equal(pipe(p), 0);
    struct px_progress *progress = px_progress_new(&(struct px_term){.fd = p[1]}, quiet);
    work(progress);
    px_progress_free(progress);
    close(p[1]);
    char *text = NULL;
    px_assert_ok(px_fd_read_all(p[0], 4096, &text, NULL, NULL));
    close(p[0]);
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    for (char *save = NULL, *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        assert_true(strlen(l) > 9 && l[2] == ':' && l[5] == ':');
        px_buf_printf(&out, "%s\n", l + 9);
    }
    free(text);
    return px_buf_take(&out);
}

static void some_work(struct px_progress *p) {
    px_progress_set(p, "a", -1, "starting", NULL);
    px_progress_set(p, "a", 0.1, "starting", "a detail");
    px_progress_set(p, "b", -1, "starting", NULL);
    px_log_line(PX_LOG_WARNING, "net: odd");
    px_progress_done(p, "a", PX_PROGRESS_OK, "running");
    px_progress_done(p, "b", PX_PROGRESS_FAILED, "no room");
}

static void elsewhere_each_change_is_one_line(void **state) {
    px_cleanup_free char *text = written_by(some_work, false);
    assert_string_equal(text,
                        "a: starting\nb: starting\nwarning: net: odd\na: running\nb: no room\n");
}

static void quiet_leaves_failures_and_warnings(void **state) {
    px_cleanup_free char *text = written_by(some_work, true);
    assert_string_equal(text, "warning: net: odd\nb: no room\n");
}

int main(void) {
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_never_exceeds_the_terminal),
        cmocka_unit_test(a_line_shows_part_and_time),
        cmocka_unit_test(elsewhere_each_change_is_one_line),
        cmocka_unit_test(quiet_leaves_failures_and_warnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
