/* src/backend/lxc/limits.h - a running container's limits, and what it uses */
#pragma once
#include "backend/backend.h"
#include "backend/lxc/config.h"

/* Sets memory, pids, cores and the size of /dev/shm of the running container. *ret_restart_needed
 * becomes true where the kernel does not take a value now: memory below what is in use (which would
 * kill programs on v2), cores that a cgroup inside holds on to (v1). */
int px_limits_apply(const struct px_container *c, const struct px_lxc_host *host,
                    bool *ret_restart_needed, struct px_error *err);
/* Fills in memory, cpu and pids. */
void px_limits_usage(const struct px_container *c, struct px_container_info *info);

/* The file that is /sys/devices/system/cpu/online inside, for programs that count by it
 * (os.cpu_count(), getconf): RUN/containers/NAME/cpus. Written in place, it is mounted. */
int px_limits_write_online(const struct px_container *c, const char *cpus, struct px_error *err);
