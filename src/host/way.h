/* src/host/way.h - whether a client of the ID server can come to us straight
 *
 * A wrong yes costs the client up to 18 s before it asks for the relay, so only what has a good
 * chance is tried. */
#pragma once
#include "proto/addr.h"

enum px_way {
    PX_WAY_DIRECT,  /* the direct port: without the server */
    PX_WAY_UDP,     /* straight, through a hole in both NATs for UDP, or without any NAT */
    PX_WAY_PUNCHED, /* straight, through a hole in our NAT or without any NAT */
    PX_WAY_LOCAL,   /* straight: both are behind one address of the server's view */
    PX_WAY_RELAY,
};
const char *px_way_name(enum px_way w);

struct px_way_facts {
    struct px_addr own;    /* what we send to the server from */
    struct px_addr server; /* as we reach it */
    struct px_addr client; /* as the server sees it */
    /* In a network of one of our interfaces. */
    bool client_on_link, server_on_link;
    bool local;      /* the server saw client and us behind one address, or the client on its
                        own machine and us on a network of that */
    bool lan;        /* our own address can be reached from outside this machine */
    bool relay_only; /* somebody insists, or no TCP reaches the server's port */
    bool udp;        /* the client waits for us on a UDP port (KCP) */
    int own_nat, client_nat;
};
/* Pure. */
enum px_way px_way_choose(const struct px_way_facts *f);

/* Loopback, RFC 1918, RFC 6598, link-local, unique local, unspecified. Pure. */
bool px_way_is_private(const struct px_addr *a);
/* The address that packets to @to leave from; none is sent. Negative: there is no way there. */
int px_way_source(const struct px_addr *to, struct px_addr *ret);
bool px_way_on_link(const struct px_addr *a);
