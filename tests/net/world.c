/* tests/net/world.c - a host with three desktops and an outside, in network namespaces */
#include "world.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/proc.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#define MAX_OUT (4 * 1024 * 1024)

const uint8_t mac_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static int open_ns(void) {
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

void enter(int ns) {
    if (setns(ns, CLONE_NEWNET) < 0)
        fail_msg("setns: %s", strerror(errno));
}

static char *run(int home, int ns, const char *command, bool must) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    const char *const argv[] = {"sh", "-c", command, NULL};
    struct px_error err = {0};
    enter(ns);
    int r = px_proc_run(&(struct px_proc_opts){.argv = argv,
                                               .out = &out,
                                               .out_err = &out,
                                               .max_bytes = MAX_OUT,
                                               .timeout_us = 20000000},
                        &err);
    enter(home);
    if (must && r != 0)
        fail_msg("'%s': status %d: %s%s", command, r, px_buf_str(&out), err.msg);
    return px_buf_take(&out);
}

void sh(const struct world *w, int ns, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    px_cleanup_free char *command = px_vasprintf(fmt, ap);
    va_end(ap);
    free(run(w->host, ns, command, true));
}

char *out_of(const struct world *w, const char *command) {
    return run(w->host, w->host, command, true);
}

char *world_dump(const struct world *w) {
    return out_of(w,
                  "ip -d -o link | sed 's/ gc_timer *[0-9.]*//'; ip -o addr; ip route show table "
                  "all; ip rule; nft -a list ruleset; cd /proc/sys/net && "
                  "grep -rs . ipv4 ipv6 bridge | grep -v stable_secret | sort");
}

void assert_same_text(const char *a, const char *b) {
    while (*a && *a == *b) {
        a++;
        b++;
    }
    if (*a || *b)
        fail_msg("they part at '%.120s' and '%.120s'", a, b);
}

/* ---- making the world ---- */

/* A namespace begins with the settings of the machine it is made on, which may run desktops. */
static const char fresh[] = "ip link set lo up; cd /proc/sys/net/ipv4; echo 0 > ip_forward; "
                            "echo 1 > conf/all/accept_redirects";

static int new_ns(int home) {
    int fd = unshare(CLONE_NEWNET) < 0 ? -1 : open_ns();
    if (fd >= 0)
        free(run(fd, fd, fresh, true));
    enter(home);
    return fd;
}

static void set_spec(struct world *w) {
    w->spec = (struct px_host_spec){.state_dir = px_asprintf("%s/state", w->dir),
                                    .run_dir = px_asprintf("%s/run", w->dir)};
    strcpy(w->spec.network.bridge, "pxt0");
    inet_pton(AF_INET, "10.88.0.0", &w->spec.network.range);
    w->spec.network.prefix = 16;
    w->spec.network.nat = true;
    w->spec.network.open = w->open;
    inet_pton(AF_INET, OUTSIDE, &w->dns[0]);
    w->spec.network.dns = w->dns;
    w->spec.network.n_dns = 1;
    for (unsigned i = 0; i < N_DESKS; i++) {
        const struct in_addr a = {htonl(ntohl(px_net_gateway(&w->spec).s_addr) + 1 + i)};
        px_net_port_name(&w->spec, "pxt", a, &w->port[i]);
    }
}

int world_open(struct world *w) {
    *w = (struct world){.home = open_ns()};
    /* In memory as /run is: what is measured is the network, not this machine's disk. */
    snprintf(w->dir, sizeof(w->dir), "%s/pxt-net-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (geteuid() != 0 || !mkdtemp(w->dir))
        return -1;
    set_spec(w);
    w->host = new_ns(w->home);
    if (w->host < 0)
        return -1;
    enter(w->host);
    w->outside = new_ns(w->host);
    for (unsigned i = 0; i < N_DESKS; i++)
        w->desk[i] = new_ns(w->host);
    sh(w, w->host, "ip link add up0 mtu %d type veth peer name eth0 mtu %d netns /proc/%d/fd/%d",
       MTU, MTU, getpid(), w->outside);
    sh(w, w->host,
       "ip link set up0 addrgenmode none && ip addr add " UPLINK
       "/24 dev up0 && ip link set up0 up && "
       "ip route add default via " OUTSIDE);
    sh(w, w->outside,
       "ip addr add " OUTSIDE "/24 dev eth0 && ip addr add " METADATA "/32 dev eth0 "
       "&& ip link set eth0 up");
    /* Until then the link is down for a moment, in every listing. */
    sh(w, w->host,
       "for i in $(seq 300); do ip -o link show up0 | grep -q 'state UP' && exit 0; "
       "sleep 0.05; done; exit 1");
    return 0;
}

void world_close(struct world *w) {
    const int all[] = {w->host, w->outside, w->desk[0], w->desk[1], w->desk[2]};
    enter(w->home);
    for (size_t i = 0; i < PX_N_ELEMENTS(all); i++)
        if (all[i] > 0)
            close(all[i]);
    close(w->home);
    px_rm_rf(AT_FDCWD, w->dir, NULL);
    free(w->spec.state_dir);
    free(w->spec.run_dir);
}

void world_wire(struct world *w, unsigned i) {
    const struct px_net_port *p = &w->port[i];
    char address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &p->address, address, sizeof(address));
    sh(w, w->host, "ip link add %s mtu %d type veth peer name eth0 mtu %d netns /proc/%d/fd/%d",
       p->ifname, MTU, MTU, getpid(), w->desk[i]);
    sh(w, w->host, "ip link set %s master %s up", p->ifname, w->spec.network.bridge);
    sh(w, w->desk[i],
       "ip link set eth0 address %02x:%02x:%02x:%02x:%02x:%02x && ip link set eth0 up && "
       "ip addr add %s/16 dev eth0 && ip route add default via " GATEWAY,
       p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4], p->mac[5], address);
}

void world_unwire(struct world *w, unsigned i) {
    sh(w, w->host, "ip link del %s", w->port[i].ifname);
}

void world_up(struct world *w, bool isolate) {
    struct px_error err = {0};
    px_assert_ok_err(px_net_up(&w->spec, w->port, N_DESKS, &err), &err);
    for (unsigned i = 0; i < N_DESKS; i++) {
        world_wire(w, i);
        if (isolate)
            px_assert_ok_err(px_net_port_isolate(&w->spec, w->port[i].ifname, &err), &err);
    }
}

/* ---- TCP ---- */

static struct sockaddr_in to(const char *address, unsigned port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    assert_int_equal(inet_pton(AF_INET, address, &a.sin_addr), 1);
    return a;
}

static int socket_in(const struct world *w, int ns, int domain, int type, int protocol) {
    enter(ns);
    int fd = socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    enter(w->host);
    assert_true(fd >= 0);
    return fd;
}

int listen_at(const struct world *w, int ns, const char *address, unsigned port) {
    const struct sockaddr_in a = to(address, port);
    const int yes = 1;
    int fd = socket_in(w, ns, AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0)
        fail_msg("listen %s:%u: %s", address, port, strerror(errno));
    return fd;
}

static bool ready(int fd, short events, int timeout_ms) {
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, timeout_ms) > 0;
}

int talk_to(const struct world *w, int ns, const char *address, unsigned port, int listener,
            char ret_peer[INET_ADDRSTRLEN]) {
    const struct sockaddr_in a = to(address, port);
    struct sockaddr_in peer;
    socklen_t size = sizeof(int), peer_size = sizeof(peer);
    px_cleanup_close int fd = socket_in(w, ns, AF_INET, SOCK_STREAM, 0);
    int error = 0;
    char byte = 'x';
    if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS)
        return -errno;
    if (!ready(fd, POLLOUT, 400))
        return -ETIMEDOUT;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error)
        return -error;
    px_cleanup_close int got = accept(listener, (struct sockaddr *)&peer, &peer_size);
    if (got < 0 || write(got, &byte, 1) != 1 || !ready(fd, POLLIN, 400) || read(fd, &byte, 1) != 1)
        return -EPIPE;
    if (ret_peer)
        inet_ntop(AF_INET, &peer.sin_addr, ret_peer, INET_ADDRSTRLEN);
    return 0;
}

int reach(const struct world *w, int ns, int to_ns, const char *address, unsigned port,
          char ret_peer[INET_ADDRSTRLEN]) {
    px_cleanup_close int listener = listen_at(w, to_ns, "0.0.0.0", port);
    return talk_to(w, ns, address, port, listener, ret_peer);
}

bool pings(const struct world *w, int ns, const char *address) {
    px_cleanup_close int fd = socket_in(w, ns, AF_INET, SOCK_RAW, IPPROTO_ICMP);
    const struct sockaddr_in a = to(address, 0);
    const uint8_t request[8] = {8, 0, 0xf7, 0xfd, 0, 1, 0, 1}; /* with its checksum */
    uint8_t got[256];
    if (sendto(fd, request, sizeof(request), 0, (const struct sockaddr *)&a, sizeof(a)) < 0)
        return false;
    while (ready(fd, POLLIN, 300)) {
        const ssize_t n = read(fd, got, sizeof(got));
        if (n >= 28 && got[20] == 0) /* an echo reply behind the IP header */
            return true;
    }
    return false;
}

/* ---- frames ---- */

static void add(struct frame *f, const void *data, size_t size) {
    assert_true(f->size + size <= sizeof(f->data));
    memcpy(f->data + f->size, data, size);
    f->size += size;
}

static void add16(struct frame *f, unsigned value) {
    add(f, (const uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void add_ip(struct frame *f, const char *address) {
    struct in_addr a;
    assert_int_equal(inet_pton(AF_INET, address, &a), 1);
    add(f, &a, sizeof(a));
}

static void add_ether(struct frame *f, const uint8_t to_mac[6], const uint8_t from[6],
                      unsigned type) {
    add(f, to_mac, 6);
    add(f, from, 6);
    add16(f, type);
}

static unsigned checksum(const uint8_t *data, size_t size) {
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += (uint32_t)data[i] << 8 | data[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

struct frame frame_udp(const struct udp_opts *o) {
    struct frame f = {0};
    const unsigned payload = sizeof(MARK) - 1;
    add_ether(&f, o->to_mac, o->from_mac, o->vlan ? 0x8100 : 0x0800);
    if (o->vlan) {
        add16(&f, 7);
        add16(&f, 0x0800);
    }
    const size_t ip = f.size;
    add(&f, "\x45\0", 2);
    add16(&f, 20 + 8 + payload);
    add(&f, "\0\x01\0\0\x40\x11\0\0", 8);
    add_ip(&f, o->from);
    add_ip(&f, o->to);
    const unsigned sum = checksum(f.data + ip, 20);
    f.data[ip + 10] = (uint8_t)(sum >> 8);
    f.data[ip + 11] = (uint8_t)sum;
    add16(&f, o->from_port ? o->from_port : 4000);
    add16(&f, o->to_port ? o->to_port : 4001);
    add16(&f, 8 + payload);
    add16(&f, 0); /* no checksum */
    add(&f, MARK, payload);
    return f;
}

struct frame frame_arp(const struct arp_opts *o) {
    struct frame f = {0};
    add_ether(&f, mac_broadcast, o->frame_mac, 0x0806);
    add(&f, "\0\x01\x08\0\x06\x04", 6);
    add16(&f, o->operation);
    add(&f, o->sender_mac, 6);
    add_ip(&f, o->sender);
    add(&f, "\0\0\0\0\0\0", 6);
    add_ip(&f, o->target);
    add(&f, MARK, sizeof(MARK) - 1); /* padding, which nobody looks at */
    return f;
}

struct frame frame_other(const uint8_t from[6], const uint8_t to_mac[6], uint16_t ethertype) {
    struct frame f = {0};
    add_ether(&f, to_mac, from, ethertype);
    add(&f, MARK, sizeof(MARK) - 1);
    add(&f, (const uint8_t[40]){0}, 40);
    return f;
}

struct frame frame_router_advert(const uint8_t from[6]) {
    struct frame f = {0};
    const unsigned payload = 16 + sizeof(MARK) - 1;
    add_ether(&f, (const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, from, 0x86dd);
    add(&f, "\x60\0\0\0", 4);
    add16(&f, payload);
    add(&f, "\x3a\xff", 2);
    add(&f, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x66", 16); /* fe80::66 */
    add(&f, "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16); /* all nodes */
    add(&f, "\x86\0\0\0\x40\0\x07\x08\0\0\0\0\0\0\0\0", 16);
    add(&f, MARK, sizeof(MARK) - 1);
    return f;
}

static int packet_socket(const struct world *w, int ns, const char *ifname) {
    int fd = socket_in(w, ns, AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    enter(ns);
    struct sockaddr_ll a = {.sll_family = AF_PACKET,
                            .sll_protocol = htons(ETH_P_ALL),
                            .sll_ifindex = (int)if_nametoindex(ifname)};
    enter(w->host);
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        fail_msg("packet socket on %s: %s", ifname, strerror(errno));
    return fd;
}

bool arrives(const struct world *w, unsigned i, const struct frame *frame, int ns,
             const char *ifname) {
    px_cleanup_close int tx = packet_socket(w, w->desk[i], "eth0");
    px_cleanup_close int rx = packet_socket(w, ns, ifname);
    uint8_t got[2048];
    struct sockaddr_ll from;
    if (send(tx, frame->data, frame->size, 0) != (ssize_t)frame->size)
        fail_msg("cannot send a frame: %s", strerror(errno));
    while (ready(rx, POLLIN, 100)) {
        socklen_t size = sizeof(from);
        ssize_t n = recvfrom(rx, got, sizeof(got), 0, (struct sockaddr *)&from, &size);
        if (n > 0 && from.sll_pkttype != PACKET_OUTGOING &&
            memmem(got, (size_t)n, MARK, sizeof(MARK) - 1))
            return true;
    }
    return false;
}
