/* src/rendezvous/idserver.h - the ID (rendezvous) server
 *
 * One px_idserver holds what all threads share (peers, keys, limits); each thread adds a worker
 * with its own sockets on the same ports. Functions that take the server are for any thread; a
 * worker belongs to its loop's thread once the loop runs. Beside the loop, each worker has a thread
 * that waits for datagrams and answers them. */
#pragma once
#include "base/cleanup.h"
#include "io/loop.h"
#include "io/sources.h"
#include "proto/addr.h"
#include "rendezvous/keyfile.h"
#include "rendezvous/peers.h"
#include "rendezvous/recent.h"
#include "rendezvous/relays.h"
#include "rendezvous/store.h"

#define PX_ID_WORKERS_MAX 64

struct px_idserver_opts {
    const struct px_addr *bind; /* NULL: everywhere */
    uint16_t port;              /* P; P-1 and P+2 follow */
    const struct px_server_key *key;
    const char *db_path;      /* NULL: nothing is kept */
    const char *relays;       /* list to propose, may be "" */
    uint16_t relay_port;      /* of relays named without one */
    bool always_relay;        /* no direct connections */
    bool open_relay_requests; /* RequestRelay without a punch before it */
    bool check_answer_ip;     /* answers must come from the peer's registered IP */
    bool has_mask;            /* the deprecated LAN mode */
    struct px_addr_block mask;
    const char *local_ip; /* relay for LAN members, with has_mask */
    int32_t serial;       /* of the list below, 0: none is handed out */
    const char *servers;  /* comma-separated list for ConfigUpdate */
    size_t max_peers, max_conns;
    uint32_t online_s, idle_s, keepalive_s;
    struct px_sources *sources;          /* lent */
    const struct px_addr_block *proxies; /* trusted to say who the client is; lent */
    size_t n_proxies;
    int rcvbuf_bytes;
};

struct px_idserver;
int px_idserver_new(const struct px_idserver_opts *opts, struct px_idserver **ret,
                    struct px_error *err);
/* Workers are gone by now. Writes what has to be kept. */
struct px_idserver *px_idserver_free(struct px_idserver *s);
PX_DEFINE_CLEANUP(struct px_idserver *, px_idserver_free)

struct px_id_worker;
int px_id_worker_new(struct px_idserver *s, struct px_loop *loop, struct px_id_worker **ret,
                     struct px_error *err);
struct px_id_worker *px_id_worker_free(struct px_id_worker *w);
/* Starts to take datagrams, once all workers are made; and stops. Any thread. */
int px_id_worker_start(struct px_id_worker *w, struct px_error *err);
void px_id_worker_stop(struct px_id_worker *w);
/* Grows at least once a second while the datagrams' thread is alive. Any thread. */
uint64_t px_id_worker_turns(const struct px_id_worker *w);

struct px_peers *px_idserver_peers(struct px_idserver *s);
struct px_relays *px_idserver_relays(struct px_idserver *s);
void px_idserver_set_always_relay(struct px_idserver *s, bool on);
bool px_idserver_always_relay(const struct px_idserver *s);

enum px_id_stat {
    PX_ID_UDP_IN,
    PX_ID_UDP_BAD,
    PX_ID_HEARTBEATS,
    PX_ID_REGISTERS,
    PX_ID_REGISTERS_REFUSED,
    PX_ID_CONNS,
    PX_ID_CONNS_REFUSED,
    PX_ID_CONNS_OPEN,
    PX_ID_PUNCHES,
    PX_ID_PUNCHES_REFUSED,
    PX_ID_ANSWERS,
    PX_ID_ANSWERS_DROPPED,
    PX_ID_RELAY_REQUESTS,
    PX_ID_RELAY_REQUESTS_REFUSED,
    PX_ID_ONLINE_QUERIES,
    PX_ID_NAT_TESTS,
    PX_ID_STATS,
};
extern const char *const px_id_stat_names[PX_ID_STATS];
void px_idserver_stats(struct px_idserver *s, uint64_t ret[PX_ID_STATS]);
struct px_store_stats px_idserver_store_stats(struct px_idserver *s);

/* Lent: the latest requests, from client to device; devices that came from another address. */
struct px_recent *px_idserver_punches(struct px_idserver *s);
struct px_recent *px_idserver_moves(struct px_idserver *s);
