/* src/host/encode/apart.c - cards are asked in a process of their own */
#include "host/encode/apart.h"
#include "base/clock.h"
#include "host/encode/measure.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FINE 11
#define FAST_KBPS 100000
#define LIKE_DDB 280 /* what is worse is another picture, or nearly (a coarse one has 33 dB) */

static int yes(const struct px_encoder_ops *ops, struct px_error *err) {
    return 0;
}

/* What it encodes, decoded: is it what was shown? */
static int look(const struct px_encoder_ops *ops, struct px_error *err) {
    const struct px_measure_opts o = {.width = PX_MEASURE_WIDTH,
                                      .height = PX_MEASURE_HEIGHT,
                                      .n_pictures = 3,
                                      .threads = 1,
                                      .min_quality = FINE,
                                      .rate_kbps = FAST_KBPS};
    struct px_encoder_ops table[2] = {*ops};
    const struct px_encoder_ops *const tables[] = {table};
    struct px_figures f;
    table[0].probe = yes;
    struct px_encoders *e = px_encoders_of(tables, 1);
    int r = px_measure(e, 0, &o, &f, err);
    px_encoders_free(e);
    for (int k = 0; k <= PX_SCENE_SCROLL && r >= 0; k++)
        if (f.ddb[k] < LIKE_DDB)
            r = px_fail(err, -EIO, "its pictures are not what was shown: %u.%u dB", f.ddb[k] / 10,
                        f.ddb[k] % 10);
    return r;
}

static bool is_done(const struct px_asked *list, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (list[k].ops->codec == list[i].ops->codec && list[k].err.code == 0)
            return true;
    return false;
}

static void ask(struct px_asked *a) {
    struct px_error err = {0};
    int r = a->ops->probe(a->ops, &err);
    if (r >= 0) {
        r = look(a->ops, &err);
        if (r < 0)
            r = -EIO;
    }
    a->err = r < 0 ? err : (struct px_error){0};
    a->err.code = r < 0 ? r : 0;
}

void px_ask_here(struct px_asked *list, size_t n) {
    const struct px_error *none = NULL; /* no card for one, none for all: asking takes long */
    for (size_t i = 0; i < n; i++) {
        if (none)
            list[i].err = *none;
        else if (is_done(list, i))
            px_fail(&list[i].err, -ENOTSUP, "not needed");
        else
            ask(&list[i]);
        const int code = list[i].err.code;
        if (code == -ENODEV || code == -ENOSYS)
            none = &list[i].err;
    }
}

/* Everything the child has to say, or as much as it came to say. */
static void tell(const struct px_asked *list, size_t n, int fd) {
    for (size_t i = 0; i < n; i++)
        if (write(fd, &list[i].err, sizeof(list[i].err)) != (ssize_t)sizeof(list[i].err))
            return;
}

static size_t hear(struct px_asked *list, size_t n, int fd) {
    const int64_t until = px_now_us() + PX_ASK_MS * INT64_C(1000);
    const size_t size = n * sizeof(struct px_error);
    struct px_error all[PX_ASKED_MAX];
    size_t got = 0;
    while (got < size) {
        const int64_t left = (until - px_now_us()) / 1000;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0 || poll(&p, 1, (int)left) <= 0)
            break;
        const ssize_t k = read(fd, (char *)all + got, size - got);
        if (k <= 0)
            break;
        got += (size_t)k;
    }
    n = got / sizeof(struct px_error);
    for (size_t i = 0; i < n; i++) {
        list[i].err = all[i];
        list[i].err.msg[sizeof(list[i].err.msg) - 1] = '\0';
        list[i].err.hint[sizeof(list[i].err.hint) - 1] = '\0';
    }
    return n;
}

void px_ask_apart(struct px_asked *list, size_t n) {
    int fds[2], status = 0;
    size_t heard = 0;
    if (n == 0 || pipe2(fds, O_CLOEXEC) < 0)
        return px_ask_here(list, n);
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        px_ask_here(list, n);
        tell(list, n, fds[1]);
        _exit(0);
    }
    close(fds[1]);
    if (pid > 0) {
        heard = hear(list, n, fds[0]);
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close(fds[0]);
    for (size_t i = heard; i < n; i++)
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
            px_fail(&list[i].err, -EIO, "the card's driver has crashed (signal %d)",
                    WTERMSIG(status));
        else
            px_fail(&list[i].err, -EIO, "the card's driver does not answer");
}
