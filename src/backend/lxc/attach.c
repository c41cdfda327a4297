/* src/backend/lxc/attach.c - in the helper: a command inside a running container, to its end */
#include "backend/lxc/attach.h"
#include "backend/lxc/exec.h"
#include "backend/lxc/terminal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include <linux/close_range.h>
#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define REQUEST_MAX_BYTES (4 * 1024 * 1024)
#define GRACE_US (2 * PX_US_PER_S) /* between SIGTERM and SIGKILL */

struct attach {
    struct px_exec_request request;
    struct lxc_container *lxc;
    struct px_terminal terminal;
    int signal_fd;
    sigset_t old_mask;
    pid_t pid;
    int pidfd;
    int64_t end_us; /* when the time is up, or, past it, when SIGKILL comes; 0: never */
    int reason;     /* why it was told to end: -ETIMEDOUT, -EINTR; 0: it was not */
};

/* Inside, as the user, just before the command. liblxc keeps fds 0 to 2 and joins the rest. */
static int in_container(void *data) {
    struct attach *a = data;
    setsid(); /* so that a signal reaches all that the command starts, and for its own terminal */
    if (a->request.tty && ioctl(0, TIOCSCTTY, 0) < 0)
        return 126;
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigprocmask(SIG_SETMASK, &a->old_mask, NULL);
    syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
    execvp(a->request.argv[0], a->request.argv);
    int code = errno == ENOENT ? 127 : 126; /* as sh(1) says it */
    dprintf(2, "%s: %s\n", a->request.argv[0], strerror(errno));
    return code;
}

static int open_signals(struct attach *a, struct px_error *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, &a->old_mask);
    signal(SIGPIPE, SIG_IGN);
    a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return a->signal_fd < 0 ? px_fail_sys(err, -errno, "cannot make a signal descriptor") : 0;
}

static int start_command(struct attach *a, struct px_error *err) {
    struct px_exec_request *q = &a->request;
    lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
    options.uid = q->uid;
    options.gid = q->gid;
    options.groups = (lxc_groups_t){.size = q->n_groups, .list = q->groups};
    options.attach_flags |= LXC_ATTACH_SETGROUPS;
    options.env_policy = LXC_ATTACH_CLEAR_ENV;
    options.extra_env_vars = q->env;
    options.initial_cwd = (char *)q->cwd;
    if (q->tty)
        options.stdin_fd = options.stdout_fd = options.stderr_fd = a->terminal.inside_fd;
    if (a->lxc->attach(a->lxc, in_container, a, &options, &a->pid) < 0)
        return px_fail(err, -EIO, "liblxc cannot run a command in container '%s'", a->lxc->name);
    a->pidfd = (int)syscall(SYS_pidfd_open, a->pid, 0);
    return a->pidfd < 0 ? px_fail_sys(err, -errno, "cannot watch the command") : 0;
}

static void signal_all(const struct attach *a, int sig) {
    /* The group, which the command leads once it has called setsid(). */
    if (kill(-a->pid, sig) < 0)
        kill(a->pid, sig);
}

static void tell_to_end(struct attach *a, int reason) {
    if (a->reason == 0) {
        signal_all(a, SIGTERM);
        a->reason = reason;
    } else {
        signal_all(a, SIGKILL);
    }
    a->end_us = px_now_us() + GRACE_US;
}

static void on_signal(struct attach *a) {
    struct signalfd_siginfo info;
    while (read(a->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGWINCH)
            px_terminal_resize(&a->terminal);
        else if (info.ssi_signo == SIGINT && a->reason == 0)
            signal_all(a, SIGINT); /* Ctrl-C without a terminal inside: the command's to handle */
        else
            tell_to_end(a, -EINTR);
    }
}

static int poll_timeout(const struct attach *a) {
    if (a->end_us == 0)
        return -1;
    int64_t left = a->end_us - px_now_us();
    return left <= 0 ? 0 : (int)((left + 999) / PX_US_PER_MS);
}

static int wait_command(struct attach *a, struct px_error *err) {
    for (;;) {
        struct pollfd p[2 + PX_TERMINAL_POLLS] = {{.fd = a->pidfd, .events = POLLIN},
                                                  {.fd = a->signal_fd, .events = POLLIN}};
        px_terminal_prepare(&a->terminal, p + 2);
        int n = poll(p, PX_N_ELEMENTS(p), poll_timeout(a));
        if (n < 0 && errno != EINTR)
            return px_fail_sys(err, -errno, "cannot poll");
        if (n > 0 && p[1].revents)
            on_signal(a);
        if (n > 0)
            px_terminal_handle(&a->terminal, p + 2);
        if (n > 0 && p[0].revents)
            return 0;
        if (n == 0 && a->end_us != 0)
            tell_to_end(a, -ETIMEDOUT);
    }
}

static int reap(struct attach *a, struct px_error *err) {
    int status = 0;
    while (waitpid(a->pid, &status, 0) < 0)
        if (errno != EINTR)
            return px_fail_sys(err, -errno, "cannot wait for the command");
    px_terminal_drain(&a->terminal);
    if (a->reason == -ETIMEDOUT)
        return px_fail(err, -ETIMEDOUT, "the command did not end within %jd ms",
                       (intmax_t)(a->request.timeout_us / PX_US_PER_MS));
    if (a->reason)
        return px_fail(err, a->reason, "interrupted");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run(struct attach *a, struct px_error *err) {
    if (!a->lxc->init_pid || a->lxc->init_pid(a->lxc) <= 0)
        return px_fail(err, -ESRCH, "container '%s' is not running", a->lxc->name);
    int r = 0;
    if (a->request.tty) {
        px_cleanup_close int devpts = a->lxc->devpts_fd(a->lxc);
        r = px_terminal_open(&a->terminal, devpts, a->request.tty_uid, a->request.tty_gid, err);
    }
    if (r < 0 || (r = open_signals(a, err)) < 0 || (r = start_command(a, err)) < 0)
        return r;
    px_terminal_started(&a->terminal);
    if (a->request.timeout_us > 0)
        a->end_us = px_now_us() + a->request.timeout_us;
    r = wait_command(a, err);
    return r < 0 ? r : reap(a, err);
}

int px_attach_run(const char *lxc_path, const char *name, int request_fd, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    struct attach a = {.signal_fd = -1, .pidfd = -1, .terminal = PX_TERMINAL_INIT};
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* whoever asked for it is gone: so is the command */
    int r = px_fd_read_all(request_fd, REQUEST_MAX_BYTES, &text, &size, err);
    close(request_fd);
    if (r < 0 || (r = px_exec_request_parse(text, size, &a.request, err)) < 0)
        return r;
    a.lxc = lxc_container_new(name, lxc_path);
    r = a.lxc ? run(&a, err) : px_fail(err, -EIO, "liblxc does not take container '%s'", name);
    px_terminal_close(&a.terminal);
    px_closep(&a.pidfd);
    px_closep(&a.signal_fd);
    px_exec_request_fini(&a.request);
    if (a.lxc)
        lxc_container_put(a.lxc);
    return r;
}
