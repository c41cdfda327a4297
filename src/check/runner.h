/* src/check/runner.h - checks, each in a process of its own
 *
 * Desktops are strangers: what looks into one may hang, crash or say far too much. So every check
 * runs in a child process (and process group) with a deadline, says what it found through a pipe,
 * and whatever happens to it becomes one failure among the findings. The checks of a desktop run
 * one after the other, in their order; at most @parallel desktops are at it at once.
 * One thread; forks, so no other threads. */
#pragma once
#include "check/findings.h"
#include <stdint.h>

struct px_check {
    const char *name;   /* "dns": for --only; also the usual subject of what it finds */
    const char *doc;    /* one line, no full stop */
    int64_t timeout_us; /* after that it is ended, with all its children of the same group */
    /* In the child. Adds at least one finding. What it changes in memory is lost; descriptors are
     * the parent's; stdin and stdout are /dev/null. */
    void (*run)(const void *desk, struct px_findings *ret);
};

struct px_check_outcome {
    const struct px_check *check; /* lent */
    int64_t timeout_us;           /* 0: the check's own */
    struct px_findings findings;  /* at least one once it ran */
    int64_t elapsed_us;
};

struct px_check_line {                 /* the checks of one desktop */
    const char *name;                  /* of the desktop, lent */
    const void *desk;                  /* for run, lent */
    struct px_check_outcome *outcomes; /* .check filled in by the caller, who owns the array */
    size_t n;
};

struct px_check_watch {
    /* @check NULL: this line is done. Called on the caller's thread. */
    void (*fn)(void *data, const struct px_check_line *line, const struct px_check *check);
    void *data;
};

/* Runs all of them. -EINTR: we were asked to stop (base/interrupt.h); running checks were ended.
 * Free each outcome's findings in any case. */
int px_checks_run(struct px_check_line *lines, size_t n, unsigned parallel,
                  const struct px_check_watch *watch, struct px_error *err);
