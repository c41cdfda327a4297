/* src/desktop/reach.c - going into a running desktop: shell, exec, screenshot, logs */
#include "desktop/reach.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "desktop/png.h"
#include "desktop/ready.h"
#include "desktop/xwd.h"
#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SCREEN_MAX_BYTES (256u * 1024 * 1024)
#define SCREEN_TIMEOUT_US (20 * PX_US_PER_S)
#define GRACE_US (2 * PX_US_PER_S)
#define ARGV_MAX 64
#define SESSION_ENV "/usr/lib/phoenix/session-env" /* docs/image.md */

static int not_running(const char *name, int r, struct px_error *err) {
    if (r != -ESRCH)
        return px_wrap(err, r, "desktop '%s'", name);
    px_fail(err, r, "desktop '%s' is not running", name);
    return px_hint(err, r, "`phoenix start %s` starts it", name);
}

/* @argv with the session's wrapper in front; @out holds ARGV_MAX. */
static int wrap_argv(const char *const *argv, const char **out, struct px_error *err) {
    size_t n = 0;
    out[n++] = SESSION_ENV;
    for (; *argv && n + 1 < ARGV_MAX; argv++)
        out[n++] = *argv;
    out[n] = NULL;
    return *argv ? px_fail(err, -E2BIG, "more than %d arguments", ARGV_MAX - 2) : 0;
}

static int exec_in(const struct px_fleet *fleet, const struct px_desktop *d,
                   const struct px_exec_opts *opts, struct px_error *err) {
    const char *user = opts->user ? opts->user : d->rec->spec.user;
    if (!user && d->image && d->image->user && d->image->user[0])
        user = d->image->user;
    const char *term = getenv("TERM");
    px_cleanup_free char *term_env = px_asprintf("TERM=%s", term ? term : "xterm-256color");
    const char *const env[] = {term_env, "LANG=C.UTF-8", NULL};
    const char *const login[] = {"/bin/bash", "-l", NULL};
    const char *wrapped[ARGV_MAX];
    const char *const *argv = opts->argv ? opts->argv : login;
    if (opts->session) {
        int r = wrap_argv(argv, wrapped, err);
        if (r < 0)
            return r;
        argv = wrapped;
    }
    const struct px_backend_exec what = {
        .argv = argv,
        .env = env,
        .user = user && strcmp(user, "root") == 0 ? NULL : user,
        .fd_in = opts->fd_in,
        .fd_out = opts->fd_out,
        .fd_err = opts->fd_err,
        .tty = opts->tty,
        .timeout_us = opts->timeout_us,
    };
    return px_fleet_backend(fleet)->exec(&d->c, &what, err);
}

int px_desktop_exec(const struct px_fleet *fleet, const char *name, const struct px_exec_opts *opts,
                    struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_desktop_open(fleet, name, &d, err);
    if (r < 0)
        return r;
    r = exec_in(fleet, d, opts, err);
    return r < 0 ? not_running(name, r, err) : r;
}

/* What the child that waits for the command tells its parent at the end. */
struct verdict {
    int result;
    struct px_error err;
};

struct capture {
    pid_t pid;
    int out, errs, verdict; /* read ends */
};

static void capture_fini(struct capture *c) {
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    px_closep(&c->out);
    px_closep(&c->errs);
    px_closep(&c->verdict);
}

/* exec blocks while somebody must read the pipes, so it runs in a child. */
static int capture_start(const struct px_fleet *fleet, const struct px_desktop *d,
                         const struct px_exec_opts *opts, struct capture *ret,
                         struct px_error *err) {
    int out[2], errs[2], verdict[2];
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(errs, O_CLOEXEC) < 0 || pipe2(verdict, O_CLOEXEC) < 0)
        return px_fail_sys(err, -errno, "cannot make a pipe");
    const pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return px_fail_sys(err, -errno, "cannot start a process");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(out[0]);
        close(errs[0]);
        close(verdict[0]);
        struct px_exec_opts mine = *opts;
        mine.fd_in = -1;
        mine.fd_out = out[1];
        mine.fd_err = errs[1];
        struct verdict v = {0};
        v.result = exec_in(fleet, d, &mine, &v.err);
        px_fd_write_all(verdict[1], &v, sizeof(v));
        _exit(0);
    }
    close(out[1]);
    close(errs[1]);
    close(verdict[1]);
    *ret = (struct capture){pid, out[0], errs[0], verdict[0]};
    return 0;
}

/* One readable end into its buffer; closes it at its end. */
static void drain(int *fd, struct px_buf *into, size_t max_bytes) {
    const size_t chunk = 256 * 1024;
    ssize_t n = read(*fd, px_buf_reserve(into, chunk), chunk);
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        close(*fd);
        *fd = -1;
        return;
    }
    into->size += (size_t)n;
    if (into->size > max_bytes)
        into->size = max_bytes; /* stderr: the rest is dropped; stdout: the caller looks */
}

static int capture_read(struct capture *c, size_t max_bytes, int64_t timeout_us, struct px_buf *out,
                        struct px_buf *errs, struct px_error *err) {
    const int64_t deadline = px_now_us() + timeout_us;
    while (c->out >= 0 || c->errs >= 0) {
        const int64_t left = deadline - px_now_us();
        if (left <= 0)
            return px_fail(err, -ETIMEDOUT, "no answer for %d s", (int)(timeout_us / PX_US_PER_S));
        struct pollfd p[] = {{.fd = c->out, .events = POLLIN}, {.fd = c->errs, .events = POLLIN}};
        if (poll(p, 2, (int)(left / PX_US_PER_MS) + 1) < 0 && errno != EINTR)
            return px_fail_sys(err, -errno, "cannot wait");
        if (p[0].revents)
            drain(&c->out, out, max_bytes + 1);
        if (p[1].revents)
            drain(&c->errs, errs, 4096);
        if (out->size > max_bytes)
            return px_fail(err, -EFBIG, "it sends more than %zu bytes", max_bytes);
    }
    return 0;
}

static int capture_end(struct capture *c, const char *what, struct px_error *err) {
    struct verdict v;
    if (read(c->verdict, &v, sizeof(v)) != (ssize_t)sizeof(v))
        return px_fail(err, -EIO, "'%s' ended without a word", what);
    if (v.result < 0 && err)
        *err = v.err;
    return v.result;
}

int px_desktop_collect(const struct px_fleet *fleet, const struct px_desktop *d,
                       const struct px_exec_opts *opts, size_t max_bytes, struct px_buf *ret,
                       struct px_buf *ret_errs, struct px_error *err) {
    px_cleanup(capture_fini) struct capture c = {0, -1, -1, -1};
    px_cleanup(px_buf_fini) struct px_buf errs = {0};
    assert(opts->timeout_us > 0);
    int r = capture_start(fleet, d, opts, &c, err);
    if (r < 0)
        return r;
    /* The one at work inside ends the command itself; this is for when it hangs, too. */
    r = capture_read(&c, max_bytes, opts->timeout_us + GRACE_US, ret, ret_errs ? ret_errs : &errs,
                     err);
    px_buf_add(ret, "", 0); /* a NUL behind what was read, or behind nothing */
    px_buf_add(ret_errs ? ret_errs : &errs, "", 0);
    return r < 0 ? r : capture_end(&c, opts->argv[0], err);
}

static int capture(const struct px_fleet *fleet, const struct px_desktop *d,
                   const char *const *argv, size_t max_bytes, int64_t timeout_us,
                   struct px_buf *ret, struct px_error *err) {
    const struct px_exec_opts opts = {.argv = argv, .session = true, .timeout_us = timeout_us};
    px_cleanup(px_buf_fini) struct px_buf errs = {0};
    int r = px_desktop_collect(fleet, d, &opts, max_bytes, ret, &errs, err);
    if (r <= 0)
        return r;
    const char *text = px_buf_str(&errs);
    return px_fail(err, -EIO, "'%s' ended with status %d%s%.*s", argv[0], r, text[0] ? ": " : "",
                   (int)strcspn(text, "\n"), text);
}

int px_desktop_screenshot(const struct px_fleet *fleet, const char *name, struct px_buf *ret_png,
                          struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_desktop_open(fleet, name, &d, err);
    if (r < 0)
        return r;
    px_cleanup_close int root = px_fleet_backend(fleet)->root(&d->c, err);
    if (root < 0)
        return not_running(name, root, err);
    if (!px_ready_has_session(fleet, d)) {
        px_fail(err, -ENOTSUP, "desktop '%s' has no X session: its image '%s' holds none", name,
                d->rec->spec.image);
        return px_hint(err, -ENOTSUP, "use image 'desktop', or a recipe with `from: desktop`");
    }
    const char *const argv[] = {"xwd", "-root", "-silent", NULL};
    px_cleanup(px_buf_fini) struct px_buf dump = {0};
    r = capture(fleet, d, argv, SCREEN_MAX_BYTES, SCREEN_TIMEOUT_US, &dump, err);
    if (r < 0)
        return px_wrap(err, r, "desktop '%s'", name);
    return px_xwd_to_png(dump.data, dump.size, ret_png, err);
}

static int logs_of_running(const struct px_fleet *fleet, const struct px_desktop *d,
                           const struct px_logs_opts *opts, struct px_error *err) {
    const char *argv[16];
    size_t n = 0;
    px_cleanup_free char *lines =
        opts->n_lines < 0 ? px_strdup("all") : px_asprintf("%d", opts->n_lines);
    argv[n++] = "journalctl";
    argv[n++] = "--no-pager";
    argv[n++] = "-n";
    argv[n++] = lines;
    if (opts->follow)
        argv[n++] = "-f";
    if (opts->unit) {
        argv[n++] = "-u";
        argv[n++] = opts->unit;
    }
    argv[n] = NULL;
    const struct px_exec_opts exec = {
        .argv = argv, .user = "root", .fd_in = -1, .fd_out = opts->fd_out, .fd_err = STDERR_FILENO};
    return exec_in(fleet, d, &exec, err);
}

/* The last @n_lines of a file in dir/lxc. */
static int tail(const struct px_desktop *d, const char *file, int n_lines, int fd_out,
                struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    int r = px_file_read(d->dir_fd, file, 64 * 1024 * 1024, &text, &size, err);
    if (r == -ENOENT) {
        px_fail(err, r, "desktop '%s' has no log yet", d->rec->spec.name);
        return px_hint(err, r, "`phoenix start %s` starts it", d->rec->spec.name);
    }
    if (r < 0)
        return r;
    size_t at = size;
    for (int n = 0; at > 0; at--)
        if (at < size && text[at - 1] == '\n' && n_lines >= 0 && ++n >= n_lines)
            break;
    r = px_fd_write_all(fd_out, text + at, size - at);
    return r < 0 ? px_fail_sys(err, r, "cannot write the log") : 0;
}

int px_desktop_logs(const struct px_fleet *fleet, const char *name, const struct px_logs_opts *opts,
                    struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_desktop_open(fleet, name, &d, err);
    if (r < 0)
        return r;
    if (opts->host)
        return tail(d, "lxc/lxc.log", opts->n_lines, opts->fd_out, err);
    r = logs_of_running(fleet, d, opts, err);
    if (r == -ESRCH && !opts->follow)
        return tail(d, "lxc/console.log", opts->n_lines, opts->fd_out, err);
    return r < 0 ? not_running(name, r, err) : r;
}
