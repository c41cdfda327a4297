/* src/net/address.c - addresses of the range, and the stable values made from them */
#include "base/alloc.h"
#include "net/net.h"
#include "net/rules.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static uint32_t base_of(const struct px_host_spec *host) {
    return ntohl(host->network.range.s_addr) & ~(UINT32_MAX >> host->network.prefix);
}

static uint32_t last_of(const struct px_host_spec *host) {
    return base_of(host) | (UINT32_MAX >> host->network.prefix);
}

struct in_addr px_net_gateway(const struct px_host_spec *host) {
    return (struct in_addr){.s_addr = htonl(base_of(host) + 1)};
}

static int by_number(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int fail_range(const struct px_host_spec *host, int code, const char *what,
                      struct px_error *err) {
    char net[INET_ADDRSTRLEN];
    const struct in_addr base = {.s_addr = htonl(base_of(host))};
    inet_ntop(AF_INET, &base, net, sizeof(net));
    return px_fail(err, code, "%s %s/%u", what, net, host->network.prefix);
}

int px_net_address_alloc(const struct px_host_spec *host, const struct in_addr *taken,
                         size_t n_taken, struct in_addr *ret, struct px_error *err) {
    px_cleanup_free uint32_t *sorted = px_new0(uint32_t, n_taken + 1);
    for (size_t i = 0; i < n_taken; i++)
        sorted[i] = ntohl(taken[i].s_addr);
    qsort(sorted, n_taken, sizeof(*sorted), by_number);
    uint32_t free_one = base_of(host) + 2;
    for (size_t i = 0; i < n_taken; i++)
        if (sorted[i] == free_one)
            free_one++;
    if (free_one >= last_of(host)) {
        fail_range(host, -ENOSPC, "no free address in", err);
        return px_hint(err, -ENOSPC,
                       "remove a desktop, or set a wider network.range in the host file");
    }
    ret->s_addr = htonl(free_one);
    return 0;
}

int px_net_address_check(const struct px_host_spec *host, struct in_addr address,
                         struct px_error *err) {
    const uint32_t a = ntohl(address.s_addr), base = base_of(host), last = last_of(host);
    char text[INET_ADDRSTRLEN], what[64];
    inet_ntop(AF_INET, &address, text, sizeof(text));
    if (a == base + 1)
        return px_fail(err, -EINVAL, "address %s is the gateway's", text);
    snprintf(what, sizeof(what), "address %s is not one for desktops in", text);
    return a > base && a < last ? 0 : fail_range(host, -EINVAL, what, err);
}

void px_net_port_name(const struct px_host_spec *host, const char *desktop, struct in_addr address,
                      struct px_net_port *ret) {
    char prefix[PX_RULES_PREFIX_MAX];
    px_rules_prefix(host, prefix);
    *ret = (struct px_net_port){.address = address, .internet = true};
    /* A range has 24 bits for hosts at most. */
    snprintf(ret->ifname, sizeof(ret->ifname), "%.9s%06x", prefix,
             ntohl(address.s_addr) & 0xffffff);
    /* 02: locally administered. The second byte sets the desktops of two bridges apart. */
    ret->mac[0] = 0x02;
    ret->mac[1] = (uint8_t)strtoul(prefix + 2, NULL, 16);
    memcpy(&ret->mac[2], &address.s_addr, 4);
}
