/* src/host/tunnel/tunnel.h - a client's TCP connection to something on this desktop
 *
 * Once the target answers (and the last probe is back), the login is confirmed and the connection
 * carries raw bytes both ways, without frames or encryption: so the protocol has it. Targets are
 * this desktop itself, unless the configuration opens more. A target by name ("jupyter") is reached
 * by TLS, which ends here. Loop thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct px_session;
struct px_tunnel;

/* For session->tunnel_host and tunnel_port; answers the login. */
void px_tunnel_start(struct px_session *s);
void px_tunnel_probe_answered(struct px_session *s);
void px_tunnel_send(struct px_tunnel *t, const uint8_t *bytes, size_t size);
void px_tunnel_dry(struct px_tunnel *t); /* the client took what was sent */
void px_tunnel_close(struct px_tunnel *t);
