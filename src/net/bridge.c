/* src/net/bridge.c - the bridge itself */
#include "net/bridge.h"
#include "base/file.h"
#include "base/step.h"
#include "net/rules.h"
#include <arpa/inet.h>
#include <string.h>

static void our_alias(const struct px_host_spec *host, char ret[PX_LINK_ALIAS_MAX]) {
    /* Cut where too long; the kernel takes 255 bytes. */
    snprintf(ret, PX_LINK_ALIAS_MAX, "phoenix:%.240s", host->state_dir);
}

static void our_mac(const struct px_host_spec *host, uint8_t ret[6]) {
    struct px_net_port port;
    px_net_port_name(host, "", px_net_gateway(host), &port);
    memcpy(ret, port.mac, 6);
}

static bool is_ours(const struct px_host_spec *host, const struct px_link *link) {
    char alias[PX_LINK_ALIAS_MAX];
    uint8_t mac[6];
    our_alias(host, alias);
    our_mac(host, mac);
    if (strcmp(link->kind, "bridge") != 0)
        return false;
    return link->alias[0] ? strcmp(link->alias, alias) == 0
                          : !link->up && memcmp(link->mac, mac, sizeof(mac)) == 0;
}

int px_bridge_find(struct nl_sock *sock, const struct px_host_spec *host, enum px_bridge_whose *ret,
                   struct px_link *ret_link, struct px_error *err) {
    *ret = PX_BRIDGE_ABSENT;
    int r = px_link_get(sock, host->network.bridge, ret_link, err);
    if (r >= 0)
        *ret = is_ours(host, ret_link) ? PX_BRIDGE_OURS : PX_BRIDGE_FOREIGN;
    return r == -ENODEV ? 0 : r;
}

int px_bridge_find_old(struct nl_sock *sock, const struct px_host_spec *host, struct px_link *ret,
                       struct px_error *err) {
    px_cleanup_free struct px_link *links = NULL;
    char alias[PX_LINK_ALIAS_MAX];
    size_t n = 0;
    our_alias(host, alias);
    *ret = (struct px_link){0};
    int r = px_link_list(sock, &links, &n, err);
    for (size_t i = 0; r >= 0 && i < n; i++)
        if (strcmp(links[i].kind, "bridge") == 0 && strcmp(links[i].alias, alias) == 0 &&
            strcmp(links[i].name, host->network.bridge) != 0)
            *ret = links[i];
    return r;
}

int px_bridge_fail_foreign(const struct px_link *link, struct px_error *err) {
    const char *kind = link->kind[0] ? link->kind : "device";
    if (strncmp(link->alias, "phoenix:", 8) == 0)
        px_fail(err, -EEXIST, "bridge '%s' belongs to the phoenix in %s", link->name,
                link->alias + 8);
    else
        px_fail(err, -EEXIST, "interface '%s' exists and is not phoenix's (%s%s%s%s)", link->name,
                kind, link->alias[0] ? ", alias '" : "", link->alias, link->alias[0] ? "'" : "");
    return px_hint(err, -EEXIST, "set network.bridge in the host file to another name");
}

static bool overlaps(struct in_addr a, unsigned a_prefix, struct in_addr b, unsigned b_prefix) {
    const unsigned prefix = a_prefix < b_prefix ? a_prefix : b_prefix;
    const uint32_t mask = prefix ? UINT32_MAX << (32 - prefix) : 0;
    return (ntohl(a.s_addr) & mask) == (ntohl(b.s_addr) & mask);
}

static int fail_in_use(const struct px_host_spec *host, const char *what, int index,
                       struct in_addr address, unsigned prefix, struct px_error *err) {
    char range[INET_ADDRSTRLEN], other[INET_ADDRSTRLEN], name[IFNAMSIZ] = "?";
    inet_ntop(AF_INET, &host->network.range, range, sizeof(range));
    inet_ntop(AF_INET, &address, other, sizeof(other));
    if_indextoname((unsigned)index, name);
    px_fail(err, -EADDRINUSE, "range %s/%u is in use on this host: %s %s/%u on '%s'", range,
            host->network.prefix, what, other, prefix, name);
    return px_hint(err, -EADDRINUSE, "set network.range in the host file to a free one");
}

/* Shorter routes than this split the internet in two (VPNs do that) and say nothing of our range.
 */
#define ROUTE_PREFIX_MIN 8

int px_bridge_check_range(struct nl_sock *sock, const struct px_host_spec *host, int index,
                          struct px_error *err) {
    px_cleanup_free struct px_link_address *addresses = NULL;
    px_cleanup_free struct px_link_route *routes = NULL;
    size_t n = 0;
    int r = px_link_addresses(sock, &addresses, &n, err);
    for (size_t i = 0; r >= 0 && i < n; i++)
        if (addresses[i].index != index && overlaps(addresses[i].address, addresses[i].prefix,
                                                    host->network.range, host->network.prefix))
            return fail_in_use(host, "address", addresses[i].index, addresses[i].address,
                               addresses[i].prefix, err);
    if (r >= 0)
        r = px_link_routes(sock, &routes, &n, err);
    for (size_t i = 0; r >= 0 && i < n; i++)
        if (routes[i].index != index && routes[i].prefix >= ROUTE_PREFIX_MIN &&
            overlaps(routes[i].dst, routes[i].prefix, host->network.range, host->network.prefix))
            return fail_in_use(host, "route", routes[i].index, routes[i].dst, routes[i].prefix,
                               err);
    return r;
}

int px_bridge_ports(struct nl_sock *sock, int index, size_t *ret_n, struct px_buf *ret_names,
                    struct px_error *err) {
    px_cleanup_free struct px_link *links = NULL;
    size_t n = 0;
    int r = px_link_list(sock, &links, &n, err);
    if (r < 0)
        return r;
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (links[i].master != index)
            continue;
        if (ret_names)
            px_buf_printf(ret_names, "%s%s", *ret_n ? " " : "", links[i].name);
        (*ret_n)++;
    }
    return 0;
}

/* The gateway's address as the bridge should have it. */
static struct px_link_address wanted_address(const struct px_host_spec *host, int index) {
    return (struct px_link_address){
        .index = index, .address = px_net_gateway(host), .prefix = host->network.prefix};
}

static bool same_address(const struct px_link_address *a, const struct px_link_address *b) {
    return a->index == b->index && a->prefix == b->prefix && a->address.s_addr == b->address.s_addr;
}

/* A range may change only while nobody lives in the old one. */
static int check_readdress(struct nl_sock *sock, const struct px_host_spec *host, int index,
                           struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf names = {0};
    size_t n = 0;
    int r = px_bridge_ports(sock, index, &n, &names, err);
    if (r < 0 || n == 0)
        return r;
    px_fail(err, -EBUSY,
            "network.range differs from the one of bridge '%s', and %zu desktops are "
            "attached to it (%s)",
            host->network.bridge, n, px_buf_str(&names));
    return px_hint(err, -EBUSY, "stop the desktops first, or put the old range back");
}

static int has_address(struct nl_sock *sock, const struct px_host_spec *host, int index, bool *ret,
                       struct px_error *err) {
    px_cleanup_free struct px_link_address *addresses = NULL;
    const struct px_link_address want = wanted_address(host, index);
    size_t n = 0;
    int r = px_link_addresses(sock, &addresses, &n, err);
    if (r < 0)
        return r;
    *ret = false;
    for (size_t i = 0; i < n; i++)
        *ret = *ret || same_address(&addresses[i], &want);
    return 0;
}

int px_bridge_check(struct nl_sock *sock, const struct px_host_spec *host, struct px_error *err) {
    enum px_bridge_whose whose;
    struct px_link link = {0};
    bool there = false;
    int r = px_bridge_find(sock, host, &whose, &link, err);
    if (r >= 0 && whose == PX_BRIDGE_FOREIGN)
        return px_bridge_fail_foreign(&link, err);
    if (r >= 0 && whose == PX_BRIDGE_OURS)
        r = has_address(sock, host, link.index, &there, err);
    if (r < 0 || there)
        return r;
    if (whose == PX_BRIDGE_OURS)
        r = check_readdress(sock, host, link.index, err);
    return r < 0 ? r : px_bridge_check_range(sock, host, link.index, err);
}

/* Puts the gateway's address on, and takes every other one off. */
static int apply_address(struct nl_sock *sock, const struct px_host_spec *host, int index,
                         struct px_error *err) {
    px_cleanup_free struct px_link_address *addresses = NULL;
    const struct px_link_address want = wanted_address(host, index);
    bool there = false;
    size_t n = 0;
    int r = px_link_addresses(sock, &addresses, &n, err);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        if (same_address(&addresses[i], &want))
            there = true;
        else if (addresses[i].index == index)
            r = px_link_address_change(sock, false, &addresses[i], err);
    }
    return r < 0 || there ? r : px_link_address_change(sock, true, &want, err);
}

/* No IPv6 on the bridge: desktops have none, and an address nobody asked for is one more way in. */
static int disable_ipv6(const char *bridge, struct px_error *err) {
    char path[128];
    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", bridge);
    int r = px_file_put(AT_FDCWD, path, "1", err);
    return r == -ENOENT ? 0 : r; /* a kernel without IPv6 */
}

static int make(struct nl_sock *sock, const struct px_host_spec *host, unsigned mtu,
                struct px_link *ret, struct px_error *err) {
    uint8_t mac[6];
    our_mac(host, mac);
    int r = px_link_bridge_add(sock, host->network.bridge, mac, mtu, err);
    if (r >= 0)
        r = px_step("net.made", err);
    return r < 0 ? r : px_link_get(sock, host->network.bridge, ret, err);
}

int px_bridge_apply(struct nl_sock *sock, const struct px_host_spec *host, struct px_error *err) {
    enum px_bridge_whose whose;
    struct px_link link = {0};
    char alias[PX_LINK_ALIAS_MAX];
    unsigned mtu = 0;
    our_alias(host, alias);
    int r = px_net_mtu(host, &mtu, err);
    if (r >= 0)
        r = px_bridge_find(sock, host, &whose, &link, err);
    if (r >= 0 && whose == PX_BRIDGE_FOREIGN)
        return px_bridge_fail_foreign(&link, err);
    if (r >= 0 && whose == PX_BRIDGE_ABSENT)
        r = make(sock, host, mtu, &link, err);
    if (r >= 0 && !link.up)
        r = disable_ipv6(host->network.bridge, err);
    if (r >= 0 && !link.alias[0])
        r = px_link_set_alias(sock, link.index, alias, err);
    if (r >= 0 && link.mtu != mtu)
        r = px_link_set_mtu(sock, link.index, mtu, err);
    if (r >= 0)
        r = apply_address(sock, host, link.index, err);
    return r < 0 || link.up ? r : px_link_set_up(sock, link.index, err);
}
