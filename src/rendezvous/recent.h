/* src/rendezvous/recent.h - the latest requests, and devices that moved, for `phoenix-server ctl`
 *
 * A ring of PX_RECENT_MAX records each: what strangers do takes no more memory than that, the
 * oldest is forgotten. Thread-safe; adding is quick and may be done with other locks held. */
#pragma once
#include "base/cleanup.h"
#include "rendezvous/peers.h"

#define PX_RECENT_MAX 1024

struct px_recent_record {
    int64_t at_s; /* wall clock */
    struct px_addr from, to;
    char id[PX_PEER_ID_MAX_BYTES + 1];
};

struct px_recent;
struct px_recent *px_recent_new(void);
struct px_recent *px_recent_free(struct px_recent *r);

void px_recent_add(struct px_recent *r, struct px_bytes id, const struct px_addr *from,
                   const struct px_addr *to, int64_t at_s);
/* Newest first; returns how many (at most @max). */
size_t px_recent_list(struct px_recent *r, struct px_recent_record *ret, size_t max);
void px_recent_forget(struct px_recent *r);
