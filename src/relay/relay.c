/* src/relay/relay.c - what all threads of the relay share */
#include "relay/relay.h"
#include "base/alloc.h"
#include "relay/relay_private.h"
#include <sodium.h>
#include <string.h>

const char *const px_relay_stat_names[PX_RELAY_STATS] = {
    [PX_RELAY_CONNS] = "connections",
    [PX_RELAY_CONNS_REFUSED] = "connections_refused",
    [PX_RELAY_CONNS_OPEN] = "connections_open",
    [PX_RELAY_BAD_KEY] = "wrong_key",
    [PX_RELAY_PAIRS] = "pairs",
    [PX_RELAY_PAIRS_OPEN] = "pairs_open",
    [PX_RELAY_WAITING] = "waiting",
    [PX_RELAY_BYTES] = "bytes",
};

struct px_relay *px_relay_new(const struct px_relay_opts *opts) {
    struct px_relay *r = px_new0(struct px_relay, 1);
    r->opts = *opts;
    r->key = px_strdup(opts->key);
    randombytes_buf(r->hash_key, sizeof(r->hash_key));
    pthread_mutex_init(&r->lock, NULL);
    px_relay_set_limits(r, &opts->limits);
    return r;
}

struct px_relay *px_relay_free(struct px_relay *r) {
    if (!r)
        return NULL;
    waiting_free_all(r);
    for (int i = 0; i < PX_RELAY_LISTS; i++)
        free(r->lists[i]);
    pthread_mutex_destroy(&r->lock);
    free(r->key);
    free(r);
    return NULL;
}

int px_relay_worker_new(struct px_relay *r, struct px_loop *loop, struct px_relay_worker **ret,
                        struct px_error *err) {
    if (r->n_workers == PX_RELAY_WORKERS_MAX)
        return px_fail(err, -ENOSPC, "more than %d threads", PX_RELAY_WORKERS_MAX);
    struct px_relay_worker *w = px_new0(struct px_relay_worker, 1);
    w->relay = r;
    w->loop = loop;
    w->index = (uint16_t)r->n_workers;
    pthread_mutex_init(&w->lock, NULL);
    int e = legs_open(w, err);
    if (e < 0) {
        px_relay_worker_free(w);
        return e;
    }
    r->workers[r->n_workers++] = w;
    *ret = w;
    return 0;
}

struct px_relay_worker *px_relay_worker_free(struct px_relay_worker *w) {
    if (!w)
        return NULL;
    legs_close(w);
    pairs_close(w, "shutdown");
    px_loop_flush(w->loop);
    for (size_t i = 0; i < w->n_pipes; i++) {
        close(w->pipes[i][0]);
        close(w->pipes[i][1]);
    }
    px_handles_fini(&w->handles);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return NULL;
}

struct order {
    struct px_mail mail;
    struct px_relay_worker *worker;
};

static void to_all(struct px_relay *r, void (*deliver)(struct px_mail *mail)) {
    for (size_t i = 0; i < r->n_workers; i++) {
        struct order *o = px_new0(struct order, 1);
        o->mail.deliver = deliver;
        o->worker = r->workers[i];
        px_loop_post(o->worker->loop, &o->mail);
    }
}

static void deliver_drain(struct px_mail *mail) {
    struct order *o = px_container_of(mail, struct order, mail);
    legs_close(o->worker);
    free(o);
}

void px_relay_drain(struct px_relay *r) {
    to_all(r, deliver_drain);
}

static void deliver_cut(struct px_mail *mail) {
    struct order *o = px_container_of(mail, struct order, mail);
    pairs_cut_blocked(o->worker);
    free(o);
}

struct px_relay_limits px_relay_limits(const struct px_relay *r) {
    return (struct px_relay_limits){
        .total_bps = r->total_bps, .single_bps = r->single_bps, .slow_bps = r->slow_bps};
}

void px_relay_set_limits(struct px_relay *r, const struct px_relay_limits *limits) {
    atomic_store(&r->total_bps, limits->total_bps);
    atomic_store(&r->single_bps, limits->single_bps);
    atomic_store(&r->slow_bps, limits->slow_bps);
}

void px_relay_set_list(struct px_relay *r, enum px_relay_list list,
                       const struct px_addr_block *blocks, size_t n) {
    struct px_addr_block *copy = n ? px_memdup(blocks, n * sizeof(*blocks)) : NULL;
    pthread_mutex_lock(&r->lock);
    struct px_addr_block *old = r->lists[list];
    r->lists[list] = copy;
    r->n_lists[list] = n;
    pthread_mutex_unlock(&r->lock);
    free(old);
    if (list == PX_RELAY_BLOCKED)
        to_all(r, deliver_cut);
}

bool px_relay_listed(struct px_relay *r, enum px_relay_list list, const struct px_addr *a) {
    bool found = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->n_lists[list] && !found; i++)
        found = px_addr_in_block(a, &r->lists[list][i]);
    pthread_mutex_unlock(&r->lock);
    return found;
}

void px_relay_stats(struct px_relay *r, uint64_t ret[PX_RELAY_STATS]) {
    memset(ret, 0, sizeof(uint64_t) * PX_RELAY_STATS);
    for (size_t i = 0; i < r->n_workers; i++)
        for (size_t k = 0; k < PX_RELAY_STATS; k++)
            ret[k] += atomic_load_explicit(&r->workers[i]->stats[k], memory_order_relaxed);
    ret[PX_RELAY_CONNS_OPEN] = atomic_load(&r->n_conns);
    ret[PX_RELAY_WAITING] = atomic_load(&r->n_waiting);
}

void px_relay_each(struct px_relay *r,
                   void (*fn)(const struct px_relay_pair_info *info, void *data), void *data) {
    for (size_t i = 0; i < r->n_workers; i++)
        pairs_each(r->workers[i], fn, data);
}
