/* src/rendezvous/idserver.c - what all threads of the ID server share */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "rendezvous/idserver_private.h"
#include <string.h>
#include <time.h>

const char *const px_id_stat_names[PX_ID_STATS] = {
    [PX_ID_UDP_IN] = "udp_in",
    [PX_ID_UDP_BAD] = "udp_malformed",
    [PX_ID_HEARTBEATS] = "heartbeats",
    [PX_ID_REGISTERS] = "registers",
    [PX_ID_REGISTERS_REFUSED] = "registers_refused",
    [PX_ID_CONNS] = "connections",
    [PX_ID_CONNS_REFUSED] = "connections_refused",
    [PX_ID_CONNS_OPEN] = "connections_open",
    [PX_ID_PUNCHES] = "punch_requests",
    [PX_ID_PUNCHES_REFUSED] = "punch_requests_refused",
    [PX_ID_ANSWERS] = "answers",
    [PX_ID_ANSWERS_DROPPED] = "answers_dropped",
    [PX_ID_RELAY_REQUESTS] = "relay_requests",
    [PX_ID_RELAY_REQUESTS_REFUSED] = "relay_requests_refused",
    [PX_ID_ONLINE_QUERIES] = "online_queries",
    [PX_ID_NAT_TESTS] = "nat_tests",
};

/* The body of ConfigUpdate, made once. */
static void make_config_update(struct px_idserver *s) {
    uint8_t raw[DATAGRAM_MAX_BYTES];
    struct px_wire_out o = {.data = raw, .cap = 1200};
    if (s->opts.serial <= 0)
        return;
    px_wire_put_uint(&o, 1, (uint64_t)s->opts.serial);
    for (const char *p = s->servers; *p;) {
        size_t size = strcspn(p, ",");
        if (size)
            px_wire_put_bytes(&o, 2, (struct px_bytes){(const uint8_t *)p, size});
        p += size + (p[size] == ',');
    }
    if (px_wire_fits(&o))
        px_buf_add(&s->config_update, raw, o.size);
    else
        px_error("id: the list of servers is too long to hand out");
}

static int open_store(struct px_idserver *s, struct px_error *err) {
    if (!s->opts.db_path)
        return 0;
    int r = px_store_open(s->opts.db_path, s->peers, &s->store, err);
    if (r < 0) { /* a server that forgets is better than none */
        px_error("store: %s; going on without, nothing will be kept", err->msg);
        s->store = NULL;
    }
    return 0;
}

static void on_change(void *data, const struct px_peer_row *row) {
    static const struct px_addr none;
    struct px_idserver *s = data;
    const bool placed = row->change == PX_PEER_STORE || row->change == PX_PEER_MOVE;
    if (placed && !px_addr_same_ip(&row->old_addr, &none) &&
        !px_addr_same_ip(&row->old_addr, &row->addr))
        px_recent_add(s->moves, row->id, &row->old_addr, &row->addr, time(NULL));
    struct px_peer_row full = *row;
    if (row->local_no)
        full.local = s->locals[row->local_no - 1];
    if (s->store)
        px_store_push(s->store, &full);
}

static uint8_t on_local(void *data, const struct px_addr *local) {
    return local_number(data, local);
}

int px_idserver_new(const struct px_idserver_opts *opts, struct px_idserver **ret,
                    struct px_error *err) {
    struct px_idserver *s = px_new0(struct px_idserver, 1);
    s->opts = *opts;
    s->key = *opts->key;
    s->local_ip = px_strdup(opts->local_ip ? opts->local_ip : "");
    s->servers = px_strdup(opts->servers ? opts->servers : "");
    s->punches = px_recent_new();
    s->moves = px_recent_new();
    atomic_store(&s->always_relay, opts->always_relay);
    pthread_mutex_init(&s->lock, NULL);
    if (s->key.can_sign)
        px_secure_offer_new(s->key.sk, &s->offer);
    s->routes = px_routes_new();
    s->grants = px_grants_new(65536);
    s->peers = px_peers_new(&(struct px_peers_opts){.max_peers = opts->max_peers,
                                                    .online_us = opts->online_s * PX_US_PER_S,
                                                    .on_change = on_change,
                                                    .local_number = on_local,
                                                    .data = s});
    make_config_update(s);
    int r = px_relays_new(opts->relays ? opts->relays : "", opts->relay_port, &s->relays, err);
    if (r == 0)
        r = open_store(s, err);
    if (r < 0) {
        px_idserver_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct px_idserver *px_idserver_free(struct px_idserver *s) {
    if (!s)
        return NULL;
    px_store_close(s->store, s->peers);
    px_relays_free(s->relays);
    px_peers_free(s->peers);
    px_grants_free(s->grants);
    px_routes_free(s->routes);
    px_buf_fini(&s->config_update);
    pthread_mutex_destroy(&s->lock);
    px_recent_free(s->punches);
    px_recent_free(s->moves);
    free(s->local_ip);
    free(s->servers);
    free(s);
    return NULL;
}

int px_id_worker_new(struct px_idserver *s, struct px_loop *loop, struct px_id_worker **ret,
                     struct px_error *err) {
    if (s->n_workers == PX_ID_WORKERS_MAX)
        return px_fail(err, -ENOSPC, "more than %d threads", PX_ID_WORKERS_MAX);
    struct px_id_worker *w = px_new0(struct px_id_worker, 1);
    w->server = s;
    w->loop = loop;
    w->index = (uint8_t)s->n_workers;
    int r = udp_open(w, err);
    if (r == 0)
        r = conns_open(w, err);
    if (r < 0) {
        px_id_worker_free(w);
        return r;
    }
    s->workers[s->n_workers++] = w;
    *ret = w;
    return 0;
}

struct px_id_worker *px_id_worker_free(struct px_id_worker *w) {
    if (!w)
        return NULL;
    conns_close(w);
    udp_close(w);
    px_handles_fini(&w->handles);
    free(w);
    return NULL;
}

struct px_peers *px_idserver_peers(struct px_idserver *s) {
    return s->peers;
}

struct px_relays *px_idserver_relays(struct px_idserver *s) {
    return s->relays;
}

void px_idserver_set_always_relay(struct px_idserver *s, bool on) {
    atomic_store(&s->always_relay, on);
}

bool px_idserver_always_relay(const struct px_idserver *s) {
    return atomic_load(&s->always_relay);
}

void px_idserver_stats(struct px_idserver *s, uint64_t ret[PX_ID_STATS]) {
    memset(ret, 0, sizeof(uint64_t) * PX_ID_STATS);
    for (size_t i = 0; i < s->n_workers; i++)
        for (size_t k = 0; k < PX_ID_STATS; k++)
            ret[k] += atomic_load_explicit(&s->workers[i]->stats[k], memory_order_relaxed) +
                      udp_stat(s->workers[i], k);
    ret[PX_ID_CONNS_OPEN] = atomic_load(&s->n_conns);
}

struct px_store_stats px_idserver_store_stats(struct px_idserver *s) {
    return s->store ? px_store_stats(s->store) : (struct px_store_stats){0};
}

struct px_recent *px_idserver_punches(struct px_idserver *s) {
    return s->punches;
}

struct px_recent *px_idserver_moves(struct px_idserver *s) {
    return s->moves;
}
