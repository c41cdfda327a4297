/* src/rendezvous/peer_table.c - one shard of the table of peers */
#include "rendezvous/peer_table.h"
#include "base/alloc.h"
#include <string.h>

#define FIRST_SLOTS 16

static void shard_alloc(struct shard *s, uint32_t n_slots) {
    s->n_slots = n_slots;
    s->hashes = px_new0(uint32_t, n_slots);
    s->slots = px_new0(struct peer *, n_slots);
}

void peer_table_init(struct shard *s) {
    pthread_mutex_init(&s->lock, NULL);
    shard_alloc(s, FIRST_SLOTS);
}

void peer_table_fini(struct shard *s) {
    for (uint32_t k = 0; k < s->n_slots; k++)
        free(s->slots[k]);
    free(s->slots);
    free(s->hashes);
    pthread_mutex_destroy(&s->lock);
}

static uint32_t slot_hash(uint64_t h) {
    return (uint32_t)(h >> 32);
}

uint32_t peer_table_slot(const struct shard *s, uint64_t h, struct px_bytes id) {
    const uint32_t mask = s->n_slots - 1;
    for (uint32_t i = slot_hash(h) & mask; s->slots[i]; i = (i + 1) & mask)
        if (s->hashes[i] == slot_hash(h) && s->slots[i]->id_size == id.size &&
            memcmp(s->slots[i]->id, id.data, id.size) == 0)
            return i;
    return s->n_slots;
}

struct peer *peer_table_find(const struct shard *s, uint64_t h, struct px_bytes id) {
    uint32_t i = peer_table_slot(s, h, id);
    return i < s->n_slots ? s->slots[i] : NULL;
}

static void put_slot(struct shard *s, uint32_t hash, struct peer *peer) {
    const uint32_t mask = s->n_slots - 1;
    uint32_t i = hash & mask;
    while (s->slots[i])
        i = (i + 1) & mask;
    s->slots[i] = peer;
    s->hashes[i] = hash;
}

static void grow(struct shard *s) {
    const struct shard old = *s;
    shard_alloc(s, old.n_slots * 2);
    for (uint32_t i = 0; i < old.n_slots; i++)
        if (old.slots[i])
            put_slot(s, old.hashes[i], old.slots[i]);
    free(old.slots);
    free(old.hashes);
}

/* Later entries move up, so that no search stops early at the gap. */
struct peer *peer_table_take(struct shard *s, uint32_t i) {
    const uint32_t mask = s->n_slots - 1;
    struct peer *taken = s->slots[i];
    s->slots[i] = NULL;
    s->n--;
    for (uint32_t k = (i + 1) & mask; s->slots[k]; k = (k + 1) & mask) {
        struct peer *moved = s->slots[k];
        s->slots[k] = NULL;
        put_slot(s, s->hashes[k], moved);
    }
    return taken;
}

void peer_table_insert(struct shard *s, uint64_t h, struct peer *peer) {
    if ((s->n + 1) * 8 > s->n_slots * 7)
        grow(s);
    put_slot(s, slot_hash(h), peer);
    s->n++;
}

struct peer *peer_new(struct px_bytes id) {
    struct peer *peer = px_calloc(1, offsetof(struct peer, id) + id.size);
    peer->id_size = (uint8_t)id.size;
    memcpy(peer->id, id.data, id.size);
    return peer;
}
