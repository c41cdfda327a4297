/* src/net/link.h - interfaces, addresses and routes of this host, over rtnetlink
 *
 * One socket, one thread. Errors of the kernel come as their errno. Source: rtnetlink(7), libnl. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PX_LINK_ALIAS_MAX 256 /* IFALIASZ */

struct nl_sock;

struct px_link { /* an interface, as it was when asked for */
    int index;
    char name[IFNAMSIZ];
    char kind[32]; /* "bridge", "veth"; "" for hardware */
    char alias[PX_LINK_ALIAS_MAX];
    uint8_t mac[6];
    unsigned mtu;
    bool up;
    int master; /* index of the bridge it is attached to; 0: none */
};

struct px_link_address {
    int index;
    struct in_addr address;
    unsigned prefix;
};

struct px_link_route {
    struct in_addr dst;
    unsigned prefix;
    uint32_t metric;
    int index; /* of the device; 0: none */
};

int px_link_open(struct nl_sock **ret, struct px_error *err);
void px_link_close(struct nl_sock *sock);
PX_DEFINE_CLEANUP(struct nl_sock *, px_link_close)

/* -ENODEV: no such interface (err is filled in, too). */
int px_link_get(struct nl_sock *sock, const char *name, struct px_link *ret, struct px_error *err);
/* All interfaces, addresses, unicast routes of the main table; IPv4 only. The array is the
 * caller's. */
int px_link_list(struct nl_sock *sock, struct px_link **ret, size_t *ret_n, struct px_error *err);
int px_link_addresses(struct nl_sock *sock, struct px_link_address **ret, size_t *ret_n,
                      struct px_error *err);
int px_link_routes(struct nl_sock *sock, struct px_link_route **ret, size_t *ret_n,
                   struct px_error *err);

/* A bridge without STP and multicast snooping, down, with an address that stays as ports come and
 * go. -EEXIST. -EOPNOTSUPP: the kernel has no bridges. */
int px_link_bridge_add(struct nl_sock *sock, const char *name, const uint8_t mac[6], unsigned mtu,
                       struct px_error *err);
int px_link_del(struct nl_sock *sock, int index, struct px_error *err);
int px_link_set_alias(struct nl_sock *sock, int index, const char *alias, struct px_error *err);
int px_link_set_mtu(struct nl_sock *sock, int index, unsigned mtu, struct px_error *err);
int px_link_set_up(struct nl_sock *sock, int index, struct px_error *err);
/* The bridge port's isolated flag. -EINVAL or -EOPNOTSUPP: no port of a bridge. */
int px_link_set_isolated(struct nl_sock *sock, int index, struct px_error *err);

/* The address with the directly connected route that comes with it. @add false: takes it away. */
int px_link_address_change(struct nl_sock *sock, bool add, const struct px_link_address *address,
                           struct px_error *err);
