/* src/base/histogram.h - how often something took how long
 *
 * Buckets double from 125 us to 256 ms, so that those of different programs add up. Zeroed is
 * empty. Pure. */
#pragma once
#include <stdint.h>

#define PX_HISTOGRAM_BOUNDS 12

struct px_histogram {
    uint64_t counts[PX_HISTOGRAM_BOUNDS + 1]; /* the last: above all bounds */
    uint64_t n, sum_us;
};

void px_histogram_add(struct px_histogram *h, int64_t us); /* less than 0 counts as 0 */
/* Upper bound of bucket @i, inclusive; 0 <= @i < PX_HISTOGRAM_BOUNDS. */
unsigned px_histogram_bound_us(int i);
