/* src/rendezvous/punch.c - bringing two peers together: what A asks for
 *
 *     A --PunchHoleRequest--> us --PunchHole | FetchLocalAddr--> B
 *     A --RequestRelay------> us --RequestRelay----------------> B
 *
 * What B says to that is in answer.c. */
#include "base/alloc.h"
#include "rendezvous/idserver_private.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static void fail_punch(struct conn *c, enum px_punch_failure failure) {
    count(c->worker, PX_ID_PUNCHES_REFUSED);
    conn_send(c, &(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE_RESPONSE,
                                      .punch_hole_response = {.failure = (int32_t)failure}});
}

void pending_clear(struct pending *p) {
    free(p->vouch);
    *p = (struct pending){0};
}

static struct pending *pending_for(struct conn *c, uint64_t id_hash) {
    struct pending *place = &c->pending[PENDING_MAX - 1];
    for (struct pending *p = c->pending + PENDING_MAX; p-- > c->pending;)
        if (p->used && p->id_hash == id_hash)
            return p;
        else if (!p->used)
            place = p;
    pending_clear(place);
    place->id_hash = id_hash;
    place->used = true;
    return place;
}

static struct pending *note_pending(struct conn *c, struct px_bytes id,
                                    const struct px_peer_info *peer, bool wants_udp, bool relay) {
    struct pending *p = pending_for(c, px_peers_hash(c->worker->server->peers, id));
    p->peer = peer->where.addr;
    p->wants_udp = wants_udp;
    p->relay = relay;
    p->chosen_relay[0] = p->token[0] = '\0';
    snprintf(p->id, sizeof(p->id), "%.*s", (int)(id.size < 63 ? id.size : 63), id.data);
    return p;
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
    if (w->loop == other->loop)
        deliver_push(&p->mail);
    else
        px_loop_hand(other->loop, &p->mail);
}

static void push_msg(struct px_id_worker *w, const struct px_peer_where *to,
                     const struct px_rdv_msg *msg) {
    uint8_t raw[DATAGRAM_MAX_BYTES];
    int n = px_rdv_encode(msg, raw, sizeof(raw), NULL);
    if (n > 0)
        push_to(w, to, (struct px_bytes){raw, (size_t)n});
}

struct plan {
    char relay[PX_RELAY_NAME_MAX];
    bool forced; /* the relay must be used */
    bool same;   /* both behind one address, or A on this machine and B on a network of it */
};

/* A is on this machine, and B on a network that this machine has for itself, such as a bridge of
 * containers: A can dial B, but its address as we see it means nothing to B, so no hole would do.
 * On a network that A's address belongs to as well, hole punching finds the way. */
static bool is_next_door(const struct conn *c, const struct px_peer_info *peer) {
    struct px_addr here;
    return px_addr_equal(&c->from, &c->source) && !px_addr_is_loopback(&c->from) &&
           px_sock_local_addr(c->stream.watch.fd, &here, NULL) == 0 &&
           px_addr_same_ip(&here, &c->from) && px_sock_on_link(&peer->where.addr, &c->from);
}

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
    p.same =
        !p.forced && c->role != CONN_WS &&
        ((lan_a && lan_b) || px_addr_same_ip(&c->from, &peer->where.addr) || is_next_door(c, peer));
    return p;
}

static void push_punch(struct conn *c, const struct px_rdv_punch_hole_request *msg,
                       const struct px_peer_info *peer, const struct plan *plan) {
    uint8_t raw[PX_ADDR_MANGLED_MAX_BYTES];
    const struct px_bytes addr = {raw, blurred(&c->from, raw)};
    if (plan->same && !msg->force_relay)
        return push_msg(
            c->worker, &peer->where,
            &(struct px_rdv_msg){
                .kind = PX_RDV_FETCH_LOCAL_ADDR,
                .fetch_local_addr = {.socket_addr = addr,
                                     .relay_server = px_bytes_of(plan->relay),
                                     .socket_addr_v6 = v6_or_nothing(msg->socket_addr_v6)}});
    struct px_rdv_punch_hole p = {.socket_addr = addr,
                                  .relay_server = px_bytes_of(plan->relay),
                                  .nat_type = plan->forced ? PX_NAT_SYMMETRIC : msg->nat_type,
                                  .force_relay = msg->force_relay};
    if (!plan->forced) { /* no way round the relay */
        p.udp_port = msg->udp_port;
        p.socket_addr_v6 = v6_or_nothing(msg->socket_addr_v6);
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
    struct pending *p = note_pending(c, msg->id, &peer, !plan.forced && msg->udp_port > 0, false);
    px_recent_add(c->worker->server->punches, msg->id, &c->from, &peer.where.addr, time(NULL));
    push_punch(c, msg, &peer, &plan);
    /* The signature is a good part of the whole request's time: B need not wait for it, nor A. */
    if (!p->vouch || memcmp(p->vouch->pk, peer.pk, sizeof(peer.pk)) != 0) {
        free(p->vouch);
        p->vouch = vouch_new(s, msg->id, peer.pk);
    }
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
    struct pending *p = note_pending(c, req->id, &peer, false, true);
    loggable(req->relay_server, p->chosen_relay, sizeof(p->chosen_relay));
    loggable(req->uuid, p->token, sizeof(p->token));
    const struct px_bytes addr = {mangled, blurred(&c->from, mangled)};
    struct px_wire_out body = {0}, o = {.data = raw, .cap = sizeof(raw)};
    px_wire_put_fields(&body, msg->body, 1u << 3); /* measures */
    px_wire_put_head(&o, PX_RDV_REQUEST_RELAY, body.size + 2 + addr.size);
    px_wire_put_fields(&o, msg->body, 1u << 3);
    px_wire_put_bytes(&o, 3, addr);
    if (px_wire_fits(&o))
        push_to(c->worker, &peer.where, (struct px_bytes){raw, o.size});
}
