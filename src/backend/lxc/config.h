/* src/backend/lxc/config.h - liblxc's configuration of a container, as text
 *
 * Pure: everything about the host comes in as struct px_lxc_host, so that the same container and
 * host give the same text; comparing texts tells what changed. Source: lxc.container.conf(5). */
#pragma once
#include "backend/backend.h"
#include "backend/lxc/cgroup.h"
#include "backend/lxc/cpus.h"

enum px_lxc_apparmor {
    PX_LXC_APPARMOR_NONE,       /* the kernel has none */
    PX_LXC_APPARMOR_GENERATED,  /* a profile of its own, made by liblxc with apparmor_parser */
    PX_LXC_APPARMOR_UNCONFINED, /* the kernel has it, but that program is not there */
};

struct px_lxc_host {
    struct px_cg_layout cgroups;
    char cpus[PX_CPUS_TEXT_MAX]; /* the cores this container gets, "0-3,8"; "": all */
    bool memlock_unlimited;      /* may RLIMIT_MEMLOCK be lifted */
    bool swap_limit;             /* v1: memory.memsw files exist */
    enum px_lxc_apparmor apparmor;
    bool apparmor_userns; /* it also minds user namespaces and message queues (AppArmor 4) */
    bool oom_adjust;      /* the monitor is shielded from the OOM killer, init must not be */
};

/* The text, the caller's. -EINVAL: a path or name that the format cannot carry. */
int px_lxc_config(const struct px_container *c, const struct px_lxc_host *host, char **ret,
                  struct px_error *err);
/* The seccomp policy in liblxc's format; constant. */
const char *px_lxc_seccomp(bool nesting);

/* Whether going from one configuration text to the other needs a restart: a line differs that
 * px_limits_apply() does not change live. Pure. */
bool px_lxc_config_needs_restart(const char *running, const char *wanted);
