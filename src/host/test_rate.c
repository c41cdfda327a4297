/* src/host/test_rate.c */
#include "base/test.h"
#include "host/rate.h"

#define MS 1000

static void pass(struct px_rate *r, size_t bytes, int64_t took_us, uint64_t delivered) {
    const struct px_link_info link = {.delivered_bytes_per_s = delivered};
    px_rate_passed(r, bytes, took_us, 0, &link);
}

static void nothing_known_is_the_wish(void **state) {
    const struct px_rate r = {0};
    assert_int_equal(px_rate_kbps(&r, 40000, false, 1), 40000);
    assert_int_equal(px_rate_kbps(&r, 100, false, 1), PX_RATE_MIN_KBPS);
    assert_int_equal(px_rate_line_kbps(&r, 1), 0);
}

/* Pictures as large as the rate gives them sixty times a second, on a line that takes all. */
static void a_line_that_takes_all_is_given_all(void **state) {
    struct px_rate r = {0};
    for (int i = 0; i < 60; i++)
        pass(&r, px_rate_kbps(&r, 40000, false, 1) * 125 / 60, 1 * MS, 1 << 20);
    assert_int_equal(px_rate_kbps(&r, 40000, false, 1), PX_RATE_MAX_KBPS);
}

static void small_packets_prove_nothing(void **state) {
    struct px_rate r = {0};
    for (int i = 0; i < 10000; i++)
        pass(&r, 2000, 1 * MS, 1 << 20);
    assert_int_equal(px_rate_kbps(&r, 40000, false, 1), 40000);
}

static void who_wants_little_gets_little(void **state) {
    struct px_rate r = {0};
    pass(&r, 1 << 20, 1 * MS, 1 << 28);
    assert_int_equal(px_rate_kbps(&r, 30000, true, 1), 30000);
    assert_true(px_rate_kbps(&r, 30000, false, 1) > 30000);
}

static void a_slow_line_bounds(void **state) {
    struct px_rate r = {0};
    pass(&r, 1 << 20, 900 * MS, 1250000); /* 10 Mbit/s */
    assert_int_equal(r.line_kbps, 10000);
    assert_int_equal(px_rate_kbps(&r, 40000, false, 1), 8000);
    assert_int_equal(px_rate_kbps(&r, 40000, false, 2), 4000);
    pass(&r, 1 << 20, 900 * MS, 0); /* nothing told */
    assert_int_equal(r.line_kbps, 10000);
}

/* The line is quick again, for hours: up to the end of the scale and no further. */
static void it_comes_back(void **state) {
    struct px_rate r = {.line_kbps = 1000};
    const struct px_link_info idle = {0};
    for (int i = 0; i < 100; i++)
        px_rate_passed(&r, 100, 1 * MS, i * 10 * MS, &idle);
    assert_int_equal(r.line_kbps, 1000);
    for (int i = 0; i < 1000000; i++)
        pass(&r, 1 << 20, 1 * MS, 0);
    assert_int_equal(r.line_kbps, PX_RATE_MAX_KBPS);
}

/* A line of @kbps whose only traffic is ours: what is sent as soon as the rate allows, in packets
 * of @bytes, and the delay that it makes. */
static void run_line(struct px_rate *r, unsigned kbps, size_t bytes, int n) {
    int64_t now = 0, free_at = 0, mean = 40 * MS;
    for (int i = 0; i < n; i++) {
        struct px_link_info link = {.min_rtt_us = 40 * MS, .delivered_bytes_per_s = kbps * 100};
        const int64_t start = free_at > now ? free_at : now;
        free_at = start + (int64_t)bytes * 8000 / kbps;
        mean += ((start + free_at) / 2 - now + 40 * MS - mean) / 4;
        link.rtt_us = (uint32_t)mean;
        px_rate_passed(r, bytes, 0, now, &link);
        link.outstanding_bytes = (uint32_t)((free_at - now + 40 * MS) * kbps / 8000);
        const int64_t wait = px_rate_wait_us(r, &link, 5 * MS);
        now += wait > 5 * MS ? wait : 5 * MS;
    }
}

static void the_delay_tells_what_the_line_takes(void **state) {
    static const unsigned believed[] = {500, 2000, 8000};
    for (size_t i = 0; i < sizeof(believed) / sizeof(believed[0]); i++) {
        struct px_rate r = {.line_kbps = believed[i]};
        run_line(&r, 2000, 5000, 400);
        assert_in_range(r.line_kbps, 1000, 3200);
    }
}

static void a_packet_waits_until_the_line_has_room(void **state) {
    struct px_link_info link = {.min_rtt_us = 40 * MS, .outstanding_bytes = 10000};
    struct px_rate r = {0};
    assert_int_equal(px_rate_wait_us(&r, &link, 5 * MS), 0); /* nothing is known */
    r.line_kbps = 2000;                                      /* 40 ms of it are on the way */
    assert_int_equal(px_rate_wait_us(&r, &link, 5 * MS), 0);
    link.outstanding_bytes = 20000;
    assert_int_equal(px_rate_wait_us(&r, &link, 5 * MS), 35 * MS);
    assert_int_equal(px_rate_wait_us(&r, &link, 15 * MS), 25 * MS);
    link.outstanding_bytes = 0;
    assert_int_equal(px_rate_wait_us(&r, &link, 5 * MS), 0);
}

static void queues_in_the_network_count(void **state) {
    struct px_rate r = {0};
    px_rate_queues(&r, 40000);
    assert_in_range(r.line_kbps, 32000, 32001);
    for (int i = 0; i < 100; i++)
        px_rate_queues(&r, 40000);
    assert_in_range(r.line_kbps, 1, 10);
    assert_int_equal(px_rate_kbps(&r, 40000, false, 1), PX_RATE_MIN_KBPS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known_is_the_wish),
        cmocka_unit_test(a_line_that_takes_all_is_given_all),
        cmocka_unit_test(small_packets_prove_nothing),
        cmocka_unit_test(who_wants_little_gets_little),
        cmocka_unit_test(a_slow_line_bounds),
        cmocka_unit_test(it_comes_back),
        cmocka_unit_test(the_delay_tells_what_the_line_takes),
        cmocka_unit_test(a_packet_waits_until_the_line_has_room),
        cmocka_unit_test(queues_in_the_network_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
