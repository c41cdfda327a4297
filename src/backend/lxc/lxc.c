/* src/backend/lxc/lxc.c - the backend `lxc`: making, stopping, removing, telling */
#include "backend/lxc/lxc.h"
#include "backend/lxc/cgroup.h"
#include "backend/lxc/config.h"
#include "backend/lxc/disk.h"
#include "backend/lxc/helper.h"
#include "backend/lxc/cpus.h"
#include "backend/lxc/device.h"
#include "backend/lxc/host.h"
#include "backend/lxc/limits.h"
#include "backend/lxc/monitor.h"
#include "backend/lxc/paths.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/step.h"
#include <lxc/lxccontainer.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>

#define KILL_TIMEOUT_MS 10000
#define MONITOR_TIMEOUT_MS 5000

const struct px_backend_ops px_backend_lxc = {
    .name = "lxc",
    .probe = px_lxc_probe,
    .create = px_lxc_create,
    .update = px_lxc_update,
    .start = px_lxc_start,
    .stop = px_lxc_stop,
    .reset = px_lxc_reset,
    .destroy = px_lxc_destroy,
    .info = px_lxc_info,
    .exec = px_lxc_exec,
    .root = px_lxc_root,
    .enter = px_lxc_enter,
    .device = px_lxc_device,
    .wait_ready = px_lxc_wait_ready,
};

/* LXC 7 knows nothing of cgroup v1 any more: limits would not hold. */
static int check_version(const struct px_cg_layout *layout, struct px_error *err) {
    const char *version = lxc_get_version();
    for (int i = 0; i < PX_CG_N && strtoul(version, NULL, 10) >= 7; i++)
        if (px_cg_has(layout, i) && !px_cg_is_v2(layout, i)) {
            px_fail(err, -EOPNOTSUPP, "LXC %s needs cgroup v2, and this host has cgroup v1",
                    version);
            return px_hint(err, -EOPNOTSUPP, "boot with systemd.unified_cgroup_hierarchy=1");
        }
    return 0;
}

int px_lxc_probe(struct px_error *err) {
    struct px_cg_layout layout;
    px_cleanup_free char *helper = NULL;
    if (geteuid() != 0) {
        px_fail(err, -EPERM, "containers are made by root");
        return px_hint(err, -EPERM, "run it with sudo");
    }
    int r = px_cg_layout(&layout, err);
    if (r == 0)
        r = check_version(&layout, err);
    return r < 0 ? r : px_helper_find(&helper, err);
}

static int write_if_changed(const char *path, const char *text, struct px_error *err) {
    px_cleanup_free char *old = NULL;
    if (px_file_read(AT_FDCWD, path, 1024 * 1024, &old, NULL, NULL) == 0 && strcmp(old, text) == 0)
        return 0;
    return px_file_replace(AT_FDCWD, path, text, strlen(text), 0600, err);
}

int px_lxc_write_config(const struct px_container *c, const struct px_lxc_host *host,
                        struct px_error *err) {
    px_cleanup_free char *text = NULL, *dir = px_lxc_path(c, ""), *config = px_lxc_config_path(c);
    px_cleanup_free char *seccomp = px_lxc_path(c, "seccomp");
    int r = px_lxc_config(c, host, &text, err);
    if (r == 0)
        r = px_mkdir_p(AT_FDCWD, dir, 0700, err);
    if (r == 0)
        r = write_if_changed(seccomp, px_lxc_seccomp(c->nesting), err);
    return r < 0 ? r : write_if_changed(config, text, err);
}

/* Once: the mark is written when all of it is done. */
static int seed(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *mark = px_lxc_path(c, PX_LXC_SEEDED);
    if (!c->seed || px_exists(AT_FDCWD, mark))
        return 0;
    int r = px_lxc_in_tree(c, c->seed, c->seed_data, err);
    if (r < 0 || (r = px_step("lxc.create.seeded", err)) < 0)
        return r;
    return px_file_replace(AT_FDCWD, mark, "", 0, 0600, err);
}

int px_lxc_create(const struct px_container *c, struct px_error *err) {
    struct px_lxc_host host;
    int r = px_lxc_host_read(&host, err);
    if (r == 0)
        r = px_disk_create(c, err);
    if (r == 0)
        r = px_step("lxc.create.disk", err);
    if (r == 0)
        r = px_lxc_write_config(c, &host, err);
    if (r == 0)
        r = px_step("lxc.create.config", err);
    if (r == 0)
        r = seed(c, err);
    return r < 0 ? px_wrap(err, r, "container '%s'", c->name) : 0;
}

int px_lxc_parents_lock(int how) {
    px_cleanup_close int fd =
        open(PX_LXC_PARENTS_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 && flock(fd, how) == 0 ? px_take_fd(&fd) : -errno;
}

/* Parents of our cgroups, when the last container is gone; in use is good. Whoever starts one will
 * want them: liblxc makes them first and what is in them later. */
static void remove_cgroup_parents(const struct px_cg_layout *layout) {
    static const char *const parents[] = {PX_LXC_CGROUP_PARENT "/lxc.pivot", PX_LXC_CGROUP_PARENT};
    px_cleanup_close int lock = px_lxc_parents_lock(LOCK_EX | LOCK_NB);
    if (lock < 0)
        return;
    for (size_t p = 0; p < PX_N_ELEMENTS(parents); p++)
        for (size_t i = 0; i < layout->n_mounts; i++) {
            px_cleanup_free char *path = px_asprintf("%s/%s", layout->mounts[i], parents[p]);
            (void)rmdir(path);
        }
}

int px_lxc_clean(const struct px_container *c, struct px_error *err) {
    struct px_cg_layout layout;
    int r = px_cg_layout(&layout, err);
    if (r < 0)
        return r;
    px_cleanup_free char *group = px_lxc_cgroup(c->name), *monitor = px_lxc_cgroup_monitor(c->name);
    /* The monitor first, or it would start a killed container that had asked for a reboot again. */
    if ((r = px_cg_kill(&layout, monitor, KILL_TIMEOUT_MS, err)) < 0 ||
        (r = px_cg_kill(&layout, group, KILL_TIMEOUT_MS, err)) < 0 ||
        (r = px_cg_remove(&layout, group, err)) < 0 ||
        (r = px_cg_remove(&layout, monitor, err)) < 0)
        return px_wrap(err, r, "container '%s'", c->name);
    remove_cgroup_parents(&layout);
    px_cpus_release(c);
    px_cleanup_free char *run = px_lxc_run_path(c);
    return px_rm_rf(AT_FDCWD, run, err);
}

/* Asks init to stop, and kills it past the time. */
static void end_init(int pidfd, int timeout_ms) {
    /* As lxc.signal.halt: what systemd takes for "poweroff". */
    if (timeout_ms > 0 && syscall(SYS_pidfd_send_signal, pidfd, SIGRTMIN + 3, NULL, 0) == 0 &&
        px_pidfd_wait(pidfd, timeout_ms))
        return;
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    px_pidfd_wait(pidfd, KILL_TIMEOUT_MS);
}

int px_lxc_stop(const struct px_container *c, int timeout_ms, struct px_error *err) {
    struct px_monitor m;
    int r = px_monitor_settle(c, KILL_TIMEOUT_MS, &m, err);
    if (r < 0)
        return r;
    px_cleanup_close int pidfd = px_monitor_open_init(c, &m, NULL);
    px_cleanup_close int monitor =
        pidfd >= 0 && m.monitor_pid > 1 ? (int)syscall(SYS_pidfd_open, m.monitor_pid, 0) : -1;
    if (pidfd >= 0)
        end_init(pidfd, timeout_ms);
    if ((r = px_step("lxc.stop.ended", err)) < 0)
        return r;
    if (monitor >=
        0) /* takes cgroups and the interface away by itself; what it leaves, clean does */
        px_pidfd_wait(monitor, MONITOR_TIMEOUT_MS);
    return px_lxc_clean(c, err);
}

/* liblxc's lock, a file that it never removes. */
static void remove_lock(const struct px_container *c) {
    px_cleanup_free char *path = px_asprintf("/run/lxc/lock%s/containers/.%s", c->run_dir, c->name);
    (void)unlink(path);
}

int px_lxc_destroy(const struct px_container *c, struct px_error *err) {
    int r = px_lxc_stop(c, 0, err);
    if (r < 0 || (r = px_step("lxc.destroy.stopped", err)) < 0)
        return r;
    px_cleanup_free char *lxc = px_lxc_path(c, "");
    r = px_disk_destroy(c, err);
    if (r == 0)
        r = px_step("lxc.destroy.data", err);
    if (r == 0)
        r = px_rm_rf(AT_FDCWD, lxc, err);
    if (r == 0)
        remove_lock(c);
    return r < 0 ? px_wrap(err, r, "container '%s'", c->name) : 0;
}

/* Against the configuration of the last start, not of the last update: what needed a restart then
 * still does. */
static int update_running(const struct px_container *c, struct px_lxc_host *host, bool *ret_restart,
                          struct px_error *err) {
    px_cleanup_free char *running = NULL, *wanted = NULL, *path = px_lxc_running_path(c);
    int r = px_file_read(AT_FDCWD, path, 1024 * 1024, &running, NULL, err);
    if (r == 0)
        r = px_cpus_choose(c, &host->cgroups, true, host->cpus, err);
    if (r == 0)
        r = px_lxc_config(c, host, &wanted, err);
    if (r < 0)
        return r;
    *ret_restart = px_lxc_config_needs_restart(running, wanted);
    return px_limits_apply(c, host, ret_restart, err);
}

int px_lxc_update(const struct px_container *c, bool *ret_restart_needed, struct px_error *err) {
    struct px_lxc_host host;
    struct px_monitor m;
    bool restart = false, disk_later = false;
    int r = px_monitor_settle(c, KILL_TIMEOUT_MS, &m, err);
    if (r == 0)
        r = px_lxc_host_read(&host, err);
    if (r == 0)
        r = px_disk_limit(c, &disk_later, err);
    if (r == 0 && m.state != PX_CONTAINER_STOPPED)
        r = update_running(c, &host, &restart, err);
    if (r == 0)
        r = px_lxc_write_config(c, &host, err);
    if (r < 0)
        return px_wrap(err, r, "container '%s'", c->name);
    *ret_restart_needed = restart || disk_later;
    return 0;
}

int px_lxc_info(const struct px_container *c, bool with_disk, struct px_container_info *ret,
                struct px_error *err) {
    struct px_container_info info = {0};
    struct px_monitor m;
    int r = px_monitor_query(c, &m, err);
    if (r < 0)
        return r;
    px_cleanup_free char *config = px_lxc_config_path(c);
    info.state = m.state == PX_CONTAINER_STOPPED && !px_exists(AT_FDCWD, config)
                     ? PX_CONTAINER_ABSENT
                     : m.state;
    if (m.init_pid) {
        info.init_pid = m.init_pid;
        info.started_us =
            (int64_t)px_proc_stat(m.init_pid, 22) * (PX_US_PER_S / sysconf(_SC_CLK_TCK));
        px_limits_usage(c, &info);
    }
    if (with_disk && (r = px_disk_used(c, &info.disk_bytes, err)) < 0)
        return r;
    *ret = info;
    return 0;
}

int px_lxc_root(const struct px_container *c, struct px_error *err) {
    struct px_monitor m;
    px_cleanup_close int pidfd = px_monitor_open_init(c, &m, err);
    if (pidfd < 0)
        return pidfd;
    px_cleanup_free char *path = px_asprintf("/proc/%d/root", m.init_pid);
    px_cleanup_close int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    /* The pid was init's if init still lives after the open. */
    if (fd < 0 || px_pidfd_wait(pidfd, 0))
        return px_fail(err, -ESRCH, "container '%s' is not running", c->name);
    return px_take_fd(&fd);
}
