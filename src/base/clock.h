/* src/base/clock.h - time inside is int64_t µs of CLOCK_MONOTONIC
 * Source: clock_gettime(2). */
#pragma once
#include <stdint.h>
#include <time.h>

#define PX_US_PER_S INT64_C(1000000)
#define PX_US_PER_MS INT64_C(1000)

static inline int64_t px_now_us(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * PX_US_PER_S + ts.tv_nsec / 1000;
}

/* Sleeps; signals do not cut it short. For the command line's waits only, never in a loop callback.
 */
static inline void px_sleep_us(int64_t us) {
    struct timespec ts = {.tv_sec = us / PX_US_PER_S, .tv_nsec = us % PX_US_PER_S * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) != 0)
        ;
}
