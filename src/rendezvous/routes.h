/* src/rendezvous/routes.h - small shared tables about requests under way
 *
 * Routes: which connection waits for an answer that names address A. One entry per waiting
 * connection, so bounded by the number of connections.
 * Grants: which source was lately given the way to which peer, for ten minutes; a fixed table whose
 * sets of 8 drop the oldest. Thread-safe. */
#pragma once
#include "base/cleanup.h"
#include "proto/addr.h"

struct px_route {
    uint16_t worker;
    uint64_t handle;
};

struct px_routes;
struct px_routes *px_routes_new(void);
struct px_routes *px_routes_free(struct px_routes *r);
PX_DEFINE_CLEANUP(struct px_routes *, px_routes_free)
/* false: another connection has that address (behind a proxy they are made up). */
bool px_routes_add(struct px_routes *r, const struct px_addr *a, const struct px_route *route);
void px_routes_remove(struct px_routes *r, const struct px_addr *a);
bool px_routes_find(struct px_routes *r, const struct px_addr *a, struct px_route *ret);

struct px_grants;
struct px_grants *px_grants_new(size_t n_entries);
struct px_grants *px_grants_free(struct px_grants *g);
PX_DEFINE_CLEANUP(struct px_grants *, px_grants_free)
/* @relay_hash: hash of the relay name that came with it, 0: none. */
void px_grants_give(struct px_grants *g, const struct px_addr *source, uint64_t id_hash,
                    uint64_t relay_hash, int64_t now_us);
bool px_grants_has(struct px_grants *g, const struct px_addr *source, uint64_t id_hash,
                   int64_t now_us, uint64_t *ret_relay_hash);
