/* src/session/wss.h - the client's side of a session through a reverse proxy that speaks TLS
 *
 * Blocking, as client.h. A message of the WebSocket is a frame's body (proto/wsclient.h). */
#pragma once
#include "proto/wss.h"
#include "session/client.h"

/* To @path at @at, whose certificate the system's store (proto/tls.h) must vouch for; @to is its
 * address. -EPROTO: no TLS, not vouched for, or no WebSocket there; -ETIMEDOUT, -ECONNREFUSED. */
int px_wss_connect(const struct px_wss *at, const struct px_addr *to, const char *path,
                   int64_t timeout_us, struct px_client **ret, struct px_error *err);

/* For client.c: what its calls do where there is a proxy. */
int px_wss_send(struct px_client *c, const void *body, size_t size, struct px_error *err);
/* Adds whole frames to @c->in, with the prefix that they have elsewhere. */
int px_wss_read_more(struct px_client *c, int64_t until_us, struct px_error *err);
void px_wss_close(struct px_client *c);
