/* src/io/sock.c - sockets of the server */
#include "io/sock.h"
#include "base/log.h"
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define BACKLOG 1024
#define ACCEPTS_PER_TURN 64

static void set(int fd, int level, int name, int value) {
    (void)setsockopt(fd, level, name, &value, sizeof(value)); /* each is an improvement only */
}

static int bound(int type, const struct px_sock_opts *opts, bool shared, bool v6,
                 struct px_error *err) {
    static const struct px_addr any_v6 = {0};
    const struct px_addr any_v4 = px_addr_v4(0, 0, 0, 0, 0);
    struct px_addr at = opts->bind ? *opts->bind : v6 ? any_v6 : any_v4;
    struct sockaddr_storage sa;
    char text[PX_ADDR_TEXT_MAX];
    at.port = opts->port;
    px_cleanup_close int fd =
        socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return px_fail_sys(err, -errno, "socket");
    if (v6)
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set(fd, SOL_SOCKET, SO_REUSEPORT, shared);
    socklen_t size = px_addr_to_sockaddr(&at, v6, &sa);
    if (bind(fd, (struct sockaddr *)&sa, size) < 0)
        return px_fail_sys(err, -errno, "%s port %s", type == SOCK_DGRAM ? "UDP" : "TCP",
                           px_addr_text(&at, text));
    return px_take_fd(&fd);
}

/* IPv6 that is compiled out or disabled shows as one of these. */
static bool no_v6(int r) {
    return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL || r == -EPROTONOSUPPORT;
}

static int open_bound(int type, const struct px_sock_opts *opts, bool shared, bool *ret_v6,
                      struct px_error *err) {
    bool v6 = !opts->bind || !px_addr_is_v4(opts->bind);
    int fd = bound(type, opts, shared, v6, err);
    if (no_v6(fd) && !opts->bind) {
        v6 = false;
        fd = bound(type, opts, shared, v6, err);
    }
    if (fd >= 0 && ret_v6)
        *ret_v6 = v6;
    return fd;
}

int px_sock_udp(const struct px_sock_opts *opts, bool *ret_v6, struct px_error *err) {
    bool v6 = false;
    int fd = open_bound(SOCK_DGRAM, opts, true, &v6, err);
    if (fd < 0)
        return fd;
    /* Which of our addresses was asked: the answer must come from it. */
    if (!opts->bind && v6)
        set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    if (!opts->bind && !v6)
        set(fd, IPPROTO_IP, IP_PKTINFO, 1);
    /* What we send fits any path. Without this each datagram gets an identification for the case
     * that it is cut into fragments, which takes the kernel 3 % of a heartbeat's time. */
    set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    if (opts->rcvbuf_bytes > 0) {
        set(fd, SOL_SOCKET, SO_RCVBUF, opts->rcvbuf_bytes);
        set(fd, SOL_SOCKET, SO_RCVBUFFORCE, opts->rcvbuf_bytes); /* past the limit, if we may */
    }
    *ret_v6 = v6;
    return fd;
}

int px_sock_is_free(const struct px_sock_opts *opts, struct px_error *err) {
    px_cleanup_close int fd = open_bound(SOCK_STREAM, opts, false, NULL, err);
    return fd < 0 ? fd : 0;
}

int px_sock_listen(const struct px_sock_opts *opts, struct px_error *err) {
    px_cleanup_close int fd = open_bound(SOCK_STREAM, opts, true, NULL, err);
    if (fd < 0)
        return fd;
    if (listen(fd, BACKLOG) < 0)
        return px_fail_sys(err, -errno, "TCP port %u", opts->port);
    return px_take_fd(&fd);
}

int px_sock_listen_unix(const char *path, unsigned mode, struct px_error *err) {
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(sa.sun_path))
        return px_fail(err, -ENAMETOOLONG, "socket path '%s' is longer than %zu bytes", path,
                       sizeof(sa.sun_path) - 1);
    strcpy(sa.sun_path, path);
    px_cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return px_fail_sys(err, -errno, "socket");
    (void)unlink(path);
    mode_t old = umask(~mode & 0777);
    int r = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
    umask(old);
    if (r < 0 || listen(fd, 16) < 0)
        return px_fail_sys(err, r < 0 ? r : -errno, "socket '%s'", path);
    return px_take_fd(&fd);
}

int px_sock_local_addr(int fd, struct px_addr *ret, struct px_error *err) {
    struct sockaddr_storage sa;
    socklen_t size = sizeof(sa);
    if (getsockname(fd, (struct sockaddr *)&sa, &size) < 0)
        return px_fail_sys(err, -errno, "getsockname");
    int r = px_addr_from_sockaddr((struct sockaddr *)&sa, ret);
    return r < 0 ? px_fail(err, r, "not an IP socket") : 0;
}

static bool in_network(const struct px_addr *a, const struct ifaddrs *i) {
    struct px_addr own, mask;
    if (!i->ifa_addr || !i->ifa_netmask || px_addr_from_sockaddr(i->ifa_addr, &own) < 0 ||
        px_addr_is_v4(&own) != px_addr_is_v4(a))
        return false;
    if (px_addr_is_v4(a)) {
        memset(mask.ip, 0xff, 12);
        memcpy(mask.ip + 12, &((const struct sockaddr_in *)i->ifa_netmask)->sin_addr, 4);
    } else
        memcpy(mask.ip, &((const struct sockaddr_in6 *)i->ifa_netmask)->sin6_addr, 16);
    for (int b = 0; b < 16; b++)
        if ((own.ip[b] ^ a->ip[b]) & mask.ip[b])
            return false;
    return true;
}

bool px_sock_on_link(const struct px_addr *addr, const struct px_addr *but) {
    struct ifaddrs *list = NULL;
    bool found = false;
    if (getifaddrs(&list) < 0)
        return false;
    for (const struct ifaddrs *i = list; i && !found; i = i->ifa_next)
        found = in_network(addr, i) && !in_network(but, i);
    freeifaddrs(list);
    return found;
}

void px_sock_nodelay(int fd) {
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/* Out of descriptors: the spare one lets us accept and close, so that the client learns at once and
 * the queue does not spin. */
static void turn_one_away(struct px_listener *l) {
    px_closep(&l->spare_fd);
    int fd = accept4(l->watch.fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_readable(struct px_watch *w, uint32_t events) {
    struct px_listener *l = px_container_of(w, struct px_listener, watch);
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage sa;
        socklen_t size = sizeof(sa);
        int fd = accept4(w->fd, (struct sockaddr *)&sa, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
            turn_one_away(l);
            continue;
        }
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0)
            continue; /* the client left while it was queued */
        struct px_addr from = {0};
        if (sa.ss_family != AF_UNIX)
            (void)px_addr_from_sockaddr((struct sockaddr *)&sa, &from);
        l->on_accept(l, fd, &from);
    }
}

int px_listener_init(struct px_listener *l, struct px_loop *loop, int fd,
                     void (*on_accept)(struct px_listener *l, int fd, const struct px_addr *from),
                     struct px_error *err) {
    *l = (struct px_listener){.watch = {.fd = fd, .on_events = on_readable},
                              .loop = loop,
                              .on_accept = on_accept,
                              .spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
    int r = px_loop_watch(loop, &l->watch, EPOLLIN, err); /* level-triggered: we stop half-way */
    if (r < 0)
        px_listener_fini(l);
    return r;
}

void px_listener_fini(struct px_listener *l) {
    if (!l->loop)
        return;
    px_loop_unwatch(l->loop, &l->watch);
    px_closep(&l->watch.fd);
    px_closep(&l->spare_fd);
    l->watch.fd = l->spare_fd = -1;
    l->loop = NULL;
}
