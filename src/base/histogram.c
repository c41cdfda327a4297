/* src/base/histogram.c - how often something took how long */
#include "base/histogram.h"

#define FIRST_US 125

unsigned px_histogram_bound_us(int i) {
    return FIRST_US << i;
}

void px_histogram_add(struct px_histogram *h, int64_t us) {
    const uint64_t v = us > 0 ? (uint64_t)us : 0;
    int i = 0;
    while (i < PX_HISTOGRAM_BOUNDS && v > px_histogram_bound_us(i))
        i++;
    h->counts[i]++;
    h->n++;
    h->sum_us += v;
}
