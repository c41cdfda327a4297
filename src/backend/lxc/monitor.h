/* src/backend/lxc/monitor.h - a running container, as its liblxc monitor tells
 *
 * Every call asks anew. Thread-safe for different containers. */
#pragma once
#include "backend/backend.h"

struct px_monitor {
    enum px_container_state state; /* never ABSENT */
    pid_t init_pid;                /* 0: none */
    pid_t monitor_pid;             /* init's parent; 0: no init */
};

int px_monitor_query(const struct px_container *c, struct px_monitor *ret, struct px_error *err);
/* pidfd of init; -ESRCH: not running. */
int px_monitor_open_init(const struct px_container *c, struct px_monitor *ret,
                         struct px_error *err);
/* Waits while it starts or stops, at most @timeout_ms; *ret as px_monitor_query. */
int px_monitor_settle(const struct px_container *c, int timeout_ms, struct px_monitor *ret,
                      struct px_error *err);

/* Field @n (3 = state, 4 = parent, 22 = start time in ticks since boot) of /proc/PID/stat; 0: gone.
 */
uint64_t px_proc_stat(pid_t pid, unsigned n);
/* true: the process of @pidfd ended within @timeout_ms (less than 0: no limit). */
bool px_pidfd_wait(int pidfd, int timeout_ms);
