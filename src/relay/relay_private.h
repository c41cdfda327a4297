/* src/relay/relay_private.h - what the files of the relay share; nobody else includes it */
#pragma once
#include "io/handles.h"
#include "io/loglimit.h"
#include "io/sock.h"
#include "relay/convert.h"
#include "relay/relay.h"
#include <pthread.h>
#include <stdatomic.h>

#define TOKEN_KEY_BYTES 16
#define PIPES_KEPT 16
#define READ_BYTES (64u * 1024)

/* What all pairs together may pass in a period, and each direction's share of it; see rate.c. */
struct total {
    int64_t start_us, length_us; /* of the period; start 0: there was none */
    int64_t given, left, share;  /* bytes: at its start, now, of each direction */
    uint32_t number;             /* of the period */
    uint32_t n_asked, n_hungry;  /* directions: all; ones that used up their share */
    bool late;                   /* what others left has been shared out, too */
};

struct px_relay {
    struct px_relay_opts opts;
    char *key;
    uint8_t hash_key[16];
    struct px_relay_worker *workers[PX_RELAY_WORKERS_MAX]; /* filled before any thread runs */
    size_t n_workers;
    _Atomic uint64_t n_conns, n_waiting;
    _Atomic uint64_t total_bps, single_bps, slow_bps;
    pthread_mutex_t lock;          /* for what follows */
    struct waiting *waiting[4096]; /* chains by hash of the token */
    struct px_addr_block *lists[PX_RELAY_LISTS];
    size_t n_lists[PX_RELAY_LISTS];
    struct total total;
};

struct px_relay_worker {
    struct px_relay *relay;
    struct px_loop *loop;
    uint16_t index;
    struct px_listener tcp, ws;
    struct px_handles handles;
    struct leg *legs; /* without a partner */
    struct pair *pairs;
    struct px_loglimit log;
    pthread_mutex_t lock;     /* for the list of pairs: others may look at it */
    int pipes[PIPES_KEPT][2]; /* empty ones, for reuse */
    size_t n_pipes;
    _Atomic uint64_t stats[PX_RELAY_STATS];
};

static inline void stat_add(struct px_relay_worker *w, enum px_relay_stat stat, uint64_t n) {
    atomic_store_explicit(&w->stats[stat],
                          atomic_load_explicit(&w->stats[stat], memory_order_relaxed) + n,
                          memory_order_relaxed);
}

enum leg_state { LEG_FIRST, LEG_WAITING, LEG_PAIRED, LEG_CLOSED };
/* One connection. */
struct leg {
    struct px_watch watch;
    struct px_timer timer; /* until it is paired */
    struct px_relay_worker *worker;
    struct leg *next, **link; /* in worker->legs, while not paired */
    uint64_t handle;
    struct px_addr source, from; /* of the socket; of the client behind a proxy */
    enum leg_state state;
    bool ws, upgraded, ended;       /* ended: the peer sends no more */
    uint8_t token[TOKEN_KEY_BYTES]; /* hash */
    char name[9];                   /* the token's start, printable */
    struct pair *pair;
};

/* waiting.c. Looks for a partner, or waits: one atomic step. */
enum meet { MEET_WAITS, MEET_PARTNER, MEET_FULL };
enum meet waiting_meet(struct px_relay *r, const uint8_t token[TOKEN_KEY_BYTES], uint16_t worker,
                       uint64_t handle, uint16_t *ret_worker, uint64_t *ret_handle);
void waiting_remove(struct px_relay *r, const uint8_t token[TOKEN_KEY_BYTES], uint64_t handle);
void waiting_free_all(struct px_relay *r);

/* leg.c */
int legs_open(struct px_relay_worker *w, struct px_error *err);
void legs_close(struct px_relay_worker *w);
void leg_close(struct leg *leg);

/* pair.c. Takes both legs, which are watched by @w's loop. */
void pair_new(struct px_relay_worker *w, struct leg *a, struct leg *b);
void pair_on_events(struct leg *leg, uint32_t events);
void pairs_close(struct px_relay_worker *w, const char *reason);
void pairs_cut_blocked(struct px_relay_worker *w);
void pairs_each(struct px_relay_worker *w,
                void (*fn)(const struct px_relay_pair_info *info, void *data), void *data);

/* rate.c: how many of @want bytes of a direction may pass now; 0: none */
struct bucket { /* of a pair */
    int64_t tokens, at_us;
};
struct share { /* of a direction */
    uint32_t period;
    bool hungry;
    int64_t used;
};
size_t rate_take(struct px_relay *r, struct bucket *own, uint64_t own_bps, struct share *share,
                 size_t want, int64_t now_us);
/* What was taken last and not used. */
void rate_give_back(struct px_relay *r, struct bucket *own, struct share *share, size_t bytes);
