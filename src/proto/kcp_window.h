/* src/proto/kcp_window.h - how much may be on its way at once
 *
 * KCP as RustDesk sets it up knows no congestion: it would put its whole window of 1024 segments on
 * any line. Here the window follows what the line delivers: one round trip's worth of it and half
 * as much again, found by doubling at first. Once in a while a round with little on its way shows
 * what the round trip is without a queue of ours. Pure; the clock is the caller's. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PX_KCP_WINDOW_MIN 16 /* segments */
#define PX_KCP_WINDOW_MAX 1024

struct px_kcp_window {
    uint32_t segments; /* the window */
    double rate;       /* segments a second, the most of late; 0: unknown */
    int64_t min_rtt_us, min_at_us;
    bool starting, draining;
    unsigned flat, n_rounds; /* rounds without growth; all rounds */
    bool in_round, limited;  /* in this round there was more to send than the window let through */
    uint32_t seen;           /* the next serial number, when last asked */
    uint32_t from, last; /* serial numbers: unacknowledged when it began, the one that ends it */
    int64_t began_us;
    uint32_t timeouts; /* of the library's counter when the round began */
};

void px_kcp_window_init(struct px_kcp_window *w);
/* After each flush. @una: the first serial number not acknowledged; @next: the next one to be used;
 * @more: there is more to send; @timeouts: retransmissions after a time-out, all together. */
void px_kcp_window_step(struct px_kcp_window *w, uint32_t una, uint32_t next, bool more,
                        uint32_t timeouts, int64_t now_us);
