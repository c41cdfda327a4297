/* src/desktop/life.h - up, start, stop, restart, rm
 *
 * Each works on several desktops at once, one process per desktop and at most @parallel of them,
 * and goes on with the others when one fails. All are safe to kill at any point: the next call
 * finishes. Each returns 0, or the first error when any desktop failed (the message says how many
 * did; each one's own error went to the events). One thread. */
#pragma once
#include "desktop/event.h"
#include "desktop/plan.h"

enum px_wait_for {
    PX_WAIT_NOTHING, /* init runs */
    PX_WAIT_SYSTEM,  /* systemd says it is up */
    PX_WAIT_DESKTOP, /* the session has painted and Jupyter answers, where image and spec have them
                      */
};

struct px_life_opts {
    unsigned parallel; /* 0: the host file's */
    enum px_wait_for wait;
    int64_t timeout_us;  /* for the waiting, per desktop; 0: 120 s */
    int stop_timeout_ms; /* for stop; less than 0: 30 s; 0: kill at once */
    struct px_events events;
};

/* Takes STATE/up.lock, which whoever hands out or takes away images holds; the fd holds it. Where
 * somebody has it, says who (NOTE) and waits. -EINTR: SIGINT or SIGTERM came. */
int px_up_lock(const struct px_fleet *fleet, const struct px_events *events, struct px_error *err);

/* Plans (plan.h) and carries the plan out. Holds STATE/up.lock meanwhile; where another up runs it
 * says who (NOTE) and waits. Items that are REPLACE without replace are left alone and make it fail
 * at the end, -EPERM. -EINVAL, -ENOENT: as px_plan_make, nothing was changed. -EINTR: SIGINT or
 * SIGTERM came; what was begun is finished by the next up. */
int px_up(const struct px_fleet *fleet, const struct px_desktop_file *file,
          const struct px_plan_opts *plan_opts, const struct px_life_opts *opts,
          struct px_error *err);

int px_start(const struct px_fleet *fleet, char *const *names, size_t n_names,
             const struct px_life_opts *opts, struct px_error *err);
/* Every desktop with autostart that was running when last asked; for boot. */
int px_start_boot(const struct px_fleet *fleet, const struct px_life_opts *opts,
                  struct px_error *err);
int px_stop(const struct px_fleet *fleet, char *const *names, size_t n_names,
            const struct px_life_opts *opts, struct px_error *err);
/* Stops all for shutdown, without changing what is wanted. */
int px_stop_boot(const struct px_fleet *fleet, const struct px_life_opts *opts,
                 struct px_error *err);
int px_restart(const struct px_fleet *fleet, char *const *names, size_t n_names,
               const struct px_life_opts *opts, struct px_error *err);
/* Removes them with everything they hold, home included. */
int px_rm(const struct px_fleet *fleet, char *const *names, size_t n_names,
          const struct px_life_opts *opts, struct px_error *err);
