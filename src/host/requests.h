/* src/host/requests.h - clients who come through the ID server
 *
 * The server tells of each (PunchHole, FetchLocalAddr, RequestRelay). Where a client can come to us
 * straight, the answer says so (way.h, punch.h, hole.h); else, or when it asks for it, both meet at
 * a relay. Each answer goes over a TCP connection of its own. Loop thread. */
#pragma once
#include "host/hole.h"
#include "host/punch.h"
#include "proto/rendezvous.h"
#include "proto/wss.h"

struct px_conn;
struct px_tls_trust;
struct px_leg;                      /* a session on its way to the relay */
void px_leg_free(struct px_leg *l); /* for session.c; takes NULL */

#define PX_WS_PORT_STEP 2 /* from a port of ID server or relay to its WebSocket's */

struct px_requests {
    struct px_host *host;
    struct px_addr server;
    bool ws;                    /* only WebSockets come through: answers and relays go by them */
    struct px_wss wss;          /* @server is this proxy, and so is its relay; host "": none */
    struct px_tls_trust *trust; /* lent; with @wss */
    int nat;                    /* ours, enum px_nat_type */
    struct px_punches punches;
    struct px_holes holes;
    char *relay_hint; /* the last that the server proposed */
    struct px_addr last_peer;
    int64_t last_us, budget_us;
    unsigned budget;
};

/* To the server, on the way that is open now. */
int px_requests_connect(const struct px_requests *r, struct px_conn *c,
                        void (*on_connect)(void *data, int status), struct px_error *err);
/* @r zeroed; host and server are set before anything is taken. */
void px_requests_take(struct px_requests *r, const struct px_rdv_msg *m);
void px_requests_fini(struct px_requests *r);
