/* src/net/state.c - what there is of the network now */
#include "base/file.h"
#include "net/bridge.h"
#include "net/forward.h"
#include "net/nft.h"
#include "net/note.h"
#include "net/others.h"
#include <string.h>

#define MTU_DEFAULT 1500
#define MTU_MAX 65535 /* of a bridge; loopback has more */

/* The device of the best IPv4 default route. index 0: there is none. */
static int find_uplink(struct nl_sock *sock, struct px_link *ret, struct px_error *err) {
    px_cleanup_free struct px_link_route *routes = NULL;
    px_cleanup_free struct px_link *links = NULL;
    const struct px_link_route *best = NULL;
    size_t n = 0;
    *ret = (struct px_link){0};
    int r = px_link_routes(sock, &routes, &n, err);
    for (size_t i = 0; r >= 0 && i < n; i++)
        if (routes[i].prefix == 0 && (!best || routes[i].metric < best->metric))
            best = &routes[i];
    if (r >= 0 && best)
        r = px_link_list(sock, &links, &n, err);
    for (size_t i = 0; r >= 0 && best && i < n; i++)
        if (links[i].index == best->index)
            *ret = links[i];
    return r;
}

int px_net_mtu(const struct px_host_spec *host, unsigned *ret, struct px_error *err) {
    px_cleanup(px_link_closep) struct nl_sock *sock = NULL;
    struct px_link uplink;
    int r = px_link_open(&sock, err);
    if (r >= 0)
        r = find_uplink(sock, &uplink, err);
    if (r < 0)
        return r;
    const unsigned mtu = uplink.mtu ? uplink.mtu : MTU_DEFAULT;
    *ret = mtu < MTU_MAX ? mtu : MTU_MAX;
    return 0;
}

static int bridge_state(struct nl_sock *sock, const struct px_host_spec *host,
                        struct px_net_state *ret, struct px_error *err) {
    px_cleanup_free struct px_link_address *addresses = NULL;
    enum px_bridge_whose whose;
    struct px_link link = {0};
    struct px_error why = {0};
    size_t n = 0;
    int r = px_bridge_find(sock, host, &whose, &link, err);
    if (r < 0)
        return r;
    ret->bridge_exists = whose != PX_BRIDGE_ABSENT;
    ret->bridge_ours = whose == PX_BRIDGE_OURS;
    ret->bridge_up = link.up;
    ret->mtu = link.mtu;
    if (whose == PX_BRIDGE_FOREIGN && px_bridge_fail_foreign(&link, &why) < 0)
        snprintf(ret->owner, sizeof(ret->owner), "%.*s", PX_NET_BLOCKED_MAX - 1, why.msg);
    if (px_bridge_check_range(sock, host, link.index, &why) == -EADDRINUSE)
        snprintf(ret->range_used_by, sizeof(ret->range_used_by), "%.*s", PX_NET_BLOCKED_MAX - 1,
                 why.msg);
    if (whose == PX_BRIDGE_ABSENT)
        return 0;
    r = px_link_addresses(sock, &addresses, &n, err);
    for (size_t i = 0; r >= 0 && i < n; i++)
        if (addresses[i].index == link.index)
            ret->gateway = addresses[i].address;
    return r < 0 ? r : px_bridge_ports(sock, link.index, &ret->n_ports, NULL, err);
}

/* 1: the chain is there, 0: it is not. */
static int has_chain(const char *family, const char *table, const char *chain,
                     struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    px_buf_printf(&text, "list chain %s %s %s\n", family, table, chain);
    const int r = px_nft_run(px_buf_str(&text), false, NULL, err);
    return r >= 0 ? 1 : r == -ENOENT || r == -EOPNOTSUPP ? 0 : r;
}

/* Our last transaction is still the last one, or both tables are there. They are asked for one at a
 * time: libnftables 1.0.6 finds only one of two chains that are listed together. */
static int rules_state(const struct px_host_spec *host, bool *ret, struct px_error *err) {
    px_cleanup(px_loaded_fini) struct px_loaded note = {0};
    char table[PX_RULES_TABLE_MAX];
    uint32_t generation = 0;
    int r = px_nft_generation(&generation, err);
    if (r < 0)
        return r;
    px_loaded_read(host, &note);
    *ret = note.generation == generation;
    if (*ret)
        return 0;
    px_rules_table(host, table);
    r = has_chain("inet", table, "forward", err);
    if (r > 0)
        r = has_chain(px_rules_family_name(note.family), table, "from_port", err);
    *ret = r > 0;
    return r < 0 ? r : 0;
}

int px_net_state(const struct px_host_spec *host, struct px_net_state *ret, struct px_error *err) {
    px_cleanup(px_link_closep) struct nl_sock *sock = NULL;
    struct px_net_state state = {.forwarding = px_forward_is_on()};
    struct px_others others = {0};
    struct px_link uplink;
    int r = px_link_open(&sock, err);
    if (r >= 0)
        r = bridge_state(sock, host, &state, err);
    if (r >= 0)
        r = find_uplink(sock, &uplink, err);
    if (r >= 0)
        r = rules_state(host, &state.rules_loaded, err);
    if (r >= 0)
        r = px_others_scan(host, uplink.name, &others, err);
    if (r < 0)
        return px_wrap(err, r, "network");
    memcpy(state.uplink, uplink.name, sizeof(state.uplink));
    memcpy(state.blocked_by, others.who, sizeof(state.blocked_by));
    memcpy(state.blocked_fix, others.fix, sizeof(state.blocked_fix));
    *ret = state;
    return 0;
}
