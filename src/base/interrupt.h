/* src/base/interrupt.h - being asked to stop while at work
 *
 * After px_interrupt_catch() the first SIGINT, SIGTERM or SIGHUP only asks: px_step() returns
 * -EINTR at the next step, px_proc_run() ends the program it waits for, and whoever waits in a loop
 * of its own looks at px_interrupted(). The work then fails as it would for any other reason and
 * cleans up after itself. A second signal of the same kind ends the process at once: what is left
 * behind is finished by the next run. Without px_interrupt_catch() signals do what they always do.
 * A signal handler needs a static variable; this module holds it. Any thread.
 * Source: sigaction(2), SA_RESETHAND. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

void px_interrupt_catch(void);
/* Whether px_interrupt_catch() was called. */
bool px_interrupt_caught(void);
/* The signal that asked, 0: none did. */
int px_interrupt_signal(void);
static inline bool px_interrupted(void) {
    return px_interrupt_signal() != 0;
}
/* How many signals asked so far. Clean-up after an interruption runs programs, too: these are ended
 * only when the number grows while they run. */
unsigned px_interrupt_count(void);
/* Fills in the error: -EINTR, "stopped by Ctrl-C". */
int px_interrupt_fail(struct px_error *err);
