/* src/rendezvous/peers.c - who is registered */
#include "rendezvous/peers.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "rendezvous/peer_table.h"
#include <assert.h>
#include <sodium.h>
#include <string.h>

#define N_SHARDS 256
#define SAMPLES 32
#define STALE_US (30 * INT64_C(86400) * PX_US_PER_S)

enum {
    HAS_PK = 1,
    HAS_ADDR = 2,
    CONFIRMED = 4, /* proved its key since we started */
    PROBATION = 8, /* registered, but no heartbeat came after it yet */
};

struct px_peers {
    struct px_peers_opts opts;
    uint32_t shard_max;
    uint8_t key[crypto_shorthash_KEYBYTES];
    uint8_t uuid_key[crypto_shorthash_siphashx24_KEYBYTES];
    struct shard shards[N_SHARDS];
};

uint64_t px_peers_hash(const struct px_peers *p, struct px_bytes id) {
    uint64_t h;
    crypto_shorthash((uint8_t *)&h, id.data, id.size, p->key);
    return h;
}

static void hash_uuid(const struct px_peers *p, struct px_bytes uuid, uint8_t ret[16]) {
    crypto_shorthash_siphashx24(ret, uuid.data, uuid.size, p->uuid_key);
}

struct px_peers *px_peers_new(const struct px_peers_opts *opts) {
    struct px_peers *p = aligned_alloc(64, (sizeof(*p) + 63) / 64 * 64);
    assert(p);
    memset(p, 0, sizeof(*p));
    p->opts = *opts;
    /* Shards fill unevenly: an eighth more keeps the total at max_peers. */
    p->shard_max = (uint32_t)(opts->max_peers / N_SHARDS + opts->max_peers / N_SHARDS / 8 + 8);
    randombytes_buf(p->key, sizeof(p->key));
    randombytes_buf(p->uuid_key, sizeof(p->uuid_key));
    for (size_t i = 0; i < N_SHARDS; i++)
        peer_table_init(&p->shards[i]);
    return p;
}

struct px_peers *px_peers_free(struct px_peers *p) {
    if (!p)
        return NULL;
    for (size_t i = 0; i < N_SHARDS; i++)
        peer_table_fini(&p->shards[i]);
    free(p);
    return NULL;
}

static struct shard *lock_shard(struct px_peers *p, uint64_t h) {
    struct shard *s = &p->shards[h % N_SHARDS];
    pthread_mutex_lock(&s->lock);
    return s;
}

static void changed(struct px_peers *p, const struct px_peer_row *row) {
    if (p->opts.on_change)
        p->opts.on_change(p->opts.data, row);
}

/* Which of two may rather go: those on probation first, then the one not seen longest. */
static bool rather(const struct peer *a, const struct peer *b) {
    if ((a->flags ^ b->flags) & PROBATION)
        return a->flags & PROBATION;
    return a->seen_us < b->seen_us;
}

static bool make_room(struct px_peers *p, struct shard *s, int64_t now_us) {
    const uint32_t mask = s->n_slots - 1;
    uint32_t best = s->n_slots, at = randombytes_random(), seen = 0;
    for (uint32_t i = 0; i < s->n_slots && seen < SAMPLES; i++) {
        uint32_t k = (at + i) & mask;
        if (!s->slots[k])
            continue;
        seen++;
        if (best == s->n_slots || rather(s->slots[k], s->slots[best]))
            best = k;
    }
    if (best == s->n_slots ||
        (!(s->slots[best]->flags & PROBATION) && now_us - s->slots[best]->seen_us < STALE_US)) {
        s->n_refused++;
        return false;
    }
    struct peer *gone = peer_table_take(s, best);
    changed(p, &(struct px_peer_row){.change = PX_PEER_DELETE, .id = {gone->id, gone->id_size}});
    free(gone);
    s->n_evicted++;
    return true;
}

static struct px_addr addr_of(const struct peer *peer) {
    struct px_addr a = {.port = peer->port};
    memcpy(a.ip, peer->ip, 16);
    return a;
}

static void set_where(struct peer *peer, const struct px_peer_where *w) {
    memcpy(peer->ip, w->addr.ip, 16);
    peer->port = w->addr.port;
    peer->local = w->local;
    peer->worker = w->worker;
    peer->link = w->link;
    peer->flags |= HAS_ADDR;
}

static uint8_t local_of(struct px_peers *p, const struct px_peer_row *row) {
    static const struct px_addr none;
    if (!p->opts.local_number || px_addr_same_ip(&row->local, &none))
        return 0;
    return p->opts.local_number(p->opts.data, &row->local);
}

void px_peers_load(struct px_peers *p, const struct px_peer_row *row, int64_t seen_us) {
    const uint64_t h = px_peers_hash(p, row->id);
    if (row->id.size == 0 || row->id.size > PX_PEER_ID_MAX_BYTES ||
        row->pk.size != PX_PEER_PK_BYTES)
        return;
    struct shard *s = lock_shard(p, h);
    struct peer *peer = peer_table_find(s, h, row->id);
    if (!peer && s->n < p->shard_max)
        peer_table_insert(s, h, peer = peer_new(row->id));
    if (peer) {
        static const struct px_addr none;
        hash_uuid(p, row->uuid, peer->uuid);
        memcpy(peer->pk, row->pk.data, PX_PEER_PK_BYTES);
        peer->flags = HAS_PK;
        peer->seen_us = seen_us;
        if (!px_addr_same_ip(&row->addr, &none))
            set_where(peer, &(struct px_peer_where){.addr = row->addr, .local = local_of(p, row)});
    }
    pthread_mutex_unlock(&s->lock);
}

static bool ip_differs(const struct peer *peer, const struct px_addr *from) {
    return peer->flags & HAS_ADDR && memcmp(peer->ip, from->ip, 16) != 0;
}

bool px_peers_heartbeat(struct px_peers *p, struct px_bytes id, const struct px_peer_where *from,
                        int64_t now_us, bool *ret_request_pk) {
    const uint64_t h = px_peers_hash(p, id);
    struct shard *s = lock_shard(p, h);
    struct peer *peer = peer_table_find(s, h, id);
    /* A heartbeat proves nothing: whoever moved, or comes after a restart, or held a connection,
     * shows its key again. */
    bool accept = peer && peer->flags & CONFIRMED && peer->link == 0 &&
                  (!ip_differs(peer, &from->addr) || px_addr_is_loopback(&from->addr));
    if (accept) {
        const struct px_addr before = addr_of(peer);
        bool moved = peer->port != from->addr.port || ip_differs(peer, &from->addr);
        set_where(peer, from);
        peer->seen_us = now_us;
        peer->flags &= (uint8_t)~PROBATION;
        if (moved)
            changed(p, &(struct px_peer_row){.change = PX_PEER_MOVE,
                                             .id = id,
                                             .addr = from->addr,
                                             .old_addr = before,
                                             .local_no = from->local});
    }
    pthread_mutex_unlock(&s->lock);
    *ret_request_pk = !accept;
    return accept;
}

/* Three pass, then six quiet seconds are due; counted in whole seconds as the official server does.
 */
static bool too_frequent(struct peer *peer, int64_t now_us) {
    const uint32_t now_s = (uint32_t)(now_us / PX_US_PER_S);
    if (now_s - peer->registered_s > 6)
        peer->n_registered = 0;
    if (peer->n_registered > 2)
        return true;
    peer->n_registered++;
    peer->registered_s = now_s;
    return false;
}

static enum px_register_pk_result register_known(struct peer *peer, const uint8_t uuid[16],
                                                 struct px_bytes pk,
                                                 const struct px_peer_where *from, int64_t now_us) {
    if (sodium_memcmp(peer->uuid, uuid, 16) != 0)
        return PX_PK_UUID_MISMATCH;
    if (ip_differs(peer, &from->addr) && memcmp(peer->pk, pk.data, PX_PEER_PK_BYTES) != 0)
        return PX_PK_UUID_MISMATCH;
    return too_frequent(peer, now_us) ? PX_PK_TOO_FREQUENT : PX_PK_OK;
}

static void accept_key(struct px_peers *p, struct peer *peer, bool is_new, const uint8_t uuid[16],
                       const struct px_rdv_register_pk *msg, const struct px_peer_where *from,
                       int64_t now_us) {
    const struct px_addr before = addr_of(peer);
    const bool same_key = memcmp(peer->pk, msg->pk.data, PX_PEER_PK_BYTES) == 0;
    memcpy(peer->uuid, uuid, 16);
    memcpy(peer->pk, msg->pk.data, PX_PEER_PK_BYTES);
    set_where(peer, from);
    peer->seen_us = now_us;
    peer->flags |= HAS_PK | CONFIRMED | (is_new && !from->link ? PROBATION : 0);
    if (from->link) /* a TCP handshake is more than a heartbeat */
        peer->flags &= (uint8_t)~PROBATION;
    if (is_new || !same_key || !px_addr_equal(&before, &from->addr))
        changed(p, &(struct px_peer_row){.change = PX_PEER_STORE,
                                         .id = msg->id,
                                         .uuid = msg->uuid,
                                         .pk = msg->pk,
                                         .addr = from->addr,
                                         .old_addr = before,
                                         .local_no = from->local});
}

enum px_register_pk_result px_peers_register(struct px_peers *p,
                                             const struct px_rdv_register_pk *msg,
                                             const struct px_peer_where *from, int64_t now_us) {
    const uint64_t h = px_peers_hash(p, msg->id);
    enum px_register_pk_result result = PX_PK_OK;
    uint8_t uuid[16];
    assert(msg->pk.size == PX_PEER_PK_BYTES && msg->id.size <= PX_PEER_ID_MAX_BYTES);
    hash_uuid(p, msg->uuid, uuid);
    struct shard *s = lock_shard(p, h);
    struct peer *peer = peer_table_find(s, h, msg->id);
    const bool is_new = !peer;
    if (peer) {
        result = register_known(peer, uuid, msg->pk, from, now_us);
    } else if (s->n >= p->shard_max && !make_room(p, s, now_us)) {
        result = PX_PK_SERVER_ERROR;
    } else {
        peer_table_insert(s, h, peer = peer_new(msg->id));
        (void)too_frequent(peer, now_us);
    }
    if (result == PX_PK_OK)
        accept_key(p, peer, is_new, uuid, msg, from, now_us);
    pthread_mutex_unlock(&s->lock);
    return result;
}

static enum px_register_pk_result rename_locked(struct px_peers *p, struct shard *from,
                                                struct shard *to, uint64_t h_old, uint64_t h_new,
                                                const struct px_peer_row *row) {
    uint8_t uuid[16];
    hash_uuid(p, row->uuid, uuid);
    uint32_t i = peer_table_slot(from, h_old, row->old_id);
    struct peer *taken = peer_table_find(to, h_new, row->id);
    if (i == from->n_slots || sodium_memcmp(from->slots[i]->uuid, uuid, 16) != 0)
        return PX_PK_UUID_MISMATCH;
    if (taken && sodium_memcmp(taken->uuid, uuid, 16) != 0)
        return PX_PK_ID_EXISTS;
    if (taken == from->slots[i])
        return PX_PK_OK;
    struct peer *old = peer_table_take(from, i), *peer = peer_new(row->id);
    const uint8_t size = peer->id_size;
    memcpy(peer, old, offsetof(struct peer, id));
    peer->id_size = size;
    peer->link = 0;
    if (taken) /* its own former ID */
        free(peer_table_take(to, peer_table_slot(to, h_new, row->id)));
    peer_table_insert(to, h_new, peer);
    free(old);
    changed(p, row);
    return PX_PK_OK;
}

enum px_register_pk_result px_peers_rename(struct px_peers *p, struct px_bytes old_id,
                                           struct px_bytes id, struct px_bytes uuid) {
    if (!px_peer_id_chosen_valid(id))
        return PX_PK_INVALID_ID_FORMAT;
    const uint64_t h_old = px_peers_hash(p, old_id), h_new = px_peers_hash(p, id);
    struct shard *from = &p->shards[h_old % N_SHARDS], *to = &p->shards[h_new % N_SHARDS];
    struct shard *first = from < to ? from : to, *second = from < to ? to : from;
    pthread_mutex_lock(&first->lock); /* always in the order of the table */
    if (second != first)
        pthread_mutex_lock(&second->lock);
    const struct px_peer_row row = {
        .change = PX_PEER_RENAME, .id = id, .old_id = old_id, .uuid = uuid};
    enum px_register_pk_result r = rename_locked(p, from, to, h_old, h_new, &row);
    if (second != first)
        pthread_mutex_unlock(&second->lock);
    pthread_mutex_unlock(&first->lock);
    return r;
}

void px_peers_link_lost(struct px_peers *p, struct px_bytes id, uint8_t worker, uint64_t link) {
    const uint64_t h = px_peers_hash(p, id);
    struct shard *s = lock_shard(p, h);
    struct peer *peer = peer_table_find(s, h, id);
    if (peer && peer->link == link && peer->worker == worker) {
        peer->link = 0;
        peer->seen_us = INT64_MIN / 2;
        peer->flags &= (uint8_t)~CONFIRMED;
    }
    pthread_mutex_unlock(&s->lock);
}

void px_peers_link_alive(struct px_peers *p, struct px_bytes id, uint8_t worker, uint64_t link,
                         int64_t now_us) {
    const uint64_t h = px_peers_hash(p, id);
    struct shard *s = lock_shard(p, h);
    struct peer *peer = peer_table_find(s, h, id);
    if (peer && peer->link == link && peer->worker == worker)
        peer->seen_us = now_us;
    pthread_mutex_unlock(&s->lock);
}

static bool is_online(const struct px_peers *p, const struct peer *peer, int64_t now_us) {
    return peer->flags & HAS_ADDR &&
           (peer->link != 0 || now_us - peer->seen_us < p->opts.online_us);
}

static void fill_info(const struct px_peers *p, const struct peer *peer, int64_t now_us,
                      struct px_peer_info *ret) {
    ret->where = (struct px_peer_where){
        .addr = addr_of(peer), .local = peer->local, .worker = peer->worker, .link = peer->link};
    memcpy(ret->pk, peer->pk, sizeof(ret->pk));
    ret->has_addr = peer->flags & HAS_ADDR;
    ret->online = is_online(p, peer, now_us);
    ret->seen_us = peer->seen_us;
}

int px_peers_find(struct px_peers *p, struct px_bytes id, int64_t now_us,
                  struct px_peer_info *ret) {
    const uint64_t h = px_peers_hash(p, id);
    struct shard *s = lock_shard(p, h);
    const struct peer *peer = peer_table_find(s, h, id);
    if (peer)
        fill_info(p, peer, now_us, ret);
    pthread_mutex_unlock(&s->lock);
    return peer ? 0 : -ENOENT;
}

bool px_peers_online(struct px_peers *p, struct px_bytes id, int64_t now_us) {
    const uint64_t h = px_peers_hash(p, id);
    struct shard *s = lock_shard(p, h);
    const struct peer *peer = peer_table_find(s, h, id);
    bool online = peer && is_online(p, peer, now_us);
    pthread_mutex_unlock(&s->lock);
    return online;
}

bool px_peers_drop(struct px_peers *p, struct px_bytes id) {
    const uint64_t h = px_peers_hash(p, id);
    struct shard *s = lock_shard(p, h);
    struct peer *peer = peer_table_find(s, h, id);
    if (peer) {
        peer->seen_us = INT64_MIN / 2;
        peer->link = 0;
        peer->flags &= (uint8_t)~CONFIRMED;
    }
    pthread_mutex_unlock(&s->lock);
    return peer;
}

bool px_peers_forget(struct px_peers *p, struct px_bytes id) {
    const uint64_t h = px_peers_hash(p, id);
    struct shard *s = lock_shard(p, h);
    uint32_t i = peer_table_slot(s, h, id);
    struct peer *gone = i < s->n_slots ? peer_table_take(s, i) : NULL;
    if (gone)
        changed(p, &(struct px_peer_row){.change = PX_PEER_DELETE, .id = id});
    pthread_mutex_unlock(&s->lock);
    free(gone);
    return gone;
}

struct px_peers_stats px_peers_stats(struct px_peers *p) {
    struct px_peers_stats sum = {0};
    for (size_t i = 0; i < N_SHARDS; i++) {
        struct shard *s = &p->shards[i];
        pthread_mutex_lock(&s->lock);
        sum.n_peers += s->n;
        sum.n_evicted += s->n_evicted;
        sum.n_refused += s->n_refused;
        pthread_mutex_unlock(&s->lock);
    }
    return sum;
}

void px_peers_each(struct px_peers *p, int64_t now_us,
                   bool (*fn)(struct px_bytes id, const struct px_peer_info *info, void *data),
                   void *data) {
    bool more = true;
    for (size_t i = 0; i < N_SHARDS && more; i++) {
        struct shard *s = &p->shards[i];
        pthread_mutex_lock(&s->lock);
        for (uint32_t k = 0; k < s->n_slots && more; k++) {
            const struct peer *peer = s->slots[k];
            struct px_peer_info info = {0};
            if (!peer)
                continue;
            fill_info(p, peer, now_us, &info);
            more = fn((struct px_bytes){peer->id, peer->id_size}, &info, data);
        }
        pthread_mutex_unlock(&s->lock);
    }
}
