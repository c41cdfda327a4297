/* src/net/net.h - the bridge, its firewall and the desktops' addresses
 *
 * One bridge per host file, described through rtnetlink, and two nftables tables named after it
 * ("inet" and "bridge" family). Whatever is not ours is never touched: a bridge counts as ours only
 * when it carries our mark (its alias is "phoenix:STATE_DIR", see `ip link`). All calls are
 * idempotent and take the lock RUN/net.lock where they change something. Blocking; any one thread
 * at a time. Source: rtnetlink(7), nft(8). */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "spec/host.h"
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct px_net_port {       /* one desktop's end */
    char ifname[IFNAMSIZ]; /* of the veth on the host */
    uint8_t mac[6];
    struct in_addr address;
    bool internet;
};

/* Makes bridge, gateway address, forwarding and the whole rule set for exactly @ports; one atomic
 * nftables transaction. -EEXIST: the bridge's name is somebody else's; -EADDRINUSE: the range is in
 * use on this host (the message says by what). What the host had before is noted in STATE/net.json
 * so that px_net_down can put it back. */
int px_net_up(const struct px_host_spec *host, const struct px_net_port *ports, size_t n_ports,
              struct px_error *err);
/* Takes away bridge, tables and noted settings. -EBUSY: desktops are still attached. */
int px_net_down(const struct px_host_spec *host, struct px_error *err);

/* Adds or removes one port's rules; works before the interface exists, so that there is no moment
 * without them. */
int px_net_port_add(const struct px_host_spec *host, const struct px_net_port *port,
                    struct px_error *err);
int px_net_port_remove(const struct px_host_spec *host, const struct px_net_port *port,
                       struct px_error *err);
/* Sets the bridge port's isolated flag, once the interface exists (a second wall beside the rules).
 * -ENODEV: not there. */
int px_net_port_isolate(const struct px_host_spec *host, const char *ifname, struct px_error *err);

/* The bridge's own address: the first of the range. */
struct in_addr px_net_gateway(const struct px_host_spec *host);
/* Lowest free address of the range, not the network's, gateway's or broadcast's; pure.
 * -ENOSPC: none. */
int px_net_address_alloc(const struct px_host_spec *host, const struct in_addr *taken,
                         size_t n_taken, struct in_addr *ret, struct px_error *err);
/* -EINVAL: @address is not one that a desktop may have. */
int px_net_address_check(const struct px_host_spec *host, struct in_addr address,
                         struct px_error *err);
/* Stable values for a desktop: MAC (locally administered) and interface name from address and
 * bridge; pure. */
void px_net_port_name(const struct px_host_spec *host, const char *desktop, struct in_addr address,
                      struct px_net_port *ret);

/* resolv.conf for desktops (host's servers, loopback ones replaced as found); the caller's string.
 * -ENOENT: no usable server. */
int px_net_resolv_conf(const struct px_host_spec *host, char **ret, struct px_error *err);

/* MTU for the bridge and for both ends of a desktop's interface: that of the way to the outside
 * (the device of the best IPv4 default route), 1500 where there is none. */
int px_net_mtu(const struct px_host_spec *host, unsigned *ret, struct px_error *err);

#define PX_NET_BLOCKED_MAX 192
#define PX_NET_FIX_MAX 512

/* What is there now, for `phoenix net show`, doctor and tests. */
struct px_net_state {
    bool bridge_exists, bridge_ours, bridge_up, rules_loaded, forwarding;
    size_t n_ports;                 /* interfaces attached to the bridge */
    struct in_addr gateway;         /* the bridge's own address; 0.0.0.0 where it has none */
    unsigned mtu;                   /* of the bridge; 0 where there is none */
    char uplink[IFNAMSIZ];          /* interface of the default route; "": no way to the outside */
    char owner[PX_NET_BLOCKED_MAX]; /* whose the bridge's name is, where it is not ours */
    char range_used_by[PX_NET_BLOCKED_MAX]; /* who else has the range; "": nobody */
    /* Another firewall of this host that drops what desktops send, as far as can be seen, and the
     * command that makes it let them; "": none. Its rules are never touched by us. */
    char blocked_by[PX_NET_BLOCKED_MAX];
    char blocked_fix[PX_NET_FIX_MAX];
};
int px_net_state(const struct px_host_spec *host, struct px_net_state *ret, struct px_error *err);
