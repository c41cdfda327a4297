/* src/backend/lxc/paths.h - where a container's files lie
 *
 *     DIR/data/                upper/ work/ home/: what the desktop has written (or the mount
 * point's place of none of them: see disk.h, data.img) DIR/lxc/config           liblxc's
 * configuration, as the next start would have it DIR/lxc/seccomp, lxc.log, console.log, disk.json,
 * seeded (the root has been seeded) RUN/containers/          liblxc's path (so `lxc-ls -P
 * RUN/containers` works); root inside must be able to search it, which the state directory does not
 * allow RUN/containers/NAME/ config: that of the start; ready, wait: see ready.h RUN/mnt/ in the
 * container's private mount namespace only: a tmpfs holding root/ (the whole tree), data/, l0..
 * (layers), m0.. (mounts), notify (socket)
 *
 * Strings are the caller's. Pure. */
#pragma once
#include "backend/backend.h"

char *px_lxc_path(const struct px_container *c, const char *name);     /* DIR/lxc/name */
char *px_lxc_config_path(const struct px_container *c);                /* DIR/lxc/config */
char *px_lxc_containers_path(const struct px_container *c);            /* RUN/containers */
char *px_lxc_running_path(const struct px_container *c);               /* ../NAME/config */
char *px_lxc_mnt_path(const struct px_container *c, const char *name); /* RUN/mnt/name */
char *px_lxc_run_path(const struct px_container *c);                   /* RUN/containers/NAME */
char *px_lxc_data_path(const struct px_container *c);                  /* DIR/data */
#define PX_LXC_SEEDED "seeded"
/* The cgroup of all containers, and of this one's processes and monitor, below each hierarchy. */
#define PX_LXC_CGROUP_PARENT "phoenix"
#define PX_LXC_PARENTS_LOCK "/run/phoenix-lxc.lock" /* see px_lxc_parents_lock() */
char *px_lxc_cgroup(const char *name);
char *px_lxc_cgroup_monitor(const char *name);
