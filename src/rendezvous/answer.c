/* src/rendezvous/answer.c - bringing two peers together: what B answers
 *
 *     A <--PunchHoleResponse | RelayResponse-- us <--PunchHoleSent | LocalAddr | RelayResponse-- B
 *
 * B answers on a connection of its own, which another thread may hold; its answer names A's
 * address. The answer is handed to the loop of A's connection and counts only if it is
 * about the peer that A asked for and comes from where that peer is registered: otherwise anybody
 * could answer. */
#include "base/alloc.h"
#include "base/log.h"
#include "rendezvous/idserver_private.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ID_PK_MAX_BYTES (PX_PEER_ID_MAX_BYTES + PX_PEER_PK_BYTES + 8)

size_t blurred(const struct px_addr *addr, uint8_t ret[PX_ADDR_MANGLED_MAX_BYTES]) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    const uint64_t us = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
    return px_addr_mangle(addr, (uint32_t)us, ret);
}

struct px_bytes v6_or_nothing(struct px_bytes b) {
    return b.size == 18 ? b : (struct px_bytes){0};
}

uint64_t relay_hash(const struct px_idserver *s, struct px_bytes name) {
    return name.size ? px_peers_hash(s->peers, name) | 1 : 0;
}

/* B's answer on its way to the thread of A's connection. */
struct answer {
    struct px_mail mail;
    struct px_id_worker *worker;
    uint64_t handle;
    struct px_addr source;
    bool udp;
    size_t size;
    uint8_t data[]; /* the message */
};

static struct px_bytes answered_id(const struct px_rdv_msg *msg) {
    return msg->kind == PX_RDV_PUNCH_HOLE_SENT ? msg->punch_hole_sent.id
           : msg->kind == PX_RDV_LOCAL_ADDR    ? msg->local_addr.id
                                               : msg->relay_response.id;
}

/* The request that the answer belongs to; NULL: none, it is dropped. */
static struct pending *find_pending(struct conn *c, const struct answer *a,
                                    const struct px_rdv_msg *msg) {
    const struct px_idserver *s = c->worker->server;
    const struct px_bytes id = answered_id(msg);
    const uint64_t h = px_peers_hash(s->peers, id);
    for (struct pending *p = c->pending; p < c->pending + PENDING_MAX; p++) {
        if (!p->used || (s->opts.check_answer_ip && !px_addr_same_ip(&p->peer, &a->source)))
            continue;
        if (a->udp && !p->wants_udp)
            continue;
        /* In answer to RequestRelay, B does not say who it is. */
        if (id.size ? p->id_hash == h : p->relay && msg->kind == PX_RDV_RELAY_RESPONSE)
            return p;
    }
    return NULL;
}

struct vouch *vouch_new(const struct px_idserver *s, struct px_bytes id, const uint8_t *pk) {
    uint8_t raw[ID_PK_MAX_BYTES];
    const int n =
        px_rdv_id_pk_encode(id, (struct px_bytes){pk, PX_PEER_PK_BYTES}, raw, sizeof(raw));
    if (!s->key.can_sign || n < 0)
        return NULL;
    struct vouch *v = px_calloc(1, sizeof(*v) + (size_t)n + PX_SIGN_BYTES);
    memcpy(v->pk, pk, sizeof(v->pk));
    v->size = px_sign(s->key.sk, (struct px_bytes){raw, (size_t)n}, v->data);
    return v;
}

/* B's identity as we vouch for it; lent by @p. Empty when we cannot sign or B wants none. */
static struct px_bytes signed_pk(struct px_idserver *s, struct pending *p, struct px_bytes id,
                                 struct px_bytes version) {
    struct px_peer_info peer;
    if (!version.size || px_peers_find(s->peers, id, 0, &peer) < 0)
        return (struct px_bytes){0};
    if (!p->vouch || memcmp(p->vouch->pk, peer.pk, sizeof(peer.pk)) != 0) {
        free(p->vouch); /* the peer has a new key since */
        p->vouch = vouch_new(s, id, peer.pk);
    }
    return p->vouch ? (struct px_bytes){p->vouch->data, p->vouch->size} : (struct px_bytes){0};
}

void loggable(struct px_bytes word, char *ret, size_t cap) {
    const bool good = px_peer_id_valid(word);
    snprintf(ret, cap, "%.*s", (int)(good ? word.size : 0), word.data);
}

/* What B chose, or else what A asked for: B's answer to that names nothing. */
static void audit(struct conn *c, const struct pending *p, const char *how, struct px_bytes relay,
                  struct px_bytes uuid) {
    char from[PX_ADDR_TEXT_MAX], to[PX_ADDR_TEXT_MAX], name[64], token[9];
    loggable(relay, name, sizeof(name));
    loggable(uuid, token, sizeof(token));
    if (!px_loglimit_pass(&c->worker->log, "session", px_loop_now_us(c->worker->loop)))
        return;
    px_info("session: %s to '%s': how=%s peer=%s relay=%s token=%s", px_addr_text(&c->from, from),
            p->id, how, px_addr_text(&p->peer, to), *name ? name : p->chosen_relay,
            *token ? token : p->token);
}

static void send_punched(struct conn *c, struct pending *p, const struct answer *a,
                         const struct px_rdv_punch_hole_sent *msg) {
    uint8_t addr[PX_ADDR_MANGLED_MAX_BYTES];
    const struct px_rdv_punch_hole_response r = {
        .has = PX_RDV_HAS_NAT_TYPE,
        .socket_addr = {addr, blurred(&a->source, addr)},
        .pk = signed_pk(c->worker->server, p, msg->id, msg->version),
        .relay_server = msg->relay_server,
        .nat_type = msg->nat_type,
        .is_udp = a->udp,
        .socket_addr_v6 = v6_or_nothing(msg->socket_addr_v6)};
    conn_send(c,
              &(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE_RESPONSE, .punch_hole_response = r});
    audit(c, p, a->udp ? "udp" : "punch", msg->relay_server, (struct px_bytes){0});
}

static void send_local(struct conn *c, struct pending *p, const struct px_rdv_local_addr *msg) {
    const struct px_rdv_punch_hole_response r = {
        .has = PX_RDV_HAS_IS_LOCAL,
        .is_local = true,
        .socket_addr = msg->local_addr,
        .pk = signed_pk(c->worker->server, p, msg->id, msg->version),
        .relay_server = msg->relay_server,
        .socket_addr_v6 = v6_or_nothing(msg->socket_addr_v6)};
    conn_send(c,
              &(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE_RESPONSE, .punch_hole_response = r});
    audit(c, p, "local", msg->relay_server, (struct px_bytes){0});
}

/* In the deprecated LAN mode members get the relay's local name, others a public one. */
static struct px_bytes relay_for(struct conn *c, struct px_bytes named,
                                 char name[PX_RELAY_NAME_MAX]) {
    const struct px_idserver *s = c->worker->server;
    if (!s->opts.has_mask || !named.size)
        return named;
    if (px_addr_in_block(&c->from, &s->opts.mask))
        return s->local_ip[0] ? px_bytes_of(s->local_ip) : named;
    if (!px_bytes_equal(named, px_bytes_of(s->local_ip)))
        return named;
    px_relays_next(s->relays, name);
    return px_bytes_of(name);
}

/* Passed on as it came, but for the address, the ID (which the signed key replaces) and the relay.
 */
static void send_relayed(struct conn *c, struct pending *p, const struct px_rdv_msg *msg) {
    const struct px_rdv_relay_response *m = &msg->relay_response;
    uint8_t raw[STREAM_MESSAGE_MAX_BYTES + 1024];
    char name[PX_RELAY_NAME_MAX];
    const struct px_bytes relay = relay_for(c, m->relay_server, name);
    const bool has_id = m->has & PX_RDV_HAS_ID;
    const struct px_bytes pk =
        has_id ? signed_pk(c->worker->server, p, m->id, m->version) : (struct px_bytes){0};
    /* A pk that came with the message is nobody's word. */
    const uint32_t without = 1u << 1 | 1u << 3 | 1u << 4 | 1u << 5;
    struct px_wire_out body = {0}, o = {.data = raw, .cap = sizeof(raw)};
    for (int pass = 0; pass < 2; pass++) { /* measures, then writes */
        struct px_wire_out *to = pass ? &o : &body;
        if (pass)
            px_wire_put_head(to, PX_RDV_RELAY_RESPONSE, body.size);
        px_wire_put_fields(to, msg->body, without);
        if (relay.size)
            px_wire_put_bytes(to, 3, relay);
        if (has_id)
            px_wire_put_bytes(to, 5, pk);
    }
    if (px_wire_fits(&o))
        px_stream_send(&c->stream, (struct px_bytes){raw, o.size});
    audit(c, p, "relay", relay, m->uuid);
}

static void send_answer(struct conn *c, struct pending *p, const struct answer *a,
                        const struct px_rdv_msg *msg) {
    struct px_idserver *s = c->worker->server;
    struct px_bytes relay = {0};
    if (msg->kind == PX_RDV_PUNCH_HOLE_SENT) {
        send_punched(c, p, a, &msg->punch_hole_sent);
        relay = msg->punch_hole_sent.relay_server;
    } else if (msg->kind == PX_RDV_LOCAL_ADDR) {
        send_local(c, p, &msg->local_addr);
        relay = msg->local_addr.relay_server;
    } else {
        send_relayed(c, p, msg);
        relay = msg->relay_response.relay_server;
    }
    if (!p->relay) /* what A may ask for next */
        px_grants_give(s->grants, &c->from, p->id_hash, relay_hash(s, relay),
                       px_loop_now_us(c->worker->loop));
    count(c->worker, PX_ID_ANSWERS);
    pending_clear(p);
}

static void deliver_answer(struct px_mail *mail) {
    struct answer *a = px_container_of(mail, struct answer, mail);
    struct conn *c = px_handles_get(&a->worker->handles, a->handle);
    struct px_rdv_msg msg;
    struct pending *p = NULL;
    if (c && px_rdv_decode((struct px_bytes){a->data, a->size}, &msg, NULL) == 0)
        p = find_pending(c, a, &msg);
    if (p)
        send_answer(c, p, a, &msg);
    else
        count(a->worker, PX_ID_ANSWERS_DROPPED);
    free(a);
}

void answer(struct px_id_worker *w, const struct px_rdv_msg *msg, const struct px_addr *source,
            bool udp) {
    struct px_idserver *s = w->server;
    const struct px_bytes addr = msg->kind == PX_RDV_PUNCH_HOLE_SENT
                                     ? msg->punch_hole_sent.socket_addr
                                 : msg->kind == PX_RDV_LOCAL_ADDR ? msg->local_addr.socket_addr
                                                                  : msg->relay_response.socket_addr;
    const struct px_addr to = px_addr_unmangle(addr);
    struct px_route route;
    if (!px_routes_find(s->routes, &to, &route)) {
        count(w, PX_ID_ANSWERS_DROPPED);
        return;
    }
    struct px_wire_out head = {0};
    px_wire_put_head(&head, msg->kind, msg->body.size);
    struct answer *a = px_calloc(1, sizeof(*a) + head.size + msg->body.size);
    struct px_wire_out o = {.data = a->data, .cap = head.size + msg->body.size};
    px_wire_put_bytes(&o, msg->kind, msg->body);
    a->mail.deliver = deliver_answer;
    a->worker = s->workers[route.worker];
    a->handle = route.handle;
    a->source = *source;
    a->udp = udp;
    a->size = o.size;
    if (w->loop == a->worker->loop)
        deliver_answer(&a->mail);
    else
        px_loop_hand(a->worker->loop, &a->mail);
}
