/* tests/host/nats.c - an ID server with its relay, and two networks behind NATs, in namespaces */
#include "nats.h"
#include "base/alloc.h"
#include "base/proc.h"
#include "base/test.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

static int ns_fd[N_NS];

void nats_enter(enum nat_ns ns) {
    if (setns(ns_fd[ns], CLONE_NEWNET) < 0)
        fail_msg("setns: %s", strerror(errno));
}

static int in_ns(void *data) {
    return setns(*(int *)data, CLONE_NEWNET) < 0 ? errno : 0;
}

void nats_sh(enum nat_ns ns, const char *fmt, ...) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    struct px_error err = {0};
    va_list ap;
    va_start(ap, fmt);
    px_cleanup_free char *command = px_vasprintf(fmt, ap);
    va_end(ap);
    const char *const argv[] = {"sh", "-ec", command, NULL};
    int fd = ns_fd[ns];
    const int r = px_proc_run(&(struct px_proc_opts){.argv = argv,
                                                     .out = &out,
                                                     .out_err = &out,
                                                     .prepare = in_ns,
                                                     .data = &fd,
                                                     .timeout_us = INT64_C(20000000)},
                              &err);
    if (r != 0)
        fail_msg("'%s': status %d: %s%s", command, r, px_buf_str(&out), err.msg);
}

static int here(void) {
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void make(enum nat_ns ns) {
    if (unshare(CLONE_NEWNET) < 0) {
        printf("1..0 # SKIP host: no network namespaces for us here\n");
        exit(77);
    }
    ns_fd[ns] = here();
    nats_sh(ns, "ip link set lo up; echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad; "
                "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad");
}

/* A cable from @a (@name_a) to @b (@name_b). */
static void cable(enum nat_ns a, const char *name_a, enum nat_ns b, const char *name_b) {
    nats_sh(a, "ip link add %s type veth peer name %s netns /proc/%d/fd/%d; ip link set %s up",
            name_a, name_b, getpid(), ns_fd[b], name_a);
    nats_sh(b, "ip link set %s up", name_b);
}

static void address(enum nat_ns ns, const char *dev, const char *v4, const char *v6) {
    nats_sh(ns, "ip addr add %s dev %s; ip addr add %s dev %s", v4, dev, v6, dev);
}

static void way(enum nat_ns ns, const char *v4, const char *v6) {
    nats_sh(ns, "ip route add default via %s; ip -6 route add default via %s", v4, v6);
}

void nats_router(enum nat_ns router, const char *masquerade, bool refuse, bool shut) {
    const char *other = router == NS_RA ? "3" : "2";
    nats_sh(router,
            "echo 1 > /proc/sys/net/ipv4/ip_forward; "
            "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; "
            "nft flush ruleset; nft -f - <<-EOF\n"
            "table inet r {\n"
            " chain post { type nat hook postrouting priority 100; oifname wan meta nfproto ipv4 "
            "%s; }\n"
            " chain in { type filter hook input priority 0;\n"
            "  iifname wan ct state established,related accept\n"
            "  iifname wan meta l4proto tcp %s\n"
            "  iifname wan meta l4proto udp drop\n }\n"
            " chain through { type filter hook forward priority 0;\n"
            "  ct state established,related accept\n"
            "  iifname wan drop\n"
            "  %s%s%s\n }\n"
            "}\nEOF",
            masquerade, refuse ? "reject with tcp reset" : "drop",
            shut ? "ip daddr 203.0.113." : "", shut ? other : "", shut ? " drop" : "");
}

void nats_open(void) {
    ns_fd[NS_HOME] = here();
    if (geteuid() != 0) {
        printf("1..0 # SKIP needs root\n");
        exit(77);
    }
    for (enum nat_ns ns = NS_SERVER; ns < N_NS; ns++)
        make(ns);
    nats_sh(NS_SERVER, "ip link add br0 type bridge forward_delay 0; ip link set br0 up");
    nats_sh(NS_RB, "ip link add lan type bridge forward_delay 0; ip link set lan up");
    cable(NS_SERVER, "ra", NS_RA, "wan");
    cable(NS_SERVER, "rb", NS_RB, "wan");
    cable(NS_RA, "lan", NS_CLIENT, "eth0");
    cable(NS_RB, "d0", NS_HOST, "eth0");
    cable(NS_RB, "d1", NS_NEAR, "eth0");
    nats_sh(NS_SERVER, "ip link set ra master br0; ip link set rb master br0");
    nats_sh(NS_RB, "ip link set d0 master lan; ip link set d1 master lan");
    address(NS_SERVER, "br0", "203.0.113.1/24", "2001:db8::1/64");
    address(NS_RA, "wan", "203.0.113.2/24", "2001:db8::2/64");
    address(NS_RB, "wan", "203.0.113.3/24", "2001:db8::3/64");
    address(NS_RA, "lan", "192.168.1.1/24", "2001:db8:a::1/64");
    address(NS_RB, "lan", "10.77.0.1/24", "2001:db8:b::1/64");
    address(NS_CLIENT, "eth0", "192.168.1.10/24", "2001:db8:a::10/64");
    address(NS_HOST, "eth0", "10.77.0.5/24", "2001:db8:b::5/64");
    address(NS_NEAR, "eth0", "10.77.0.6/24", "2001:db8:b::6/64");
    way(NS_CLIENT, "192.168.1.1", "2001:db8:a::1");
    way(NS_HOST, "10.77.0.1", "2001:db8:b::1");
    way(NS_NEAR, "10.77.0.1", "2001:db8:b::1");
    nats_sh(NS_RA, "ip -6 route add 2001:db8:b::/64 via 2001:db8::3");
    nats_sh(NS_RB, "ip -6 route add 2001:db8:a::/64 via 2001:db8::2");
    nats_sh(NS_SERVER, "ip -6 route add 2001:db8:a::/64 via 2001:db8::2; "
                       "ip -6 route add 2001:db8:b::/64 via 2001:db8::3");
    nats_enter(NS_HOME);
}
