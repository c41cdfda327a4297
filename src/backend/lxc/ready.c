/* src/backend/lxc/ready.c - knowing when the system inside has booted */
#include "backend/lxc/ready.h"
#include "backend/lxc/lxc.h"
#include "backend/lxc/monitor.h"
#include "backend/lxc/paths.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define POLL_MS 500 /* how soon a death of the hearing process is noticed; no event tells that */

int px_ready_bind(const struct px_container *c, struct px_error *err) {
    px_cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot make a socket");
    px_cleanup_free char *path = px_lxc_mnt_path(c, "notify");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return px_fail(err, -ENAMETOOLONG, "'%s' is too long for a socket", path);
    strcpy(address.sun_path, path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        chown(path, c->id_first, c->id_first) < 0 || chmod(path, 0600) < 0)
        return px_fail_sys(err, -errno, "cannot make the socket '%s'", path);
    return px_take_fd(&fd);
}

bool px_ready_parse(const char *message, size_t size) {
    static const char want[] = "READY=1";
    const size_t n = sizeof(want) - 1;
    for (const char *p = message, *end = message + size; p < end;) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if ((size_t)((eol ? eol : end) - p) == n && memcmp(p, want, n) == 0)
            return true;
        p = eol ? eol + 1 : end;
    }
    return false;
}

int px_ready_lock(const char *run_dir, struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("%s/wait", run_dir);
    px_cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return px_fail_sys(err, -errno, "cannot lock '%s'", path);
    return px_take_fd(&fd);
}

static int note_ready(const char *run_dir, pid_t init_pid, struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("%s/ready", run_dir);
    char text[64];
    snprintf(text, sizeof(text), "%d %ju\n", init_pid, (uintmax_t)px_proc_stat(init_pid, 22));
    return px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
}

static bool noted_ready(const char *run_dir, pid_t init_pid) {
    px_cleanup_free char *path = px_asprintf("%s/ready", run_dir), *text = NULL;
    char want[64];
    snprintf(want, sizeof(want), "%d %ju\n", init_pid, (uintmax_t)px_proc_stat(init_pid, 22));
    return px_file_read(AT_FDCWD, path, sizeof(want), &text, NULL, NULL) == 0 &&
           strcmp(text, want) == 0;
}

int px_ready_hear(const char *run_dir, int notify_fd, pid_t init_pid, struct px_error *err) {
    px_cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, init_pid, 0);
    const int64_t deadline = px_now_us() + PX_READY_LIMIT_MS * PX_US_PER_MS;
    while (px_now_us() < deadline) {
        char message[4096];
        struct pollfd p[] = {{.fd = notify_fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
        if (poll(p, 2, 1000) < 0 && errno != EINTR)
            return px_fail_sys(err, -errno, "cannot poll");
        if (pidfd < 0 || p[1].revents)
            return px_fail(err, -ESRCH, "the container stopped");
        ssize_t n = p[0].revents ? recv(notify_fd, message, sizeof(message), MSG_DONTWAIT) : 0;
        if (n > 0 && px_ready_parse(message, (size_t)n))
            return note_ready(run_dir, init_pid, err);
    }
    return px_fail(err, -ETIMEDOUT, "the system inside has not come up");
}

/* Whether the hearing process is there. */
static bool is_heard(const char *run_dir) {
    px_cleanup_free char *path = px_asprintf("%s/wait", run_dir);
    px_cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* Waits for a change in RUN/containers/NAME, or init's end, or POLL_MS. */
static void wait_change(int inotify_fd, int pidfd, int timeout_ms) {
    char events[4096];
    struct pollfd p[] = {{.fd = inotify_fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    if (poll(p, 2, timeout_ms < POLL_MS ? timeout_ms : POLL_MS) > 0 && p[0].revents &&
        read(inotify_fd, events, sizeof(events)) < 0)
        return; /* nothing lost: the file itself is looked at next */
}

/* Asks systemd itself, which answers when it is up. -EAGAIN: it does not listen yet. */
static int ask(const struct px_container *c, pid_t init_pid, int timeout_ms, struct px_error *err) {
    static const char *const argv[] = {"/usr/bin/systemctl", "is-system-running", "--wait", NULL};
    px_cleanup_free char *run = px_lxc_run_path(c);
    px_cleanup_close int out = memfd_create("is-system-running", MFD_CLOEXEC);
    if (out < 0)
        return px_fail_sys(err, -errno, "cannot make a memory file");
    const struct px_backend_exec what = {.argv = argv,
                                         .cwd = "/",
                                         .fd_in = -1,
                                         .fd_out = out,
                                         .fd_err = -1,
                                         .timeout_us = timeout_ms * PX_US_PER_MS};
    int r = px_lxc_exec(c, &what, err);
    char word[32] = "";
    if (r < 0)
        return r;
    if (pread(out, word, sizeof(word) - 1, 0) < 0)
        return px_fail_sys(err, -errno, "cannot read an answer");
    /* degraded: up, and a unit failed, which is the image's matter. */
    return strncmp(word, "running", 7) == 0 || strncmp(word, "degraded", 8) == 0
               ? note_ready(run, init_pid, err)
               : -EAGAIN;
}

int px_lxc_wait_ready(const struct px_container *c, int64_t timeout_us, struct px_error *err) {
    const int64_t deadline = px_now_us() + timeout_us;
    px_cleanup_free char *run = px_lxc_run_path(c);
    px_cleanup_close int inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    /* Without a watch (limit reached), POLL_MS finds it as well. */
    if (inotify_fd >= 0)
        inotify_add_watch(inotify_fd, run, IN_MOVED_TO | IN_ONLYDIR);
    for (;;) {
        struct px_monitor m;
        px_cleanup_close int pidfd = px_monitor_open_init(c, &m, err);
        if (pidfd < 0)
            return pidfd;
        if (noted_ready(run, m.init_pid))
            return 0;
        int64_t left_ms = (deadline - px_now_us()) / PX_US_PER_MS;
        if (left_ms <= 0)
            return px_fail(err, -ETIMEDOUT, "container '%s' is not up after %jd ms", c->name,
                           (intmax_t)(timeout_us / PX_US_PER_MS));
        if (is_heard(run)) {
            wait_change(inotify_fd, pidfd, (int)left_ms);
            continue;
        }
        int r = ask(c, m.init_pid, (int)left_ms, err);
        if (r != -EAGAIN)
            return r;
        px_pidfd_wait(pidfd, left_ms < POLL_MS ? (int)left_ms : POLL_MS);
    }
}
