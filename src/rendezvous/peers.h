/* src/rendezvous/peers.h - who is registered: ID, key, where, since when
 *
 * All known peers are in memory, about 130 bytes each: a record of ~100 bytes with its ID inside,
 * and 12 bytes of table per slot. Of the machine identity (uuid) only a keyed 128-bit hash is kept.
 * The table is split into shards, each with its own lock, so that threads seldom meet.
 *
 * Bounded: a shard that is full gives up the entry, among 32 sampled, that never sent a heartbeat
 * (oldest first), else one not seen for 30 days; if there is none, a new ID is refused. A flood of
 * forged registrations thus pushes out forged ones only.
 *
 * Thread-safe. Times are CLOCK_MONOTONIC and arguments. */
#pragma once
#include "base/cleanup.h"
#include "proto/addr.h"
#include "proto/rendezvous.h"

#define PX_PEER_ID_MAX_BYTES 253
#define PX_PEER_PK_BYTES 32
#define PX_PEER_UUID_MAX_BYTES 512

struct px_peers;

/* Where a peer can be reached. */
struct px_peer_where {
    struct px_addr addr;
    uint8_t local;  /* which of our addresses it talks to, 0: any */
    uint8_t worker; /* of the link */
    uint64_t link;  /* handle of its connection, 0: UDP */
};

enum px_peer_change { PX_PEER_STORE, PX_PEER_MOVE, PX_PEER_RENAME, PX_PEER_DELETE };
/* What has to be written down. Views are lent for the call. */
struct px_peer_row {
    enum px_peer_change change;
    struct px_bytes id;
    struct px_bytes old_id;   /* of a rename */
    struct px_bytes uuid, pk; /* of a store */
    struct px_addr addr;      /* of store and move */
    struct px_addr old_addr;  /* where it was before that; all zero: nowhere yet */
    uint8_t local_no;         /* where.local that belongs to it */
    struct px_addr local;     /* the address behind that number, all zero: any; set by the owner */
};

struct px_peers_opts {
    size_t max_peers;
    int64_t online_us; /* how long after the last registration a peer counts as online */
    /* Called with a lock held: must be quick and not call back. NULL: none. */
    void (*on_change)(void *data, const struct px_peer_row *row);
    /* Number of one of our addresses, for px_peers_load(). NULL: always 0. */
    uint8_t (*local_number)(void *data, const struct px_addr *local);
    void *data;
};

struct px_peers *px_peers_new(const struct px_peers_opts *opts);
struct px_peers *px_peers_free(struct px_peers *p);
PX_DEFINE_CLEANUP(struct px_peers *, px_peers_free)

/* Whether an ID may be registered: 6 to 253 bytes, no control characters or blanks, none of
 * " < > / \ | ? *. */
bool px_peer_id_valid(struct px_bytes id);
/* The stricter form of an ID that a person chooses. */
bool px_peer_id_chosen_valid(struct px_bytes id);

/* From the database, before anything else. @seen_us may lie before the start of the clock. */
void px_peers_load(struct px_peers *p, const struct px_peer_row *row, int64_t seen_us);

/* RegisterPeer: *ret_request_pk tells what to answer. Returns whether the peer is now online. */
bool px_peers_heartbeat(struct px_peers *p, struct px_bytes id, const struct px_peer_where *from,
                        int64_t now_us, bool *ret_request_pk);
/* RegisterPk with its fields present. PX_PK_SERVER_ERROR: the table is full. */
enum px_register_pk_result px_peers_register(struct px_peers *p,
                                             const struct px_rdv_register_pk *msg,
                                             const struct px_peer_where *from, int64_t now_us);
/* ID change: the machine @uuid, known as @old_id, becomes @id. */
enum px_register_pk_result px_peers_rename(struct px_peers *p, struct px_bytes old_id,
                                           struct px_bytes id, struct px_bytes uuid);
/* A connection is gone: the peer is offline if it was still registered through it. */
void px_peers_link_lost(struct px_peers *p, struct px_bytes id, uint8_t worker, uint64_t link);
/* A connection gave a sign of life. */
void px_peers_link_alive(struct px_peers *p, struct px_bytes id, uint8_t worker, uint64_t link,
                         int64_t now_us);

struct px_peer_info {
    struct px_peer_where where;
    uint8_t pk[PX_PEER_PK_BYTES];
    bool has_addr, online;
    int64_t seen_us;
};
/* -ENOENT (without a text): not known. */
int px_peers_find(struct px_peers *p, struct px_bytes id, int64_t now_us, struct px_peer_info *ret);
bool px_peers_online(struct px_peers *p, struct px_bytes id, int64_t now_us);

/* Makes a peer offline until it registers again. false: not known. */
bool px_peers_drop(struct px_peers *p, struct px_bytes id);
/* Forgets it altogether, so that another machine may take the ID. false: not known. */
bool px_peers_forget(struct px_peers *p, struct px_bytes id);

struct px_peers_stats {
    size_t n_peers, n_evicted, n_refused;
};
struct px_peers_stats px_peers_stats(struct px_peers *p);
/* Calls @fn per peer, a shard locked: no calls back. Stops when it returns false. */
void px_peers_each(struct px_peers *p, int64_t now_us,
                   bool (*fn)(struct px_bytes id, const struct px_peer_info *info, void *data),
                   void *data);
/* Keyed 64-bit hash of an ID, the same for all tables of this process run. */
uint64_t px_peers_hash(const struct px_peers *p, struct px_bytes id);
