/* src/rendezvous/conn.c - TCP and WebSocket connections of the ID server
 *
 * P (TCP) and P+2 (WebSocket) take everything; P-1 takes one NAT test or online query.
 *
 *     accept -> [silent for 150 ms: we offer KeyExchange] -> request(s) -> answer(s) -> end
 *                                                         -> RegisterPk: stays, keep-alives
 *
 * The offer waits for silence because a client that wants encryption is silent, while one that does
 * not sends its request at once; old ones among these do not expect the offer. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "rendezvous/idserver_private.h"
#include <stdio.h>
#include <string.h>

#define OFFER_AFTER_US (150 * PX_US_PER_MS)
#define MESSAGE_US (100 * PX_US_PER_MS)
#define MESSAGES_AHEAD_US (10 * PX_US_PER_S)
#define ONLINE_MAX_BYTES (STREAM_MESSAGE_MAX_BYTES / 16)

static struct conn *conn_of(struct px_stream *s) {
    return px_container_of(s, struct conn, stream);
}

void conn_send(struct conn *c, const struct px_rdv_msg *msg) {
    uint8_t raw[STREAM_MESSAGE_MAX_BYTES];
    struct px_error err = {0};
    int n = px_rdv_encode(msg, raw, sizeof(raw), &err);
    if (n < 0)
        px_warning("id: answer dropped: %s", err.msg);
    else
        px_stream_send(&c->stream, (struct px_bytes){raw, (size_t)n});
}

/* Makes answers that name this client's address come here. Behind a proxy, clients share an
 * address: the port is then made up, so that it is free. */
bool conn_route(struct conn *c) {
    struct px_idserver *s = c->worker->server;
    const struct px_route route = {.worker = c->worker->index, .handle = c->handle};
    const int tries = px_addr_equal(&c->from, &c->source) ? 1 : 65536;
    for (int i = 0; i < tries && !c->routed; i++) {
        if (tries > 1)
            c->from.port = (uint16_t)(1 + atomic_fetch_add(&s->next_pseudo_port, 1) % 65535);
        c->routed = px_routes_add(s->routes, &c->from, &route);
    }
    return c->routed;
}

static void unregister(struct conn *c) {
    if (!c->registered)
        return;
    px_peers_link_lost(c->worker->server->peers,
                       (struct px_bytes){(uint8_t *)c->registered, c->registered_size},
                       c->worker->index, c->handle);
    free(c->registered);
    c->registered = NULL;
}

static void on_closed(struct px_stream *stream) {
    struct conn *c = conn_of(stream);
    struct px_id_worker *w = c->worker;
    unregister(c);
    px_loop_disarm(w->loop, &c->timer);
    if (c->routed)
        px_routes_remove(w->server->routes, &c->from);
    for (size_t i = 0; i < PENDING_MAX; i++)
        pending_clear(&c->pending[i]);
    px_handles_remove(&w->handles, c->handle);
    px_sources_disconnect(w->server->opts.sources, &c->source);
    atomic_fetch_sub(&w->server->n_conns, 1);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    free(c);
}

static void answer_nat_test(struct conn *c, const struct px_rdv_test_nat_request *msg) {
    const struct px_idserver *s = c->worker->server;
    struct px_rdv_msg r = {.kind = PX_RDV_TEST_NAT_RESPONSE,
                           .test_nat_response = {.port = c->source.port}};
    if (c->role != CONN_NAT && msg->serial < s->opts.serial && s->config_update.size) {
        r.test_nat_response.has = 1u << 2;
        r.test_nat_response.cu =
            (struct px_bytes){(uint8_t *)s->config_update.data, s->config_update.size};
    }
    count(c->worker, PX_ID_NAT_TESTS);
    conn_send(c, &r);
}

static void answer_online(struct conn *c, const struct px_rdv_online_request *msg) {
    uint8_t states[ONLINE_MAX_BYTES];
    size_t n = online_states(c->worker, msg, states, sizeof(states));
    conn_send(c, &(struct px_rdv_msg){
                     .kind = PX_RDV_ONLINE_RESPONSE,
                     .online_response = {.has = n ? 1u << 1 : 0, .states = {states, n}}});
}

static void answer_register(struct conn *c, enum px_register_pk_result result, int32_t keep_alive) {
    conn_send(c, &(struct px_rdv_msg){.kind = PX_RDV_REGISTER_PK_RESPONSE,
                                      .register_pk_response = {.result = (int32_t)result,
                                                               .keep_alive = keep_alive}});
}

static void change_id(struct conn *c, const struct px_rdv_register_pk *msg) {
    struct px_idserver *s = c->worker->server;
    enum px_register_pk_result r = PX_PK_TOO_FREQUENT;
    if (px_sources_may_register(s->opts.sources, &c->from, px_peers_hash(s->peers, msg->id),
                                px_loop_now_us(c->worker->loop)))
        r = px_peers_rename(s->peers, msg->old_id, msg->id, msg->uuid);
    if (r == PX_PK_OK && px_loglimit_pass(&c->worker->log, "id", px_loop_now_us(c->worker->loop)))
        px_info("id: '%.*s' is now '%.*s'", (int)msg->old_id.size, msg->old_id.data,
                (int)msg->id.size, msg->id.data);
    answer_register(c, r, 0);
    px_stream_end(&c->stream, NULL);
}

static void arm_keepalive(struct conn *c) {
    px_loop_arm(c->worker->loop, &c->timer,
                px_loop_now_us(c->worker->loop) +
                    c->worker->server->opts.keepalive_s * PX_US_PER_S * 9 / 10);
}

/* A registration that lasts as long as this connection. */
static void register_here(struct conn *c, const struct px_rdv_register_pk *msg) {
    const struct px_idserver_opts *o = &c->worker->server->opts;
    const struct px_peer_where from = {
        .addr = c->from, .worker = c->worker->index, .link = c->handle};
    enum px_register_pk_result result;
    if (msg->old_id.size && !msg->pk.size)
        return change_id(c, msg);
    if (!register_peer(c->worker, msg, &from, &result))
        return px_stream_end(&c->stream, "protocol");
    if (result != PX_PK_OK)
        return answer_register(c, result, 0);
    if (c->registered &&
        !px_bytes_equal(msg->id, (struct px_bytes){(uint8_t *)c->registered, c->registered_size}))
        unregister(c);
    free(c->registered);
    c->registered = px_memdup(msg->id.data, msg->id.size);
    c->registered_size = msg->id.size;
    answer_register(c, PX_PK_OK, (int32_t)o->keepalive_s);
    px_stream_set_idle(&c->stream, 2 * (int64_t)o->keepalive_s * PX_US_PER_S);
    arm_keepalive(c);
}

static int take_key_exchange(struct conn *c, const struct px_rdv_key_exchange *msg) {
    struct px_secure secure;
    struct px_bytes pk = {0}, sealed = {0};
    size_t pos = 0;
    if (!c->offered || c->stream.secure || msg->keys.n != 2)
        return -EPROTO;
    px_rdv_list_next(&msg->keys, &pos, &pk);
    px_rdv_list_next(&msg->keys, &pos, &sealed);
    int r = px_secure_accept(&c->worker->server->offer, pk, sealed, &secure, NULL);
    if (r < 0)
        return r;
    px_stream_secure(&c->stream, &secure);
    return 0;
}

/* The client falls back to this when it cannot reach an API; an error sends it away at once. */
static int refuse_proxy(struct conn *c) {
    conn_send(c, &(struct px_rdv_msg){
                     .kind = PX_RDV_HTTP_PROXY_RESPONSE,
                     .http_proxy_response = {.error = px_bytes_of("no API on this server")}});
    px_stream_end(&c->stream, NULL);
    return 0;
}

static int on_nat_message(struct conn *c, const struct px_rdv_msg *msg) {
    if (msg->kind == PX_RDV_TEST_NAT_REQUEST)
        answer_nat_test(c, &msg->test_nat_request);
    else if (msg->kind == PX_RDV_ONLINE_REQUEST)
        answer_online(c, &msg->online_request);
    px_stream_end(&c->stream, NULL);
    return 0;
}

static int on_main_message(struct conn *c, const struct px_rdv_msg *msg) {
    switch ((unsigned)msg->kind) {
    case PX_RDV_PUNCH_HOLE_REQUEST:
        punch_request(c, &msg->punch_hole_request);
        return 0;
    case PX_RDV_REQUEST_RELAY:
        relay_request(c, msg);
        return 0;
    case PX_RDV_PUNCH_HOLE_SENT:
    case PX_RDV_LOCAL_ADDR:
    case PX_RDV_RELAY_RESPONSE:
        answer(c->worker, msg, &c->from, false);
        break;
    case PX_RDV_REGISTER_PK:
        register_here(c, &msg->register_pk);
        return 0;
    case PX_RDV_TEST_NAT_REQUEST:
        answer_nat_test(c, &msg->test_nat_request);
        break;
    case PX_RDV_ONLINE_REQUEST:
        answer_online(c, &msg->online_request);
        break;
    case PX_RDV_KEY_EXCHANGE:
        return take_key_exchange(c, &msg->key_exchange);
    case PX_RDV_HTTP_PROXY_REQUEST:
        return refuse_proxy(c);
    case PX_RDV_HEALTH_CHECK: /* stays open for the session it belongs to */
        answer_register(c, PX_PK_OK, (int32_t)c->worker->server->opts.keepalive_s);
        px_stream_set_idle(&c->stream,
                           2 * (int64_t)c->worker->server->opts.keepalive_s * PX_US_PER_S);
        arm_keepalive(c);
        return 0;
    default:
        return -EPROTO;
    }
    px_stream_end(&c->stream, NULL);
    return 0;
}

/* Clients send three or four requests over a connection; each may make us push to a device. */
static bool may_speak(struct conn *c) {
    const int64_t now = px_loop_now_us(c->worker->loop);
    if (c->messages_until_us < now)
        c->messages_until_us = now;
    c->messages_until_us += MESSAGE_US;
    return c->messages_until_us - now <= MESSAGES_AHEAD_US;
}

static int on_message(struct px_stream *stream, struct px_bytes raw) {
    struct conn *c = conn_of(stream);
    struct px_rdv_msg msg;
    if (!may_speak(c))
        return -EDQUOT;
    if (raw.size == 0) { /* keep-alive */
        if (c->registered)
            px_peers_link_alive(c->worker->server->peers,
                                (struct px_bytes){(uint8_t *)c->registered, c->registered_size},
                                c->worker->index, c->handle, px_loop_now_us(c->worker->loop));
        return 0;
    }
    if (!c->has_request)
        px_loop_disarm(c->worker->loop, &c->timer); /* the offer */
    c->has_request = true;
    int r = px_rdv_decode(raw, &msg, NULL);
    if (r < 0)
        return r;
    return c->role == CONN_NAT ? on_nat_message(c, &msg) : on_main_message(c, &msg);
}

static bool is_proxy(const struct px_idserver *s, const struct px_addr *a) {
    for (size_t i = 0; i < s->opts.n_proxies; i++)
        if (px_addr_in_block(a, &s->opts.proxies[i]))
            return true;
    return false;
}

static int on_upgrade(struct px_stream *stream, const struct px_ws_request *req) {
    struct conn *c = conn_of(stream);
    char text[PX_ADDR_TEXT_MAX];
    struct px_addr client;
    if (!req->forwarded.size || req->forwarded.size >= sizeof(text) ||
        !is_proxy(c->worker->server, &c->source))
        return 0;
    snprintf(text, sizeof(text), "%.*s", (int)req->forwarded.size, req->forwarded.data);
    if (px_addr_parse(text, 0, &client, NULL) < 0)
        return 0;
    client.port = 0; /* conn_route() makes one up */
    c->from = client;
    return 0;
}

static void on_timer(struct px_timer *t) {
    struct conn *c = px_container_of(t, struct conn, timer);
    if (c->registered || c->has_request) {
        px_stream_send(&c->stream, (struct px_bytes){NULL, 0});
        return arm_keepalive(c);
    }
    if (c->stream.in.size > 0) /* it speaks, if slowly: it did not wait for an offer */
        return;
    const struct px_bytes key = {c->worker->server->offer.signed_pk, PX_SIGNED_BOX_KEY_BYTES};
    c->offered = true;
    conn_send(c, &(struct px_rdv_msg){.kind = PX_RDV_KEY_EXCHANGE,
                                      .key_exchange = {.keys = {.items = &key, .n = 1}}});
}

static const struct px_stream_ops stream_ops = {
    .on_upgrade = on_upgrade, .on_message = on_message, .on_closed = on_closed};

static bool admit(struct px_id_worker *w, const struct px_addr *from) {
    struct px_idserver *s = w->server;
    if (atomic_fetch_add(&s->n_conns, 1) < s->opts.max_conns &&
        px_sources_connect(s->opts.sources, from, px_loop_now_us(w->loop))) {
        count(w, PX_ID_CONNS);
        return true;
    }
    atomic_fetch_sub(&s->n_conns, 1);
    count(w, PX_ID_CONNS_REFUSED);
    return false;
}

static void accepted(struct px_id_worker *w, int fd, const struct px_addr *from,
                     enum conn_role role) {
    const struct px_idserver_opts *o = &w->server->opts;
    if (!admit(w, from)) {
        close(fd);
        return;
    }
    struct conn *c = px_new0(struct conn, 1);
    c->worker = w;
    c->role = role;
    c->source = c->from = *from;
    c->timer.on_timeout = on_timer;
    c->handle = px_handles_add(&w->handles, c);
    c->next = w->conns;
    c->link = &w->conns;
    if (c->next)
        c->next->link = &c->next;
    w->conns = c;
    px_sock_nodelay(fd);
    const struct px_stream_opts opts = {.ops = &stream_ops,
                                        .ws = role == CONN_WS,
                                        .max_message_bytes = STREAM_MESSAGE_MAX_BYTES,
                                        .idle_us = o->idle_s * PX_US_PER_S};
    if (px_stream_init(&c->stream, w->loop, fd, &opts, NULL) < 0)
        return on_closed(&c->stream);
    if (role == CONN_MAIN && w->server->key.can_sign)
        px_loop_arm(w->loop, &c->timer, px_loop_now_us(w->loop) + OFFER_AFTER_US);
}

static void on_main(struct px_listener *l, int fd, const struct px_addr *from) {
    accepted(px_container_of(l, struct px_id_worker, main), fd, from, CONN_MAIN);
}

static void on_nat(struct px_listener *l, int fd, const struct px_addr *from) {
    accepted(px_container_of(l, struct px_id_worker, nat), fd, from, CONN_NAT);
}

static void on_ws(struct px_listener *l, int fd, const struct px_addr *from) {
    accepted(px_container_of(l, struct px_id_worker, ws), fd, from, CONN_WS);
}

static int open_one(struct px_id_worker *w, struct px_listener *l, int port,
                    void (*on_accept)(struct px_listener *l, int fd, const struct px_addr *from),
                    struct px_error *err) {
    const struct px_sock_opts o = {.bind = w->server->opts.bind, .port = (uint16_t)port};
    int fd = px_sock_listen(&o, err);
    return fd < 0 ? fd : px_listener_init(l, w->loop, fd, on_accept, err);
}

int conns_open(struct px_id_worker *w, struct px_error *err) {
    const int port = w->server->opts.port;
    int r = open_one(w, &w->main, port, on_main, err);
    if (r == 0)
        r = open_one(w, &w->nat, port - 1, on_nat, err);
    if (r == 0)
        r = open_one(w, &w->ws, port + 2, on_ws, err);
    return r;
}

void conns_close(struct px_id_worker *w) {
    px_listener_fini(&w->main);
    px_listener_fini(&w->nat);
    px_listener_fini(&w->ws);
    for (struct conn *c = w->conns; c; c = c->next)
        px_stream_abort(&c->stream, "shutdown");
    px_loop_flush(w->loop); /* frees them */
}
