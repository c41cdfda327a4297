/* src/host/discovery.h - answers clients that look around on the LAN
 *
 * Off unless the configuration says so. A client broadcasts a PeerDiscovery "ping" to UDP port
 * 21119; who is on a network of one of our own interfaces, and allowed, is told ID and names.
 * Nobody else is answered, so the port is no use for reflecting. Loop thread. Source: the
 * rendezvous specification, 8.14, and the session specification, 3.6. */
#pragma once
#include "base/error.h"
#include "proto/addr.h"
#include "proto/wire.h"
#include <stdbool.h>

#define PX_DISCOVERY_PORT 21119
#define PX_DISCOVERY_PONG_MAX 512

struct px_host;
struct px_discovery;

/* NULL with @err: the port cannot be had. */
struct px_discovery *px_discovery_new(struct px_host *h, struct px_error *err);
void px_discovery_close(struct px_discovery *d); /* takes NULL */

struct px_discovery_names {
    const char *id, *user, *host;
};

/* The answer to @in, with @mac ("aa:bb:..") in it. Its length; 0: nothing to answer. Pure. */
int px_discovery_answer(struct px_bytes in, const struct px_discovery_names *names, const char *mac,
                        uint8_t ret[PX_DISCOVERY_PONG_MAX]);
/* The MAC address of the interface whose network @from is on. False: on none. */
bool px_discovery_neighbour(const struct px_addr *from, char ret_mac[18]);
