/* src/backend/lxc/helper.h - the program phoenix-lxc: where liblxc's processes come from
 *
 * A container's monitor is a process for as long as the container runs, and liblxc forks from
 * whoever starts or attaches. Both therefore happen in a small program of their own:
 * single-threaded, with no fds or memory of ours to inherit, and in `start`'s case already inside
 * the private mount namespace. Requests are arguments that anyone may see, the rest comes by fd:
 *
 *     phoenix-lxc start LXCPATH NAME LOGFILE        STATUS on fd 3, socket (ready.h) on fd 4
 *     phoenix-lxc exec LXCPATH NAME                 STATUS on fd 3, request (exec.h) on fd 4 */
#pragma once
#include "base/error.h"

#define PX_HELPER_STATUS_FD 3
#define PX_HELPER_REQUEST_FD 4

/* What the helper reports, once, as one write: value is the answer where err.code is 0. */
struct px_helper_status {
    int value;
    struct px_error err;
};

/* Path of the program, the caller's: beside this one, in ../backend (a build tree), in
 * ../libexec/phoenix, or where it is installed. -ENOENT. */
int px_helper_find(char **ret, struct px_error *err);

/* Reads the report. -EIO: the helper died before one. */
int px_helper_status_read(int fd, struct px_helper_status *ret, struct px_error *err);
