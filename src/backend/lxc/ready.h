/* src/backend/lxc/ready.h - knowing when the system inside has booted
 *
 * systemd tells its container manager by a datagram, "READY=1" (sd_notify(3)), when its start-up
 * jobs are done. The socket lies in the container's private tmpfs and is seen inside as
 * /run/host/notify. After the start, a process of phoenix-lxc hears it until then (never longer
 * than the container lives, or PX_READY_LIMIT_MS) and writes RUN/containers/NAME/ready: init's pid
 * and its start time, which make it this boot's. It holds a lock on RUN/containers/NAME/wait
 * meanwhile. Where that process is not there (reboot from inside, killed), one `systemctl
 * is-system-running --wait` asks instead. Source: https://systemd.io/CONTAINER_INTERFACE,
 * systemd(1). */
#pragma once
#include "backend/backend.h"

#define PX_READY_LIMIT_MS (10 * 60 * 1000)

/* Makes the socket RUN/mnt/notify (in the private mount namespace), for the block's root only. */
int px_ready_bind(const struct px_container *c, struct px_error *err);
/* Whether a message says that start-up is finished; pure. */
bool px_ready_parse(const char *message, size_t size);

/* In the helper. Takes the lock; the fd holds it. */
int px_ready_lock(const char *run_dir, struct px_error *err);
/* In the helper. Hears @notify_fd until the system is up (0) or @init_pid's process is gone. */
int px_ready_hear(const char *run_dir, int notify_fd, pid_t init_pid, struct px_error *err);
