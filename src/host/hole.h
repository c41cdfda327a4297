/* src/host/hole.h - a client on its way to us over UDP, without the relay
 *
 * We answer the ID server from our port, so that the client hears what that looks like; open our
 * NAT with empty datagrams to the client, again and again, as it does towards us; and wait for its
 * SYN, the beginning of a KCP stream (proto/kcp.h).
 *
 * Over IPv6 the server learns of our port by what is said to it elsewhere, so nothing goes there.
 * Becomes at most one session, else nothing within PX_PUNCH_WAIT_MS. Loop thread. Source: rustdesk
 * src/rendezvous_mediator.rs, src/common.rs (punch_udp). */
#pragma once
#include "proto/addr.h"
#include "proto/rendezvous.h"
#include <uv.h>

struct px_host;
struct px_hole;

/* What belongs to whoever opens holes. */
struct px_holes {
    struct px_hole *first;
    unsigned n;
};
#define PX_HOLES_MAX 32

struct px_hole_opts {
    struct px_host *host;
    struct px_addr own; /* port 0: any */
    struct px_addr client;
    struct px_addr server;           /* port 0: nothing is said to it */
    const struct px_rdv_msg *answer; /* for the server; lent for the call */
};

/* *ret: our end of it. Negative: it cannot be. */
int px_hole_open(struct px_holes *all, const struct px_hole_opts *opts, struct px_addr *ret,
                 struct px_error *err);
/* No session comes of any of them any more; each is freed by the loop. */
void px_holes_close(struct px_holes *all);
