/* src/backend/lxc/cgroup.h - cgroups of both versions, by file
 *
 * A host has one unified (v2) hierarchy, or one per controller (v1), or both (hybrid): a controller
 * is found in exactly one place. Paths of cgroups are relative to a hierarchy's root,
 * "phoenix/NAME". Thread-safe: a layout is plain values. Source: cgroups(7), cgroup-v2.rst of the
 * kernel. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum px_cg_controller {
    PX_CG_CPU,
    PX_CG_CPUACCT,
    PX_CG_CPUSET,
    PX_CG_MEMORY,
    PX_CG_PIDS,
    PX_CG_DEVICES, /* v2: by eBPF, without files */
    PX_CG_N
};

#define PX_CG_MOUNTS_MAX 16
#define PX_CG_PATH_MAX 256

struct px_cg_layout {
    char mounts[PX_CG_MOUNTS_MAX][PX_CG_PATH_MAX]; /* every hierarchy, named ones too */
    size_t n_mounts;
    int unified;             /* index of the v2 hierarchy, -1: none */
    int controller[PX_CG_N]; /* index of the hierarchy that has it, -1: none */
};

/* Finds the hierarchies in the text of mountinfo; pure. @controllers: text of the v2 root's
 * cgroup.controllers, "" where there is none. */
void px_cg_parse(const char *mountinfo, struct px_cg_layout *ret);
void px_cg_parse_controllers(const char *controllers, struct px_cg_layout *layout);
/* This host's. -ENOENT: no cgroup is mounted. */
int px_cg_layout(struct px_cg_layout *ret, struct px_error *err);

/* Whether @controller is there, and is the unified hierarchy's. */
bool px_cg_has(const struct px_cg_layout *layout, enum px_cg_controller controller);
bool px_cg_is_v2(const struct px_cg_layout *layout, enum px_cg_controller controller);

/* The file @file of @cgroup where @controller lives. -ENOENT: no such controller, cgroup or file.
 */
int px_cg_read(const struct px_cg_layout *layout, enum px_cg_controller controller,
               const char *cgroup, const char *file, char *out, size_t size, struct px_error *err);
int px_cg_read_u64(const struct px_cg_layout *layout, enum px_cg_controller controller,
                   const char *cgroup, const char *file, uint64_t *ret, struct px_error *err);
int px_cg_write(const struct px_cg_layout *layout, enum px_cg_controller controller,
                const char *cgroup, const char *file, const char *value, struct px_error *err);

/* The value behind @key in a file of "key value" lines (memory.stat, cpu.stat); 0 when absent;
 * pure. */
uint64_t px_cg_stat_value(const char *text, const char *key);

/* Kills every process in @cgroup and below, in all hierarchies, and waits for their end.
 * -ETIMEDOUT: some did not go. */
int px_cg_kill(const struct px_cg_layout *layout, const char *cgroup, int timeout_ms,
               struct px_error *err);
/* Removes @cgroup and what is below it in all hierarchies; none there is good. -EBUSY: processes.
 */
int px_cg_remove(const struct px_cg_layout *layout, const char *cgroup, struct px_error *err);
