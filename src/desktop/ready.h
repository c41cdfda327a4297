/* src/desktop/ready.h - waiting until a started desktop is of use
 *
 * Nothing here trusts the desktop: what it says only ends the waiting. */
#pragma once
#include "desktop/life.h"

/* Waits as @wait says; @timeout_us 0: 120 s. Levels that image or spec do not have are passed over.
 * -ETIMEDOUT: the message says what did not come, the hint where to look. -ESRCH: it stopped. */
int px_ready_wait(const struct px_fleet *fleet, const struct px_desktop *d, enum px_wait_for wait,
                  int64_t timeout_us, const struct px_events *events, struct px_error *err);

/* Whether the running desktop's image has an X session; and JupyterLab, and the spec wants it.
 * False also where it does not run. */
bool px_ready_has_session(const struct px_fleet *fleet, const struct px_desktop *d);
bool px_ready_has_jupyter(const struct px_fleet *fleet, const struct px_desktop *d);

/* "http://ADDRESS:8888/lab?token=...", the caller's; NULL: it has no token or address. */
char *px_ready_jupyter_url(const struct px_desktop *d);
