/* src/backend/lxc/terminal.h - our terminal passed through to one inside
 *
 * The inner pair comes from the container's own devpts (so that tty(1), job control and further
 * opens work there), ours goes raw until px_terminal_close(). Bytes wait in two buffers, so that
 * neither side can block the other. One thread. Source: tty_ioctl(4), TIOCGPTPEER in ioctl_tty(2).
 */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#define PX_TERMINAL_POLLS 3

struct px_terminal {
    int outer_fd;  /* the pair's side on the host */
    int inside_fd; /* the side the command gets */
    bool raw, in_eof;
    struct termios saved;
    struct px_buf to_inside, to_us;
};
#define PX_TERMINAL_INIT                                                                           \
    { .outer_fd = -1, .inside_fd = -1 }

/* @devpts_fd: the container's. The node belongs to @uid, @gid (host ids). Our fds 0 and 1 are ours.
 */
int px_terminal_open(struct px_terminal *t, int devpts_fd, uid_t uid, gid_t gid,
                     struct px_error *err);
/* The command has its side; ours goes raw. */
void px_terminal_started(struct px_terminal *t);
void px_terminal_resize(struct px_terminal *t); /* after SIGWINCH */
void px_terminal_prepare(struct px_terminal *t, struct pollfd p[PX_TERMINAL_POLLS]);
void px_terminal_handle(struct px_terminal *t, const struct pollfd p[PX_TERMINAL_POLLS]);
void px_terminal_drain(struct px_terminal *t); /* what the command wrote before it ended */
void px_terminal_close(struct px_terminal *t); /* restores ours */
