/* bench/server_load_relay.c - load for the relay: pairs that send much, or small frames to and fro
 */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "server_load.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

static void pair(const struct target *t, size_t i, int ret[2]) {
    uint8_t msg[512];
    char uuid[40];
    uint64_t r[2];
    if (getrandom(r, sizeof(r), 0) != sizeof(r))
        die("getrandom");
    snprintf(uuid, sizeof(uuid), "%016llx-%016llx", (unsigned long long)r[0],
             (unsigned long long)r[1]);
    size_t size =
        encode(&(struct px_rdv_msg){.kind = PX_RDV_REQUEST_RELAY,
                                    .request_relay = {.uuid = px_bytes_of(uuid),
                                                      .licence_key = px_bytes_of(t->key)}},
               msg);
    for (int k = 0; k < 2; k++) {
        ret[k] = tcp_from(t, i * 2 + (size_t)k, &t->addr);
        send_frame(ret[k], msg, size);
        if (k == 0)
            px_sleep_us(200); /* the official relay may miss two that come at once */
    }
    char c = 'x'; /* until it comes through they are not paired */
    if (send(ret[0], &c, 1, MSG_NOSIGNAL) != 1 || recv(ret[1], &c, 1, 0) != 1)
        die("pairing");
}

void relay(const struct target *t) {
    static uint8_t data[256 * 1024];
    struct epoll_event ev, events[64];
    int ep = epoll_create1(EPOLL_CLOEXEC), (*pairs)[2] = px_calloc(t->n, sizeof(int[2]));
    uint64_t bytes = 0;
    for (size_t i = 0; i < t->n; i++) {
        pair(t, i, pairs[i]);
        for (int k = 0; k < 2; k++) {
            fcntl(pairs[i][k], F_SETFL, O_NONBLOCK);
            ev = (struct epoll_event){.events = k ? EPOLLIN : EPOLLOUT,
                                      .data.u64 = (uint64_t)pairs[i][k] << 1 | (uint64_t)k};
            epoll_ctl(ep, EPOLL_CTL_ADD, pairs[i][k], &ev);
        }
    }
    const double cpu = cpu_s(t->pid);
    const int64_t start = px_now_us(), end = start + t->seconds * PX_US_PER_S;
    while (px_now_us() < end) {
        int n = epoll_wait(ep, events, 64, 100);
        for (int i = 0; i < n; i++) {
            const int fd = (int)(events[i].data.u64 >> 1);
            ssize_t k = events[i].data.u64 & 1
                            ? recv(fd, data, sizeof(data), MSG_TRUNC) /* thrown away uncopied */
                            : send(fd, data, sizeof(data), MSG_NOSIGNAL);
            if (k == 0 || (k < 0 && errno != EAGAIN))
                die("relay");
            if (events[i].data.u64 & 1 && k > 0)
                bytes += (uint64_t)k;
        }
    }
    const double wall = (double)(px_now_us() - start) / 1e6, used = cpu_s(t->pid) - cpu;
    printf("pairs=%zu MB_per_s=%.0f cpu_s_per_GB=%.3f server_cpu=%.2f\n", t->n,
           (double)bytes / wall / 1e6, used / ((double)bytes / 1e9), used / wall);
    for (size_t i = 0; i < t->n; i++)
        for (int k = 0; k < 2; k++)
            close(pairs[i][k]);
    close(ep);
    free(pairs);
}

/* Two sockets connected to each other: what is there without a relay. */
static void connect_directly(int ret[2]) {
    struct sockaddr_in at = source(0);
    socklen_t size = sizeof(at);
    int one = 1, l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l < 0 || bind(l, (struct sockaddr *)&at, size) < 0 || listen(l, 1) < 0 ||
        getsockname(l, (struct sockaddr *)&at, &size) < 0)
        die("listening");
    const struct target t = {.addr = at};
    ret[0] = tcp_from(&t, 1, &at);
    ret[1] = accept(l, NULL, NULL);
    if (ret[1] < 0)
        die("accept");
    setsockopt(ret[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    close(l);
}

static int64_t round_ns(const int ends[2]) {
    static char frame[101] = {(char)(100 << 2)}; /* content does not matter to the relay */
    const int64_t start = now_ns();
    for (int k = 0; k < 2; k++)
        if (send(ends[k], frame, sizeof(frame), MSG_NOSIGNAL) != sizeof(frame) ||
            recv(ends[1 - k], frame, sizeof(frame), MSG_WAITALL) != sizeof(frame))
            die("echo");
    return now_ns() - start;
}

void echo(const struct target *t) {
    enum { MAX = 1000000 };
    int64_t *relayed = px_new0(int64_t, MAX), *direct = px_new0(int64_t, MAX);
    int(*pairs)[2] = px_calloc(t->n, sizeof(int[2])),
    (*straight)[2] = px_calloc(t->n, sizeof(int[2]));
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        pair(t, i, pairs[i]);
        connect_directly(straight[i]);
    }
    const double cpu = cpu_s(t->pid);
    const int64_t end = px_now_us() + t->seconds * PX_US_PER_S;
    for (; n < MAX && px_now_us() < end; n++) {
        relayed[n] = round_ns(pairs[n % t->n]);
        direct[n] = round_ns(straight[n % t->n]);
    }
    print_times("round", relayed, n);
    print_times(" direct", direct, n);
    printf(" added_p50_us=%.1f added_p95_us=%.1f pairs=%zu cpu_us_per_frame=%.2f\n",
           us_at(relayed, n, 50) - us_at(direct, n, 50),
           us_at(relayed, n, 95) - us_at(direct, n, 95), t->n,
           (cpu_s(t->pid) - cpu) * 1e6 / (double)n / 2);
    for (size_t i = 0; i < t->n; i++)
        for (int k = 0; k < 2; k++) {
            close(pairs[i][k]);
            close(straight[i][k]);
        }
    free(pairs);
    free(straight);
    free(relayed);
    free(direct);
}
