/* src/net/link.c - interfaces, addresses and routes of this host, over rtnetlink */
#include "net/link.h"
#include "base/alloc.h"
#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <string.h>

PX_DEFINE_CLEANUP(struct nl_msg *, nlmsg_free)
PX_DEFINE_CLEANUP(struct nl_cache *, nl_cache_free)
PX_DEFINE_CLEANUP(struct rtnl_link *, rtnl_link_put)

/* libnl has numbers of its own, and gives no way back from them. */
static int to_errno(int nle) {
    switch (nle < 0 ? -nle : nle) {
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND:
        return -ENODEV;
    case NLE_EXIST:
        return -EEXIST;
    case NLE_PERM:
        return -EPERM;
    case NLE_NOACCESS:
        return -EACCES;
    case NLE_OPNOTSUPP:
    case NLE_AF_NOSUPPORT:
        return -EOPNOTSUPP;
    case NLE_INVAL:
        return -EINVAL;
    case NLE_BUSY:
        return -EBUSY;
    case NLE_NOMEM:
        return -ENOMEM;
    case NLE_RANGE:
        return -ERANGE;
    case NLE_NOADDR:
        return -EADDRNOTAVAIL;
    default:
        return -EIO;
    }
}

static int fail_nl(struct px_error *err, int nle, const char *what, const char *name) {
    return px_fail(err, to_errno(nle), "%s%s%s%s: %s", what, name ? " '" : "", name ? name : "",
                   name ? "'" : "", nl_geterror(nle));
}

int px_link_open(struct nl_sock **ret, struct px_error *err) {
    struct nl_sock *sock = nl_socket_alloc();
    int r = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;
    if (r < 0) {
        px_link_close(sock);
        return fail_nl(err, r, "cannot open a rtnetlink socket", NULL);
    }
    *ret = sock;
    return 0;
}

void px_link_close(struct nl_sock *sock) {
    if (sock)
        nl_socket_free(sock);
}

static void copy_text(char *to, size_t size, const char *from) {
    snprintf(to, size, "%s", from ? from : "");
}

static void fill_link(struct rtnl_link *link, struct px_link *ret) {
    *ret = (struct px_link){.index = rtnl_link_get_ifindex(link),
                            .mtu = rtnl_link_get_mtu(link),
                            .up = rtnl_link_get_flags(link) & IFF_UP,
                            .master = rtnl_link_get_master(link)};
    copy_text(ret->name, sizeof(ret->name), rtnl_link_get_name(link));
    copy_text(ret->kind, sizeof(ret->kind), rtnl_link_get_type(link));
    copy_text(ret->alias, sizeof(ret->alias), rtnl_link_get_ifalias(link));
    const struct nl_addr *mac = rtnl_link_get_addr(link);
    if (mac && nl_addr_get_len(mac) == sizeof(ret->mac))
        memcpy(ret->mac, nl_addr_get_binary_addr(mac), sizeof(ret->mac));
}

int px_link_get(struct nl_sock *sock, const char *name, struct px_link *ret, struct px_error *err) {
    px_cleanup(rtnl_link_putp) struct rtnl_link *link = NULL;
    int r = rtnl_link_get_kernel(sock, 0, name, &link);
    if (r < 0)
        return fail_nl(err, r, "interface", name);
    fill_link(link, ret);
    return 0;
}

int px_link_list(struct nl_sock *sock, struct px_link **ret, size_t *ret_n, struct px_error *err) {
    px_cleanup(nl_cache_freep) struct nl_cache *cache = NULL;
    int r = rtnl_link_alloc_cache(sock, AF_UNSPEC, &cache);
    if (r < 0)
        return fail_nl(err, r, "cannot list interfaces", NULL);
    *ret = px_new0(struct px_link, (size_t)nl_cache_nitems(cache) + 1);
    *ret_n = 0;
    for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o))
        fill_link((struct rtnl_link *)o, &(*ret)[(*ret_n)++]);
    return 0;
}

int px_link_addresses(struct nl_sock *sock, struct px_link_address **ret, size_t *ret_n,
                      struct px_error *err) {
    px_cleanup(nl_cache_freep) struct nl_cache *cache = NULL;
    int r = rtnl_addr_alloc_cache(sock, &cache);
    if (r < 0)
        return fail_nl(err, r, "cannot list addresses", NULL);
    *ret = px_new0(struct px_link_address, (size_t)nl_cache_nitems(cache) + 1);
    *ret_n = 0;
    for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
        struct rtnl_addr *a = (struct rtnl_addr *)o;
        const struct nl_addr *local = rtnl_addr_get_local(a);
        if (!local || nl_addr_get_family(local) != AF_INET)
            continue;
        struct px_link_address *to = &(*ret)[(*ret_n)++];
        to->index = rtnl_addr_get_ifindex(a);
        to->prefix = (unsigned)rtnl_addr_get_prefixlen(a);
        memcpy(&to->address, nl_addr_get_binary_addr(local), sizeof(to->address));
    }
    return 0;
}

int px_link_routes(struct nl_sock *sock, struct px_link_route **ret, size_t *ret_n,
                   struct px_error *err) {
    px_cleanup(nl_cache_freep) struct nl_cache *cache = NULL;
    int r = rtnl_route_alloc_cache(sock, AF_INET, 0, &cache);
    if (r < 0)
        return fail_nl(err, r, "cannot list routes", NULL);
    *ret = px_new0(struct px_link_route, (size_t)nl_cache_nitems(cache) + 1);
    *ret_n = 0;
    for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
        struct rtnl_route *route = (struct rtnl_route *)o;
        const struct nl_addr *dst = rtnl_route_get_dst(route);
        if (rtnl_route_get_table(route) != RT_TABLE_MAIN ||
            rtnl_route_get_type(route) != RTN_UNICAST || rtnl_route_get_nnexthops(route) < 1)
            continue;
        struct px_link_route *to = &(*ret)[(*ret_n)++];
        to->index = rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, 0));
        to->metric = rtnl_route_get_priority(route);
        to->prefix = nl_addr_get_prefixlen(dst);
        if (nl_addr_get_len(dst) == sizeof(to->dst))
            memcpy(&to->dst, nl_addr_get_binary_addr(dst), sizeof(to->dst));
    }
    return 0;
}

/* A message that begins with @head and asks for an answer. */
static struct nl_msg *message(int type, int flags, const void *head, size_t size) {
    struct nl_msg *msg = nlmsg_alloc_simple(type, flags);
    if (!msg || nlmsg_append(msg, (void *)(uintptr_t)head, size, NLMSG_ALIGNTO) < 0)
        abort(); /* out of memory */
    return msg;
}

/* Sends what fits (every message here is far below a page) and waits for the kernel's answer. */
static int talk(struct nl_sock *sock, struct nl_msg **msg) {
    return nl_send_sync(sock, px_take_ptr(*msg)); /* takes it */
}

int px_link_bridge_add(struct nl_sock *sock, const char *name, const uint8_t mac[6], unsigned mtu,
                       struct px_error *err) {
    const struct ifinfomsg head = {.ifi_family = AF_UNSPEC};
    /* Frames to 01:80:c2:00:00:0e reach no hook of nftables, and would teach the bridge whatever
     * source address they bear: a neighbour's, whose packets then come to the forger. */
    const struct br_boolopt_multi options = {.optval = 1U << BR_BOOLOPT_NO_LL_LEARN,
                                             .optmask = 1U << BR_BOOLOPT_NO_LL_LEARN};
    px_cleanup(nlmsg_freep) struct nl_msg *msg =
        message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
    nla_put_string(msg, IFLA_IFNAME, name);
    nla_put(msg, IFLA_ADDRESS, 6, mac);
    nla_put_u32(msg, IFLA_MTU, mtu);
    struct nlattr *info = nla_nest_start(msg, IFLA_LINKINFO);
    nla_put_string(msg, IFLA_INFO_KIND, "bridge");
    struct nlattr *data = nla_nest_start(msg, IFLA_INFO_DATA);
    nla_put_u32(msg, IFLA_BR_STP_STATE, 0);
    nla_put_u32(msg, IFLA_BR_FORWARD_DELAY, 0);
    nla_put_u8(msg, IFLA_BR_MCAST_SNOOPING, 0);
    nla_put(msg, IFLA_BR_MULTI_BOOLOPT, sizeof(options), &options);
    nla_nest_end(msg, data);
    nla_nest_end(msg, info);
    int r = talk(sock, &msg);
    if (r < 0)
        r = fail_nl(err, r, "cannot make bridge", name);
    return r == -EOPNOTSUPP ? px_hint(err, r, "modprobe bridge") : r;
}

int px_link_del(struct nl_sock *sock, int index, struct px_error *err) {
    const struct ifinfomsg head = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    px_cleanup(nlmsg_freep) struct nl_msg *msg = message(RTM_DELLINK, 0, &head, sizeof(head));
    int r = talk(sock, &msg);
    return r < 0 ? fail_nl(err, r, "cannot remove the bridge", NULL) : 0;
}

int px_link_set_alias(struct nl_sock *sock, int index, const char *alias, struct px_error *err) {
    const struct ifinfomsg head = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    px_cleanup(nlmsg_freep) struct nl_msg *msg = message(RTM_NEWLINK, 0, &head, sizeof(head));
    nla_put_string(msg, IFLA_IFALIAS, alias);
    int r = talk(sock, &msg);
    return r < 0 ? fail_nl(err, r, "cannot set the interface's alias", alias) : 0;
}

int px_link_set_mtu(struct nl_sock *sock, int index, unsigned mtu, struct px_error *err) {
    const struct ifinfomsg head = {.ifi_family = AF_UNSPEC, .ifi_index = index};
    px_cleanup(nlmsg_freep) struct nl_msg *msg = message(RTM_NEWLINK, 0, &head, sizeof(head));
    nla_put_u32(msg, IFLA_MTU, mtu);
    int r = talk(sock, &msg);
    return r < 0 ? fail_nl(err, r, "cannot set the interface's mtu", NULL) : 0;
}

int px_link_set_up(struct nl_sock *sock, int index, struct px_error *err) {
    const struct ifinfomsg head = {
        .ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    px_cleanup(nlmsg_freep) struct nl_msg *msg = message(RTM_NEWLINK, 0, &head, sizeof(head));
    int r = talk(sock, &msg);
    return r < 0 ? fail_nl(err, r, "cannot bring the interface up", NULL) : 0;
}

int px_link_set_isolated(struct nl_sock *sock, int index, struct px_error *err) {
    const struct ifinfomsg head = {.ifi_family = AF_BRIDGE, .ifi_index = index};
    px_cleanup(nlmsg_freep) struct nl_msg *msg = message(RTM_SETLINK, 0, &head, sizeof(head));
    struct nlattr *info = nla_nest_start(msg, IFLA_PROTINFO | NLA_F_NESTED);
    nla_put_u8(msg, IFLA_BRPORT_ISOLATED, 1);
    nla_nest_end(msg, info);
    int r = talk(sock, &msg);
    return r < 0 ? fail_nl(err, r, "cannot isolate the bridge port", NULL) : 0;
}

int px_link_address_change(struct nl_sock *sock, bool add, const struct px_link_address *address,
                           struct px_error *err) {
    const struct ifaddrmsg head = {.ifa_family = AF_INET,
                                   .ifa_prefixlen = (uint8_t)address->prefix,
                                   .ifa_scope = RT_SCOPE_UNIVERSE,
                                   .ifa_index = (unsigned)address->index};
    px_cleanup(nlmsg_freep) struct nl_msg *msg =
        message(add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_REPLACE : 0, &head,
                sizeof(head));
    const uint32_t host_part = htonl(UINT32_MAX >> address->prefix);
    const struct in_addr broadcast = {.s_addr = address->address.s_addr | host_part};
    nla_put(msg, IFA_LOCAL, sizeof(address->address), &address->address);
    nla_put(msg, IFA_ADDRESS, sizeof(address->address), &address->address);
    if (add)
        nla_put(msg, IFA_BROADCAST, sizeof(broadcast), &broadcast);
    int r = talk(sock, &msg);
    return r < 0 ? fail_nl(err, r, "cannot change an address of the bridge", NULL) : 0;
}
