/* src/desktop/many.c - one task per desktop, under its lock, in worker processes */
#include "desktop/many.h"
#include "base/alloc.h"
#include "desktop/worker.h"
#include <string.h>
#include <sys/sysinfo.h>

/* Waiting in pieces, so that a signal is noticed between them. */
static int lock_or_say(const struct px_task *t, const struct px_events *events,
                       struct px_error *err) {
    int fd = px_desktop_lock(t->fleet, t->name, false, 0, err);
    if (fd != -EAGAIN)
        return fd;
    const struct px_event event = {.kind = PX_EVENT_NOTE, .desktop = t->name, .text = err->msg};
    px_event_send(events, &event);
    return px_desktop_lock(t->fleet, t->name, false, -1, err);
}

static int run_task(void *data, const struct px_events *events, struct px_error *err) {
    const struct px_task *t = data;
    px_cleanup_close int lock = lock_or_say(t, events, err);
    return lock < 0 ? lock : t->run(t, events, err);
}

static unsigned how_many(const struct px_fleet *fleet, const struct px_life_opts *opts) {
    if (opts->parallel > 0)
        return opts->parallel;
    const unsigned host = px_fleet_host(fleet)->parallel;
    return host > 0 ? host : (unsigned)get_nprocs();
}

/* What the whole call failed with. */
static int sum_up(const struct px_job *jobs, size_t n, int n_failed, struct px_error *err) {
    const struct px_job *first = jobs;
    while (first->result >= 0)
        first++;
    if (n > 1)
        return px_fail(err, first->result, "%d of %zu desktops failed", n_failed, n);
    if (err)
        *err = first->err;
    return px_wrap(err, first->result, "desktop '%s'", first->desktop);
}

int px_many_run(const struct px_task *tasks, size_t n, const struct px_life_opts *opts,
                struct px_error *err) {
    if (n == 0)
        return 0;
    px_cleanup_free struct px_job *jobs = px_new0(struct px_job, n);
    px_cleanup_free struct px_task *copies = px_memdup(tasks, n * sizeof(*tasks));
    for (size_t i = 0; i < n; i++)
        jobs[i] = (struct px_job){.desktop = tasks[i].name, .run = run_task, .data = &copies[i]};
    int r = px_workers_run(jobs, n, how_many(tasks[0].fleet, opts), &opts->events, err);
    return r > 0 ? sum_up(jobs, n, r, err) : r;
}
