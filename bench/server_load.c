/* bench/server_load.c - load for an ID server and relay that speak the RustDesk protocol
 *
 *     server-load MODE HOST PORT KEY PID [N [SECONDS]]
 *
 * heartbeat  N registered devices send heartbeats as fast as they are answered; none may get lost
 * peers      registers N new devices: memory per device
 * punch      a connection request to a device and back, with N idle connections beside
 * relay      N pairs, bytes in one direction as fast as they go
 * echo       N pairs, one small frame to and fro at a time on each, in turn with as many that are
 *            connected directly: what the relay adds
 *
 * PID is the server's: its CPU time and memory are read from /proc. PORT is P for the first three,
 * R for the others. Prints one line of name=value. Sources are 10.77.0.0/16, which has to be local
 * (bench/server.sh makes a network namespace for that). */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "proto/addr.h"
#include "proto/frame.h"
#include "server_load.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PER_SOURCE 30 /* registrations that the official server lets one address make */
#define BATCH 32
#define SETTLE_US (2 * PX_US_PER_S)
#define AT_ONCE 4 /* addresses that send a batch before the first answer is read */

_Noreturn void die(const char *what) {
    fprintf(stderr, "server-load: %s: %s\n", what, strerror(errno));
    exit(1);
}

double cpu_s(int pid) {
    char path[64], text[1024];
    unsigned long user = 0, sys = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f || !fgets(text, sizeof(text), f))
        die(path);
    fclose(f);
    const char *p = strrchr(text, ')');
    if (!p ||
        sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
        die(path);
    return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

static long rss_kb(int pid) {
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "VmRSS: %ld", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb;
}

struct sockaddr_in source(size_t i) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr = htonl(0x0a4d0000u + 256 + (uint32_t)(i % 65000));
    return a;
}

static int udp_from(const struct target *t, size_t i) {
    const struct sockaddr_in from = source(i);
    const struct timeval patience = {.tv_sec = 3};
    int big = 1 << 20, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
    if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof(from)) < 0 ||
        connect(fd, (const struct sockaddr *)&t->addr, sizeof(t->addr)) < 0)
        die("UDP");
    return fd;
}

int tcp_from(const struct target *t, size_t i, const struct sockaddr_in *to) {
    struct sockaddr_in from = source(i);
    const struct timeval patience = {.tv_sec = 5};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (fd < 0 || bind(fd, (const struct sockaddr *)&from, sizeof(from)) < 0 ||
        connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
        die("TCP");
    return fd;
}

size_t encode(const struct px_rdv_msg *msg, uint8_t out[512]) {
    return (size_t)px_rdv_encode(msg, out, 512, NULL);
}

static size_t register_pk(size_t i, uint8_t out[512]) {
    char id[32], uuid[48];
    uint8_t pk[32];
    snprintf(id, sizeof(id), "%09zu", 100000000 + i);
    snprintf(uuid, sizeof(uuid), "01234567-89ab-cdef-0123-%012zu", i);
    memset(pk, 7, sizeof(pk));
    memcpy(pk, &i, sizeof(i));
    return encode(
        &(struct px_rdv_msg){
            .kind = PX_RDV_REGISTER_PK,
            .register_pk = {.id = px_bytes_of(id), .uuid = px_bytes_of(uuid), .pk = {pk, 32}}},
        out);
}

static size_t register_peer(size_t i, uint8_t out[512]) {
    char id[32];
    snprintf(id, sizeof(id), "%09zu", 100000000 + i);
    return encode(&(struct px_rdv_msg){.kind = PX_RDV_REGISTER_PEER,
                                       .register_peer = {.id = px_bytes_of(id)}},
                  out);
}

/* Sends and waits; again when nothing comes for a while. */
static size_t ask(int fd, const uint8_t *msg, size_t size, uint8_t *out, size_t cap) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (int tries = 0; tries < 20; tries++) {
        if (send(fd, msg, size, 0) < 0)
            die("send");
        if (poll(&p, 1, 500) == 1) {
            ssize_t n = recv(fd, out, cap, 0);
            if (n >= 0)
                return (size_t)n;
        }
    }
    die("no answer");
}

static void set_up_devices(const struct target *t, int *fds, size_t n_fds) {
    uint8_t msg[512], out[512];
    for (size_t i = 0; i < t->n; i++) {
        size_t size = register_pk(i, msg);
        size_t got = ask(fds[i / PER_SOURCE], msg, size, out, sizeof(out));
        if (got != 3 || out[0] != 0x82)
            die("a registration was refused");
    }
}

/* Heartbeats of one socket's devices, in one call. */
static size_t beat(int fd, size_t first, size_t n) {
    static uint8_t out[BATCH][512];
    static struct mmsghdr tx[BATCH];
    static struct iovec iov[BATCH];
    for (size_t i = 0; i < n; i++) {
        iov[i] = (struct iovec){out[i], register_peer(first + i, out[i])};
        tx[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
    }
    if (sendmmsg(fd, tx, (unsigned)n, 0) != (int)n)
        die("sendmmsg");
    return n;
}

static size_t take(int fd, size_t want) {
    static uint8_t in[BATCH][64];
    static struct mmsghdr rx[BATCH];
    static struct iovec iov[BATCH];
    size_t got = 0;
    for (size_t i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){in[i], sizeof(in[i])};
        rx[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
    }
    while (got < want) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 3000) != 1)
            break; /* lost */
        int n = recvmmsg(fd, rx, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++)
            if (rx[i].msg_len != 2 || in[i][0] != 0x3a)
                die("a heartbeat was answered wrongly");
        got += n > 0 ? (size_t)n : 0;
    }
    return got;
}

static void heartbeat(const struct target *t) {
    const size_t n_fds = (t->n + PER_SOURCE - 1) / PER_SOURCE;
    int *fds = px_new0(int, n_fds);
    size_t sent = 0, got = 0;
    for (size_t i = 0; i < n_fds; i++)
        fds[i] = udp_from(t, i);
    set_up_devices(t, fds, n_fds);
    const double cpu = cpu_s(t->pid);
    const int64_t start = px_now_us(), end = start + t->seconds * PX_US_PER_S;
    for (size_t i = 0; px_now_us() < end; i++) {
        /* Several sockets at once, so that the server never waits for us. */
        const size_t a = i * AT_ONCE % n_fds;
        size_t asked[AT_ONCE] = {0};
        for (size_t k = 0; k < AT_ONCE && a + k < n_fds; k++) {
            const size_t first = (a + k) * PER_SOURCE;
            const size_t left = t->n - first < PER_SOURCE ? t->n - first : PER_SOURCE;
            sent += asked[k] = beat(fds[a + k], first, left);
        }
        for (size_t k = 0; k < AT_ONCE && a + k < n_fds; k++)
            got += take(fds[a + k], asked[k]);
    }
    const double wall = (double)(px_now_us() - start) / 1e6, used = cpu_s(t->pid) - cpu;
    printf("heartbeats_per_s=%.0f per_cpu_s=%.0f lost=%zu server_cpu=%.2f\n", (double)got / wall,
           (double)got / used, sent - got, used / wall);
    free(fds);
}

static void peers(const struct target *t) {
    uint8_t msg[512], out[512];
    const long before = rss_kb(t->pid);
    const double cpu = cpu_s(t->pid);
    const int64_t start = px_now_us();
    int fd = -1;
    for (size_t i = 0; i < t->n; i++) {
        if (i % PER_SOURCE == 0) {
            if (fd >= 0)
                close(fd);
            fd = udp_from(t, i / PER_SOURCE);
        }
        size_t size = register_pk(i, msg), got = ask(fd, msg, size, out, sizeof(out));
        if (got != 3 || out[0] != 0x82)
            die("a registration was refused");
    }
    const double wall = (double)(px_now_us() - start) / 1e6;
    px_sleep_us(3 * PX_US_PER_S); /* the database catches up */
    printf("devices=%zu bytes_per_device=%.0f registered_per_s=%.0f cpu_us_each=%.1f\n", t->n,
           (double)(rss_kb(t->pid) - before) * 1024 / (double)t->n, (double)t->n / wall,
           (cpu_s(t->pid) - cpu) * 1e6 / (double)t->n);
    close(fd);
}

void send_frame(int fd, const uint8_t *msg, size_t size) {
    uint8_t raw[600];
    size_t n = px_frame_print((uint32_t)size, raw);
    memcpy(raw + n, msg, size);
    if (send(fd, raw, n + size, MSG_NOSIGNAL) != (ssize_t)(n + size))
        die("send");
}

static size_t read_frame(int fd, uint8_t out[4096]) {
    uint32_t bytes = 0;
    size_t have = 0;
    for (;;) {
        if (px_frame_parse(out, have, &bytes, NULL) == PX_PARSE_DONE) {
            const size_t head = px_frame_prefix_size(out[0]);
            if (have >= head + bytes) {
                memmove(out, out + head, bytes);
                return bytes;
            }
        }
        ssize_t n = recv(fd, out + have, 1, 0); /* no further than the frame */
        if (n <= 0)
            die("connection");
        have += (size_t)n;
    }
}

static int by_value(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

int64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

double us_at(const int64_t *ns, size_t n, size_t percent) {
    return n ? (double)ns[n * percent / 100] / 1e3 : 0;
}

void print_times(const char *what, int64_t *ns, size_t n) {
    qsort(ns, n, sizeof(*ns), by_value);
    printf("%s_p50_us=%.1f %s_p95_us=%.1f %s_p99_us=%.1f", what, us_at(ns, n, 50), what,
           us_at(ns, n, 95), what, us_at(ns, n, 99));
}

/* The answer of the device to a push. */
static void answer_push(const struct target *t, int udp, size_t device) {
    uint8_t raw[2048], out[512];
    char id[32];
    struct px_rdv_msg push;
    snprintf(id, sizeof(id), "%09zu", 100000000 + device);
    ssize_t n = recv(udp, raw, sizeof(raw), 0);
    if (n <= 0 || px_rdv_decode((struct px_bytes){raw, (size_t)n}, &push, NULL) < 0 ||
        push.kind != PX_RDV_PUNCH_HOLE)
        die("no push");
    size_t size =
        encode(&(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE_SENT,
                                    .punch_hole_sent = {.socket_addr = push.punch_hole.socket_addr,
                                                        .id = px_bytes_of(id),
                                                        .relay_server = px_bytes_of("r"),
                                                        .nat_type = 1,
                                                        .version = px_bytes_of("1.4.9")}},
               out);
    int fd = tcp_from(t, 0, &t->addr);
    send_frame(fd, out, size);
    close(fd);
}

static void punch(const struct target *t) {
    enum { ROUNDS = 2000 };
    uint8_t msg[512], out[4096];
    int64_t *ns = px_new0(int64_t, ROUNDS);
    int *idle = px_new0(int, t->n + 1), udp = udp_from(t, 0);
    size_t size = register_pk(1, msg);
    ask(udp, msg, size, out, sizeof(out));
    size = register_peer(1, msg); /* the official server takes a new port only from this */
    ask(udp, msg, size, out, sizeof(out));
    const int64_t ready = px_now_us();
    for (size_t i = 0; i < t->n; i++)
        idle[i] = tcp_from(t, 10 + i, &t->addr);
    if (t->n)
        px_sleep_us(SETTLE_US); /* until the server has taken and greeted them all */
    size = encode(&(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE_REQUEST,
                                       .punch_hole_request = {.id = px_bytes_of("100000001"),
                                                              .licence_key = px_bytes_of(t->key),
                                                              .nat_type = 1,
                                                              .version = px_bytes_of("1.4.9")}},
                  msg);
    size_t n = 0;
    uint8_t beat_msg[512];
    const size_t beat_size = register_peer(1, beat_msg);
    for (; n < ROUNDS && px_now_us() < ready + 25 * PX_US_PER_S;
         n++) { /* idle ones live for 30 s */
        if (n % 500 == 499)
            ask(udp, beat_msg, beat_size, out, sizeof(out));
        int fd = tcp_from(t, 5, &t->addr);
        const int64_t start = now_ns();
        send_frame(fd, msg, size);
        answer_push(t, udp, 1);
        read_frame(fd, out);
        ns[n] = now_ns() - start;
        close(fd);
    }
    print_times("punch", ns, n);
    printf(" n=%zu idle=%zu\n", n, t->n);
    for (size_t i = 0; i < t->n; i++)
        close(idle[i]);
    free(idle);
    free(ns);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(const struct target *t);
        size_t n;
    } modes[] = {{"heartbeat", heartbeat, 3000},
                 {"peers", peers, 100000},
                 {"punch", punch, 0},
                 {"relay", relay, 1},
                 {"echo", echo, 1}};
    if (argc < 6) {
        fprintf(stderr, "server-load: MODE HOST PORT KEY PID [N [SECONDS]]\n");
        return 2;
    }
    struct target t = {.addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))},
                       .key = argv[4],
                       .pid = atoi(argv[5]),
                       .n = argc > 6 ? strtoul(argv[6], NULL, 10) : 0,
                       .seconds = argc > 7 ? atoi(argv[7]) : 5};
    if (inet_pton(AF_INET, argv[2], &t.addr.sin_addr) != 1)
        die("HOST is no IPv4 address");
    for (size_t i = 0; i < PX_N_ELEMENTS(modes); i++)
        if (strcmp(modes[i].name, argv[1]) == 0) {
            if (argc <= 6)
                t.n = modes[i].n;
            modes[i].run(&t);
            return 0;
        }
    fprintf(stderr, "server-load: no mode '%s'\n", argv[1]);
    return 2;
}
