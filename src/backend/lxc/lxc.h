/* src/backend/lxc/lxc.h - the backend `lxc`: liblxc on this host
 *
 * The parts of its operations; see backend.h for what each does. */
#pragma once
#include "backend/backend.h"

extern const struct px_backend_ops px_backend_lxc;

int px_lxc_probe(struct px_error *err);
int px_lxc_create(const struct px_container *c, struct px_error *err);
int px_lxc_update(const struct px_container *c, bool *ret_restart_needed, struct px_error *err);
int px_lxc_start(const struct px_container *c, struct px_error *err);
int px_lxc_stop(const struct px_container *c, int timeout_ms, struct px_error *err);
int px_lxc_destroy(const struct px_container *c, struct px_error *err);
int px_lxc_info(const struct px_container *c, bool with_disk, struct px_container_info *ret,
                struct px_error *err);
int px_lxc_exec(const struct px_container *c, const struct px_backend_exec *what,
                struct px_error *err);
int px_lxc_root(const struct px_container *c, struct px_error *err);
int px_lxc_enter(const struct px_container *c, px_backend_root_fn fn, void *data,
                 struct px_error *err);
int px_lxc_wait_ready(const struct px_container *c, int64_t timeout_us, struct px_error *err);
int px_lxc_reset(const struct px_container *c, struct px_error *err);

/* In a child process with the root and home mounted, c->mounts not; the container does not run. */
int px_lxc_in_tree(const struct px_container *c, px_backend_root_fn fn, void *data,
                   struct px_error *err);
/* The lock of all hosts of this machine on the parents of containers' cgroups: LOCK_SH while a
 * container starts, LOCK_EX to take the parents away; flock(2)'s words. Returns the fd, which holds
 * it, or -errno. */
int px_lxc_parents_lock(int how);
/* Removes what a crashed monitor left: processes, cgroups, run files. Not for running containers.
 */
int px_lxc_clean(const struct px_container *c, struct px_error *err);
/* Writes configuration and seccomp policy as @host would have them. */
struct px_lxc_host;
int px_lxc_write_config(const struct px_container *c, const struct px_lxc_host *host,
                        struct px_error *err);
