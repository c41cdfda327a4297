/* src/net/bridge.h - the bridge itself: whose it is, what it must not collide with, making it so
 *
 * A bridge is ours when its alias is "phoenix:STATE_DIR". The alias cannot be set in the call that
 * makes the interface, so a bridge with our own address (made from its name) and nothing else yet
 * is ours, too: what a killed process left. */
#pragma once
#include "base/buf.h"
#include "net/link.h"
#include "net/net.h"

enum px_bridge_whose { PX_BRIDGE_ABSENT, PX_BRIDGE_OURS, PX_BRIDGE_FOREIGN };

/* *ret_who (may be NULL): the bridge; for FOREIGN and OURS only. */
int px_bridge_find(struct nl_sock *sock, const struct px_host_spec *host, enum px_bridge_whose *ret,
                   struct px_link *ret_link, struct px_error *err);
/* A bridge of ours by another name: network.bridge was changed. ret->index 0: none. */
int px_bridge_find_old(struct nl_sock *sock, const struct px_host_spec *host, struct px_link *ret,
                       struct px_error *err);
/* -EEXIST: the name is somebody else's; says whose. */
int px_bridge_fail_foreign(const struct px_link *link, struct px_error *err);

/* -EADDRINUSE: an address or route of another interface than @index overlaps the range. */
int px_bridge_check_range(struct nl_sock *sock, const struct px_host_spec *host, int index,
                          struct px_error *err);
/* What px_bridge_apply would refuse, found without changing anything. */
int px_bridge_check(struct nl_sock *sock, const struct px_host_spec *host, struct px_error *err);
/* Makes the bridge, up, with the gateway's address and nothing else. */
int px_bridge_apply(struct nl_sock *sock, const struct px_host_spec *host, struct px_error *err);

/* Interfaces attached to bridge @index; @ret_names (may be NULL): their names with blanks between.
 */
int px_bridge_ports(struct nl_sock *sock, int index, size_t *ret_n, struct px_buf *ret_names,
                    struct px_error *err);
