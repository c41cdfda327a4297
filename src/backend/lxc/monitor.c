/* src/backend/lxc/monitor.c - a running container, as its liblxc monitor tells */
#include "backend/lxc/monitor.h"
#include "backend/lxc/paths.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>

static void container_put(struct lxc_container *lxc) {
    lxc_container_put(lxc);
}
PX_DEFINE_CLEANUP(struct lxc_container *, container_put)

static enum px_container_state to_state(const char *word) {
    static const struct {
        const char *word;
        enum px_container_state state;
    } table[] = {
        {"RUNNING", PX_CONTAINER_RUNNING},   {"STARTING", PX_CONTAINER_STARTING},
        {"STOPPING", PX_CONTAINER_STOPPING}, {"ABORTING", PX_CONTAINER_STOPPING},
        {"FROZEN", PX_CONTAINER_FROZEN},     {"FREEZING", PX_CONTAINER_FROZEN},
        {"THAWED", PX_CONTAINER_RUNNING},
    };
    for (size_t i = 0; word && i < PX_N_ELEMENTS(table); i++)
        if (strcmp(word, table[i].word) == 0)
            return table[i].state;
    return PX_CONTAINER_STOPPED;
}

int px_monitor_query(const struct px_container *c, struct px_monitor *ret, struct px_error *err) {
    px_cleanup_free char *path = px_lxc_containers_path(c);
    px_cleanup(container_putp) struct lxc_container *lxc = lxc_container_new(c->name, path);
    if (!lxc)
        return px_fail(err, -EIO, "liblxc does not take container '%s' in '%s'", c->name, path);
    *ret = (struct px_monitor){.state = to_state(lxc->state(lxc))};
    if (ret->state == PX_CONTAINER_STOPPED)
        return 0;
    pid_t pid = lxc->init_pid(lxc);
    if (pid > 0) {
        ret->init_pid = pid;
        ret->monitor_pid = (pid_t)px_proc_stat(pid, 4);
    }
    return 0;
}

int px_monitor_open_init(const struct px_container *c, struct px_monitor *ret,
                         struct px_error *err) {
    struct px_monitor now;
    int r = px_monitor_query(c, &now, err);
    if (r < 0)
        return r;
    px_cleanup_close int fd = now.init_pid ? (int)syscall(SYS_pidfd_open, now.init_pid, 0) : -1;
    /* Asked again: the answer shows that the pid was still init's when the fd was opened. */
    if (fd < 0 || px_monitor_query(c, ret, NULL) < 0 || ret->init_pid != now.init_pid)
        return px_fail(err, -ESRCH, "container '%s' is not running", c->name);
    return px_take_fd(&fd);
}

int px_monitor_settle(const struct px_container *c, int timeout_ms, struct px_monitor *ret,
                      struct px_error *err) {
    const int64_t deadline = px_now_us() + timeout_ms * PX_US_PER_MS;
    for (;;) {
        int r = px_monitor_query(c, ret, err);
        if (r < 0 || (ret->state != PX_CONTAINER_STARTING && ret->state != PX_CONTAINER_STOPPING))
            return r;
        if (px_now_us() >= deadline)
            return 0;
        px_sleep_us(10 * PX_US_PER_MS);
    }
}

uint64_t px_proc_stat(pid_t pid, unsigned n) {
    px_cleanup_free char *path = px_asprintf("/proc/%d/stat", pid);
    px_cleanup_free char *text = NULL;
    if (px_file_read(AT_FDCWD, path, 4096, &text, NULL, NULL) < 0)
        return 0;
    char *at = strrchr(text, ')'); /* behind the name, which may hold anything; field 3 follows */
    for (unsigned field = 2; at && field < n; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

bool px_pidfd_wait(int pidfd, int timeout_ms) {
    const int64_t deadline = px_now_us() + timeout_ms * PX_US_PER_MS;
    for (;;) {
        int64_t left = timeout_ms < 0 ? -1 : (deadline - px_now_us() + 999) / PX_US_PER_MS;
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        int r = poll(&p, 1, timeout_ms < 0 ? -1 : left > 0 ? (int)left : 0);
        if (r > 0)
            return true;
        if (r == 0 || errno != EINTR)
            return false;
    }
}
