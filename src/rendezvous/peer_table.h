/* src/rendezvous/peer_table.h - one shard of the table of peers: a hash table with open addressing
 *
 * The hashes lie beside the pointers, so that a miss touches one cache line. A hash is the 64 bits
 * of px_peers_hash(); the shard keeps its upper half. Not thread-safe: the owner holds the lock.
 * For peers.c only. */
#pragma once
#include "proto/wire.h"
#include "rendezvous/peers.h"
#include <pthread.h>

struct peer {
    int64_t seen_us;
    uint64_t link;
    uint8_t uuid[16]; /* keyed hash */
    uint8_t pk[PX_PEER_PK_BYTES];
    uint8_t ip[16];
    uint32_t registered_s; /* last accepted RegisterPk */
    uint16_t port;
    uint8_t local, worker, n_registered, flags, id_size;
    uint8_t id[];
};

struct shard {
    pthread_mutex_t lock;
    uint32_t n, n_slots; /* power of two; at most 7/8 full */
    uint32_t *hashes;
    struct peer **slots;
    size_t n_evicted, n_refused;
} __attribute__((aligned(64)));

void peer_table_init(struct shard *s);
/* Frees the peers as well. */
void peer_table_fini(struct shard *s);

/* With nothing but its ID. */
struct peer *peer_new(struct px_bytes id);

/* The slot of @id, or n_slots. */
uint32_t peer_table_slot(const struct shard *s, uint64_t h, struct px_bytes id);
/* NULL: not there. */
struct peer *peer_table_find(const struct shard *s, uint64_t h, struct px_bytes id);
/* Takes @peer, whose ID is not in yet. */
void peer_table_insert(struct shard *s, uint64_t h, struct peer *peer);
/* Empties slot @i and hands out what was in it. */
struct peer *peer_table_take(struct shard *s, uint32_t i);
