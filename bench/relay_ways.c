/* bench/relay_ways.c - ways to move bytes between two sockets, side by side
 *
 *     relay-ways [SECONDS [WAY...]]
 *
 * For each way: much data in one direction over 1 and 8 pairs, and a frame of 101 bytes to and fro
 * over 1 and 1000 pairs, one at a time. The mover is one thread in a process of its own, its CPU
 * time is read by its clock; the load is this process. "direct": no mover between. Loopback TCP. */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "relay_ways.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAME_BYTES 101
#define MAX_ROUNDS 2000000

_Noreturn void die(const char *what) {
    fprintf(stderr, "relay-ways: %s: %s\n", what, strerror(errno));
    _exit(1);
}

/* One direction, for the ways that wait by epoll. */
struct lane {
    int from, to, pipe[2];
    uint8_t *hold; /* read, not written: from hold[at] to hold[held]; or held bytes in the pipe */
    size_t at, held;
    bool bulk;
};

/* false: no room, or no data. */
static bool write_held(struct lane *l) {
    while (l->held > l->at) {
        ssize_t n = l->bulk ? splice(l->pipe[0], NULL, l->to, NULL, l->held,
                                     SPLICE_F_NONBLOCK | SPLICE_F_MOVE)
                            : send(l->to, l->hold + l->at, l->held - l->at, MSG_NOSIGNAL);
        if (n <= 0) {
            if (n < 0 && errno == EAGAIN)
                return false;
            _exit(0); /* the load is through */
        }
        if (l->bulk)
            l->held -= (size_t)n;
        else
            l->at += (size_t)n;
    }
    l->at = l->held = 0;
    return true;
}

static void pump(struct lane *l, bool may_splice) {
    for (bool more = true; write_held(l) && more;) {
        ssize_t n = l->bulk ? splice(l->from, NULL, l->pipe[1], NULL, IN_FLIGHT_BYTES,
                                     SPLICE_F_NONBLOCK | SPLICE_F_MOVE)
                            : recv(l->from, l->hold, CHUNK_BYTES, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            _exit(0);
        l->held = (size_t)n;
        more = l->bulk || n == CHUNK_BYTES;   /* a short read emptied the socket */
        if (l->bulk && n < CHUNK_BYTES / 4) { /* little: by copy from the next time on */
            if (!write_held(l))
                return;
            l->bulk = false;
        } else if (!l->bulk && may_splice && n == CHUNK_BYTES) {
            if (!write_held(l))
                return;
            l->bulk = true;
        }
    }
}

static void move_by_epoll(int (*pairs)[2], size_t n, bool may_splice) {
    struct lane *lanes = px_new0(struct lane, n * 2);
    struct epoll_event events[256];
    const int ep = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < n * 2; i++) {
        struct lane *l = &lanes[i];
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u64 = i};
        l->from = pairs[i / 2][i % 2];
        l->to = pairs[i / 2][1 - i % 2];
        l->hold = px_calloc(1, CHUNK_BYTES);
        if (pipe2(l->pipe, O_CLOEXEC | O_NONBLOCK) < 0)
            die("pipe");
        (void)fcntl(l->pipe[1], F_SETPIPE_SZ, IN_FLIGHT_BYTES);
        fcntl(l->from, F_SETFL, O_NONBLOCK);
        epoll_ctl(ep, EPOLL_CTL_ADD, l->from, &ev);
    }
    for (;;) {
        int k = epoll_wait(ep, events, 256, -1);
        for (int e = 0; e < k; e++) {
            const size_t i = events[e].data.u64;
            if (events[e].events & EPOLLOUT && lanes[i ^ 1].held > lanes[i ^ 1].at)
                pump(&lanes[i ^ 1], may_splice);
            if (lanes[i].held == lanes[i].at)
                pump(&lanes[i], may_splice);
        }
    }
}

static void way_copy(int (*pairs)[2], size_t n) {
    move_by_epoll(pairs, n, false);
}

static void way_splice(int (*pairs)[2], size_t n) {
    move_by_epoll(pairs, n, true);
}

static const struct way {
    const char *name;
    void (*run)(int (*pairs)[2], size_t n); /* NULL: the load's sockets are connected directly */
} ways[] = {
    {"direct", NULL},     {"copy", way_copy},         {"splice", way_splice},
    {"uring", way_uring}, {"uring-zc", way_uring_zc}, {"uring-splice", way_uring_splice},
};

static void connect_two(int ret[2]) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int one = 1, l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l < 0 || ret[0] < 0 || bind(l, (struct sockaddr *)&at, size) < 0 || listen(l, 1) < 0 ||
        getsockname(l, (struct sockaddr *)&at, &size) < 0 ||
        connect(ret[0], (struct sockaddr *)&at, size) < 0 || (ret[1] = accept(l, NULL, NULL)) < 0)
        die("TCP");
    close(l);
    for (int i = 0; i < 2; i++)
        setsockopt(ret[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* The load's ends, and the mover's process; 0: none. */
struct stage {
    int (*ends)[2];
    size_t n;
    pid_t mover;
};

static void stage_open(struct stage *s, const struct way *way, size_t n) {
    int(*inner)[2] = px_calloc(n, sizeof(int[2]));
    *s = (struct stage){.ends = px_calloc(n, sizeof(int[2])), .n = n};
    for (size_t i = 0; i < n; i++) {
        int two[2];
        connect_two(s->ends[i]);
        if (!way->run)
            continue;
        connect_two(two);
        inner[i][0] = s->ends[i][1];
        inner[i][1] = two[0];
        s->ends[i][1] = two[1];
    }
    if (way->run && (s->mover = fork()) == 0) {
        for (size_t i = 0; i < n; i++)
            for (int k = 0; k < 2; k++)
                close(s->ends[i][k]);
        way->run(inner, n);
    }
    for (size_t i = 0; i < n && way->run; i++)
        for (int k = 0; k < 2; k++)
            close(inner[i][k]);
    free(inner);
}

static void stage_close(struct stage *s) {
    if (s->mover) {
        kill(s->mover, SIGKILL);
        waitpid(s->mover, NULL, 0);
    }
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < 2; k++)
            close(s->ends[i][k]);
    free(s->ends);
}

static double mover_cpu_s(const struct stage *s) {
    struct timespec ts;
    clockid_t clock;
    if (!s->mover)
        return 0;
    if (clock_getcpuclockid(s->mover, &clock) != 0 || clock_gettime(clock, &ts) < 0)
        die("the mover's clock");
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Whether a byte comes through; false: the kernel does not permit this way. */
static bool works(const struct stage *s) {
    int status = 0;
    char c = 'x';
    for (size_t i = 0; i < s->n; i++) {
        if (send(s->ends[i][0], &c, 1, MSG_NOSIGNAL) == 1 && recv(s->ends[i][1], &c, 1, 0) == 1)
            continue;
        if (s->mover && waitpid(s->mover, &status, 0) == s->mover && WIFEXITED(status) &&
            WEXITSTATUS(status) == WAY_FORBIDDEN)
            return false;
        die("the mover");
    }
    return true;
}

static void bulk(struct stage *s, int seconds) {
    static uint8_t data[256 * 1024];
    struct epoll_event ev, events[64];
    const int ep = epoll_create1(EPOLL_CLOEXEC);
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < 2; k++) {
            const int fd = s->ends[i][k];
            fcntl(fd, F_SETFL, O_NONBLOCK);
            ev = (struct epoll_event){.events = k ? EPOLLIN : EPOLLOUT,
                                      .data.u64 = (uint64_t)fd << 1 | (uint64_t)k};
            epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
        }
    const double cpu = mover_cpu_s(s);
    const int64_t start = px_now_us(), end = start + seconds * PX_US_PER_S;
    while (px_now_us() < end) {
        int n = epoll_wait(ep, events, 64, 100);
        for (int i = 0; i < n; i++) {
            const int fd = (int)(events[i].data.u64 >> 1);
            const bool in = events[i].data.u64 & 1;
            ssize_t k = in ? recv(fd, data, sizeof(data), MSG_TRUNC) /* thrown away uncopied */
                           : send(fd, data, sizeof(data), MSG_NOSIGNAL);
            if (k == 0 || (k < 0 && errno != EAGAIN))
                die("bulk");
            bytes += in && k > 0 ? (uint64_t)k : 0;
        }
    }
    const double wall = (double)(px_now_us() - start) / 1e6;
    printf("MB_per_s=%.0f cpu_s_per_GB=%.3f", (double)bytes / wall / 1e6,
           (mover_cpu_s(s) - cpu) / ((double)bytes / 1e9));
    close(ep);
}

static int by_value(const void *a, const void *b) {
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

static void echo(struct stage *s, int seconds) {
    char frame[FRAME_BYTES] = {0};
    int32_t *us10 = px_new0(int32_t, MAX_ROUNDS); /* tenths of a microsecond */
    size_t n = 0;
    struct timespec a, b;
    const double cpu = mover_cpu_s(s);
    const int64_t end = px_now_us() + seconds * PX_US_PER_S;
    for (size_t i = 0; n < MAX_ROUNDS && px_now_us() < end; i = (i + 1) % s->n) {
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (int k = 0; k < 2; k++)
            if (send(s->ends[i][k], frame, sizeof(frame), MSG_NOSIGNAL) != sizeof(frame) ||
                recv(s->ends[i][1 - k], frame, sizeof(frame), MSG_WAITALL) != sizeof(frame))
                die("echo");
        clock_gettime(CLOCK_MONOTONIC, &b);
        us10[n++] = (int32_t)((b.tv_sec - a.tv_sec) * 10000000 + (b.tv_nsec - a.tv_nsec) / 100);
    }
    qsort(us10, n, sizeof(*us10), by_value);
    printf("round_p50_us=%.1f p95=%.1f p99=%.1f cpu_us_per_frame=%.2f", us10[n / 2] / 10.0,
           us10[n * 95 / 100] / 10.0, us10[n * 99 / 100] / 10.0,
           (mover_cpu_s(s) - cpu) * 1e6 / (double)n / 2);
    free(us10);
}

static void measure(const struct way *way, int seconds) {
    static const struct {
        const char *name;
        void (*run)(struct stage *s, int seconds);
        size_t n;
    } loads[] = {{"bulk, 1 pair", bulk, 1},
                 {"bulk, 8 pairs", bulk, 8},
                 {"small frames, 1 pair", echo, 1},
                 {"small frames, 1000 pairs", echo, 1000}};
    for (size_t i = 0; i < PX_N_ELEMENTS(loads); i++) {
        struct stage s;
        printf("%-13s %-25s ", way->name, loads[i].name);
        fflush(stdout);
        stage_open(&s, way, loads[i].n);
        if (works(&s))
            loads[i].run(&s, seconds);
        else
            printf("not permitted here");
        printf("\n");
        fflush(stdout);
        stage_close(&s);
    }
}

int main(int argc, char **argv) {
    const int seconds = argc > 1 ? atoi(argv[1]) : 3;
    struct rlimit l;
    bool any = false;
    if (seconds < 1) {
        fprintf(stderr, "relay-ways: [SECONDS [WAY...]]\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
    for (size_t i = 0; i < PX_N_ELEMENTS(ways); i++) {
        bool wanted = argc <= 2;
        for (int k = 2; k < argc; k++)
            wanted |= strcmp(argv[k], ways[i].name) == 0;
        if (wanted)
            measure(&ways[i], seconds);
        any |= wanted;
    }
    if (!any)
        fprintf(stderr, "relay-ways: no such way\n");
    return any ? 0 : 2;
}
