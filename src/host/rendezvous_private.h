/* src/host/rendezvous_private.h - what the files of the host at its ID server share: rendezvous.c
 * (which mode, what the server says), rendezvous_udp.c, rendezvous_tcp.c (WebSockets, too) */
#pragma once
#include "host/again.h"
#include "host/rendezvous.h"
#include "host/requests.h"
#include <uv.h>

#define PX_RENDEZVOUS_AGAIN_US (15 * PX_US_PER_S)
#define PX_RENDEZVOUS_LOST_US (3 * PX_US_PER_S) /* a try without an answer */
#define PX_ENVELOPE_MAX 4096

/* In the order in which they are tried. */
enum px_rendezvous_mode { PX_MODE_UDP, PX_MODE_TCP, PX_MODE_WS };

struct px_rendezvous {
    struct px_host *host;
    uv_udp_t udp;
    uv_timer_t tick;
    struct px_conn *tcp; /* NULL: none */
    int n_open;
    bool udp_v6; /* the socket is for both families */
    bool closing, resolving, resolved, started, online;
    enum px_rendezvous_mode mode;
    struct px_addr server;
    struct px_requests requests;
    struct px_nat_test *nat_test; /* NULL: none runs */
    struct px_netwatch *netwatch; /* NULL: nobody tells */
    struct px_again again;        /* UDP, while another mode serves */
    int64_t again_us;             /* when it was tried last; 0: never */
    char trouble[128];            /* of the last connection, told once */
    uint8_t uuid[64];
    size_t uuid_size;
    bool key_confirmed, tcp_registered, tcp_secured;
    unsigned lost;
    int64_t answered_us, tried_us, resolved_us, mode_us, denied_us, nat_us, silent_us, at_once_us;
    uint8_t in[PX_ENVELOPE_MAX];
};

struct px_rdv_msg px_rendezvous_register_pk(const struct px_rendezvous *r); /* lends from @r */
void px_rendezvous_set_online(struct px_rendezvous *r, bool online);
void px_rendezvous_set_mode(struct px_rendezvous *r, enum px_rendezvous_mode mode, int64_t now_us);
/* Looks the server's name up again, if not just done. */
void px_rendezvous_resolve(struct px_rendezvous *r, int64_t now_us);
void px_rendezvous_test_nat(struct px_rendezvous *r);
/* A message of the server. */
void px_rendezvous_take(struct px_rendezvous *r, struct px_bytes in, bool by_udp);
/* Once it is closing and nothing of it is open any more. */
void px_rendezvous_maybe_free(struct px_rendezvous *r);

void px_rendezvous_udp_open(struct px_rendezvous *r);
void px_rendezvous_udp_register(struct px_rendezvous *r);
void px_rendezvous_udp_heartbeat(struct px_rendezvous *r);
void px_rendezvous_udp_try_again(struct px_rendezvous *r);
void px_rendezvous_udp_take_again(struct px_rendezvous *r, const struct px_rdv_msg *m);
void px_rendezvous_udp_tick(struct px_rendezvous *r, int64_t now_us);

void px_rendezvous_tcp_tick(struct px_rendezvous *r, int64_t now_us);
