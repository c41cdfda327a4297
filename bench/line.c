/* bench/line.c - a line between two network namespaces: slow, distant, lossy
 *
 *     line MBIT RTT_MS [LOSS_PERCENT [JITTER_MS [QUEUE_MS]]]
 *
 * Makes "line0" in the namespace that it is started in and "line1" in a new one, its own
 * (/proc/PID/ns/net), and says "ready". What goes in at one comes out of the other: no sooner than
 * so many bits a second, half the round trip and some jitter allow; at random some packets are
 * lost, and all that find QUEUE_MS (150, and at least 32 kB) of others before them. Both ways
 * alike. Ends when killed, and all of it is gone then. For kernels without netem. Needs root. */
#include "base/alloc.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PACKET_MAX 2048
#define QUEUE_MIN_BYTES 32000
#define GUST_US (10 * PX_US_PER_MS) /* jitter stays the same for so long */

struct packet {
    struct packet *next;
    int64_t due_us;
    size_t size;
    uint8_t bytes[PACKET_MAX];
};

struct way {
    int from, to;
    struct packet *first, **end;
    int64_t free_us; /* when all before it has left */
    int64_t last_due_us, gust_us, jitter_us;
};

struct line {
    double bits_per_us, loss;
    int64_t half_us, jitter_us, queue_us;
    unsigned random;
};

static double chance(struct line *l) {
    l->random = l->random * 1103515245u + 12345u;
    return (double)(l->random >> 16) / 65536;
}

static int open_tun(const char *name) {
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0) {
        fprintf(stderr, "line: cannot make %s: %s\n", name, strerror(errno));
        exit(1);
    }
    return fd;
}

static void take(struct line *l, struct way *w) {
    struct packet *p = px_new0(struct packet, 1);
    const int64_t now = px_now_us();
    const ssize_t n = read(w->from, p->bytes, sizeof(p->bytes));
    const int64_t waits = w->free_us > now ? w->free_us - now : 0;
    if (n <= 0 || waits > l->queue_us || chance(l) < l->loss) {
        free(p);
        return;
    }
    if (now - w->gust_us > GUST_US) {
        w->gust_us = now;
        w->jitter_us = (int64_t)(chance(l) * (double)l->jitter_us);
    }
    p->size = (size_t)n;
    w->free_us = now + waits + (int64_t)((double)n * 8 / l->bits_per_us);
    p->due_us = w->free_us + l->half_us + w->jitter_us;
    if (p->due_us < w->last_due_us) /* nothing overtakes */
        p->due_us = w->last_due_us;
    w->last_due_us = p->due_us;
    *w->end = p;
    w->end = &p->next;
}

/* Returns when the next one is due. */
static int64_t give(struct way *w) {
    while (w->first && w->first->due_us <= px_now_us()) {
        struct packet *p = w->first;
        w->first = p->next;
        if (!w->first)
            w->end = &w->first;
        if (write(w->to, p->bytes, p->size) < 0 && errno != EIO) /* it is down, as at the start */
            fprintf(stderr, "line: %s\n", strerror(errno));
        free(p);
    }
    return w->first ? w->first->due_us : INT64_MAX;
}

int main(int argc, char **argv) {
    double v[5] = {0, 0, 0, 0, 150};
    for (int i = 1; i < argc && i <= 5; i++)
        v[i - 1] = atof(argv[i]);
    if (argc < 3 || v[0] <= 0) {
        fputs("usage: line MBIT RTT_MS [LOSS_PERCENT [JITTER_MS [QUEUE_MS]]]\n", stderr);
        return 2;
    }
    struct line l = {.bits_per_us = v[0],
                     .half_us = (int64_t)(v[1] * 500),
                     .loss = v[2] / 100,
                     .jitter_us = (int64_t)(v[3] * 1000),
                     .queue_us = (int64_t)(v[4] * 1000),
                     .random = 1};
    const int64_t least = (int64_t)(QUEUE_MIN_BYTES * 8 / l.bits_per_us);
    l.queue_us = l.queue_us < least ? least : l.queue_us;
    const int here = open_tun("line0");
    if (unshare(CLONE_NEWNET) < 0) {
        fprintf(stderr, "line: cannot make a network namespace: %s\n", strerror(errno));
        return 1;
    }
    const int there = open_tun("line1");
    struct way ways[2] = {{.from = here, .to = there}, {.from = there, .to = here}};
    prctl(PR_SET_TIMERSLACK, 1000UL);
    puts("ready");
    fflush(stdout);
    for (int i = 0; i < 2; i++)
        ways[i].end = &ways[i].first;
    for (;;) {
        struct pollfd fds[2] = {{.fd = here, .events = POLLIN}, {.fd = there, .events = POLLIN}};
        const int64_t a = give(&ways[0]), b = give(&ways[1]), at = a < b ? a : b;
        const int64_t us = at == INT64_MAX ? PX_US_PER_S : at - px_now_us();
        const struct timespec ts = {us > 0 ? us / PX_US_PER_S : 0,
                                    us > 0 ? us % PX_US_PER_S * 1000 : 0};
        if (ppoll(fds, 2, &ts, NULL) <= 0)
            continue;
        for (int i = 0; i < 2; i++)
            if (fds[i].revents & POLLIN)
                take(&l, &ways[i]);
    }
}
