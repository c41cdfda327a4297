/* src/backend/lxc/terminal.c - our terminal passed through to one inside */
#include "backend/lxc/terminal.h"
#include "base/cleanup.h"
#include "base/file.h"
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define BUFFER_MAX_BYTES (64 * 1024)

int px_terminal_open(struct px_terminal *t, int devpts_fd, uid_t uid, gid_t gid,
                     struct px_error *err) {
    if (devpts_fd < 0)
        return px_fail_sys(err, devpts_fd, "cannot get the container's terminals");
    t->outer_fd = openat(devpts_fd, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    int unlock = 0;
    if (t->outer_fd < 0 || ioctl(t->outer_fd, TIOCSPTLCK, &unlock) < 0)
        return px_fail_sys(err, -errno, "cannot open a terminal inside");
    t->inside_fd = ioctl(t->outer_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (t->inside_fd < 0 || fchown(t->inside_fd, uid, gid) < 0 || fchmod(t->inside_fd, 0620) < 0)
        return px_fail_sys(err, -errno, "cannot set up a terminal inside");
    if (tcgetattr(0, &t->saved) < 0)
        return px_fail_sys(err, -errno, "standard input is no terminal");
    tcsetattr(t->inside_fd, TCSANOW, &t->saved);
    px_terminal_resize(t);
    return 0;
}

void px_terminal_resize(struct px_terminal *t) {
    struct winsize size;
    if (t->outer_fd >= 0 && ioctl(0, TIOCGWINSZ, &size) == 0)
        ioctl(t->outer_fd, TIOCSWINSZ, &size);
}

void px_terminal_started(struct px_terminal *t) {
    if (t->outer_fd < 0)
        return;
    /* Ours closed, the end of the last process inside shows as a hang-up. */
    px_closep(&t->inside_fd);
    t->inside_fd = -1;
    struct termios raw = t->saved;
    cfmakeraw(&raw);
    t->raw = tcsetattr(0, TCSADRAIN, &raw) == 0;
}

void px_terminal_prepare(struct px_terminal *t, struct pollfd p[PX_TERMINAL_POLLS]) {
    for (int i = 0; i < PX_TERMINAL_POLLS; i++)
        p[i] = (struct pollfd){.fd = -1};
    if (t->outer_fd < 0)
        return;
    if (!t->in_eof && t->to_inside.size < BUFFER_MAX_BYTES)
        p[0] = (struct pollfd){.fd = 0, .events = POLLIN};
    if (t->to_us.size)
        p[1] = (struct pollfd){.fd = 1, .events = POLLOUT};
    short events = (short)((t->to_us.size < BUFFER_MAX_BYTES ? POLLIN : 0) |
                           (t->to_inside.size ? POLLOUT : 0));
    if (events) /* a hang-up is always reported: without anything to do it would spin */
        p[2] = (struct pollfd){.fd = t->outer_fd, .events = events};
}

/* Reads once into @b. false: the end, or an error as good as that. */
static bool fill(int fd, struct px_buf *b) {
    char *at = px_buf_reserve(b, 4096);
    ssize_t n = read(fd, at, 4096);
    if (n > 0)
        b->size += (size_t)n;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool flush(int fd, struct px_buf *b) {
    ssize_t n = b->size ? write(fd, b->data, b->size) : 0;
    if (n > 0)
        px_buf_drop(b, (size_t)n);
    return n >= 0 || errno == EAGAIN || errno == EINTR;
}

void px_terminal_handle(struct px_terminal *t, const struct pollfd p[PX_TERMINAL_POLLS]) {
    if (p[0].revents && !fill(0, &t->to_inside))
        t->in_eof = true;
    if (p[1].revents && !flush(1, &t->to_us))
        px_buf_reset(&t->to_us);
    if (p[2].revents & POLLOUT && !flush(t->outer_fd, &t->to_inside))
        px_buf_reset(&t->to_inside);
    if (p[2].revents & (POLLIN | POLLHUP) && !fill(t->outer_fd, &t->to_us)) {
        /* EIO: nobody inside has it open any more; the pidfd tells the rest. */
        px_closep(&t->outer_fd);
        t->outer_fd = -1;
    }
}

void px_terminal_drain(struct px_terminal *t) {
    while (t->outer_fd >= 0 && t->to_us.size < BUFFER_MAX_BYTES) {
        size_t before = t->to_us.size;
        if (!fill(t->outer_fd, &t->to_us) || t->to_us.size == before)
            break;
    }
    if (t->to_us.size)
        (void)px_fd_write_all(1, t->to_us.data, t->to_us.size);
    px_buf_reset(&t->to_us);
}

void px_terminal_close(struct px_terminal *t) {
    if (t->raw)
        tcsetattr(0, TCSADRAIN, &t->saved);
    t->raw = false;
    px_closep(&t->inside_fd);
    px_closep(&t->outer_fd);
    t->inside_fd = t->outer_fd = -1;
    px_buf_fini(&t->to_inside);
    px_buf_fini(&t->to_us);
}
