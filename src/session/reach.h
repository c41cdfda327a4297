/* src/session/reach.h - how a client comes to a host: the direct port, or ID server and relay */
#pragma once
#include "session/client.h"
#include "session/probe.h"

/* Connects as @opts say; through a server also does the handshake. *ret: ready for the login.
 * -ENOENT: the server does not know the id; -EHOSTDOWN: it is offline; -EACCES: wrong key. */
int px_reach(const struct px_probe_opts *opts, struct px_client **ret, struct px_error *err);
/* "host", "host:port" or an address literal, to the first address it has. Blocks. -ENOENT. */
int px_resolve(const char *name, uint16_t default_port, struct px_addr *ret, struct px_error *err);
