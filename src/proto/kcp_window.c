/* src/proto/kcp_window.c - how much may be on its way at once */
#include "proto/kcp_window.h"
#include "base/clock.h"

#define START_SEGMENTS 32
#define GAIN 1.5
#define PROBE_GAIN 2.0 /* each PROBE_ROUNDS-th round: does the line take more by now? */
#define PROBE_ROUNDS 8
#define EXTRA_SEGMENTS 8.0 /* a line's round trip may hold less than a picture's first packets */
#define FLAT_ROUNDS 3
#define MIN_RTT_US (20 * PX_US_PER_S)

void px_kcp_window_init(struct px_kcp_window *w) {
    *w = (struct px_kcp_window){.segments = START_SEGMENTS, .starting = true};
}

static uint32_t clamp(double v) {
    return v < PX_KCP_WINDOW_MIN   ? PX_KCP_WINDOW_MIN
           : v > PX_KCP_WINDOW_MAX ? PX_KCP_WINDOW_MAX
                                   : (uint32_t)v;
}

static void note_rtt(struct px_kcp_window *w, int64_t rtt_us, int64_t now_us) {
    if (w->min_rtt_us && rtt_us >= w->min_rtt_us && !w->draining)
        return;
    w->min_rtt_us = rtt_us > 0 ? rtt_us : 1;
    w->min_at_us = now_us;
}

static void choose(struct px_kcp_window *w, bool grew, bool heavy_loss, int64_t now_us) {
    const double trip = w->rate * (double)w->min_rtt_us / 1e6;
    if (heavy_loss) {
        w->starting = false;
        w->rate /= 2;
        w->segments = clamp(w->segments / 2.0);
    } else if (w->starting && w->limited) {
        w->flat = grew ? 0 : w->flat + 1;
        w->starting = w->flat < FLAT_ROUNDS;
        w->segments = clamp(grew ? w->segments * 2.0 : w->segments);
    }
    if (heavy_loss || w->starting)
        return;
    const double gain = w->n_rounds % PROBE_ROUNDS == 0 ? PROBE_GAIN : GAIN;
    w->draining = w->limited && now_us - w->min_at_us > MIN_RTT_US;
    w->segments = w->draining ? PX_KCP_WINDOW_MIN : clamp(trip * gain + EXTRA_SEGMENTS);
}

static void end_round(struct px_kcp_window *w, uint32_t una, uint32_t timeouts, int64_t now_us) {
    const uint32_t delivered = una - w->from;
    const int64_t took = now_us > w->began_us ? now_us - w->began_us : 1;
    const double rate = delivered * 1e6 / (double)took;
    const bool grew = rate > w->rate * 1.25;
    note_rtt(w, took, now_us);
    if (rate > w->rate)
        w->rate = rate;
    else if (w->limited && !w->draining) /* the line, not we, says so: believed by and by */
        w->rate -= (w->rate - rate) / 8;
    w->n_rounds++;
    choose(w, grew, timeouts - w->timeouts > delivered / 4 + 2, now_us);
    w->in_round = false;
}

void px_kcp_window_step(struct px_kcp_window *w, uint32_t una, uint32_t next, bool more,
                        uint32_t timeouts, int64_t now_us) {
    if (w->in_round && (int32_t)(una - w->last) > 0)
        end_round(w, una, timeouts, now_us);
    if (!w->in_round && next != w->seen) { /* its last segment left just now */
        w->in_round = true;
        w->limited = false;
        w->from = una;
        w->last = next - 1;
        w->began_us = now_us;
        w->timeouts = timeouts;
    }
    w->limited |= more;
    w->seen = next;
}
