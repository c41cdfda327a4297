/* src/host/test_far.c */
#include "base/test.h"
#include "host/far.h"
#include "host/rate.h"

#define MS 1000
#define RTT (40 * MS)

/* A relay that takes in all, and a line behind it. */
struct way {
    struct px_far far;
    struct px_rate rate;
    int64_t now_us, free_us; /* the line has room again */
    uint64_t n_bytes;
    double us_a_byte;
    int64_t rtt_us;
    int64_t due_us[PX_FAR_MARKS];
    unsigned n_due, n_probes;
};

static struct way a_way(double mbit) {
    struct way w = {.now_us = 1000 * MS, .us_a_byte = 8 / mbit, .rtt_us = RTT};
    px_far_probed(&w.far, w.n_bytes += 20, w.now_us); /* at the login */
    w.due_us[w.n_due++] = w.now_us + RTT;
    return w;
}

static void run_until(struct way *w, int64_t until_us) {
    while (w->n_due > 0 && w->due_us[0] <= until_us) {
        struct px_link_info link;
        int64_t queue_us;
        size_t bytes;
        w->now_us = w->due_us[0];
        memmove(w->due_us, w->due_us + 1, --w->n_due * sizeof(*w->due_us));
        assert_true(px_far_echoed(&w->far, w->now_us, &queue_us, &bytes));
        px_far_link(&w->far, w->n_bytes, w->now_us, &link);
        if (bytes > 0)
            px_rate_passed(&w->rate, bytes, queue_us, w->now_us, &link);
    }
    w->now_us = until_us;
}

static void send(struct way *w, size_t size) {
    px_far_sends(&w->far, w->n_bytes, w->now_us);
    w->n_bytes += size;
    w->free_us =
        (w->free_us > w->now_us ? w->free_us : w->now_us) + (int64_t)((double)size * w->us_a_byte);
    if (!px_far_wants_probe(&w->far, w->n_bytes, w->now_us))
        return;
    px_far_probed(&w->far, w->n_bytes += 20, w->now_us);
    w->n_probes++;
    w->due_us[w->n_due++] = w->free_us + w->rtt_us;
}

static bool may_send(const struct way *w) {
    struct px_link_info link;
    if (w->rate.line_kbps == 0)
        return px_far_has_room(&w->far, w->n_bytes, false);
    px_far_link(&w->far, w->n_bytes, w->now_us, &link);
    return px_rate_wait_us(&w->rate, &link, 15 * MS) == 0;
}

/* Pictures of text that scrolls, for five seconds. Returns the most that stood before the line. */
static int64_t scroll(struct way *w, size_t size) {
    int64_t most = 0;
    for (int i = 0; i < 300; i++) {
        run_until(w, w->now_us + 16 * MS);
        if (may_send(w))
            send(w, size);
        if (i >= 100 && w->free_us - w->now_us > most)
            most = w->free_us - w->now_us;
    }
    return most;
}

static void unused_before_the_first_echo(void **state) {
    struct way w = a_way(2);
    assert_false(px_far_used(&w.far, w.now_us));
    assert_false(px_far_wants_probe(&w.far, 1 << 20, w.now_us));
    run_until(&w, w.now_us + RTT);
    assert_true(px_far_used(&w.far, w.now_us));
    assert_int_equal(w.far.min_us, RTT);
    int64_t queue_us;
    size_t bytes;
    assert_false(px_far_echoed(&w.far, w.now_us, &queue_us, &bytes)); /* one that was not sent */
}

static void a_slow_line_behind_a_relay_is_not_filled(void **state) {
    struct way w = a_way(2);
    run_until(&w, w.now_us + RTT);
    const int64_t most = scroll(&w, 8000); /* 32 ms of the line's time each */
    assert_in_range(w.rate.line_kbps, 1500, 2500);
    assert_in_range(most, 0, 150 * MS);
    assert_true(w.n_bytes > 250000 * 4 * 8 / 10); /* and it is used */
}

static void a_quick_line_is_given_all(void **state) {
    struct way w = a_way(1000);
    run_until(&w, w.now_us + RTT);
    scroll(&w, 30000);
    assert_int_equal(w.rate.line_kbps, 0);
    assert_true(w.far.grown > 1000000);
    assert_true(w.n_bytes > 250u * 30000); /* it waited for nothing but at the start */
    assert_in_range(w.n_probes, 50, 150);
}

static void a_quick_line_that_becomes_slow_is_looked_at_closely_again(void **state) {
    struct way w = a_way(1000);
    run_until(&w, w.now_us + RTT);
    scroll(&w, 30000);
    w.us_a_byte = 8 / 2.0;
    assert_in_range(scroll(&w, 8000), 0, 400 * MS);
    assert_in_range(w.rate.line_kbps, 1500, 2500);
}

static void little_tells_nothing(void **state) {
    struct way w = a_way(1000);
    run_until(&w, w.now_us + RTT);
    for (int i = 0; i < 100; i++) {
        send(&w, 600);
        w.due_us[0] += 30 * MS; /* the client's processor was busy */
        run_until(&w, w.now_us + 200 * MS);
    }
    assert_int_equal(w.rate.line_kbps, 0);
}

static void who_echoes_no_more_is_sent_no_more_probes(void **state) {
    struct way w = a_way(1000);
    run_until(&w, w.now_us + RTT);
    for (int i = 0; i < 100; i++, w.now_us += 16 * MS)
        if (px_far_wants_probe(&w.far, w.n_bytes += 1000, w.now_us))
            px_far_probed(&w.far, w.n_bytes, w.now_us);
    assert_int_equal(w.far.n_marks, PX_FAR_MARKS);
    assert_false(px_far_has_room(&w.far, w.n_bytes, true));
    assert_true(px_far_used(&w.far, w.now_us));
    w.now_us += 30 * 1000 * MS; /* it does not stand still for ever */
    assert_false(px_far_used(&w.far, w.now_us));
    int64_t queue_us;
    size_t bytes;
    assert_true(px_far_echoed(&w.far, w.now_us, &queue_us, &bytes));
    assert_true(px_far_used(&w.far, w.now_us));
}

/* One that goes behind nothing. */
static void probe(struct way *w) {
    px_far_probed(&w->far, w->n_bytes += 20, w->now_us);
    w->due_us[w->n_due++] = w->now_us + w->rtt_us;
}

/* A probe each second, for @n seconds. */
static void rest(struct way *w, int n) {
    for (int i = 0; i < n; i++) {
        probe(w);
        run_until(w, w->now_us + 1000 * MS);
    }
}

/* 12 kB of sound a second, for @n seconds, and its probes. */
static void play_music(struct way *w, int n) {
    for (int i = 0; i < n * 50; i++) {
        w->n_bytes += 240;
        run_until(w, w->now_us + 20 * MS);
        if (i % 50 == 49)
            probe(w);
    }
}

static void music_tells_nothing_of_the_line(void **state) {
    struct way w = a_way(0.5);
    run_until(&w, w.now_us + RTT);
    play_music(&w, 100);
    assert_int_equal(w.far.grown, 0);
    scroll(&w, 8000);
    const unsigned kbps = w.rate.line_kbps;
    assert_in_range(kbps, 350, 650);
    run_until(&w, w.now_us + 2000 * MS);
    play_music(&w, 100);
    assert_in_range(w.rate.line_kbps, kbps - kbps / 8, kbps + kbps / 8);
    run_until(&w, w.now_us + RTT);
    w.n_bytes += 12000; /* since the last probe */
    assert_true(may_send(&w));
}

/* A clipboard, and a picture behind it. */
static void what_stands_before_a_picture_is_no_slowness(void **state) {
    struct way w = a_way(8);
    run_until(&w, w.now_us + RTT);
    w.n_bytes += 1000000;
    w.free_us = w.now_us + 1000 * MS;
    send(&w, 30000);
    run_until(&w, w.now_us + 2000 * MS);
    assert_in_range(w.rate.line_kbps, 7000, 9000);
}

static void a_way_that_becomes_longer_is_no_queue_for_ever(void **state) {
    struct way w = a_way(1000);
    run_until(&w, w.now_us + RTT);
    w.rtt_us = RTT + 80 * MS;
    rest(&w, 100);
    assert_int_equal(w.far.min_us, RTT); /* it might be a queue */
    rest(&w, 600);
    assert_int_equal(w.far.min_us, w.rtt_us);
    scroll(&w, 30000);
    assert_int_equal(w.rate.line_kbps, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unused_before_the_first_echo),
        cmocka_unit_test(a_slow_line_behind_a_relay_is_not_filled),
        cmocka_unit_test(a_quick_line_is_given_all),
        cmocka_unit_test(a_quick_line_that_becomes_slow_is_looked_at_closely_again),
        cmocka_unit_test(little_tells_nothing),
        cmocka_unit_test(who_echoes_no_more_is_sent_no_more_probes),
        cmocka_unit_test(music_tells_nothing_of_the_line),
        cmocka_unit_test(what_stands_before_a_picture_is_no_slowness),
        cmocka_unit_test(a_way_that_becomes_longer_is_no_queue_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
