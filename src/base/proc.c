/* src/base/proc.c - other programs: run, feed, capture, time out */
#include "base/proc.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define DEFAULT_MAX_BYTES (1024 * 1024)
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define KILL_GRACE_US (2 * PX_US_PER_S)

extern char **environ;

struct stream {
    int fd;
    struct px_buf *buf; /* lent, may be NULL */
    struct px_buf line; /* the unfinished last line */
    struct px_buf tail; /* last full line, for messages */
};

struct run {
    const struct px_proc_opts *opts;
    pid_t pid;
    int pidfd, in_fd;
    size_t in_at;
    struct stream out, err;
};

char *px_proc_find(const char *name) {
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? px_strdup(name) : NULL;
    const char *path = getenv("PATH");
    px_cleanup_free char *all = px_asprintf("%s:%s", path ? path : "", DEFAULT_PATH);
    char *save = NULL;
    for (char *dir = strtok_r(all, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        px_cleanup_free char *full = px_asprintf("%s/%s", dir, name);
        if (access(full, X_OK) == 0)
            return px_take_ptr(full);
    }
    return NULL;
}

static bool same_key(const char *a, const char *b) {
    size_t n = strcspn(a, "=");
    return strncmp(a, b, n) == 0 && b[n] == '=';
}

/* The child's environment; the strings are lent, the array is the caller's. */
static const char **make_env(const struct px_proc_opts *opts) {
    static const char *const defaults[] = {"PATH=" DEFAULT_PATH, "HOME=/root", "LANG=C.UTF-8",
                                           "TERM=dumb", NULL};
    const char *const *base = opts->inherit_env ? (const char *const *)environ
                              : opts->env       ? (const char *const[]){NULL}
                                                : defaults;
    size_t n = 0, n_own = 0;
    while (base[n])
        n++;
    while (opts->env && opts->env[n_own])
        n_own++;
    const char **env = px_new0(const char *, n + n_own + 1);
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        bool replaced = false;
        for (size_t j = 0; j < n_own; j++)
            replaced |= same_key(opts->env[j], base[i]);
        if (!replaced)
            env[used++] = base[i];
    }
    for (size_t j = 0; j < n_own; j++)
        env[used++] = opts->env[j];
    return env;
}

/* In the child, after fork: only async-signal-safe calls from here to exec. */
static _Noreturn void child(const struct px_proc_opts *opts, const char *file,
                            const char *const *env, const int fds[3], int report_fd, pid_t parent) {
    int r = 0;
    sigset_t none;
    sigemptyset(&none);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    if (opts->die_with_parent) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
    }
    /* report_fd and fds are all above 2: see pipes(). */
    for (int i = 0; i < 3 && r == 0; i++)
        if (dup2(fds[i], i) < 0)
            r = errno;
    if (r == 0 && opts->cwd && chdir(opts->cwd) < 0)
        r = errno;
    if (r == 0 && opts->prepare)
        r = opts->prepare(opts->data);
    if (r == 0) {
        execve(file, (char *const *)(uintptr_t)opts->argv, (char *const *)(uintptr_t)env);
        r = errno;
    }
    if (write(report_fd, &r, sizeof(r)) < 0)
        _exit(126);
    _exit(127);
}

struct pair {
    int fd[2]; /* read end, write end */
};

static void end_pair(struct pair *p) {
    px_closep(&p->fd[0]);
    px_closep(&p->fd[1]);
}

/* A pipe whose ends are above 2, so that dup2 onto 0..2 never closes one of them. */
static int high_pipe(struct pair *ret) {
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        if (p[i] > 2)
            continue;
        int up = fcntl(p[i], F_DUPFD_CLOEXEC, 3);
        close(p[i]);
        p[i] = up;
    }
    *ret = (struct pair){{p[0], p[1]}};
    return 0;
}

static int start(struct run *run, struct px_error *err) {
    const struct px_proc_opts *opts = run->opts;
    px_cleanup_free char *file = px_proc_find(opts->argv[0]);
    if (!file)
        return px_fail(err, -ENOENT, "program '%s' is not installed", opts->argv[0]);
    px_cleanup_free const char **env = make_env(opts);
    px_cleanup(end_pair) struct pair in = {{-1, -1}};
    px_cleanup(end_pair) struct pair out = {{-1, -1}};
    px_cleanup(end_pair) struct pair errp = {{-1, -1}};
    px_cleanup(end_pair) struct pair report = {{-1, -1}};
    int r = 0;
    if ((r = high_pipe(&in)) < 0 || (r = high_pipe(&out)) < 0 || (r = high_pipe(&errp)) < 0 ||
        (r = high_pipe(&report)) < 0)
        return px_fail_sys(err, r, "cannot start '%s'", opts->argv[0]);
    const int fds[3] = {in.fd[0], out.fd[1], errp.fd[1]};
    pid_t parent = getpid();
    run->pid = fork();
    if (run->pid < 0)
        return px_fail_sys(err, -errno, "cannot start '%s'", opts->argv[0]);
    if (run->pid == 0)
        child(opts, file, env, fds, report.fd[1], parent);
    close(report.fd[1]);
    report.fd[1] = -1;
    int why = 0;
    ssize_t n;
    do
        n = read(report.fd[0], &why, sizeof(why));
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)sizeof(why) && why > 0) {
        waitpid(run->pid, NULL, 0);
        return px_fail_sys(err, -why, "cannot start '%s'", opts->argv[0]);
    }
    run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
    run->in_fd = px_take_fd(&in.fd[1]);
    run->out.fd = px_take_fd(&out.fd[0]);
    run->err.fd = px_take_fd(&errp.fd[0]);
    fcntl(run->in_fd, F_SETFL, O_NONBLOCK);
    return 0;
}

static void give_lines(const struct px_proc_opts *opts, struct stream *s) {
    char *nl;
    while (s->line.size > 0 && (nl = memchr(s->line.data, '\n', s->line.size))) {
        *nl = '\0';
        if (opts->on_line)
            opts->on_line(opts->data, s->line.data);
        if (s->line.data[0] != '\0') {
            px_buf_reset(&s->tail);
            px_buf_puts(&s->tail, s->line.data);
        }
        px_buf_drop(&s->line, (size_t)(nl - s->line.data) + 1);
    }
    if (s->line.size > 64 * 1024) /* no line is that long: a program gone wild */
        px_buf_reset(&s->line);
}

/* Whether the stream has ended. */
static bool pump(const struct px_proc_opts *opts, struct stream *s) {
    char chunk[16 * 1024];
    ssize_t n = read(s->fd, chunk, sizeof(chunk));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return false;
    if (n <= 0) {
        close(s->fd);
        s->fd = -1;
        if (s->line.size > 0) {
            px_buf_putc(&s->line, '\n');
            give_lines(opts, s);
        }
        return true;
    }
    const size_t max = opts->max_bytes ? opts->max_bytes : DEFAULT_MAX_BYTES;
    if (s->buf && s->buf->size < max)
        px_buf_add(s->buf, chunk, (size_t)n < max - s->buf->size ? (size_t)n : max - s->buf->size);
    if (opts->log_fd > 0 && !s->buf && !opts->on_line)
        px_fd_write_all(opts->log_fd, chunk, (size_t)n);
    px_buf_add(&s->line, chunk, (size_t)n);
    give_lines(opts, s);
    return false;
}

static void feed(struct run *run) {
    const struct px_proc_opts *opts = run->opts;
    if (run->in_at < opts->input_size) {
        ssize_t n = write(run->in_fd, opts->input + run->in_at, opts->input_size - run->in_at);
        if (n > 0)
            run->in_at += (size_t)n;
        else if (n < 0 && errno != EAGAIN && errno != EINTR)
            run->in_at = opts->input_size; /* it closed its stdin: its own affair */
    }
    if (run->in_at >= opts->input_size) {
        close(run->in_fd);
        run->in_fd = -1;
    }
}

/* How often to look whether somebody wants us to stop: the signal may reach another thread. */
#define LOOK_MS 200

/* Moves bytes until the process has ended. 0, or why it was ended early: -ETIMEDOUT, -EINTR. */
static int serve(struct run *run) {
    const struct px_proc_opts *opts = run->opts;
    int64_t deadline = opts->timeout_us > 0 ? px_now_us() + opts->timeout_us : INT64_MAX;
    int64_t drain_until = INT64_MAX; /* once it ended: a daemon it left may hold our pipes open */
    const unsigned asked_before = px_interrupt_count();
    int why = 0;
    while (run->out.fd >= 0 || run->err.fd >= 0 || drain_until == INT64_MAX) {
        const int64_t now = px_now_us();
        if (now >= drain_until)
            break;
        const bool interrupted = !why && px_interrupt_count() != asked_before;
        if (now >= deadline || interrupted) {
            kill(-run->pid, why ? SIGKILL : SIGTERM);
            if (!why)
                why = interrupted ? -EINTR : -ETIMEDOUT;
            deadline = now + KILL_GRACE_US;
        }
        int64_t until = deadline < drain_until ? deadline : drain_until;
        int wait_ms = until == INT64_MAX ? -1 : (int)((until - now) / PX_US_PER_MS + 1);
        if (px_interrupt_caught() && (wait_ms < 0 || wait_ms > LOOK_MS))
            wait_ms = LOOK_MS;
        struct pollfd p[] = {
            {.fd = run->out.fd, .events = POLLIN},
            {.fd = run->err.fd, .events = POLLIN},
            {.fd = run->in_fd, .events = POLLOUT},
            {.fd = drain_until == INT64_MAX ? run->pidfd : -1, .events = POLLIN},
        };
        if (poll(p, PX_N_ELEMENTS(p), wait_ms) < 0)
            continue;
        if (p[0].revents)
            pump(opts, &run->out);
        if (p[1].revents)
            pump(opts, &run->err);
        if (p[2].revents)
            feed(run);
        if (p[3].revents)
            drain_until = px_now_us() + 200 * PX_US_PER_MS;
    }
    return why;
}

static void run_fini(struct run *run) {
    px_closep(&run->pidfd);
    px_closep(&run->in_fd);
    px_closep(&run->out.fd);
    px_closep(&run->err.fd);
    px_buf_fini(&run->out.line);
    px_buf_fini(&run->out.tail);
    px_buf_fini(&run->err.line);
    px_buf_fini(&run->err.tail);
}

static int run_it(struct run *run, struct px_error *err) {
    int r = start(run, err);
    if (r < 0)
        return r;
    /* A child that closes its stdin early must not end us. */
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    const int why = serve(run);
    sigaction(SIGPIPE, &before, NULL);
    int status = 0;
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (why == -EINTR)
        return px_interrupt_fail(err);
    if (why == -ETIMEDOUT)
        return px_fail(err, why, "'%s' took longer than %.0f s", run->opts->argv[0],
                       (double)run->opts->timeout_us / PX_US_PER_S);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#define RUN_INIT(o)                                                                                \
    {                                                                                              \
        .opts = (o), .pidfd = -1, .in_fd = -1, .out = {.fd = -1, .buf = (o)->out}, .err = {        \
            .fd = -1,                                                                              \
            .buf = (o)->out_err,                                                                   \
        }                                                                                          \
    }

int px_proc_run(const struct px_proc_opts *opts, struct px_error *err) {
    px_cleanup(run_fini) struct run run = RUN_INIT(opts);
    return run_it(&run, err);
}

int px_proc_check(const struct px_proc_opts *opts, struct px_error *err) {
    px_cleanup(run_fini) struct run run = RUN_INIT(opts);
    int r = run_it(&run, err);
    if (r <= 0)
        return r;
    const char *why = px_buf_str(&run.err.tail);
    if (why[0] == '\0')
        why = px_buf_str(&run.out.tail);
    return px_fail(err, -EIO, "'%s' ended with status %d%s%s", opts->argv[0], r, why[0] ? ": " : "",
                   why);
}
