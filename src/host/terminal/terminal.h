/* src/host/terminal/terminal.h - shells for terminal sessions
 *
 * A service is a set of shells that belongs to one client (its id); with "terminal_persistent" it
 * outlives the connection, and a new one that knows the service's id finds its shells as they were.
 * Loop thread. */
#pragma once
#include "proto/session.h"

struct px_host;
struct px_session;
struct px_terminals;

struct px_terminals *px_terminals_new(struct px_host *h);
void px_terminals_attach(struct px_terminals *t, struct px_session *s);
void px_terminals_message(struct px_terminals *t, struct px_session *s, const Pxs__Message *m);
void px_terminals_dry(struct px_terminals *t, struct px_session *s);
void px_terminals_detach(struct px_terminals *t, struct px_session *s);
/* Reaps shells that have ended. */
void px_terminals_tick(struct px_terminals *t, int64_t now_us);
void px_terminals_close(struct px_terminals *t);
