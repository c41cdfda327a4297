/* src/io/sources.c - what each source address has used up */
#include "io/sources.h"
#include "base/alloc.h"
#include "base/clock.h"
#include <math.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

#define SET_SIZE 8
#define N_LOCKS 64
#define ID_BITS 2048 /* counts 300 distinct IDs to within 3 % */

struct entry {
    uint8_t ip[16];
    int64_t last_us; /* 0: free */
    uint32_t n_conns;
    uint32_t conn_tokens_ms;
    int64_t conn_at_us;
    uint32_t n_registers;
    int64_t register_at_us; /* last accepted; 0: none */
    uint32_t n_probes;
    int64_t probe_at_us;
    uint64_t ids[ID_BITS / 64];
};

struct px_sources {
    _Atomic uint32_t limits[PX_SOURCE_LIMITS];
    size_t n_sets; /* power of two */
    uint8_t key[crypto_shorthash_KEYBYTES];
    pthread_mutex_t locks[N_LOCKS];
    struct entry *entries; /* n_sets * SET_SIZE; under the lock of their set */
};

const char *const px_source_limit_names[PX_SOURCE_LIMITS] = {
    [PX_SOURCE_CONNS] = "connections-per-source",
    [PX_SOURCE_CONN_RATE] = "connection-rate",
    [PX_SOURCE_REGISTER_BURST] = "register-burst",
    [PX_SOURCE_REGISTER_IDS] = "register-ids-per-day",
    [PX_SOURCE_UDP_PROBES] = "udp-probe-rate",
};

uint32_t px_sources_limit(const struct px_sources *s, enum px_source_limit limit) {
    return atomic_load_explicit(&s->limits[limit], memory_order_relaxed);
}

void px_sources_set_limit(struct px_sources *s, enum px_source_limit limit, uint32_t n) {
    atomic_store_explicit(&s->limits[limit], n, memory_order_relaxed);
}

struct px_sources *px_sources_new(const struct px_sources_opts *opts) {
    struct px_sources *s = px_new0(struct px_sources, 1);
    px_sources_set_limit(s, PX_SOURCE_CONNS, opts->max_conns);
    px_sources_set_limit(s, PX_SOURCE_CONN_RATE, opts->conns_per_second);
    px_sources_set_limit(s, PX_SOURCE_REGISTER_BURST, opts->register_burst);
    px_sources_set_limit(s, PX_SOURCE_REGISTER_IDS, opts->register_ids);
    px_sources_set_limit(s, PX_SOURCE_UDP_PROBES, opts->udp_probes_per_second);
    size_t want = opts->n_entries ? opts->n_entries : 65536;
    for (s->n_sets = 1; s->n_sets * SET_SIZE < want;)
        s->n_sets *= 2;
    s->entries = px_new0(struct entry, s->n_sets * SET_SIZE); /* pages come when touched */
    randombytes_buf(s->key, sizeof(s->key));
    for (size_t i = 0; i < N_LOCKS; i++)
        pthread_mutex_init(&s->locks[i], NULL);
    return s;
}

struct px_sources *px_sources_free(struct px_sources *s) {
    if (!s)
        return NULL;
    for (size_t i = 0; i < N_LOCKS; i++)
        pthread_mutex_destroy(&s->locks[i]);
    free(s->entries);
    free(s);
    return NULL;
}

static void key_of(const struct px_addr *a, uint8_t ret[16]) {
    memcpy(ret, a->ip, 16);
    if (!px_addr_is_v4(a))
        memset(ret + 8, 0, 8);
}

/* The entry of @from with its lock held (*ret_lock); a new one replaces the oldest without
 * connections. NULL: all are in use. */
static struct entry *get(struct px_sources *s, const struct px_addr *from, int64_t now_us,
                         pthread_mutex_t **ret_lock) {
    uint8_t ip[16];
    uint64_t h;
    key_of(from, ip);
    crypto_shorthash((uint8_t *)&h, ip, sizeof(ip), s->key);
    size_t set = h & (s->n_sets - 1);
    struct entry *first = &s->entries[set * SET_SIZE], *oldest = NULL;
    *ret_lock = &s->locks[set % N_LOCKS];
    pthread_mutex_lock(*ret_lock);
    for (struct entry *e = first; e < first + SET_SIZE; e++) {
        if (e->last_us && memcmp(e->ip, ip, 16) == 0) {
            e->last_us = now_us;
            return e;
        }
        if (e->n_conns == 0 && (!oldest || e->last_us < oldest->last_us))
            oldest = e;
    }
    if (oldest) {
        *oldest = (struct entry){.last_us = now_us};
        memcpy(oldest->ip, ip, 16);
    }
    return oldest;
}

/* A bucket of ten seconds' worth, counted in thousandths so that slow rates work. */
static bool take_conn_token(struct entry *e, uint32_t per_second, int64_t now_us) {
    const uint64_t full = (uint64_t)per_second * 10 * 1000;
    uint64_t gained = (uint64_t)((now_us - e->conn_at_us) / PX_US_PER_MS) * per_second;
    uint64_t tokens = e->conn_at_us == 0 ? full : e->conn_tokens_ms + gained;
    e->conn_tokens_ms = (uint32_t)(tokens < full ? tokens : full);
    e->conn_at_us = now_us;
    if (e->conn_tokens_ms < 1000)
        return false;
    e->conn_tokens_ms -= 1000;
    return true;
}

bool px_sources_connect(struct px_sources *s, const struct px_addr *from, int64_t now_us) {
    pthread_mutex_t *lock;
    struct entry *e = get(s, from, now_us, &lock);
    const uint32_t max = px_sources_limit(s, PX_SOURCE_CONNS),
                   rate = px_sources_limit(s, PX_SOURCE_CONN_RATE);
    bool ok = e && (!max || e->n_conns < max) && (!rate || take_conn_token(e, rate, now_us));
    if (ok)
        e->n_conns++;
    pthread_mutex_unlock(lock);
    return ok;
}

void px_sources_disconnect(struct px_sources *s, const struct px_addr *from) {
    pthread_mutex_t *lock;
    struct entry *e = get(s, from, px_now_us(), &lock);
    if (e && e->n_conns > 0)
        e->n_conns--;
    pthread_mutex_unlock(lock);
}

/* Linear counting: how many different ones set that many bits. */
static uint32_t count_ids(const struct entry *e) {
    unsigned set = 0;
    for (size_t i = 0; i < ID_BITS / 64; i++)
        set += (unsigned)__builtin_popcountll(e->ids[i]);
    if (set >= ID_BITS)
        return UINT32_MAX;
    return (uint32_t)lround(-(double)ID_BITS * log(1.0 - (double)set / ID_BITS));
}

static bool may_register(struct entry *e, uint32_t burst, uint32_t max_ids, uint64_t id_hash,
                         int64_t now_us) {
    const int64_t since_s = (now_us - e->register_at_us) / PX_US_PER_S;
    uint64_t *word = &e->ids[id_hash % ID_BITS / 64];
    const uint64_t bit = UINT64_C(1) << (id_hash % 64);
    if (e->register_at_us == 0) { /* the first only makes the entry */
        e->register_at_us = now_us;
        *word |= bit;
        return true;
    }
    uint32_t n = since_s > 60 ? 0 : e->n_registers;
    if (burst && n + 2 > burst)
        return false;
    if (since_s > 86400)
        memset(e->ids, 0, sizeof(e->ids));
    if (max_ids && !(*word & bit) && count_ids(e) > max_ids)
        return false;
    e->n_registers = n + 1;
    e->register_at_us = now_us;
    *word |= bit;
    return true;
}

bool px_sources_may_register(struct px_sources *s, const struct px_addr *from, uint64_t id_hash,
                             int64_t now_us) {
    pthread_mutex_t *lock;
    struct entry *e = get(s, from, now_us, &lock);
    bool ok = e && may_register(e, px_sources_limit(s, PX_SOURCE_REGISTER_BURST),
                                px_sources_limit(s, PX_SOURCE_REGISTER_IDS), id_hash, now_us);
    pthread_mutex_unlock(lock);
    return ok;
}

bool px_sources_may_probe(struct px_sources *s, const struct px_addr *from, int64_t now_us) {
    pthread_mutex_t *lock;
    struct entry *e = get(s, from, now_us, &lock);
    if (e && now_us - e->probe_at_us > PX_US_PER_S) {
        e->probe_at_us = now_us;
        e->n_probes = 0;
    }
    bool ok = e && e->n_probes < px_sources_limit(s, PX_SOURCE_UDP_PROBES);
    if (ok)
        e->n_probes++;
    pthread_mutex_unlock(lock);
    return ok;
}

void px_sources_each(struct px_sources *s,
                     bool (*fn)(const struct px_source_info *info, void *data), void *data) {
    for (size_t i = 0; i < s->n_sets * SET_SIZE; i++) {
        pthread_mutex_t *lock = &s->locks[i / SET_SIZE % N_LOCKS];
        pthread_mutex_lock(lock);
        const struct entry *e = &s->entries[i];
        struct px_source_info info = {.n_conns = e->n_conns,
                                      .n_registers = e->n_registers,
                                      .n_ids = e->last_us ? count_ids(e) : 0,
                                      .last_us = e->last_us};
        memcpy(info.addr.ip, e->ip, 16);
        pthread_mutex_unlock(lock);
        if (info.last_us && !fn(&info, data))
            return;
    }
}

void px_sources_forget(struct px_sources *s, const struct px_addr *addr) {
    pthread_mutex_t *lock;
    struct entry *e = get(s, addr, px_now_us(), &lock);
    if (e) {
        e->n_registers = 0;
        e->register_at_us = 0;
        memset(e->ids, 0, sizeof(e->ids));
        e->conn_at_us = 0;
    }
    pthread_mutex_unlock(lock);
}
