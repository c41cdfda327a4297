/* tests/net/world.h - a host with three desktops and an outside, in network namespaces
 *
 *     outside 198.51.100.1 ---- up0 198.51.100.2  host  pxt0 10.88.0.1 ---- desk[i] 10.88.0.2+i
 *
 * All namespaces hang on file descriptors of this process, so that nothing is left of them when it
 * ends, however it ends. The process works in the host's namespace and steps into others for a
 * call. Needs root; ip(8) and nft(8). Single thread. */
#pragma once
#include "base/test.h"
#include "net/net.h"
#include <stdbool.h>
#include <stdint.h>

#define N_DESKS 3
#define OUTSIDE "198.51.100.1"
#define UPLINK "198.51.100.2"
#define GATEWAY "10.88.0.1"
#define METADATA "169.254.169.254" /* lives outside */
#define MTU 1400                   /* of the way out */

struct world {
    char dir[64]; /* state and run directories */
    int home;     /* namespace that the test came from */
    int host, outside;
    int desk[N_DESKS];
    struct px_host_spec spec;
    struct px_host_port open[4]; /* for spec.network.open */
    struct in_addr dns[1];
    struct px_net_port port[N_DESKS];
};

/* The host has a way to the outside and nothing of phoenix. -1: not root, or no namespaces. */
int world_open(struct world *w);
void world_close(struct world *w);
/* Network up with all ports announced, and desk[i] wired to it; isolated flags set when @isolate.
 */
void world_up(struct world *w, bool isolate);
/* A veth from the bridge to desk[i], with the port's MAC and address inside and a default route. */
void world_wire(struct world *w, unsigned i);
void world_unwire(struct world *w, unsigned i);

void enter(int ns);
/* Runs a shell command in @ns; fails the test when the command does. */
void sh(const struct world *w, int ns, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What a shell command prints in the host's namespace; the caller's. */
char *out_of(const struct world *w, const char *command);
/* Everything px_net may change on a host, as text; the caller's. */
char *world_dump(const struct world *w);
/* Says where the two part instead of printing both. */
void assert_same_text(const char *a, const char *b);

/* ---- TCP ---- */
int listen_at(const struct world *w, int ns, const char *address, unsigned port);
/* From @ns to @listener at @address: 0 when the connection stood and a byte came back; else -errno
 * of connect, -ETIMEDOUT after 400 ms. @ret_peer (may be NULL): who the listener saw. */
int talk_to(const struct world *w, int ns, const char *address, unsigned port, int listener,
            char ret_peer[INET_ADDRSTRLEN]);
/* The same from @ns to a listener made in @to_ns for the purpose. */
int reach(const struct world *w, int ns, int to_ns, const char *address, unsigned port,
          char ret_peer[INET_ADDRSTRLEN]);

/* Whether @address answers an echo request from @ns. */
bool pings(const struct world *w, int ns, const char *address);

/* ---- frames ---- */
struct frame {
    uint8_t data[512];
    size_t size;
};
#define MARK "phoenix-net-test" /* in the payload of each */

struct udp_opts {
    const uint8_t *from_mac, *to_mac;
    const char *from, *to;
    uint16_t from_port, to_port;
    bool vlan; /* with a tag of VLAN 7 in front */
};
struct frame frame_udp(const struct udp_opts *o);
struct arp_opts {
    const uint8_t *frame_mac, *sender_mac;
    const char *sender, *target;
    uint16_t operation;
};
struct frame frame_arp(const struct arp_opts *o);
struct frame frame_other(const uint8_t from[6], const uint8_t to[6], uint16_t ethertype);
struct frame frame_router_advert(const uint8_t from[6]);

/* Whether @frame, sent by desk @i's interface, arrives at interface @ifname of @ns (100 ms). */
bool arrives(const struct world *w, unsigned i, const struct frame *frame, int ns,
             const char *ifname);
extern const uint8_t mac_broadcast[6];
