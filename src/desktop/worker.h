/* src/desktop/worker.h - many desktops at once: a process each, with a bound
 *
 * Processes and not threads: liblxc forks and changes namespaces, and a crash in one desktop's work
 * must not take the others along. Events come back through a pipe. One thread calls. */
#pragma once
#include "desktop/event.h"
#include <stddef.h>

struct px_job {
    const char *desktop;
    /* Runs in a child process; 0 or more: done. What it changes in memory is lost. */
    int (*run)(void *data, const struct px_events *events, struct px_error *err);
    void *data;
    int result;          /* out: what run returned; -ECANCELED: never begun */
    struct px_error err; /* out */
};

/* Runs all jobs, at most @parallel (> 0) at once, in their order. Sends each job's STEP, NOTE and
 * DONE events on, and FAILED with its error. Returns the number of jobs that failed, or -EINTR
 * after a signal (base/interrupt.h): no further job was begun and those running were told to stop.
 */
int px_workers_run(struct px_job *jobs, size_t n_jobs, unsigned parallel,
                   const struct px_events *events, struct px_error *err);
