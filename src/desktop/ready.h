/* src/desktop/ready.h - waiting until a started desktop is of use
 *
 * Nothing here trusts the desktop: what it says only ends the waiting. */
#pragma once
#include "desktop/life.h"

/* Waits as @wait says; @timeout_us 0: 120 s. Levels that image or spec do not have are passed over.
 * -ETIMEDOUT: the message says what did not come, the hint where to look. -ESRCH: it stopped. */
int px_ready_wait(const struct px_fleet *fleet, const struct px_desktop *d, enum px_wait_for wait,
                  int64_t timeout_us, const struct px_events *events, struct px_error *err);

/* Whether @path is there inside; false also where it does not run. */
bool px_ready_is_inside(const struct px_fleet *fleet, const struct px_desktop *d, const char *path);

/* Whether the running desktop's image has an X session; and JupyterLab, and the spec wants it.
 * False also where it does not run. */
bool px_ready_has_session(const struct px_fleet *fleet, const struct px_desktop *d);
bool px_ready_has_jupyter(const struct px_fleet *fleet, const struct px_desktop *d);

/* Whether its session has painted what a person would call the desktop. */
bool px_ready_painted(const struct px_fleet *fleet, const struct px_desktop *d);
/* One request to JupyterLab, with or without the token, 2 s at most. Returns HTTP's status: 200 for
 * who has the token, 403 for others. -ETIMEDOUT: no answer. */
int px_ready_ask_jupyter(const struct px_desktop *d, bool with_token, struct px_error *err);

/* "http://ADDRESS:8888/lab?token=...", the caller's; NULL: it has no token or address. */
char *px_ready_jupyter_url(const struct px_desktop *d);
