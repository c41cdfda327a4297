/* src/host/way.c - whether a client of the ID server can come to us straight */
#include "host/way.h"
#include "base/cleanup.h"
#include "proto/rendezvous.h"
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

const char *px_way_name(enum px_way w) {
    switch (w) {
    case PX_WAY_DIRECT:
        return "direct";
    case PX_WAY_UDP:
        return "udp";
    case PX_WAY_PUNCHED:
        return "punched";
    case PX_WAY_LOCAL:
        return "local";
    case PX_WAY_RELAY:
        return "relay";
    }
    return "?";
}

bool px_way_is_private(const struct px_addr *a) {
    static const char *const blocks[] = {
        "0.0.0.0/8",     "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.168.0.0/16", "::/127",        "fc00::/7",    "fe80::/10"};
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        struct px_addr_block b;
        if (px_addr_block_parse(blocks[i], &b, NULL) == 0 && px_addr_in_block(a, &b))
            return true;
    }
    return false;
}

enum px_way px_way_choose(const struct px_way_facts *f) {
    /* The client asks for TCP beside it, so that nothing is lost when UDP does not come through;
     * and what is in the way of a hole is in the way of both. */
    const enum px_way punched = f->udp ? PX_WAY_UDP : PX_WAY_PUNCHED;
    if (f->relay_only || f->own_nat == PX_NAT_SYMMETRIC || f->client_nat == PX_NAT_SYMMETRIC ||
        f->client.port == 0)
        return PX_WAY_RELAY;
    /* Whoever has our very address needs no network in between. A server on our own network that
     * says so means a client on its machine, which is on our network, too. */
    if (f->local)
        return f->lan || f->server_on_link || px_addr_same_ip(&f->own, &f->client) ? PX_WAY_LOCAL
                                                                                   : PX_WAY_RELAY;
    if (px_addr_is_v4(&f->own) != px_addr_is_v4(&f->client) ||
        px_addr_is_loopback(&f->own) != px_addr_is_loopback(&f->client))
        return PX_WAY_RELAY;
    if (f->client_on_link) /* desktops beside us are walled off, their gateway is not */
        return f->lan || px_addr_same_ip(&f->client, &f->own) ||
                       px_addr_same_ip(&f->client, &f->server)
                   ? punched
                   : PX_WAY_RELAY;
    /* Two private networks know nothing of each other. */
    if (px_way_is_private(&f->client))
        return PX_WAY_RELAY;
    /* A server in our own network sees us as we are, and tells the client an address that means
     * nothing outside. */
    if (px_way_is_private(&f->own) && px_way_is_private(&f->server))
        return PX_WAY_RELAY;
    return punched;
}

int px_way_source(const struct px_addr *to, struct px_addr *ret) {
    struct sockaddr_storage ss;
    const bool v6 = !px_addr_is_v4(to);
    socklen_t len = px_addr_to_sockaddr(to, v6, &ss);
    px_cleanup_close int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&ss, len) < 0)
        return -errno;
    len = sizeof(ss);
    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return -errno;
    return px_addr_from_sockaddr((struct sockaddr *)&ss, ret);
}

static bool in_network(const struct px_addr *a, const struct ifaddrs *i) {
    struct px_addr own, mask;
    if (!i->ifa_addr || !i->ifa_netmask || px_addr_from_sockaddr(i->ifa_addr, &own) < 0 ||
        px_addr_is_v4(&own) != px_addr_is_v4(a))
        return false;
    const int family = i->ifa_addr->sa_family;
    if (family == AF_INET6)
        memcpy(mask.ip, &((const struct sockaddr_in6 *)i->ifa_netmask)->sin6_addr, 16);
    else {
        memset(mask.ip, 0xff, 12);
        memcpy(mask.ip + 12, &((const struct sockaddr_in *)i->ifa_netmask)->sin_addr, 4);
    }
    for (int b = 0; b < 16; b++)
        if ((own.ip[b] ^ a->ip[b]) & mask.ip[b])
            return false;
    return true;
}

bool px_way_on_link(const struct px_addr *a) {
    struct ifaddrs *list = NULL;
    bool found = false;
    if (getifaddrs(&list) < 0)
        return false;
    for (const struct ifaddrs *i = list; i && !found; i = i->ifa_next)
        found = in_network(a, i);
    freeifaddrs(list);
    return found;
}
