/* src/host/test_pace.c */
#include "base/clock.h"
#include "base/test.h"
#include "host/pace.h"
#include <stdbool.h>

/* Pictures in one second when there is always something new. */
static unsigned in_a_second(struct px_pace *p, unsigned fps, int64_t from_us) {
    unsigned n = 0;
    for (int64_t now = from_us; now < from_us + PX_US_PER_S; now += 100)
        if (now >= px_pace_due_us(p, fps)) {
            px_pace_take(p, fps, now);
            n++;
        }
    return n;
}

static void the_average_is_kept(void **state) {
    static const unsigned rates[] = {1, 5, 15, 30, 60, 120};
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        struct px_pace p = {0};
        in_a_second(&p, rates[i], PX_US_PER_S);
        assert_in_range(in_a_second(&p, rates[i], 2 * PX_US_PER_S), rates[i] > 1 ? rates[i] - 1 : 1,
                        rates[i] + 1);
    }
}

static void after_a_pause_two_follow_at_once(void **state) {
    struct px_pace p = {0};
    for (int i = 0; i < 3; i++) {
        assert_true(px_pace_due_us(&p, 60) <= PX_US_PER_S);
        px_pace_take(&p, 60, PX_US_PER_S);
    }
    assert_true(px_pace_due_us(&p, 60) > PX_US_PER_S);
}

/* Each input changes the screen at once and once more, later: 110 a second. */
static void answers_go_first_and_the_average_stays(void **state) {
    struct px_pace p = {0};
    bool second = false;
    unsigned n = 0, n_inputs = 0;
    int64_t waited_us = 0, input_us = 0;
    for (int64_t now = PX_US_PER_S; now < 3 * PX_US_PER_S; now += 100) {
        if ((now - PX_US_PER_S) % 18200 == 0) {
            input_us = now;
            n_inputs++;
        }
        if (input_us && now >= px_pace_answer_us(&p, 60)) {
            waited_us += now - input_us;
            input_us = 0;
            second = true;
        } else if (second && now >= px_pace_due_us(&p, 60))
            second = false;
        else
            continue;
        px_pace_take(&p, 60, now);
        n++;
    }
    assert_in_range(n, 110, 124);
    assert_true(waited_us / n_inputs < PX_US_PER_MS);
}

static void few_a_second_stay_few(void **state) {
    struct px_pace p = {0};
    px_pace_take(&p, 5, PX_US_PER_S);
    assert_in_range(px_pace_due_us(&p, 5), PX_US_PER_S + 150000, PX_US_PER_S + 200000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_average_is_kept),
        cmocka_unit_test(after_a_pause_two_follow_at_once),
        cmocka_unit_test(answers_go_first_and_the_average_stays),
        cmocka_unit_test(few_a_second_stay_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
