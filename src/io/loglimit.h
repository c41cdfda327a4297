/* src/io/loglimit.h - a bound for log lines that a peer can trigger
 *
 * At most PX_LOGLIMIT_PER_S lines in a second; the first line of a later second tells how many were
 * left out. Zeroed is ready. Belongs to one thread. */
#pragma once
#include "base/clock.h"
#include "base/log.h"
#include <stdbool.h>

#define PX_LOGLIMIT_PER_S 100

struct px_loglimit {
    int64_t since_us;
    uint32_t n, left_out;
};

static inline bool px_loglimit_pass(struct px_loglimit *l, const char *who, int64_t now_us) {
    if (now_us - l->since_us >= PX_US_PER_S) {
        if (l->left_out)
            px_warning("%s: %u log lines left out", who, l->left_out);
        *l = (struct px_loglimit){.since_us = now_us};
    }
    if (l->n++ < PX_LOGLIMIT_PER_S)
        return true;
    l->left_out++;
    return false;
}
