/* src/desktop/many.h - one task per desktop, under its lock, in worker processes */
#pragma once
#include "desktop/life.h"

struct px_task;
typedef int (*px_task_fn)(const struct px_task *task, const struct px_events *events,
                          struct px_error *err);

struct px_task {
    const struct px_fleet *fleet;
    const struct px_life_opts *opts;
    const char *name;
    px_task_fn run;  /* called in the worker, holding the desktop's lock */
    const void *arg; /* for run */
};

/* Runs the tasks, opts->parallel (or the host file's, or the number of cores) at once. A lock that
 * is taken is waited for, with a NOTE. Returns 0, or the one error or "N of M desktops failed". */
int px_many_run(const struct px_task *tasks, size_t n, const struct px_life_opts *opts,
                struct px_error *err);
