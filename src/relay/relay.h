/* src/relay/relay.h - the relay: pairs two connections that name the same token, copies their bytes
 *
 *     X --RequestRelay{uuid, licence_key}--> us     waits, up to 30 s
 *     Y --RequestRelay{uuid, licence_key}--> us     paired; we never say a word ourselves
 *
 * TCP to TCP is moved by splice(2) when it is much and by read and write when it is little; with a
 * WebSocket on either side messages are converted. What one side does not take is not read from the
 * other: per direction at most 512 KiB are held in a pipe, or 128 KiB here (fragmented WebSocket
 * messages: 16 MiB). One px_relay holds what the threads share; functions that take it are for any
 * thread. */
#pragma once
#include "base/cleanup.h"
#include "io/loop.h"
#include "io/sources.h"
#include "proto/addr.h"

#define PX_RELAY_WORKERS_MAX 64

struct px_relay_limits {
    uint64_t total_bps;  /* bytes per second of all pairs, 0: no limit */
    uint64_t single_bps; /* of one pair, both directions together, 0: no limit */
    uint64_t slow_bps;   /* of a pair with a member on the slow list, 0: no limit */
};

struct px_relay_opts {
    const struct px_addr *bind; /* NULL: everywhere */
    uint16_t port;              /* R; R+2 follows */
    const char *key;            /* what clients must present, "": anything */
    uint32_t first_s, wait_s, idle_s;
    size_t max_conns, max_waiting;
    struct px_sources *sources;          /* lent */
    const struct px_addr_block *proxies; /* trusted to say who the client is; lent */
    size_t n_proxies;
    struct px_relay_limits limits;
};

struct px_relay;
struct px_relay *px_relay_new(const struct px_relay_opts *opts);
struct px_relay *px_relay_free(struct px_relay *r); /* workers are gone by now */
PX_DEFINE_CLEANUP(struct px_relay *, px_relay_free)

struct px_relay_worker;
int px_relay_worker_new(struct px_relay *r, struct px_loop *loop, struct px_relay_worker **ret,
                        struct px_error *err);
struct px_relay_worker *px_relay_worker_free(struct px_relay_worker *w);
/* Takes no new connections from now on. Any thread. */
void px_relay_drain(struct px_relay *r);

struct px_relay_limits px_relay_limits(const struct px_relay *r);
void px_relay_set_limits(struct px_relay *r, const struct px_relay_limits *limits);

enum px_relay_list { PX_RELAY_BLOCKED, PX_RELAY_SLOW, PX_RELAY_LISTS };
/* Replaces a list; pairs with a member on PX_RELAY_BLOCKED are cut. */
void px_relay_set_list(struct px_relay *r, enum px_relay_list list,
                       const struct px_addr_block *blocks, size_t n);
bool px_relay_listed(struct px_relay *r, enum px_relay_list list, const struct px_addr *a);

enum px_relay_stat {
    PX_RELAY_CONNS,
    PX_RELAY_CONNS_REFUSED,
    PX_RELAY_CONNS_OPEN,
    PX_RELAY_BAD_KEY,
    PX_RELAY_PAIRS,
    PX_RELAY_PAIRS_OPEN,
    PX_RELAY_WAITING,
    PX_RELAY_BYTES,
    PX_RELAY_STATS,
};
extern const char *const px_relay_stat_names[PX_RELAY_STATS];
void px_relay_stats(struct px_relay *r, uint64_t ret[PX_RELAY_STATS]);

struct px_relay_pair_info {
    char token[9]; /* start of the pairing token */
    struct px_addr a, b;
    uint64_t bytes_ab, bytes_ba;
    int64_t age_us;
};
/* Calls @fn for each open pair. */
void px_relay_each(struct px_relay *r,
                   void (*fn)(const struct px_relay_pair_info *info, void *data), void *data);
