/* src/host/rendezvous.h - the host at its ID server
 *
 * Keeps the desktop registered: by UDP, by TCP where UDP does not come through, by WebSocket where
 * neither does. What the server asks for its clients goes to requests.h. Loop thread. */
#pragma once

struct px_host;
struct px_rendezvous;

struct px_rendezvous *px_rendezvous_new(struct px_host *h);
void px_rendezvous_close(struct px_rendezvous *r);
