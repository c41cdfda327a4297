/* src/backend/lxc/start.c - starting a container, and working in the root of a stopped one
 *
 * A child process makes a mount namespace, mounts the tree, lets the caller prepare it and becomes
 * phoenix-lxc, which lets liblxc start init. The monitor that liblxc leaves behind keeps that
 * namespace, and thereby the mounts, for as long as the container runs, in-container reboots
 * included. Nobody else sees them, so nobody has to remove them. */
#include "backend/lxc/cgroup.h"
#include "backend/lxc/config.h"
#include "backend/lxc/cpus.h"
#include "backend/lxc/helper.h"
#include "backend/lxc/host.h"
#include "backend/lxc/limits.h"
#include "backend/lxc/lxc.h"
#include "backend/lxc/monitor.h"
#include "backend/lxc/paths.h"
#include "backend/lxc/ready.h"
#include "backend/lxc/tree.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/step.h"
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SETTLE_TIMEOUT_MS 10000
#define NOTIFY_FD PX_HELPER_REQUEST_FD

struct work { /* for the child */
    const struct px_container *c;
    const char *helper; /* NULL: nothing is started */
    px_backend_root_fn fn;
    void *data;
    bool data_only; /* reset: fn is NULL */
    pid_t parent;
};

/* Puts @fd and @other on the numbers the helper expects. Both are above them already. */
static int become_helper(const struct work *w, int status_fd, int notify_fd, struct px_error *err) {
    px_cleanup_free char *lxc_path = px_lxc_containers_path(w->c);
    px_cleanup_free char *log = px_lxc_path(w->c, "lxc.log");
    char *const argv[] = {
        (char *)"phoenix-lxc", (char *)"start", lxc_path, (char *)w->c->name, log, NULL};
    /* Without /usr/bin, where newuidmap is: liblxc would go through it and so depend on
     * /etc/subuid, which only reserves our ids and need not be written by us. apparmor_parser is in
     * sbin. */
    char *const env[] = {(char *)"PATH=/usr/sbin:/sbin", NULL};
    if (dup2(status_fd, PX_HELPER_STATUS_FD) < 0 || dup2(notify_fd, NOTIFY_FD) < 0)
        return px_fail_sys(err, -errno, "cannot pass descriptors");
    execve(w->helper, argv, env);
    return px_fail_sys(err, -errno, "cannot run '%s'", w->helper);
}

/* The root's own layer; the home stays. */
static int remove_root(const struct px_container *c, struct px_error *err) {
    px_cleanup_close int data = px_tree_mount_data(c, err);
    if (data < 0)
        return data;
    int r = px_rm_rf(data, "upper", err);
    return r < 0 ? r : px_rm_rf(data, "work", err);
}

/* In the child. Returns only on failure, or where there is nothing to start. */
static int child_work(const struct work *w, int status_fd, struct px_error *err) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != w->parent) /* it died before the line above */
        return px_fail(err, -ECANCELED, "the caller died");
    int r = px_tree_unshare(err);
    if (r < 0)
        return r;
    if (w->data_only)
        return remove_root(w->c, err);
    px_cleanup(px_tree_close) struct px_tree tree = PX_TREE_INIT;
    r = px_tree_mount(w->c, w->helper != NULL, &tree, err);
    if (r == 0 && w->fn)
        r = w->fn(w->data, tree.root_fd, tree.home_fd, err);
    if (r > 0)
        r = px_fail(err, -EIO, "preparing the root went wrong (%d)", r);
    if (r < 0 || !w->helper)
        return r;
    r = px_step("lxc.start.prepared", err);
    if (r < 0)
        return r;
    px_cleanup_close int notify = px_ready_bind(w->c, err);
    if (notify < 0)
        return notify;
    /* Above the numbers they go to, so that the first dup2() cannot close the other. */
    int high = fcntl(notify, F_DUPFD_CLOEXEC, 16);
    return high < 0 ? px_fail_sys(err, -errno, "cannot duplicate a descriptor")
                    : become_helper(w, status_fd, high, err);
}

static void child(const struct work *w, int status_fd) {
    struct px_helper_status status = {0};
    px_log_forked();
    setsid(); /* a Ctrl-C is for the caller, who waits for us and then takes back what we did */
    int high = fcntl(status_fd, F_DUPFD_CLOEXEC, 16);
    status.err.code = child_work(w, high, &status.err);
    if (px_fd_write_all(high, &status, sizeof(status)) < 0)
        _exit(2);
    _exit(0);
}

/* Forks the child and hears its report. */
static int run_child(struct work *w, struct px_error *err) {
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return px_fail_sys(err, -errno, "cannot make a pipe");
    px_cleanup_close int in = pipe_fds[0], out = pipe_fds[1];
    w->parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return px_fail_sys(err, -errno, "cannot fork");
    if (pid == 0)
        child(w, out);
    close(px_take_fd(&out));
    struct px_helper_status status;
    int r = px_helper_status_read(in, &status, err);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return r;
}

static int write_running(const struct px_container *c, struct px_error *err) {
    struct px_lxc_host host;
    px_cleanup_free char *text = NULL, *path = px_lxc_running_path(c);
    int r = px_lxc_host_read(&host, err);
    if (r == 0)
        r = px_cpus_choose(c, &host.cgroups, false, host.cpus, err);
    if (r == 0)
        r = px_lxc_write_config(c, &host, err);
    if (r == 0)
        r = px_limits_write_online(c, host.cpus, err);
    if (r == 0)
        r = px_lxc_config(c, &host, &text, err);
    return r < 0 ? r : px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, err);
}

int px_lxc_start(const struct px_container *c, struct px_error *err) {
    struct px_monitor m;
    int r = px_monitor_settle(c, SETTLE_TIMEOUT_MS, &m, err);
    if (r < 0)
        return r;
    if (m.state == PX_CONTAINER_RUNNING || m.state == PX_CONTAINER_FROZEN)
        return px_fail(err, -EALREADY, "container '%s' runs already", c->name);
    px_cleanup_free char *helper = NULL, *run = px_lxc_run_path(c), *config = px_lxc_config_path(c);
    if (!px_exists(AT_FDCWD, config))
        return px_fail(err, -ENOENT, "container '%s' was not created", c->name);
    px_cleanup_close int parents = px_lxc_parents_lock(LOCK_SH);
    if (parents < 0)
        return px_fail_sys(err, parents, "cannot lock '%s'", PX_LXC_PARENTS_LOCK);
    if ((r = px_lxc_clean(c, err)) < 0 || (r = px_helper_find(&helper, err)) < 0 ||
        (r = px_mkdir_p(AT_FDCWD, run, 0711, err)) < 0 || (r = write_running(c, err)) < 0 ||
        (r = px_step("lxc.start.configured", err)) < 0)
        return r;
    struct work w = {.c = c, .helper = helper, .fn = c->prepare, .data = c->prepare_data};
    r = run_child(&w, err);
    if (r == 0)
        r = px_step("lxc.start.running", err);
    if (r < 0) {
        close(px_take_fd(&parents)); /* or they would stay */
        px_lxc_clean(c, NULL);
        return px_wrap(err, r, "container '%s'", c->name);
    }
    return 0;
}

int px_lxc_in_tree(const struct px_container *c, px_backend_root_fn fn, void *data,
                   struct px_error *err) {
    struct work w = {.c = c, .fn = fn, .data = data};
    return run_child(&w, err);
}

static int need_stopped(const struct px_container *c, struct px_error *err) {
    struct px_monitor m;
    int r = px_monitor_settle(c, SETTLE_TIMEOUT_MS, &m, err);
    if (r == 0 && m.state != PX_CONTAINER_STOPPED)
        r = px_fail(err, -EBUSY, "container '%s' is running", c->name);
    return r;
}

int px_lxc_enter(const struct px_container *c, px_backend_root_fn fn, void *data,
                 struct px_error *err) {
    int r = need_stopped(c, err);
    if (r == 0)
        r = px_lxc_in_tree(c, fn, data, err);
    return r < 0 ? px_wrap(err, r, "container '%s'", c->name) : 0;
}

int px_lxc_reset(const struct px_container *c, struct px_error *err) {
    px_cleanup_free char *seeded = px_lxc_path(c, PX_LXC_SEEDED);
    int r = need_stopped(c, err);
    if (r == 0)
        r = px_rm_rf(AT_FDCWD, seeded, err); /* first: what is half removed must be made anew */
    if (r == 0)
        r = px_step("lxc.reset.unseeded", err);
    struct work w = {.c = c, .data_only = true};
    if (r == 0)
        r = run_child(&w, err);
    return r < 0 ? px_wrap(err, r, "container '%s'", c->name) : 0;
}
