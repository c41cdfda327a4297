/* src/host/rate.c - how many bits a second a viewer is sent */
#include "host/rate.h"

#define TELLING_US 1000 /* a packet that takes less of the line's time tells nothing about it */

static unsigned least(uint64_t a, unsigned b) {
    return a < b ? (unsigned)a : b;
}

/* kbit/s that @bytes in @us are. */
static uint64_t kbps_of(size_t bytes, int64_t us) {
    return (uint64_t)bytes * 8 * 1000 / (uint64_t)us;
}

void px_rate_passed(struct px_rate *r, size_t bytes, int64_t took_us,
                    uint64_t delivered_bytes_per_s) {
    if (took_us >= PX_RATE_QUICK_US) {
        const uint64_t kbps = delivered_bytes_per_s * 8 / 1000;
        if (kbps > 0)
            r->line_kbps = least(r->line_kbps ? ((uint64_t)r->line_kbps * 3 + kbps) / 4 : kbps,
                                 PX_RATE_MAX_KBPS);
    } else if (r->line_kbps == 0) {
        const unsigned seen = least(kbps_of(bytes, PX_RATE_QUICK_US), PX_RATE_MAX_KBPS);
        r->proven_kbps = seen > r->proven_kbps ? seen : r->proven_kbps;
    } else if (kbps_of(bytes, TELLING_US) >= r->line_kbps)
        r->line_kbps = least((uint64_t)r->line_kbps + r->line_kbps / 16 + 50, PX_RATE_MAX_KBPS);
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
