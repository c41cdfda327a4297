/* src/base/proc.h - other programs: run, feed, capture, time out
 *
 * No shell, no inherited fds but 0-2, a cleared environment unless asked for. Thread-safe.
 * Source: posix_spawn(3), pidfd_open(2). */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct px_proc_opts {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
    const char *const
        *env;          /* NULL-terminated "K=V"; NULL: PATH, HOME, LANG=C.UTF-8 and TERM only */
    bool inherit_env;  /* give our whole environment, then @env over it */
    const char *cwd;   /* NULL: ours */
    const char *input; /* fed to stdin; NULL: /dev/null */
    size_t input_size;
    struct px_buf *out;     /* stdout is added here; NULL: see log_fd */
    struct px_buf *out_err; /* stderr is added here; may equal @out; NULL: see log_fd */
    size_t max_bytes;       /* of each buffer; what comes beyond is dropped. 0: 1 MiB */
    int log_fd;             /* lent; output that no buffer or line callback takes is copied to it.
                               0 or less: dropped */
    /* Called for each line of stdout and stderr, without its newline, on the calling thread; also
     * when a buffer takes it. NULL: none. */
    void (*on_line)(void *data, const char *line);
    void *data;
    int64_t timeout_us; /* 0: none. Past it: SIGTERM to the process group, SIGKILL 2 s later */
    /* Runs in the child just before exec, after fork: async-signal-safe calls only. Not 0: gives up
     * with that errno. NULL: none. */
    int (*prepare)(void *data);
    bool die_with_parent; /* PR_SET_PDEATHSIG SIGKILL */
};

/* Runs to the end. Returns the exit status 0..255, or 128+n for death by signal n; that is no
 * error. -ENOENT: no such program. -ETIMEDOUT. -EINTR: we were asked to stop (base/interrupt.h),
 * and ended the program first. */
int px_proc_run(const struct px_proc_opts *opts, struct px_error *err);

/* The same for programs whose failure is ours: any status but 0 is -EIO with the last line of
 * stderr in the message. */
int px_proc_check(const struct px_proc_opts *opts, struct px_error *err);

/* Path of program @name in PATH (or /usr/sbin:/sbin), the caller's; NULL: not there. */
char *px_proc_find(const char *name);
