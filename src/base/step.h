/* src/base/step.h - named steps of long work, where a test can strike
 *
 * px_step("up.root") marks that the work has come so far. With PHOENIX_TEST_STEP=NAME=SIGNAL in the
 * environment (SIGNAL: KILL, TERM, INT, STOP) the process sends itself that signal there; with
 * NAME=ERROR the step returns -EIO with an error, as if the work had failed. Tests use it to prove
 * that a second run finishes whatever the first left behind. */
#pragma once
#include "base/error.h"

/* 0, or -EIO when a test asked for it, or -EINTR when we were asked to stop (base/interrupt.h). */
int px_step(const char *name, struct px_error *err);
