/* src/session/udp.h - the client's side of a session over UDP: hole, KCP stream (proto/kcp.h)
 *
 * Blocking, as client.h; the stream goes on only while the caller is in one of its calls. */
#pragma once
#include "session/client.h"

/* A socket for holes at @own (port 0: any; of one family). Returns the fd. */
int px_udp_socket(const struct px_addr *own, struct px_error *err);
/* Which port it has as the ID server sees it, by UDP. -ETIMEDOUT: UDP does not come through. */
int px_udp_seen_port(int fd, const struct px_addr *server, int64_t timeout_us, uint16_t *ret,
                     struct px_error *err);
/* Punches a hole from @fd (taken) to @to and begins a stream there. -ETIMEDOUT, -EPIPE. */
int px_udp_connect(int fd, const struct px_addr *to, int64_t timeout_us, struct px_client **ret,
                   struct px_error *err);

/* For client.c: what its calls do where there is a stream. */
int px_udp_send(struct px_client *c, const void *bytes, size_t size, int64_t until_us,
                struct px_error *err);
int px_udp_read_more(struct px_client *c, int64_t until_us, struct px_error *err);
void px_udp_close(struct px_client *c);
