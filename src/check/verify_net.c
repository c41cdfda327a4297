/* src/check/verify_net.c - what a desktop reaches: its name servers, the outside
 *
 * Asked from inside its network namespace by this process, not by programs of the image. What the
 * host itself does not reach is no fault of the desktop. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "check/dns.h"
#include "check/verify_desk.h"
#include "desktop/files.h"
#include "net/resolv.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#define OUTSIDE_NAME "www.debian.org" /* any that stands for the world */
#define OUTSIDE_PORT 80
#define ANSWER_US (2 * PX_US_PER_S)
#define CONNECT_US (5 * PX_US_PER_S)
#define RCODE_NO_NAME 3

static int wait_fd(int fd, short events, int64_t until_us) {
    struct pollfd p = {.fd = fd, .events = events};
    int64_t left;
    while ((left = until_us - px_now_us()) > 0)
        if (poll(&p, 1, (int)(left / PX_US_PER_MS) + 1) > 0)
            return 1;
    return 0;
}

static int open_socket(int type, struct in_addr to, unsigned port) {
    const struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = to};
    px_cleanup_close int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 ||
        (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS))
        return -errno;
    return px_take_fd(&fd);
}

/* The server's result; *ret_us how long it took. -ETIMEDOUT and other reasons. */
static int ask_one(struct in_addr server, struct in_addr *ret, int64_t *ret_us) {
    uint8_t question[PX_DNS_MAX_BYTES], answer[4096];
    uint16_t id = 0;
    if (getrandom(&id, sizeof(id), 0) < 0)
        return -errno;
    const int size = px_dns_ask(id, OUTSIDE_NAME, question, NULL);
    px_cleanup_close int fd = open_socket(SOCK_DGRAM, server, 53);
    if (fd < 0)
        return fd;
    const int64_t t0 = px_now_us();
    for (int try = 0; try < 2; try++) { /* a packet may get lost */
        const int64_t until = px_now_us() + ANSWER_US;
        if (send(fd, question, (size_t)size, MSG_NOSIGNAL) < 0)
            return -errno;
        while (wait_fd(fd, POLLIN, until)) {
            const ssize_t n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
            if (n < 0 && errno != EAGAIN)
                return -errno;
            const int r = n < 0 ? -1 : px_dns_parse(answer, (size_t)n, id, ret, NULL);
            *ret_us = px_now_us() - t0;
            if (r >= 0)
                return r;
        }
    }
    return -ETIMEDOUT;
}

/* 0: it answers there. */
static int reach(struct in_addr to, int64_t *ret_us) {
    const int64_t t0 = px_now_us();
    px_cleanup_close int fd = open_socket(SOCK_STREAM, to, OUTSIDE_PORT);
    int e = 0;
    socklen_t size = sizeof(e);
    if (fd < 0)
        return fd;
    if (!wait_fd(fd, POLLOUT, t0 + CONNECT_US))
        return -ETIMEDOUT;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size);
    *ret_us = px_now_us() - t0;
    return -e;
}

/* This process is in the desktop's network from here on. */
static int go_inside(const struct px_verify_desk *desk, struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("/proc/%d/ns/net", desk->info.init_pid);
    px_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        return px_fail_sys(err, -errno, "cannot look from inside its network");
    return 0;
}

static int read_servers(const struct px_verify_desk *desk, struct px_resolv *ret,
                        struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    int r = px_file_read(desk->d->dir_fd, PX_FILES_DIR "/resolv.conf", PX_RESOLV_MAX_BYTES, &text,
                         &size, err);
    if (r < 0)
        return r;
    px_resolv_parse(text, size, ret);
    return ret->n_servers ? 0 : px_fail(err, -ENOENT, "it has no name server");
}

void px_verify_dns(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    struct px_resolv servers;
    struct px_error err = {0};
    int host[PX_RESOLV_SERVERS_MAX];
    int64_t us = 0;
    if (!desk->d->rec->spec.network.internet) {
        px_found_skip(ret, "dns", "its file gives it no internet");
        return;
    }
    int r = read_servers(desk, &servers, &err);
    for (size_t i = 0; r >= 0 && i < servers.n_servers; i++)
        host[i] = ask_one(servers.servers[i], &(struct in_addr){0}, &us);
    if (r < 0 || (r = go_inside(desk, &err)) < 0) {
        px_found_error(ret, "dns", &err);
        return;
    }
    for (size_t i = 0; i < servers.n_servers; i++) {
        char server[INET_ADDRSTRLEN];
        struct in_addr address;
        inet_ntop(AF_INET, &servers.servers[i], server, sizeof(server));
        r = ask_one(servers.servers[i], &address, &us);
        if (r == 0 || r == RCODE_NO_NAME)
            px_found_ok(ret, "dns", "%s answers in %.1f ms", server, (double)us / 1e3);
        else if (r > 0)
            px_found_warn(ret, "dns", "set network.dns in the host file",
                          "%s answers, but with error %d", server, r);
        else if (host[i] < 0)
            px_found_warn(ret, "dns", "set network.dns in the host file",
                          "%s answers neither inside nor on this host", server);
        else
            px_found_fail(ret, "dns", "phoenix net show: does another firewall drop it?",
                          "%s answers this host, but not inside: %s", server, strerror(-r));
        if (r >= 0)
            px_findings_value(ret, (double)us / 1e3, "ms");
    }
}

/* Where the outside is, as the host sees it; less than 0: it does not. */
static int find_outside(const struct px_verify_desk *desk, struct in_addr *ret,
                        struct px_error *err) {
    struct px_resolv servers;
    int64_t us;
    int r = read_servers(desk, &servers, err);
    if (r < 0)
        return r;
    r = -ENOENT;
    for (size_t i = 0; i < servers.n_servers && r != 0; i++)
        r = ask_one(servers.servers[i], ret, &us) == 0 && ret->s_addr ? 0 : -ENOENT;
    return r == 0 ? reach(*ret, &us) : r;
}

void px_verify_internet(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    const bool wanted = desk->d->rec->spec.network.internet;
    struct px_error err = {0};
    struct in_addr outside;
    int64_t us = 0;
    if (find_outside(desk, &outside, &err) < 0) {
        px_found_skip(ret, "internet", "this host does not reach %s itself", OUTSIDE_NAME);
        return;
    }
    int r = go_inside(desk, &err);
    if (r < 0) {
        px_found_error(ret, "internet", &err);
        return;
    }
    r = reach(outside, &us);
    if (wanted && r == 0) {
        px_found_ok(ret, "internet", "%s in %.1f ms", OUTSIDE_NAME, (double)us / 1e3);
        px_findings_value(ret, (double)us / 1e3, "ms");
    } else if (wanted)
        px_found_fail(ret, "internet", "phoenix net show: does another firewall drop it?",
                      "this host reaches %s, inside does not: %s", OUTSIDE_NAME, strerror(-r));
    else if (r == 0)
        px_found_fail(ret, "internet", "phoenix net up", "%s is reached, its file says no internet",
                      OUTSIDE_NAME);
    else
        px_found_ok(ret, "internet", "no way out, as its file says");
}
