/* src/host/rate.c - how many bits a second a viewer is sent */
#include "host/rate.h"

#define TELLING_US 8000 /* less of the line's time tells nothing about it */
#define EXTRA_US 8000   /* so much more delay than reckoned: the line takes less */

static unsigned least(uint64_t a, unsigned b) {
    return a < b ? (unsigned)a : b;
}

/* kbit/s that @bytes in @us are. */
static uint64_t kbps_of(size_t bytes, int64_t us) {
    return (uint64_t)bytes * 8 * 1000 / (uint64_t)us;
}

/* What the line needs for @bytes. */
static int64_t us_of(const struct px_rate *r, uint64_t bytes) {
    return (int64_t)(bytes * 8 * 1000 / r->line_kbps);
}

static void reckon(struct px_rate *r, size_t bytes, int64_t now_us) {
    const int64_t left = r->load_us - (now_us - r->load_at_us);
    r->load_us = (left > 0 ? left : 0) + us_of(r, bytes);
    r->load_at_us = now_us;
}

/* Compares what should stand before the line with how much longer the way takes for it. A packet
 * waits half as long as the last of its burst, and the kernel's mean lags. */
static void correct(struct px_rate *r, uint64_t delivered_kbps, const struct px_link_info *link) {
    const int64_t queue_us = (int64_t)link->rtt_us - link->min_rtt_us;
    if (queue_us > r->load_us + EXTRA_US) {
        const unsigned less = r->line_kbps - r->line_kbps / 8;
        r->line_kbps = delivered_kbps > less ? least(delivered_kbps, r->line_kbps) : less;
    } else if (r->load_us >= TELLING_US && queue_us < r->load_us / 4)
        r->line_kbps = least((uint64_t)r->line_kbps + r->line_kbps / 16 + 50, PX_RATE_MAX_KBPS);
}

void px_rate_passed(struct px_rate *r, size_t bytes, int64_t took_us, int64_t now_us,
                    const struct px_link_info *link) {
    const uint64_t kbps = link->delivered_bytes_per_s * 8 / 1000;
    if (took_us >= PX_RATE_QUICK_US) {
        if (kbps > 0)
            r->line_kbps = least(r->line_kbps ? ((uint64_t)r->line_kbps * 3 + kbps) / 4 : kbps,
                                 PX_RATE_MAX_KBPS);
    } else if (r->line_kbps == 0) {
        const unsigned seen = least(kbps_of(bytes, PX_RATE_QUICK_US), PX_RATE_MAX_KBPS);
        r->proven_kbps = seen > r->proven_kbps ? seen : r->proven_kbps;
    } else {
        reckon(r, bytes, now_us);
        correct(r, kbps, link);
    }
}

int64_t px_rate_wait_us(const struct px_rate *r, const struct px_link_info *link,
                        int64_t slack_us) {
    if (r->line_kbps == 0 || link->outstanding_bytes == 0)
        return 0;
    const int64_t us = us_of(r, link->outstanding_bytes) - link->min_rtt_us - slack_us;
    return us > 0 ? us : 0;
}

void px_rate_queues(struct px_rate *r, unsigned sent_kbps) {
    const uint64_t of = r->line_kbps ? r->line_kbps : sent_kbps;
    r->line_kbps = least(of * 8 / 10 + 1, PX_RATE_MAX_KBPS);
}

unsigned px_rate_line_kbps(const struct px_rate *r, unsigned n_displays) {
    return (unsigned)((uint64_t)r->line_kbps * 8 / 10 / (n_displays ? n_displays : 1));
}

unsigned px_rate_kbps(const struct px_rate *r, unsigned wish_kbps, bool frugal,
                      unsigned n_displays) {
    unsigned kbps = r->line_kbps                 ? px_rate_line_kbps(r, n_displays)
                    : r->proven_kbps > wish_kbps ? r->proven_kbps
                                                 : wish_kbps;
    if (frugal && kbps > wish_kbps)
        kbps = wish_kbps;
    return kbps < PX_RATE_MIN_KBPS ? PX_RATE_MIN_KBPS : kbps;
}
