/* tests/host/clock.h - the clock of a test's own process, which can be put forward
 *
 * For a host within the process (inside.h): hours pass while the test watches. All of it sees the
 * same time, clients too; waits in the kernel last as long as ever, so a loop has to be woken to
 * see what time it is. Any thread. */
#pragma once
#include <stdint.h>

void clock_advance(int64_t us);
int64_t clock_real_us(void); /* never put forward */
