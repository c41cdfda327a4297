/* src/host/again.h - when a host that fell back to TCP or WebSocket tries UDP again
 *
 * A round is a few datagrams, as one may be lost; the rounds come after five minutes and then every
 * fifteen, and one at once when something changed. Pure: the clock is the caller's. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct px_again {
    int64_t next_us; /* of the next datagram */
    unsigned left;   /* datagrams of this round; 0: the next begins a round */
};

/* UDP was given up at @now_us. */
void px_again_begin(struct px_again *a, int64_t now_us);
/* The network or the connection changed: a round begins now. */
void px_again_at_once(struct px_again *a, int64_t now_us);
/* Whether a datagram is due; then it is taken to be sent. */
bool px_again_take(struct px_again *a, int64_t now_us);
