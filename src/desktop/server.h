/* src/desktop/server.h - the phoenix-server that this host keeps for its desktops
 *
 *     STATE/server/            its data directory: keys, peers, log; owned by the last id of our
 * span, under which it runs, so that it is nobody else and not root STATE/server/admin.sock answers
 * while it runs
 *
 * Under systemd it is a transient unit, phoenix-server-BRIDGE, hardened and restarted when it
 * fails; elsewhere a process of its own session, noted in RUN/server.pid, which starts the server
 * proper again when that dies, and ends with it when told to. One thread. */
#pragma once
#include "desktop/fleet.h"

struct px_server_info {
    char *address; /* for clients; with ":PORT" unless that is 21116 */
    char *inside;  /* for desktops: the gateway's, or the same; "wss://HOST[:PORT]" */
    char *proxy;   /* HOST[:PORT] of a proxy before it that speaks TLS; NULL: none */
    char *key;     /* base64 public key */
};

/* Starts it where the host file wants it and it does not answer. -EADDRINUSE and others: it did not
 * come up; the message ends with its last words. 0 also where the host file wants none. */
int px_server_up(const struct px_fleet *fleet, struct px_error *err);
/* Whether clients have a server to go to: 0 also where the host file wants none of ours.
 * -ECONNREFUSED: ours does not run; the hint is how @desktop's start brings it back. */
int px_server_check(const struct px_fleet *fleet, const char *desktop, struct px_error *err);
/* The first TCP port of those that it needs and somebody else listens on; 0: none, or it runs. */
unsigned px_server_port_taken(const struct px_host_spec *host);
/* Stops the one that px_server_up started; none is good. */
int px_server_down(const struct px_fleet *fleet, struct px_error *err);
/* -ENOENT: the host file names none, or ours has never run. */
int px_server_info(const struct px_fleet *fleet, struct px_server_info *ret, struct px_error *err);
void px_server_info_fini(struct px_server_info *info);
