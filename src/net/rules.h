/* src/net/rules.h - the firewall of the bridge, as nftables text
 *
 *     table inet phoenix-BRIDGE     NAT to the outside; what is routed from and to the bridge; what
 *                                   desktops reach on the host
 *     table bridge phoenix-BRIDGE   which frames a desktop's port may send: its own MAC and IPv4
 *                                   address, IPv4 and ARP only; nothing from port to port
 *
 * The interfaces of desktops share a prefix made from the bridge's name, and the rules match that
 * prefix: a port that nobody announced passes nothing, and rules are there before the interface is.
 * Where the kernel has no bridge family the same filter hangs on every interface by itself (netdev
 * family, ingress): a table of that family, and a chain for each interface once it exists.
 *
 * IPv6 does not pass at all: desktops have no IPv6 address yet, so that a router advertisement or
 * neighbour solicitation could only come from somebody who pretends.
 * Pure: text out. Source: nft(8). */
#pragma once
#include "base/buf.h"
#include "net/net.h"

#define PX_RULES_PREFIX_MAX 12 /* "px3fa81b-" */
#define PX_RULES_TABLE_MAX 32  /* "phoenix-" and a name of 15 */

enum px_rules_family { PX_RULES_BRIDGE, PX_RULES_NETDEV };

struct px_rules {
    const struct px_host_spec *host;
    enum px_rules_family family;
    /* Name servers with link-local addresses (clouds have them there), the only thing desktops
     * reach in 169.254.0.0/16. */
    const struct in_addr *link_dns;
    size_t n_link_dns;
};

/* Common start of the names of all desktops' interfaces. */
void px_rules_prefix(const struct px_host_spec *host, char ret[PX_RULES_PREFIX_MAX]);
void px_rules_table(const struct px_host_spec *host, char ret[PX_RULES_TABLE_MAX]);
/* "bridge" or "netdev". */
const char *px_rules_family_name(enum px_rules_family family);

/* Each adds commands to @out; run at once they are one transaction. */

/* Replaces both tables by the rules for exactly @ports; for NETDEV with a chain for each of
 * @hooked, the interfaces there are. */
void px_rules_load(const struct px_rules *rules, const struct px_net_port *ports, size_t n_ports,
                   const char *const *hooked, size_t n_hooked, struct px_buf *out);
void px_rules_unload(const struct px_host_spec *host, enum px_rules_family family,
                     struct px_buf *out);
/* Adding what is there is good; so is taking away what is not (it is added before). Removal waits
 * for readers in the kernel, some 10 ms. */
void px_rules_port_add(const struct px_rules *rules, const struct px_net_port *port,
                       struct px_buf *out);
void px_rules_port_remove(const struct px_rules *rules, const struct px_net_port *port,
                          struct px_buf *out);
/* NETDEV only: the chain of an interface that exists. */
void px_rules_hook(const struct px_host_spec *host, const char *ifname, struct px_buf *out);
