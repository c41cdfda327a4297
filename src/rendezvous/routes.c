/* src/rendezvous/routes.c - small shared tables about requests under way */
#include "rendezvous/routes.h"
#include "base/alloc.h"
#include "base/clock.h"
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#define N_CHAINS 4096
#define N_LOCKS 64
#define SET_SIZE 8
#define GRANT_US (600 * PX_US_PER_S)

struct link {
    struct link *next;
    struct px_addr addr;
    struct px_route route;
};

struct px_routes {
    uint8_t key[crypto_shorthash_KEYBYTES];
    pthread_mutex_t locks[N_LOCKS];
    struct link *chains[N_CHAINS];
};

static void locks_init(pthread_mutex_t *locks) {
    for (size_t i = 0; i < N_LOCKS; i++)
        pthread_mutex_init(&locks[i], NULL);
}

struct px_routes *px_routes_new(void) {
    struct px_routes *r = px_new0(struct px_routes, 1);
    randombytes_buf(r->key, sizeof(r->key));
    locks_init(r->locks);
    return r;
}

struct px_routes *px_routes_free(struct px_routes *r) {
    if (!r)
        return NULL;
    for (size_t i = 0; i < N_CHAINS; i++)
        for (struct link *l = r->chains[i], *next; l; l = next) {
            next = l->next;
            free(l);
        }
    free(r);
    return NULL;
}

/* The place that points to the entry of @a or to the end of its chain; lock held. */
static struct link **seek(struct px_routes *r, const struct px_addr *a,
                          pthread_mutex_t **ret_lock) {
    uint8_t raw[18];
    uint64_t h;
    memcpy(raw, a->ip, 16);
    memcpy(raw + 16, &a->port, 2);
    crypto_shorthash((uint8_t *)&h, raw, sizeof(raw), r->key);
    struct link **at = &r->chains[h % N_CHAINS];
    *ret_lock = &r->locks[h % N_LOCKS];
    pthread_mutex_lock(*ret_lock);
    while (*at && !px_addr_equal(&(*at)->addr, a))
        at = &(*at)->next;
    return at;
}

bool px_routes_add(struct px_routes *r, const struct px_addr *a, const struct px_route *route) {
    pthread_mutex_t *lock;
    struct link **at = seek(r, a, &lock);
    bool free_place = !*at;
    if (free_place) {
        *at = px_new0(struct link, 1);
        (*at)->addr = *a;
        (*at)->route = *route;
    }
    pthread_mutex_unlock(lock);
    return free_place;
}

void px_routes_remove(struct px_routes *r, const struct px_addr *a) {
    pthread_mutex_t *lock;
    struct link **at = seek(r, a, &lock), *gone = *at;
    if (gone)
        *at = gone->next;
    pthread_mutex_unlock(lock);
    free(gone);
}

bool px_routes_find(struct px_routes *r, const struct px_addr *a, struct px_route *ret) {
    pthread_mutex_t *lock;
    struct link **at = seek(r, a, &lock);
    bool found = *at;
    if (found)
        *ret = (*at)->route;
    pthread_mutex_unlock(lock);
    return found;
}

struct grant {
    uint64_t who; /* keyed hash of source and ID */
    uint64_t relay_hash;
    int64_t at_us; /* 0: free */
};

struct px_grants {
    uint8_t key[crypto_shorthash_KEYBYTES];
    pthread_mutex_t locks[N_LOCKS];
    size_t n_sets;
    struct grant *entries;
};

struct px_grants *px_grants_new(size_t n_entries) {
    struct px_grants *g = px_new0(struct px_grants, 1);
    for (g->n_sets = 1; g->n_sets * SET_SIZE < n_entries;)
        g->n_sets *= 2;
    g->entries = px_new0(struct grant, g->n_sets * SET_SIZE);
    randombytes_buf(g->key, sizeof(g->key));
    locks_init(g->locks);
    return g;
}

struct px_grants *px_grants_free(struct px_grants *g) {
    free(g ? g->entries : NULL);
    free(g);
    return NULL;
}

static uint64_t who(const struct px_grants *g, const struct px_addr *source, uint64_t id_hash) {
    uint8_t raw[24];
    uint64_t h;
    memcpy(raw, source->ip, 16);
    memcpy(raw + 16, &id_hash, 8);
    crypto_shorthash((uint8_t *)&h, raw, sizeof(raw), g->key);
    return h;
}

void px_grants_give(struct px_grants *g, const struct px_addr *source, uint64_t id_hash,
                    uint64_t relay_hash, int64_t now_us) {
    const uint64_t h = who(g, source, id_hash);
    const size_t set = h & (g->n_sets - 1);
    struct grant *first = &g->entries[set * SET_SIZE], *place = first;
    pthread_mutex_lock(&g->locks[set % N_LOCKS]);
    for (struct grant *e = first; e < first + SET_SIZE; e++) {
        if (e->who == h && e->at_us) {
            place = e;
            break;
        }
        if (e->at_us < place->at_us)
            place = e;
    }
    *place = (struct grant){.who = h, .relay_hash = relay_hash, .at_us = now_us};
    pthread_mutex_unlock(&g->locks[set % N_LOCKS]);
}

bool px_grants_has(struct px_grants *g, const struct px_addr *source, uint64_t id_hash,
                   int64_t now_us, uint64_t *ret_relay_hash) {
    const uint64_t h = who(g, source, id_hash);
    const size_t set = h & (g->n_sets - 1);
    struct grant *first = &g->entries[set * SET_SIZE];
    bool found = false;
    pthread_mutex_lock(&g->locks[set % N_LOCKS]);
    for (struct grant *e = first; e < first + SET_SIZE && !found; e++)
        if (e->who == h && e->at_us && now_us - e->at_us < GRANT_US) {
            *ret_relay_hash = e->relay_hash;
            found = true;
        }
    pthread_mutex_unlock(&g->locks[set % N_LOCKS]);
    return found;
}
