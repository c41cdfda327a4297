/* src/desktop/reach.h - going into a running desktop: shell, exec, screenshot, logs
 *
 * -ESRCH from each: the desktop does not run (the hint says how to start it). One thread. */
#pragma once
#include "base/buf.h"
#include "desktop/fleet.h"

struct px_exec_opts {
    const char *const *argv; /* NULL: a login shell */
    const char *user;        /* NULL: the desktop's user; "root" works */
    bool tty;                /* see px_backend_exec */
    bool session;            /* with the X session's DISPLAY, XAUTHORITY, session bus */
    int fd_in, fd_out, fd_err;
    int64_t timeout_us;
};
/* Returns the exit status 0..255. */
int px_desktop_exec(const struct px_fleet *fleet, const char *name, const struct px_exec_opts *opts,
                    struct px_error *err);

/* Runs opts->argv inside, with no input, and collects stdout up to @max_bytes and, where @ret_errs
 * is not NULL, the first 4 KiB of stderr. opts->timeout_us must be set; its fds are not used.
 * Returns the exit status 0..255. -EFBIG: more than that; -ETIMEDOUT; -ESRCH: it does not run. */
int px_desktop_collect(const struct px_fleet *fleet, const struct px_desktop *d,
                       const struct px_exec_opts *opts, size_t max_bytes, struct px_buf *ret,
                       struct px_buf *ret_errs, struct px_error *err);

/* A PNG of the whole X screen. -ENOTSUP: its image has no X session. */
int px_desktop_screenshot(const struct px_fleet *fleet, const char *name, struct px_buf *ret_png,
                          struct px_error *err);

/* Copies the log to @fd_out: the journal of a running desktop (@n_lines last ones, -1: all;
 * @follow), the console of a stopped one; @host: what the backend logged. */
struct px_logs_opts {
    int n_lines;
    bool follow, host;
    const char *unit; /* NULL: all */
    int fd_out;
};
int px_desktop_logs(const struct px_fleet *fleet, const char *name, const struct px_logs_opts *opts,
                    struct px_error *err);
