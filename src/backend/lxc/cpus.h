/* src/backend/lxc/cpus.h - which cores a container gets
 *
 * A cpuset, not a quota: nproc(1), sched_getaffinity(2) and with them OpenBLAS, OpenMP, PyTorch and
 * make -j see as many cores as there are, instead of starting one thread per core of the host and
 * being throttled. The sets are spread so that each core serves about as many containers, whole
 * cores (both threads) and one NUMA node first. Choices are files RUN/cpus/NAME, made under the
 * lock RUN/cpus.lock, so that containers started at once see each other. */
#pragma once
#include "backend/backend.h"
#include "backend/lxc/cgroup.h"

#define PX_CPUS_MAX 4096
#define PX_CPUS_TEXT_MAX 512

struct px_cpu {
    unsigned id, core, node; /* core: the lowest id of its threads */
    unsigned load;           /* containers that may run on it */
};

/* "0-3,8" to flags in @set of PX_CPUS_MAX; pure. -EINVAL. */
int px_cpus_parse(const char *list, bool *set, struct px_error *err);
/* The shortest list; pure. -ENOSPC: it does not fit. */
int px_cpus_format(const bool *set, char *out, size_t size, struct px_error *err);
/* Marks @wanted (at most @n) of @cpus in @set, the least loaded ones; pure. */
void px_cpus_pick(const struct px_cpu *cpus, size_t n, size_t wanted, bool *set);

/* The set for @c, "" where it gets all cores. @keep: as it is now where it still fits (for a
 * running container). */
int px_cpus_choose(const struct px_container *c, const struct px_cg_layout *cgroups, bool keep,
                   char out[PX_CPUS_TEXT_MAX], struct px_error *err);
/* Gives its cores back. */
void px_cpus_release(const struct px_container *c);
