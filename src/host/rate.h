/* src/host/rate.h - how many bits a second a viewer is sent
 *
 * As many as the line was seen to take. Nothing is known of it at first: then what the client's
 * quality is usually worth, and more as soon as packets of that went through without waiting. Only
 * who wants less than balanced quality is bounded by that wish for good.
 *
 * A line that has made us wait once is not filled again: what is sent is reckoned against it, and
 * the next packet waits until next to nothing stands before it. Where the way's delay grows less
 * than that reckoning says the line takes more than was believed; where it grows more, less.
 * Pure. */
#pragma once
#include "host/link.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than 1920x1080 pixels sixty times a second take without any compression, and as much as
 * encoders count with in an int of bits. */
#define PX_RATE_MAX_KBPS 2000000
#define PX_RATE_MIN_KBPS 150
#define PX_RATE_QUICK_US 8000 /* a packet that passed in less did not wait */

struct px_rate {                 /* zeroed: nothing known */
    unsigned line_kbps;          /* what the line takes; 0: it never made us wait */
    unsigned proven_kbps;        /* what it took without waiting, while line_kbps is 0 */
    int64_t load_us, load_at_us; /* the line's time that was sent and not over then */
};

/* @bytes were with the kernel at @now_us, @took_us after they were sent; @link: what it says now.
 */
void px_rate_passed(struct px_rate *r, size_t bytes, int64_t took_us, int64_t now_us,
                    const struct px_link_info *link);
/* How long until what is under way has gone down to what the line holds by itself and @slack_us of
 * its time more. 0: it has; or nothing is known of the line. */
int64_t px_rate_wait_us(const struct px_rate *r, const struct px_link_info *link, int64_t slack_us);
/* What we send, @sent_kbps at most, queues up somewhere in the network. */
void px_rate_queues(struct px_rate *r, unsigned sent_kbps);
/* What the line takes, less a part for what else is sent; 0: it never made us wait. */
unsigned px_rate_line_kbps(const struct px_rate *r, unsigned n_displays);
/* @wish_kbps: what the quality is worth; @frugal: and no more. @n_displays share the line. */
unsigned px_rate_kbps(const struct px_rate *r, unsigned wish_kbps, bool frugal,
                      unsigned n_displays);
