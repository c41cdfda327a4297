/* src/image/test_full.c */
#include "base/test.h"
#include "image/job.h"

static void what_programs_say_of_a_full_disk_is_known(void **state) {
    static const struct {
        const char *line;
        bool full;
    } cases[] = {
        {"dpkg: error processing archive x.deb (--unpack): cannot copy: failed to write (No space "
         "left on device)",
         true},
        {"E: You don't have enough free space in /var/cache/apt/archives/.", true},
        {"E: Write error - write (28: No space left on device)", true},
        {"OSError: [Errno 28] No space left on device: '/opt/x'", true},
        {"cp: error writing 'x': Disk quota exceeded", true},
        {"E: mmdebstrap failed to run", false},
        {"Unpacking space-left (1.0) ...", false},
        {"", false},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++)
        assert_int_equal(px_line_tells_full(cases[i].line), cases[i].full);
}

/* Room comes back and the words scroll by before the program ends. */
static void a_failure_after_such_a_line_is_told_as_a_full_disk(void **state) {
    char dir[] = "/tmp";
    struct px_image_opts opts = {0};
    struct px_job job = {.opts = &opts, .log_fd = -1, .store = {.dir = dir}};
    struct px_error err = {0};
    px_fail(&err, -EIO, "'apt-get' ended with status 100: E: failed");
    px_hint(&err, -EIO, "check the network");
    px_job_look_full(&job, "tar: x: Cannot write: No space left on device");
    px_job_look_full(&job, "E: failed");
    assert_int_equal(px_job_explain(&job, -EIO, &err), -ENOSPC);
    assert_string_equal(err.msg,
                        "no space left in '/tmp': 'apt-get' ended with status 100: E: failed");
    px_assert_contains(err.hint, "make room in '/tmp'");
}

static void other_failures_stay_what_they_are(void **state) {
    char dir[] = "/proc"; /* where nothing is ever free; a wrong recipe is wrong all the same */
    struct px_image_opts opts = {0};
    struct px_job job = {.opts = &opts, .log_fd = -1, .store = {.dir = dir}};
    struct px_error err = {0};
    px_fail(&err, -EINVAL, "recipe.yaml:3: unknown key");
    assert_int_equal(px_job_explain(&job, -EINVAL, &err), -EINVAL);
    assert_string_equal(err.msg, "recipe.yaml:3: unknown key");
    assert_string_equal(err.hint, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_programs_say_of_a_full_disk_is_known),
        cmocka_unit_test(a_failure_after_such_a_line_is_told_as_a_full_disk),
        cmocka_unit_test(other_failures_stay_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
