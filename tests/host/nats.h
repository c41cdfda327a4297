/* tests/host/nats.h - an ID server with its relay, and two networks behind NATs, in namespaces
 *
 *     client 192.168.1.10 -- ra 203.0.113.2 ---+--- server 203.0.113.1
 *     host   10.77.0.5  --+- rb 203.0.113.3 ---+
 *     near   10.77.0.6  --'
 *     with IPv6 (2001:db8:a::10, :b::5, :b::6) the routers only route, and let nothing in unasked
 *
 * All namespaces hang on file descriptors of this process, so that nothing is left of them when it
 * ends, however it ends. Needs root, ip(8), nft(8). Single thread. */
#pragma once
#include <stdbool.h>

enum nat_ns { NS_HOME, NS_SERVER, NS_RA, NS_RB, NS_CLIENT, NS_HOST, NS_NEAR, N_NS };

#define SERVER_V4 "203.0.113.1"
#define SERVER_V6 "[2001:db8::1]:21116"

/* Exits the test program with 77 where it cannot be. */
void nats_open(void);
void nats_enter(enum nat_ns ns);
/* Runs a shell command there; fails the test when the command does. */
void nats_sh(enum nat_ns ns, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The NAT of @router anew: @masquerade "masquerade" or with flags; @refuse: answers strangers with
 * a reset instead of silence; @shut: lets nothing through to the other router. */
void nats_router(enum nat_ns router, const char *masquerade, bool refuse, bool shut);
