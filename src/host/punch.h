/* src/host/punch.h - a client on its way to us over TCP, without the relay
 *
 *     we, port q --connect--> ID server     so that it sees q as our NAT maps it
 *     we, port q --SYN------> client        opens our NAT for it
 *     we         --answer---> ID server     PunchHoleSent or LocalAddr; then this is closed
 *     client     --connect--> q             or meets our SYN: a simultaneous open
 *
 * Becomes at most one session, else nothing within PX_PUNCH_WAIT_MS: the client asks for the relay
 * then. Loop thread. */
#pragma once
#include "host/way.h"
#include "proto/rendezvous.h"
#include <uv.h>

struct px_host;
struct px_punch;

#define PX_PUNCH_WAIT_MS 18000

/* What belongs to whoever opens punches. */
struct px_punches {
    struct px_punch *first;
    unsigned n;
};
#define PX_PUNCHES_MAX 32

struct px_punch_opts {
    struct px_host *host;
    struct px_addr server, client;
    enum px_way way;          /* PUNCHED or LOCAL */
    struct px_rdv_msg answer; /* lent for the call; a LocalAddr's local_addr is filled in */
};

/* Never fails visibly: what does not work ends in the client's request for the relay. */
void px_punch_open(struct px_punches *all, const struct px_punch_opts *opts);
/* No session comes of any of them any more; each is freed by the loop. */
void px_punches_close(struct px_punches *all);

/* A TCP socket whose port others of ours may use too, bound to @own (its port 0: any). Returns the
 * fd. */
int px_punch_socket(const struct px_addr *own, struct px_error *err);
