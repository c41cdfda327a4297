/* src/relay/test_rate.c - the clock is an argument; directions ask every 4 ms, always in the same
 * order */
#include "base/test.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "relay/relay_private.h"

#define STEP_US (4 * PX_US_PER_MS)
#define N_MAX 200

struct crowd {
    struct px_relay *relay;
    struct bucket buckets[N_MAX];
    struct share shares[N_MAX];
    int64_t passed[N_MAX], wants[N_MAX]; /* wants: bytes in each step; 0: as much as it may */
    int n;
};

static struct crowd *crowd_of(int n, uint64_t total_bps) {
    struct crowd *c = px_new0(struct crowd, 1);
    c->relay = px_relay_new(&(struct px_relay_opts){.key = "", .limits = {.total_bps = total_bps}});
    c->n = n;
    return c;
}

static void crowd_free(struct crowd *c) {
    px_relay_free(c->relay);
    free(c);
}

/* As pump() does: takes, moves what there is, gives back the rest, until there is no more to move.
 */
static void ask(struct crowd *c, int i, int64_t now_us) {
    for (int64_t has = c->wants[i] ? c->wants[i] : INT64_MAX; has > 0;) {
        const int64_t may =
            (int64_t)rate_take(c->relay, &c->buckets[i], 0, &c->shares[i], 1 << 21, now_us);
        const int64_t moved = may < has ? may : has;
        if (may == 0)
            return;
        rate_give_back(c->relay, &c->buckets[i], &c->shares[i], (size_t)(may - moved));
        c->passed[i] += moved;
        has -= moved;
    }
}

static int64_t run(struct crowd *c, int seconds) {
    int64_t sum = 0;
    const int64_t start_us = 1000 * PX_US_PER_S;
    for (int64_t t = 0; t < seconds * PX_US_PER_S; t += STEP_US)
        for (int i = 0; i < c->n; i++)
            ask(c, i, start_us + t + i);
    for (int i = 0; i < c->n; i++)
        sum += c->passed[i];
    return sum;
}

static void assert_near(int64_t value, int64_t wanted, int percent) {
    assert_in_range(value, wanted * (100 - percent) / 100, wanted * (100 + percent) / 100);
}

static void those_who_want_all_get_equal_shares_of_it(void **state) {
    static const int n[] = {1, 2, 10, N_MAX};
    for (size_t k = 0; k < PX_N_ELEMENTS(n); k++) {
        struct crowd *c = crowd_of(n[k], 5000000);
        assert_near(run(c, 10), 50000000, 5);
        for (int i = 0; i < n[k]; i++)
            assert_near(c->passed[i], 50000000 / n[k], 10);
        crowd_free(c);
    }
}

static void modest_ones_get_what_they_want_and_the_others_share_the_rest(void **state) {
    struct crowd *c = crowd_of(10, 5000000);
    for (int i = 2; i < 10; i++)
        c->wants[i] = 400; /* 100 kB/s each */
    assert_near(run(c, 10), 50000000, 5);
    for (int i = 0; i < 10; i++)
        assert_near(c->passed[i], i < 2 ? 21000000 : 1000000, 10);
    crowd_free(c);
}

static void a_silent_crowd_costs_the_busy_one_nothing(void **state) {
    struct crowd *c = crowd_of(N_MAX, 5000000);
    for (int i = 1; i < N_MAX; i++)
        c->wants[i] = 1;
    assert_near(run(c, 10), 50000000, 5);
    assert_true(c->passed[0] > 47000000);
    crowd_free(c);
}

static void without_a_limit_all_pass(void **state) {
    struct crowd *c = crowd_of(1, 0);
    assert_int_equal(rate_take(c->relay, &c->buckets[0], 0, &c->shares[0], 1 << 21, PX_US_PER_S),
                     1 << 21);
    crowd_free(c);
}

static void a_pair_keeps_to_its_own_limit(void **state) {
    struct crowd *c = crowd_of(1, 0);
    int64_t passed = 0;
    for (int64_t t = PX_US_PER_S; t < 11 * PX_US_PER_S; t += STEP_US)
        for (size_t n;
             (n = rate_take(c->relay, &c->buckets[0], 1000000, &c->shares[0], 1 << 21, t));)
            passed += (int64_t)n;
    assert_near(passed, 10000000, 2);
    crowd_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_want_all_get_equal_shares_of_it),
        cmocka_unit_test(modest_ones_get_what_they_want_and_the_others_share_the_rest),
        cmocka_unit_test(a_silent_crowd_costs_the_busy_one_nothing),
        cmocka_unit_test(without_a_limit_all_pass),
        cmocka_unit_test(a_pair_keeps_to_its_own_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
