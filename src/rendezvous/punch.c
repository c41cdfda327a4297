/* src/rendezvous/punch.c - bringing two peers together
 *
 *     A --PunchHoleRequest--> us --PunchHole | FetchLocalAddr--> B
 *     A <--PunchHoleResponse | RelayResponse-- us <--PunchHoleSent | LocalAddr | RelayResponse-- B
 *
 * B answers on a connection of its own, which another thread may hold; its answer names A's
 * address. The answer travels by mail to the thread of A's connection and counts only if it is
 * about the peer that A asked for and comes from where that peer is registered: otherwise anybody
 * could answer. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "rendezvous/internal.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ID_PK_MAX_BYTES (PX_PEER_ID_MAX_BYTES + PX_PEER_PK_BYTES + 8)

static uint32_t blur(void) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint32_t)((uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
}

static void fail_punch(struct conn *c, enum px_punch_failure failure) {
    count(c->worker, PX_ID_PUNCHES_REFUSED);
    conn_send(c, &(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE_RESPONSE,
                                      .punch_hole_response = {.failure = (int32_t)failure}});
}

static struct pending *pending_for(struct conn *c, uint64_t id_hash) {
    struct pending *place = &c->pending[PENDING_MAX - 1];
    for (struct pending *p = c->pending + PENDING_MAX; p-- > c->pending;)
        if (p->used && p->id_hash == id_hash)
            return p;
        else if (!p->used)
            place = p;
    *place = (struct pending){.id_hash = id_hash, .used = true};
    return place;
}

static void note_pending(struct conn *c, struct px_bytes id, const struct px_peer_info *peer,
                         bool wants_udp, bool relay) {
    struct pending *p = pending_for(c, px_peers_hash(c->worker->server->peers, id));
    p->peer = peer->where.addr;
    p->wants_udp = wants_udp;
    p->relay = relay;
    snprintf(p->id, sizeof(p->id), "%.*s", (int)(id.size < 63 ? id.size : 63), id.data);
}

struct push {
    struct px_mail mail;
    struct px_id_worker *worker;
    uint64_t handle;
    size_t size;
    uint8_t data[];
};

static void deliver_push(struct px_mail *mail) {
    struct push *p = px_container_of(mail, struct push, mail);
    struct conn *c = px_handles_get(&p->worker->handles, p->handle);
    if (c)
        px_stream_send(&c->stream, (struct px_bytes){p->data, p->size});
    free(p);
}

/* To B, however it is registered. */
static void push_to(struct px_id_worker *w, const struct px_peer_where *to, struct px_bytes msg) {
    if (!to->link)
        return udp_send(w, to, msg);
    struct px_id_worker *other = w->server->workers[to->worker];
    struct push *p = px_calloc(1, sizeof(*p) + msg.size);
    p->mail.deliver = deliver_push;
    p->worker = other;
    p->handle = to->link;
    p->size = msg.size;
    memcpy(p->data, msg.data, msg.size);
    px_loop_post(other->loop, &p->mail);
}

static void push_msg(struct px_id_worker *w, const struct px_peer_where *to,
                     const struct px_rdv_msg *msg) {
    uint8_t raw[DATAGRAM_MAX_BYTES];
    int n = px_rdv_encode(msg, raw, sizeof(raw), NULL);
    if (n > 0)
        push_to(w, to, (struct px_bytes){raw, (size_t)n});
}

static void remember_punch(struct conn *c, struct px_bytes id, const struct px_peer_info *peer) {
    struct px_idserver *s = c->worker->server;
    pthread_mutex_lock(&s->lock);
    struct px_punch_record *r = &s->punches[s->n_punches++ % PX_PUNCH_RECORDS];
    *r = (struct px_punch_record){.at_s = time(NULL), .from = c->from, .to = peer->where.addr};
    memcpy(r->id, id.data, id.size);
    pthread_mutex_unlock(&s->lock);
}

struct plan {
    char relay[PX_RELAY_NAME_MAX];
    bool forced; /* the relay must be used */
    bool same;   /* both behind one address */
};

static struct plan plan_for(struct conn *c, const struct px_peer_info *peer) {
    const struct px_idserver *s = c->worker->server;
    const struct px_idserver_opts *o = &s->opts;
    const bool lan_a = o->has_mask && px_addr_in_block(&c->from, &o->mask),
               lan_b = o->has_mask && px_addr_in_block(&peer->where.addr, &o->mask);
    struct plan p = {.forced = atomic_load(&s->always_relay) || lan_a != lan_b};
    px_relays_next(s->relays, p.relay);
    if (p.forced && lan_b && s->local_ip[0])
        snprintf(p.relay, sizeof(p.relay), "%s", s->local_ip);
    /* Unlike the official server: a relay that is to be used always is used on the LAN as well. */
    p.same = !p.forced && c->role != CONN_WS &&
             ((lan_a && lan_b) || px_addr_same_ip(&c->from, &peer->where.addr));
    return p;
}

/* An address inside a message: nothing or the 18 bytes of IPv6. */
static struct px_bytes v6_only(struct px_bytes b) {
    return b.size == 18 ? b : (struct px_bytes){0};
}

static void push_punch(struct conn *c, const struct px_rdv_punch_hole_request *msg,
                       const struct px_peer_info *peer, const struct plan *plan) {
    uint8_t raw[PX_ADDR_MANGLED_MAX_BYTES];
    const struct px_bytes addr = {raw, px_addr_mangle(&c->from, blur(), raw)};
    if (plan->same && !msg->force_relay)
        return push_msg(c->worker, &peer->where,
                        &(struct px_rdv_msg){
                            .kind = PX_RDV_FETCH_LOCAL_ADDR,
                            .fetch_local_addr = {.socket_addr = addr,
                                                 .relay_server = px_bytes_of(plan->relay),
                                                 .socket_addr_v6 = v6_only(msg->socket_addr_v6)}});
    struct px_rdv_punch_hole p = {.socket_addr = addr,
                                  .relay_server = px_bytes_of(plan->relay),
                                  .nat_type = plan->forced ? PX_NAT_SYMMETRIC : msg->nat_type,
                                  .force_relay = msg->force_relay};
    if (!plan->forced) { /* no way round the relay */
        p.udp_port = msg->udp_port;
        p.socket_addr_v6 = v6_only(msg->socket_addr_v6);
    }
    push_msg(c->worker, &peer->where,
             &(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE, .punch_hole = p});
}

void punch_request(struct conn *c, const struct px_rdv_punch_hole_request *msg) {
    struct px_idserver *s = c->worker->server;
    struct px_peer_info peer;
    count(c->worker, PX_ID_PUNCHES);
    if (s->key.expected[0] && !px_bytes_equal(msg->licence_key, px_bytes_of(s->key.expected)))
        return fail_punch(c, PX_PUNCH_LICENSE_MISMATCH);
    if (msg->id.size > PX_PEER_ID_MAX_BYTES ||
        px_peers_find(s->peers, msg->id, px_loop_now_us(c->worker->loop), &peer) < 0)
        return fail_punch(c, PX_PUNCH_ID_NOT_EXIST);
    if (!peer.online)
        return fail_punch(c, PX_PUNCH_OFFLINE);
    if (!conn_route(c))
        return px_stream_end(&c->stream, "no-route");
    const struct plan plan = plan_for(c, &peer);
    note_pending(c, msg->id, &peer, !plan.forced && msg->udp_port > 0, false);
    remember_punch(c, msg->id, &peer);
    push_punch(c, msg, &peer, &plan);
}

static uint64_t relay_hash(const struct px_idserver *s, struct px_bytes name) {
    return name.size ? px_peers_hash(s->peers, name) | 1 : 0;
}

/* A stranger must not make B connect to a host of his choice. */
static const char *why_not_relay(struct conn *c, const struct px_rdv_request_relay *msg) {
    struct px_idserver *s = c->worker->server;
    uint64_t known = 0;
    if (s->opts.open_relay_requests)
        return NULL;
    if (!px_grants_has(s->grants, &c->from, px_peers_hash(s->peers, msg->id),
                       px_loop_now_us(c->worker->loop), &known))
        return "No connection to this ID was prepared. Please connect again";
    if (msg->relay_server.size && relay_hash(s, msg->relay_server) != known &&
        !px_relays_has(s->relays, msg->relay_server))
        return "This relay is not known here";
    return NULL;
}

void relay_request(struct conn *c, const struct px_rdv_msg *msg) {
    const struct px_rdv_request_relay *req = &msg->request_relay;
    struct px_peer_info peer;
    uint8_t raw[DATAGRAM_MAX_BYTES], mangled[PX_ADDR_MANGLED_MAX_BYTES];
    count(c->worker, PX_ID_RELAY_REQUESTS);
    if (req->id.size > PX_PEER_ID_MAX_BYTES ||
        px_peers_find(c->worker->server->peers, req->id, px_loop_now_us(c->worker->loop), &peer) <
            0 ||
        !peer.has_addr)
        return; /* as the official server: nothing is said */
    const char *why = why_not_relay(c, req);
    if (why) {
        count(c->worker, PX_ID_RELAY_REQUESTS_REFUSED);
        conn_send(c, &(struct px_rdv_msg){.kind = PX_RDV_RELAY_RESPONSE,
                                          .relay_response = {.refuse_reason = px_bytes_of(why)}});
        return;
    }
    if (!conn_route(c))
        return px_stream_end(&c->stream, "no-route");
    note_pending(c, req->id, &peer, false, true);
    const struct px_bytes addr = {mangled, px_addr_mangle(&c->from, blur(), mangled)};
    struct px_wire_out body = {0}, o = {.data = raw, .cap = sizeof(raw)};
    px_wire_put_fields(&body, msg->body, 1u << 3); /* measures */
    px_wire_put_head(&o, PX_RDV_REQUEST_RELAY, body.size + 2 + addr.size);
    px_wire_put_fields(&o, msg->body, 1u << 3);
    px_wire_put_bytes(&o, 3, addr);
    if (px_wire_fits(&o))
        push_to(c->worker, &peer.where, (struct px_bytes){raw, o.size});
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

/* B's identity under our signature, for A to check; empty when we cannot sign or B wants none. */
static struct px_bytes signed_pk(struct px_idserver *s, struct px_bytes id, struct px_bytes version,
                                 uint8_t out[ID_PK_MAX_BYTES + PX_SIGN_BYTES]) {
    uint8_t raw[ID_PK_MAX_BYTES];
    struct px_peer_info peer;
    if (!s->key.can_sign || !version.size || px_peers_find(s->peers, id, 0, &peer) < 0)
        return (struct px_bytes){0};
    int n = px_rdv_id_pk_encode(id, (struct px_bytes){peer.pk, sizeof(peer.pk)}, raw, sizeof(raw));
    if (n < 0)
        return (struct px_bytes){0};
    return (struct px_bytes){out, px_sign(s->key.sk, (struct px_bytes){raw, (size_t)n}, out)};
}

static void audit(struct conn *c, const struct pending *p, const char *how, struct px_bytes relay,
                  struct px_bytes uuid) {
    char from[PX_ADDR_TEXT_MAX], to[PX_ADDR_TEXT_MAX];
    if (!px_loglimit_pass(&c->worker->log, "session", px_loop_now_us(c->worker->loop)))
        return;
    px_info("session: %s to '%s': how=%s peer=%s relay=%.*s token=%.*s",
            px_addr_text(&c->from, from), p->id, how, px_addr_text(&p->peer, to),
            (int)(px_peer_id_valid(relay) ? relay.size : 0), relay.data,
            (int)(px_peer_id_valid(uuid) && uuid.size >= 8 ? 8 : 0), uuid.data);
}

static void send_punched(struct conn *c, const struct pending *p, const struct answer *a,
                         const struct px_rdv_punch_hole_sent *msg) {
    uint8_t addr[PX_ADDR_MANGLED_MAX_BYTES], pk[ID_PK_MAX_BYTES + PX_SIGN_BYTES];
    const struct px_rdv_punch_hole_response r = {
        .has = PX_RDV_HAS_NAT_TYPE,
        .socket_addr = {addr, px_addr_mangle(&a->source, blur(), addr)},
        .pk = signed_pk(c->worker->server, msg->id, msg->version, pk),
        .relay_server = msg->relay_server,
        .nat_type = msg->nat_type,
        .is_udp = a->udp,
        .socket_addr_v6 = v6_only(msg->socket_addr_v6)};
    conn_send(c,
              &(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE_RESPONSE, .punch_hole_response = r});
    audit(c, p, a->udp ? "udp" : "punch", msg->relay_server, (struct px_bytes){0});
}

static void send_local(struct conn *c, const struct pending *p,
                       const struct px_rdv_local_addr *msg) {
    uint8_t pk[ID_PK_MAX_BYTES + PX_SIGN_BYTES];
    const struct px_rdv_punch_hole_response r = {
        .has = PX_RDV_HAS_IS_LOCAL,
        .is_local = true,
        .socket_addr = msg->local_addr,
        .pk = signed_pk(c->worker->server, msg->id, msg->version, pk),
        .relay_server = msg->relay_server,
        .socket_addr_v6 = v6_only(msg->socket_addr_v6)};
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
static void send_relayed(struct conn *c, const struct pending *p, const struct px_rdv_msg *msg) {
    const struct px_rdv_relay_response *m = &msg->relay_response;
    uint8_t raw[STREAM_MESSAGE_MAX_BYTES + 1024], pk_raw[ID_PK_MAX_BYTES + PX_SIGN_BYTES];
    char name[PX_RELAY_NAME_MAX];
    const struct px_bytes relay = relay_for(c, m->relay_server, name);
    const bool has_id = m->has & PX_RDV_HAS_ID;
    const struct px_bytes pk =
        has_id ? signed_pk(c->worker->server, m->id, m->version, pk_raw) : (struct px_bytes){0};
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
    p->used = false;
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
    px_loop_post(a->worker->loop, &a->mail);
}
