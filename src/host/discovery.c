/* src/host/discovery.c - answers clients that look around on the LAN */
#include "host/discovery.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "host/host.h"
#include "proto/rendezvous.h"
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#define ANSWERS_A_SECOND 20 /* a client asks on each of its interfaces */

struct px_discovery {
    uv_udp_t udp;
    struct px_host *host;
    int64_t second;
    unsigned n_answers; /* in it */
    uint8_t in[1500];
};

static struct px_bytes text(const char *s) {
    return (struct px_bytes){(const uint8_t *)s, strlen(s)};
}

int px_discovery_answer(struct px_bytes in, const struct px_discovery_names *names, const char *mac,
                        uint8_t ret[PX_DISCOVERY_PONG_MAX]) {
    struct px_rdv_msg m;
    if (px_rdv_decode(in, &m, NULL) < 0 || m.kind != PX_RDV_PEER_DISCOVERY ||
        m.peer_discovery.cmd.size != 4 || memcmp(m.peer_discovery.cmd.data, "ping", 4) != 0)
        return 0;
    m = (struct px_rdv_msg){.kind = PX_RDV_PEER_DISCOVERY};
    m.peer_discovery.cmd = text("pong");
    m.peer_discovery.mac = text(mac);
    m.peer_discovery.id = text(names->id);
    m.peer_discovery.username = text(names->user);
    m.peer_discovery.hostname = text(names->host);
    m.peer_discovery.platform = text("Linux");
    const int n = px_rdv_encode(&m, ret, PX_DISCOVERY_PONG_MAX, NULL);
    return n < 0 ? 0 : n;
}

static uint32_t v4_of(const struct sockaddr *sa) {
    return ((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr;
}

static void mac_of(const struct ifaddrs *all, const char *name, char ret[18]) {
    snprintf(ret, 18, "00:00:00:00:00:00");
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_PACKET || strcmp(i->ifa_name, name) != 0)
            continue;
        const uint8_t *b = ((const struct sockaddr_ll *)(const void *)i->ifa_addr)->sll_addr;
        snprintf(ret, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
    }
}

bool px_discovery_neighbour(const struct px_addr *from, char ret_mac[18]) {
    struct sockaddr_storage ss;
    struct ifaddrs *all = NULL;
    bool found = false;
    if (!px_addr_is_v4(from) || getifaddrs(&all) < 0)
        return false;
    px_addr_to_sockaddr(from, false, &ss);
    const uint32_t ip = v4_of((const struct sockaddr *)&ss);
    for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
        if (!i->ifa_addr || !i->ifa_netmask || i->ifa_addr->sa_family != AF_INET ||
            !(i->ifa_flags & IFF_UP))
            continue;
        found = ((v4_of(i->ifa_addr) ^ ip) & v4_of(i->ifa_netmask)) == 0;
        if (found)
            mac_of(all, i->ifa_name, ret_mac);
    }
    freeifaddrs(all);
    return found;
}

static bool has_turn(struct px_discovery *d) {
    const int64_t second = px_now_us() / PX_US_PER_S;
    if (second != d->second)
        d->n_answers = 0;
    d->second = second;
    return d->n_answers++ < ANSWERS_A_SECOND;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    struct px_discovery *d = handle->data;
    *buf = uv_buf_init((char *)d->in, sizeof(d->in));
}

static void on_datagram(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                        unsigned flags) {
    struct px_discovery *d = udp->data;
    const struct px_host *h = d->host;
    const struct px_discovery_names names = {h->config->id, h->user, h->hostname};
    uint8_t pong[PX_DISCOVERY_PONG_MAX];
    struct px_addr peer;
    char mac[18];
    if (n <= 0 || !from || flags & UV_UDP_PARTIAL || px_addr_from_sockaddr(from, &peer) < 0 ||
        !px_host_config_allows(h->config, &peer) || !has_turn(d) ||
        !px_discovery_neighbour(&peer, mac))
        return;
    const int size = px_discovery_answer((struct px_bytes){d->in, (size_t)n}, &names, mac, pong);
    uv_buf_t out = uv_buf_init((char *)pong, (unsigned)size);
    if (size > 0)
        (void)uv_udp_try_send(udp, &out, 1, from);
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

struct px_discovery *px_discovery_new(struct px_host *h, struct px_error *err) {
    const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PX_DISCOVERY_PORT)};
    struct px_discovery *d = px_new0(struct px_discovery, 1);
    d->host = h;
    uv_udp_init(h->loop, &d->udp);
    d->udp.data = d;
    /* Broadcasts come to every socket of the port; a client's own in this desktop is one. */
    int r = uv_udp_bind(&d->udp, (const struct sockaddr *)&any, UV_UDP_REUSEADDR);
    if (r == 0)
        r = uv_udp_recv_start(&d->udp, on_alloc, on_datagram);
    if (r == 0)
        return d;
    px_fail_sys(err, r, "cannot listen on UDP port %d", PX_DISCOVERY_PORT);
    px_discovery_close(d);
    return NULL;
}

void px_discovery_close(struct px_discovery *d) {
    if (d)
        uv_close((uv_handle_t *)&d->udp, on_closed);
}
