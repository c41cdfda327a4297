/* tests/host/clock.c - the clock of a test's own process, which can be put forward
 *
 * clock_gettime() of a program stands before the C library's for all that is linked with it, libuv
 * as well. */
#include "clock.h"
#include "base/clock.h"
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic int64_t ahead_us;

int clock_gettime(clockid_t id, struct timespec *ts) {
    const long r = syscall(SYS_clock_gettime, id, ts);
    if (r == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)) {
        const int64_t ns = ts->tv_nsec + ahead_us % PX_US_PER_S * 1000;
        ts->tv_sec += ahead_us / PX_US_PER_S + ns / 1000000000;
        ts->tv_nsec = ns % 1000000000;
    }
    return (int)r;
}

void clock_advance(int64_t us) {
    ahead_us += us;
}

int64_t clock_real_us(void) {
    return px_now_us() - ahead_us;
}
