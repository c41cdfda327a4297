/* src/proto/test_kcp.c - two ends over a line that is simulated, with a clock of its own */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/test.h"
#include "proto/kcp.h"
#include <string.h>

#define IN_FLIGHT_MAX 8192

struct packet {
    int64_t at_us; /* when it arrives */
    size_t size;
    uint8_t bytes[PX_KCP_DATAGRAM_MAX_BYTES];
};

/* One direction. */
struct pipe {
    struct px_kcp *to;
    struct packet *flying;
    size_t n;
    int64_t busy_until_us;
    unsigned n_sent, n_dropped;
};

static struct {
    int64_t now_us;
    int64_t delay_us, jitter_us; /* one way */
    unsigned loss_percent;
    uint64_t bytes_per_s; /* 0: no end of it */
    int64_t queue_us;     /* longer than this and a packet is dropped */
    uint32_t seed;
    struct pipe pipes[2];
    struct px_kcp *ends[2];
    struct px_buf got[2];
} net;

static uint32_t draw(void) {
    net.seed = net.seed * 1664525u + 1013904223u;
    return net.seed >> 8;
}

static void on_send(void *data, const uint8_t *bytes, size_t size) {
    struct pipe *p = data;
    int64_t at = net.now_us;
    p->n_sent++;
    assert_true(size <= 1214);
    if (net.bytes_per_s) {
        if (p->busy_until_us < at)
            p->busy_until_us = at;
        if (p->busy_until_us - at > net.queue_us) {
            p->n_dropped++;
            return;
        }
        p->busy_until_us += (int64_t)(size * 1000000 / net.bytes_per_s);
        at = p->busy_until_us;
    }
    if (draw() % 100 < net.loss_percent)
        return;
    assert_true(p->n < IN_FLIGHT_MAX);
    struct packet *f = &p->flying[p->n++];
    f->at_us = at + net.delay_us + (net.jitter_us ? draw() % net.jitter_us : 0);
    f->size = size;
    memcpy(f->bytes, bytes, size);
}

static void open_net(void) {
    for (int i = 0; i < 2; i++)
        net.pipes[i].flying = px_calloc(IN_FLIGHT_MAX, sizeof(struct packet));
    net.now_us = 77 * PX_US_PER_S;
    net.seed = 12345;
    for (int i = 1; i >= 0; i--) { /* the one that listens first */
        const struct px_kcp_opts o = {.connect = i == 0,
                                      .conv = 0xfedcba98,
                                      .send = on_send,
                                      .data = &net.pipes[i],
                                      .now_us = net.now_us};
        net.ends[i] = px_kcp_new(&o);
    }
}

static int close_net(void **state) {
    for (int i = 0; i < 2; i++) {
        px_kcp_free(net.ends[i]);
        free(net.pipes[i].flying);
        px_buf_fini(&net.got[i]);
    }
    memset(&net, 0, sizeof(net));
    return 0;
}

static int64_t next_event(void) {
    int64_t at = INT64_MAX;
    for (int i = 0; i < 2; i++) {
        const int64_t due = px_kcp_due_us(net.ends[i]);
        at = due < at ? due : at;
        for (size_t k = 0; k < net.pipes[i].n; k++)
            if (net.pipes[i].flying[k].at_us < at)
                at = net.pipes[i].flying[k].at_us;
    }
    return at;
}

/* What has arrived at the other end of pipe @i by now, in the order of arrival. */
static bool arrive(int i) {
    struct pipe *p = &net.pipes[i];
    bool any = false;
    for (;;) {
        size_t first = p->n;
        for (size_t k = 0; k < p->n; k++)
            if (p->flying[k].at_us <= net.now_us &&
                (first == p->n || p->flying[k].at_us < p->flying[first].at_us))
                first = k;
        if (first == p->n)
            return any;
        px_kcp_input(net.ends[!i], p->flying[first].bytes, p->flying[first].size, net.now_us);
        p->flying[first] = p->flying[--p->n];
        any = true;
    }
}

/* Until @done or @limit_us later; returns how often an end had to be woken by its clock. */
static unsigned run(bool (*done)(void), int64_t limit_us) {
    const int64_t until = net.now_us + limit_us;
    unsigned wakes = 0;
    while (!done()) {
        const int64_t at = next_event();
        if (at > until) {
            net.now_us = until;
            return wakes;
        }
        net.now_us = at > net.now_us ? at : net.now_us;
        for (int i = 0; i < 2; i++) {
            const bool input = arrive(!i);
            const bool due = px_kcp_due_us(net.ends[i]) <= net.now_us;
            wakes += due && !input;
            if (!input && !due)
                continue;
            px_kcp_read(net.ends[i], &net.got[i]);
            px_kcp_flush(net.ends[i], net.now_us);
        }
    }
    return wakes;
}

static bool never(void) {
    return false;
}

static bool both_open(void) {
    return px_kcp_state(net.ends[0]) == PX_KCP_OPEN && px_kcp_state(net.ends[1]) == PX_KCP_OPEN;
}

static bool all_dry(void) {
    return px_kcp_is_dry(net.ends[0]) && px_kcp_is_dry(net.ends[1]);
}

static char *pattern(size_t size) {
    char *s = px_calloc(1, size);
    for (size_t i = 0; i < size; i++)
        s[i] = (char)(i * 2654435761u >> 11);
    return s;
}

static void send_from(int i, const char *bytes, size_t size) {
    px_kcp_write(net.ends[i], bytes, size);
    px_kcp_flush(net.ends[i], net.now_us);
}

/* @size both ways at once; returns how long it took. */
static int64_t exchange(size_t size, int64_t limit_us) {
    px_cleanup_free char *bytes = pattern(size);
    const int64_t t0 = net.now_us;
    run(both_open, limit_us);
    assert_true(both_open());
    send_from(0, bytes, size);
    send_from(1, bytes, size);
    run(all_dry, limit_us);
    for (int i = 0; i < 2; i++) {
        px_kcp_read(net.ends[i], &net.got[i]);
        assert_int_equal(net.got[i].size, size);
        assert_memory_equal(net.got[i].data, bytes, size);
    }
    return net.now_us - t0;
}

static void packets_are_as_rustdesk_has_them(void **state) {
    static const uint8_t head[12] = {0x98, 0xba, 0xdc, 0xfe};
    net.delay_us = 5 * PX_US_PER_MS;
    open_net();
    const struct packet *p = &net.pipes[0].flying[0];
    assert_int_equal(net.pipes[0].n, 1);
    assert_int_equal(p->size, 14);
    assert_memory_equal(p->bytes, head, 12);
    assert_int_equal(p->bytes[12], 1); /* SYN */
    assert_true(px_kcp_is_syn(p->bytes, p->size));
    run(both_open, PX_US_PER_S);
    assert_int_equal(net.pipes[1].n_sent, 1); /* SYN|ACK */
    send_from(1, "hello", 5);
    assert_int_equal(net.pipes[1].n_sent, 1); /* not before the other's ACK|DATA */
    net.now_us += 5 * PX_US_PER_MS;
    arrive(0);
    px_kcp_flush(net.ends[1], net.now_us);
    p = &net.pipes[1].flying[net.pipes[1].n - 1];
    assert_int_equal(p->size, 14 + 24 + 5);
    assert_int_equal(p->bytes[12], 2 | 8);       /* ACK|DATA */
    assert_memory_equal(p->bytes + 14, head, 4); /* the library's conv */
    assert_int_equal(p->bytes[18], 81);          /* push */
    assert_memory_equal(p->bytes + 38, "hello", 5);
}

static void bytes_arrive_in_order(void **state) {
    net.delay_us = 20 * PX_US_PER_MS;
    open_net();
    exchange(3000000, 60 * PX_US_PER_S);
}

static void lost_and_reordered_packets_are_made_up_for(void **state) {
    net.delay_us = 15 * PX_US_PER_MS;
    net.jitter_us = 10 * PX_US_PER_MS;
    net.loss_percent = 10;
    open_net();
    exchange(1000000, 120 * PX_US_PER_S);
}

/* The worst: any packet of the opening may be the one that is lost. */
static void opening_survives_losses(void **state) {
    for (uint32_t seed = 1; seed < 50; seed++) {
        net.delay_us = 10 * PX_US_PER_MS;
        net.loss_percent = 40;
        open_net();
        net.seed = seed * 7919;
        exchange(1000, 60 * PX_US_PER_S);
        close_net(NULL);
    }
}

/* 10 Mbit/s, 40 ms there and back, room for 100 ms: what is sent is what goes through. */
static void line_is_filled_and_not_flooded(void **state) {
    net.delay_us = 20 * PX_US_PER_MS;
    net.bytes_per_s = 1250000;
    net.queue_us = 100 * PX_US_PER_MS;
    open_net();
    run(both_open, PX_US_PER_S);
    const size_t size = 5000000;
    px_cleanup_free char *bytes = pattern(size);
    const int64_t t0 = net.now_us;
    send_from(1, bytes, size);
    run(all_dry, 60 * PX_US_PER_S);
    assert_int_equal(net.got[0].size, size);
    const double used = (double)size / 1250000 / ((double)(net.now_us - t0) / 1e6);
    struct px_kcp_line line;
    px_kcp_line(net.ends[1], &line);
    print_message(
        "# %.0f %% of the line used, %u of %u packets dropped, said to be %lu B/s, %u us\n",
        100 * used, net.pipes[1].n_dropped, net.pipes[1].n_sent, (unsigned long)line.bytes_per_s,
        line.min_rtt_us);
    assert_true(used > 0.7);
    assert_true(net.pipes[1].n_dropped < net.pipes[1].n_sent / 10);
    assert_true(line.bytes_per_s > 800000 && line.bytes_per_s < 1600000);
    assert_true(line.min_rtt_us >= 40000 && line.min_rtt_us < 60000);
}

/* What does not fit on the line waits with us, where the newest picture can still win. */
static void what_the_line_does_not_take_is_told(void **state) {
    net.delay_us = 20 * PX_US_PER_MS;
    net.bytes_per_s = 125000;
    net.queue_us = PX_US_PER_S;
    open_net();
    run(both_open, PX_US_PER_S);
    px_cleanup_free char *bytes = pattern(400000);
    send_from(1, bytes, 400000);
    assert_true(px_kcp_unsent_bytes(net.ends[1]) > 300000);
    run(all_dry, 60 * PX_US_PER_S);
    assert_int_equal(px_kcp_unsent_bytes(net.ends[1]), 0);
}

/* One message a second, as a session's probe: only pings besides, and no ticks. */
static void idle_stream_sleeps(void **state) {
    net.delay_us = 5 * PX_US_PER_MS;
    open_net();
    run(both_open, PX_US_PER_S);
    run(never, PX_US_PER_S);
    unsigned wakes = 0;
    for (int i = 0; i < 60; i++) {
        send_from(1, "probe", 5);
        wakes += run(never, PX_US_PER_S);
    }
    print_message("# %u wake-ups in 60 s\n", wakes);
    assert_true(wakes <= 24);
    net.pipes[0].n_sent = net.pipes[1].n_sent = 0;
    wakes = run(never, 600 * PX_US_PER_S);
    assert_true(wakes <= 120);
    assert_true(net.pipes[1].n_sent >= 50); /* holes in NATs stay open */
    assert_true(both_open());
}

static void who_is_gone_is_noticed(void **state) {
    open_net();
    run(both_open, PX_US_PER_S);
    net.loss_percent = 100;
    run(never, 59 * PX_US_PER_S);
    assert_true(both_open());
    run(never, 2 * PX_US_PER_S);
    assert_int_equal(px_kcp_state(net.ends[0]), PX_KCP_CLOSED);
    assert_int_equal(px_kcp_due_us(net.ends[0]), INT64_MAX);
}

static void end_is_told(void **state) {
    open_net();
    run(both_open, PX_US_PER_S);
    send_from(1, "bye", 3);
    run(all_dry, PX_US_PER_S);
    px_kcp_finish(net.ends[1]);
    run(never, PX_US_PER_S);
    assert_int_equal(px_kcp_state(net.ends[0]), PX_KCP_CLOSED);
    assert_int_equal(net.got[0].size, 3);
}

/* A reader that stops makes the writer stop, not the memory grow. */
static void slow_reader_slows_the_writer(void **state) {
    open_net();
    run(both_open, PX_US_PER_S);
    px_cleanup_free char *bytes = pattern(3000000);
    px_kcp_write(net.ends[1], bytes, 3000000);
    px_kcp_flush(net.ends[1], net.now_us);
    for (int i = 0; i < 2000; i++) { /* everything but reading */
        net.now_us += 10 * PX_US_PER_MS;
        for (int e = 0; e < 2; e++) {
            arrive(!e);
            px_kcp_flush(net.ends[e], net.now_us);
        }
    }
    assert_true(px_kcp_unsent_bytes(net.ends[1]) > 1000000);
    run(all_dry, 60 * PX_US_PER_S);
    assert_int_equal(net.got[0].size, 3000000);
    assert_memory_equal(net.got[0].data, bytes, 3000000);
}

static void strangers_packets_change_nothing(void **state) {
    open_net();
    run(both_open, PX_US_PER_S);
    uint8_t p[64] = {0};
    p[12] = 16; /* RST of another stream */
    px_kcp_input(net.ends[1], p, 14, net.now_us);
    px_kcp_input(net.ends[1], p, 13, net.now_us);
    px_kcp_input(net.ends[1], p, 0, net.now_us);
    memcpy(p, "\x98\xba\xdc\xfe", 4);
    memcpy(p + 14, "\x98\xba\xdc\xfe", 4);
    p[12] = 2 | 8;
    p[18] = 82; /* an acknowledgement from the future */
    memset(p + 22, 0xf0, 4);
    px_kcp_input(net.ends[1], p, 38, net.now_us);
    assert_true(both_open());
    exchange(10000, 10 * PX_US_PER_S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(packets_are_as_rustdesk_has_them, close_net),
        cmocka_unit_test_teardown(bytes_arrive_in_order, close_net),
        cmocka_unit_test_teardown(lost_and_reordered_packets_are_made_up_for, close_net),
        cmocka_unit_test_teardown(opening_survives_losses, close_net),
        cmocka_unit_test_teardown(line_is_filled_and_not_flooded, close_net),
        cmocka_unit_test_teardown(what_the_line_does_not_take_is_told, close_net),
        cmocka_unit_test_teardown(idle_stream_sleeps, close_net),
        cmocka_unit_test_teardown(who_is_gone_is_noticed, close_net),
        cmocka_unit_test_teardown(end_is_told, close_net),
        cmocka_unit_test_teardown(slow_reader_slows_the_writer, close_net),
        cmocka_unit_test_teardown(strangers_packets_change_nothing, close_net),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
