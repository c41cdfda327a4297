/* src/backend/lxc/limits.c - a running container's limits, and what it uses */
#include "backend/lxc/limits.h"
#include "backend/lxc/cgroup.h"
#include "backend/lxc/cpus.h"
#include "backend/lxc/lxc.h"
#include "backend/lxc/paths.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include <string.h>

struct limits {
    const struct px_cg_layout *l;
    char *group;
    bool refused; /* the kernel did not take a value now */
};

/* EBUSY and EINVAL are the kernel's "not while it is used like this". */
static int set(struct limits *s, enum px_cg_controller controller, const char *file,
               const char *value, struct px_error *err) {
    int r = px_cg_write(s->l, controller, s->group, file, value, err);
    if (r != -EBUSY && r != -EINVAL && r != -ENOSPC)
        return r;
    s->refused = true;
    return 0;
}

static void number(char out[32], uint64_t n, const char *none) {
    if (n)
        snprintf(out, 32, "%ju", (uintmax_t)n);
    else
        snprintf(out, 32, "%s", none);
}

static int set_memory_v2(struct limits *s, uint64_t bytes, struct px_error *err) {
    struct px_container_info now = {0};
    char text[32];
    number(text, bytes, "max");
    /* A maximum below what cannot be dropped is met by killing: nobody asked for that. */
    const struct px_container c = {.name = strrchr(s->group, '/') + 1};
    px_limits_usage(&c, &now);
    if (bytes && now.memory_bytes >= bytes) {
        s->refused = true;
        return 0;
    }
    int r = set(s, PX_CG_MEMORY, "memory.max", text, err);
    return r < 0 ? r : set(s, PX_CG_MEMORY, "memory.swap.max", bytes ? "0" : "max", err);
}

/* The sum with swap must never be below the limit without: raised first, lowered last. */
static int set_memory_v1(struct limits *s, uint64_t bytes, bool swap, struct px_error *err) {
    static const char *const files[] = {"memory.memsw.limit_in_bytes", "memory.limit_in_bytes"};
    uint64_t now = 0;
    char text[32];
    number(text, bytes, "-1");
    int r = px_cg_read_u64(s->l, PX_CG_MEMORY, s->group, files[1], &now, err);
    const bool raise = bytes == 0 || bytes > now;
    for (int i = 0; i < 2 && r == 0 && !s->refused; i++) {
        const char *file = files[raise ? i : 1 - i];
        if (swap || file == files[1])
            r = set(s, PX_CG_MEMORY, file, text, err);
    }
    return r;
}

static int set_memory(struct limits *s, const struct px_container *c,
                      const struct px_lxc_host *host, struct px_error *err) {
    if (!px_cg_has(s->l, PX_CG_MEMORY))
        return 0;
    return px_cg_is_v2(s->l, PX_CG_MEMORY)
               ? set_memory_v2(s, c->memory_bytes, err)
               : set_memory_v1(s, c->memory_bytes, host->swap_limit, err);
}

static int set_cores(struct limits *s, const struct px_container *c, const struct px_lxc_host *host,
                     struct px_error *err) {
    char all[4096];
    if (px_cg_has(s->l, PX_CG_CPUSET)) {
        const bool v2 = px_cg_is_v2(s->l, PX_CG_CPUSET);
        int r = px_cg_read(s->l, PX_CG_CPUSET, PX_LXC_CGROUP_PARENT,
                           v2 ? "cpuset.cpus.effective" : "cpuset.cpus", all, sizeof(all), err);
        if (r == 0)
            r = set(s, PX_CG_CPUSET, "cpuset.cpus", host->cpus[0] ? host->cpus : all, err);
        return r < 0 || s->refused ? r : px_limits_write_online(c, host->cpus, err);
    }
    char text[64];
    const unsigned quota = c->cores * 100000;
    if (px_cg_is_v2(s->l, PX_CG_CPU)) {
        snprintf(text, sizeof(text), quota ? "%u 100000" : "max", quota);
        return set(s, PX_CG_CPU, "cpu.max", text, err);
    }
    if (!px_cg_has(s->l, PX_CG_CPU))
        return 0;
    snprintf(text, sizeof(text), "%d", quota ? (int)quota : -1);
    return set(s, PX_CG_CPU, "cpu.cfs_quota_us", text, err);
}

/* By the container's own root, in its own tree: what it has put there is its own business. */
static int set_shm(struct limits *s, const struct px_container *c, struct px_error *err) {
    char option[64];
    if (c->shm_bytes)
        snprintf(option, sizeof(option), "remount,rw,nosuid,nodev,size=%ju",
                 (uintmax_t)c->shm_bytes);
    else
        snprintf(option, sizeof(option), "remount,rw,nosuid,nodev,size=50%%");
    /* With a source, or mount(8) adds the options it reads, whose ids are the host's. */
    const char *const argv[] = {"/bin/mount", "-o", option, "tmpfs", "/dev/shm", NULL};
    const struct px_backend_exec what = {.argv = argv,
                                         .cwd = "/",
                                         .fd_in = -1,
                                         .fd_out = -1,
                                         .fd_err = -1,
                                         .timeout_us = 5 * PX_US_PER_S};
    int r = px_lxc_exec(c, &what, err);
    if (r != 0)
        s->refused = true;
    return r == -EINTR ? r : 0;
}

int px_limits_apply(const struct px_container *c, const struct px_lxc_host *host,
                    bool *ret_restart_needed, struct px_error *err) {
    px_cleanup_free char *group = px_lxc_cgroup(c->name);
    struct limits s = {.l = &host->cgroups, .group = group};
    char pids[32];
    number(pids, c->pids, "max");
    int r = set_memory(&s, c, host, err);
    if (r == 0 && px_cg_has(s.l, PX_CG_PIDS))
        r = set(&s, PX_CG_PIDS, "pids.max", pids, err);
    if (r == 0)
        r = set_cores(&s, c, host, err);
    if (r == 0)
        r = set_shm(&s, c, err);
    if (s.refused)
        *ret_restart_needed = true;
    return r;
}

static uint64_t memory_of(const struct px_cg_layout *l, const char *group) {
    char text[8192];
    uint64_t kernel = 0;
    if (px_cg_read(l, PX_CG_MEMORY, group, "memory.stat", text, sizeof(text), NULL) < 0)
        return 0;
    if (px_cg_is_v2(l, PX_CG_MEMORY))
        return px_cg_stat_value(text, "anon") + px_cg_stat_value(text, "shmem") +
               px_cg_stat_value(text, "kernel");
    px_cg_read_u64(l, PX_CG_MEMORY, group, "memory.kmem.usage_in_bytes", &kernel, NULL);
    return px_cg_stat_value(text, "total_rss") + px_cg_stat_value(text, "total_shmem") + kernel;
}

static uint64_t cpu_of(const struct px_cg_layout *l, const char *group) {
    char text[4096];
    uint64_t ns = 0;
    if (!px_cg_is_v2(l, PX_CG_CPUACCT))
        return px_cg_read_u64(l, PX_CG_CPUACCT, group, "cpuacct.usage", &ns, NULL) == 0 ? ns / 1000
                                                                                        : 0;
    return px_cg_read(l, PX_CG_CPUACCT, group, "cpu.stat", text, sizeof(text), NULL) == 0
               ? px_cg_stat_value(text, "usage_usec")
               : 0;
}

/* Limits as they are; what is as good as none (v1 has no word for that) is none. */
static void limits_of(const struct px_cg_layout *l, const char *group,
                      struct px_container_info *info) {
    const bool v2 = px_cg_is_v2(l, PX_CG_MEMORY);
    uint64_t n = 0;
    char text[4096];
    if (px_cg_read_u64(l, PX_CG_MEMORY, group, v2 ? "memory.max" : "memory.limit_in_bytes", &n,
                       NULL) == 0 &&
        n < UINT64_MAX / 4)
        info->memory_max_bytes = n;
    if (px_cg_read_u64(l, PX_CG_PIDS, group, "pids.max", &n, NULL) == 0 && n <= UINT32_MAX)
        info->pids_max = (unsigned)n;
    const char *cpus = px_cg_is_v2(l, PX_CG_CPUSET) ? "cpuset.cpus.effective" : "cpuset.cpus";
    bool set[PX_CPUS_MAX];
    if (px_cg_read(l, PX_CG_CPUSET, group, cpus, text, sizeof(text), NULL) == 0 &&
        px_cpus_parse(text, set, NULL) == 0)
        for (size_t i = 0; i < PX_CPUS_MAX; i++)
            info->cores += set[i];
}

void px_limits_usage(const struct px_container *c, struct px_container_info *info) {
    struct px_cg_layout l;
    uint64_t pids = 0;
    px_cleanup_free char *group = px_lxc_cgroup(c->name);
    if (px_cg_layout(&l, NULL) < 0)
        return;
    info->memory_bytes = memory_of(&l, group);
    info->cpu_us = cpu_of(&l, group);
    if (px_cg_read_u64(&l, PX_CG_PIDS, group, "pids.current", &pids, NULL) == 0)
        info->pids = (unsigned)pids;
    limits_of(&l, group, info);
}

int px_limits_write_online(const struct px_container *c, const char *cpus, struct px_error *err) {
    px_cleanup_free char *run = px_lxc_run_path(c), *path = px_asprintf("%s/cpus", run);
    px_cleanup_free char *online = NULL, *text = NULL;
    if (cpus[0])
        text = px_asprintf("%s\n", cpus);
    else if (px_file_read(AT_FDCWD, "/sys/devices/system/cpu/online", 65536, &online, NULL, NULL) <
             0)
        return 0;
    const char *content = text ? text : online;
    px_cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot write '%s'", path);
    int r = px_fd_write_all(fd, content, strlen(content));
    if (r == 0 && ftruncate(fd, (off_t)strlen(content)) < 0)
        r = -errno;
    return r < 0 ? px_fail_sys(err, r, "cannot write '%s'", path) : 0;
}
