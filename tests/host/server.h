/* tests/host/server.h - a phoenix-server on loopback, and clients that come through it
 *
 * On ports that are free, without limits per source; its files lie in f.dir, and it is a child like
 * the others. Needs $PHOENIX_SERVER. One at a time. */
#pragma once
#include "session/client.h"
#include <sys/types.h>

/* Starts it (again: on the same ports, with the same key). */
void server_start(void);
void server_stop(void);
pid_t server_pid(void);
/* For fixture_host(): "\"server\": {..}". */
const char *server_config(void);
/* The host can be reached through it. */
void server_await_host(void);
/* Encrypted, not logged in. @relay: over the relay, by the client's will. Negative: not reached. */
int server_reach(bool relay, struct px_client **ret, struct px_error *err);
struct px_client *server_dial(bool relay); /* must be reached */
