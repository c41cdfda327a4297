/* src/backend/lxc/attach.h - in the helper: a command inside a running container, to its end */
#pragma once
#include "base/error.h"

/* Runs what the request on @request_fd says, on our fds 0 to 2. Returns its exit status 0..255
 * (128+n: signal). -ESRCH: not running; -ETIMEDOUT: killed for that; -EINTR: we were told to end,
 * and have ended it. */
int px_attach_run(const char *lxc_path, const char *name, int request_fd, struct px_error *err);
