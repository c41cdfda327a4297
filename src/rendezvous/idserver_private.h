/* src/rendezvous/idserver_private.h - what the files of the ID server share; for nobody else */
#pragma once
#include "io/handles.h"
#include "io/loglimit.h"
#include "io/sock.h"
#include "io/stream.h"
#include "proto/rendezvous.h"
#include "rendezvous/idserver.h"
#include "rendezvous/routes.h"
#include <pthread.h>
#include <stdatomic.h>

#define DATAGRAM_MAX_BYTES                                                                         \
    1232 /* what we send: fits the smallest MTU of IPv6, as nothing fragments it */
#define LOCAL_ADDRS_MAX 255
#define PENDING_MAX 4
#define STREAM_MESSAGE_MAX_BYTES (64u * 1024)

struct px_idserver {
    struct px_idserver_opts opts;
    struct px_server_key key;
    struct px_secure_offer offer; /* when the key can sign */
    struct px_peers *peers;
    struct px_store *store; /* NULL: memory only */
    struct px_relays *relays;
    struct px_routes *routes;
    struct px_grants *grants;
    struct px_recent *punches, *moves;
    char *local_ip, *servers;
    struct px_buf config_update; /* body, empty: none is handed out */
    _Atomic bool always_relay;
    _Atomic uint64_t n_conns;
    _Atomic uint32_t next_pseudo_port;
    struct px_id_worker *workers[PX_ID_WORKERS_MAX]; /* filled before any thread runs */
    size_t n_workers;
    pthread_mutex_t lock; /* for what follows */
    struct px_addr locals[LOCAL_ADDRS_MAX];
    _Atomic uint8_t n_locals; /* entries below it never change */
};

struct udp;
struct px_id_worker {
    struct px_idserver *server;
    struct px_loop *loop; /* NULL: the datagrams' thread of a worker */
    int64_t now_us;       /* without a loop */
    uint8_t index;
    struct udp *udp;
    struct px_listener main, nat, ws;
    struct px_handles handles;
    struct px_loglimit log;
    struct conn *conns;                  /* open ones */
    _Atomic uint64_t stats[PX_ID_STATS]; /* written by the worker only */
};

static inline int64_t now_us(const struct px_id_worker *w) {
    return w->loop ? px_loop_now_us(w->loop) : w->now_us;
}

static inline void count(struct px_id_worker *w, enum px_id_stat stat) {
    atomic_store_explicit(&w->stats[stat],
                          atomic_load_explicit(&w->stats[stat], memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* A peer's identity under our signature, for A to check. */
struct vouch {
    uint8_t pk[PX_PEER_PK_BYTES]; /* the key that was signed */
    size_t size;
    uint8_t data[];
};

/* A request that waits for the answer of a peer. */
struct pending {
    uint64_t id_hash;
    struct px_addr peer; /* where it is registered */
    bool used, wants_udp, relay;
    char id[64];                     /* for the log, cut, as the next two */
    char chosen_relay[64], token[9]; /* by the client's own request for a relay; or empty */
    struct vouch *vouch;             /* made while the peer thinks; NULL: not yet */
};

enum conn_role { CONN_MAIN, CONN_NAT, CONN_WS };
struct conn {
    struct px_stream stream;
    struct px_timer timer; /* key exchange, then keep-alive */
    struct px_id_worker *worker;
    struct conn *next, **link;
    uint64_t handle;
    struct px_addr source; /* as the socket says; what limits are charged to */
    struct px_addr from;   /* the client; behind a proxy with a made-up port */
    enum conn_role role;
    bool routed, offered, has_request;
    int64_t messages_until_us; /* what it sent, each a MESSAGE_US, is paid for up to then */
    char *registered;          /* its ID, NULL: no */
    size_t registered_size;
    struct pending pending[PENDING_MAX];
};

/* udp.c */
int udp_open(struct px_id_worker *w, struct px_error *err);
void udp_close(struct px_id_worker *w);
/* What the datagrams' thread of @w counted. */
uint64_t udp_stat(const struct px_id_worker *w, enum px_id_stat stat);
/* Any thread. */
void udp_send(struct px_id_worker *w, const struct px_peer_where *to, struct px_bytes msg);
/* Number of one of our own addresses, 0: the table is full. */
uint8_t local_number(struct px_idserver *s, const struct px_addr *local);

/* register.c: what UDP and streams have in common; any thread, with a worker of its own */
/* false: there is no answer. */
bool register_peer(struct px_id_worker *w, const struct px_rdv_register_pk *msg,
                   const struct px_peer_where *from, enum px_register_pk_result *ret);
size_t online_states(struct px_id_worker *w, const struct px_rdv_online_request *msg, uint8_t *out,
                     size_t cap);

/* conn.c */
int conns_open(struct px_id_worker *w, struct px_error *err);
void conns_close(struct px_id_worker *w);
void conn_send(struct conn *c, const struct px_rdv_msg *msg);
bool conn_route(struct conn *c);

/* punch.c */
void pending_clear(struct pending *p);
void punch_request(struct conn *c, const struct px_rdv_punch_hole_request *msg);
void relay_request(struct conn *c, const struct px_rdv_msg *msg);
/* answer.c */
/* A peer's word for the log: cut to @cap - 1 bytes, empty where it could break a line. */
void loggable(struct px_bytes word, char *ret, size_t cap);
/* @addr as it travels in messages. Returns its size. */
size_t blurred(const struct px_addr *addr, uint8_t ret[PX_ADDR_MANGLED_MAX_BYTES]);
/* An address inside a message: nothing or the 18 bytes of IPv6. */
struct px_bytes v6_or_nothing(struct px_bytes b);
/* Signs @pk of peer @id; NULL: this server cannot. Freed by the caller. */
struct vouch *vouch_new(const struct px_idserver *s, struct px_bytes id, const uint8_t *pk);
/* What a grant remembers of a relay's name, 0: none. */
uint64_t relay_hash(const struct px_idserver *s, struct px_bytes name);
/* An answer of B, by a stream or (@udp) a datagram from @source. */
void answer(struct px_id_worker *w, const struct px_rdv_msg *msg, const struct px_addr *source,
            bool udp);
