/* src/host/requests.h - clients who come through the ID server
 *
 * The server tells of each (PunchHole, FetchLocalAddr, RequestRelay). Where a client can come to us
 * straight, the answer says so (way.h, punch.h, hole.h); else, or when it asks for it, both meet at
 * a relay. Each answer goes over a TCP connection of its own. Loop thread. */
#pragma once
#include "host/hole.h"
#include "host/punch.h"
#include "proto/rendezvous.h"

struct px_leg;                      /* a session on its way to the relay */
void px_leg_free(struct px_leg *l); /* for session.c; takes NULL */

#define PX_WS_PORT_STEP 2 /* from a port of ID server or relay to its WebSocket's */

struct px_requests {
    struct px_host *host;
    struct px_addr server;
    bool ws; /* only WebSockets come through: answers and relays go by them */
    int nat; /* ours, enum px_nat_type */
    struct px_punches punches;
    struct px_holes holes;
    char *relay_hint; /* the last that the server proposed */
    struct px_addr last_peer;
    int64_t last_us, budget_us;
    unsigned budget;
};

/* @r zeroed; host and server are set before anything is taken. */
void px_requests_take(struct px_requests *r, const struct px_rdv_msg *m);
void px_requests_fini(struct px_requests *r);
