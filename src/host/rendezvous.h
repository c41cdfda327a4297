/* src/host/rendezvous.h - the host at its ID server
 *
 * Keeps the desktop registered (by UDP, by TCP where UDP does not come through) and answers
 * requests for connections with a relay. Loop thread. */
#pragma once

struct px_host;
struct px_rendezvous;

struct px_rendezvous *px_rendezvous_new(struct px_host *h);
void px_rendezvous_close(struct px_rendezvous *r);

/* A session on its way to the relay, for session.c to release. Takes NULL. */
struct px_leg;
void px_leg_free(struct px_leg *l);
