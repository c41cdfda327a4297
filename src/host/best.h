/* src/host/best.h - how long a way takes at its best, of late
 *
 * What is more than that is a queue. Routes change: with a best for ever, a longer one would be
 * taken for a queue for ever. Counted as the kernel does, over some five minutes. Pure. */
#pragma once
#include "base/clock.h"
#include <stdbool.h>

#define PX_BEST_US (150 * PX_US_PER_S)

struct px_best {             /* zeroed */
    int64_t us[2], since_us; /* since then, and in such a time before; 0: none */
};

/* It took @us (> 0) just now; returns the best. */
static inline int64_t px_best_of(struct px_best *b, int64_t us, int64_t now_us) {
    if (b->us[0] == 0 || now_us - b->since_us > PX_BEST_US) {
        b->us[1] = b->us[0];
        b->us[0] = us;
        b->since_us = now_us;
    }
    if (us < b->us[0])
        b->us[0] = us;
    const bool old = b->us[1] > 0 && b->us[1] < b->us[0];
    return b->us[old];
}
