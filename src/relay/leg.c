/* src/relay/leg.c - a connection until it is paired
 *
 * The first message is looked at with MSG_PEEK and taken out of the socket exactly: what a peer
 * sends behind it stays in the kernel, under TCP's own flow control, until there is a partner to
 * give it to. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "proto/rendezvous.h"
#include "relay/relay_private.h"
#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST_MAX_BYTES 4096 /* of the first message */
#define UPGRADE_US (10 * PX_US_PER_S)

static void leg_free(void *data) {
    free(data);
}

static void unlist(struct leg *leg) {
    if (!leg->link)
        return;
    *leg->link = leg->next;
    if (leg->next)
        leg->next->link = leg->link;
    leg->link = NULL;
}

static void enlist(struct leg *leg) {
    struct px_relay_worker *w = leg->worker;
    leg->next = w->legs;
    leg->link = &w->legs;
    if (leg->next)
        leg->next->link = &leg->next;
    w->legs = leg;
}

void leg_close(struct leg *leg) {
    struct px_relay_worker *w = leg->worker;
    if (leg->state == LEG_CLOSED)
        return;
    if (leg->state == LEG_WAITING)
        waiting_remove(w->relay, leg->token, leg->handle);
    leg->state = LEG_CLOSED;
    unlist(leg);
    px_loop_disarm(w->loop, &leg->timer);
    px_loop_unwatch(w->loop, &leg->watch);
    px_closep(&leg->watch.fd);
    leg->watch.fd = -1;
    px_handles_remove(&w->handles, leg->handle);
    px_sources_disconnect(w->relay->opts.sources, &leg->source);
    atomic_fetch_sub(&w->relay->n_conns, 1);
    px_loop_defer(w->loop, leg_free, leg);
}

/* A leg on its way to the thread where its partner waits. */
struct move {
    struct px_mail mail;
    struct px_relay_worker *to;
    struct leg *leg;
    uint64_t partner;
};

static void pair_with(struct leg *leg, struct leg *partner) {
    unlist(leg);
    unlist(partner);
    px_loop_disarm(leg->worker->loop, &leg->timer);
    px_loop_disarm(leg->worker->loop, &partner->timer);
    pair_new(leg->worker, partner, leg);
}

static void meet(struct leg *leg);

static void on_events(struct px_watch *w, uint32_t events);

static void arrive(struct px_mail *mail) {
    struct move *m = px_container_of(mail, struct move, mail);
    struct leg *leg = m->leg, *partner = px_handles_get(&m->to->handles, m->partner);
    leg->worker = m->to;
    leg->handle = px_handles_add(&m->to->handles, leg);
    enlist(leg);
    free(m);
    if (px_loop_watch(leg->worker->loop, &leg->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                      NULL) < 0)
        return leg_close(leg);
    if (partner && partner->state == LEG_WAITING)
        pair_with(leg, partner);
    else /* it left meanwhile */
        meet(leg);
}

static void move_to(struct leg *leg, struct px_relay_worker *to, uint64_t partner) {
    struct px_relay_worker *w = leg->worker;
    struct move *m = px_new0(struct move, 1);
    unlist(leg);
    px_loop_disarm(w->loop, &leg->timer);
    px_loop_unwatch(w->loop, &leg->watch);
    px_handles_remove(&w->handles, leg->handle);
    *m = (struct move){.mail.deliver = arrive, .to = to, .leg = leg, .partner = partner};
    px_loop_post(to->loop, &m->mail);
}

static void meet(struct leg *leg) {
    struct px_relay_worker *w = leg->worker;
    uint16_t worker = 0;
    uint64_t handle = 0;
    switch (waiting_meet(w->relay, leg->token, w->index, leg->handle, &worker, &handle)) {
    case MEET_FULL:
        return leg_close(leg);
    case MEET_WAITS:
        leg->state = LEG_WAITING;
        px_loop_arm(w->loop, &leg->timer,
                    px_loop_now_us(w->loop) + w->relay->opts.wait_s * PX_US_PER_S);
        if (leg->ended)
            leg_close(leg);
        return;
    case MEET_PARTNER:
        break;
    }
    if (worker != w->index)
        return move_to(leg, w->relay->workers[worker], handle);
    struct leg *partner = px_handles_get(&w->handles, handle);
    if (partner)
        pair_with(leg, partner);
    else
        meet(leg);
}

static void take_request(struct leg *leg, struct px_bytes raw) {
    struct px_relay *r = leg->worker->relay;
    struct px_rdv_msg msg;
    if (px_rdv_decode(raw, &msg, NULL) < 0 || msg.kind != PX_RDV_REQUEST_RELAY)
        return leg_close(leg);
    const struct px_bytes uuid = msg.request_relay.uuid;
    if (r->key[0] && !px_bytes_equal(msg.request_relay.licence_key, px_bytes_of(r->key))) {
        stat_add(leg->worker, PX_RELAY_BAD_KEY, 1);
        return leg_close(leg);
    }
    if (uuid.size == 0)
        return leg_close(leg);
    crypto_shorthash_siphashx24(leg->token, uuid.data, uuid.size, r->hash_key);
    for (size_t i = 0; i < uuid.size && i < sizeof(leg->name) - 1; i++)
        leg->name[i] = isalnum(uuid.data[i]) || uuid.data[i] == '-' ? (char)uuid.data[i] : '?';
    meet(leg);
}

/* Takes @n bytes that were only looked at so far. */
static void consume(struct leg *leg, size_t n) {
    uint8_t *scratch = px_loop_scratch(leg->worker->loop);
    if (recv(leg->watch.fd, scratch, n, MSG_DONTWAIT) != (ssize_t)n)
        leg_close(leg);
}

static bool is_proxy(const struct px_relay *r, const struct px_addr *a) {
    for (size_t i = 0; i < r->opts.n_proxies; i++)
        if (px_addr_in_block(a, &r->opts.proxies[i]))
            return true;
    return false;
}

static void take_forwarded(struct leg *leg, struct px_bytes forwarded) {
    char text[PX_ADDR_TEXT_MAX];
    if (!forwarded.size || forwarded.size >= sizeof(text) ||
        !is_proxy(leg->worker->relay, &leg->source))
        return;
    snprintf(text, sizeof(text), "%.*s", (int)forwarded.size, forwarded.data);
    (void)px_addr_parse(text, 0, &leg->from, NULL);
}

/* Each look_*() sees what has come so far. 1: took something, look again; 0: needs more; less: over
 */
static int look_upgrade(struct leg *leg, uint8_t *data, size_t size) {
    struct px_ws_request req;
    size_t used = 0;
    char answer[PX_WS_ACCEPT_MAX_BYTES];
    int r = px_ws_request_parse(data, size, &req, &used, NULL);
    if (r <= 0)
        return r;
    take_forwarded(leg, req.forwarded);
    if (px_relay_listed(leg->worker->relay, PX_RELAY_BLOCKED, &leg->from))
        return -EACCES;
    size_t n = px_ws_accept_print(req.key, answer);
    if (send(leg->watch.fd, answer, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
        return -EPIPE; /* it is new and empty: there was room */
    leg->upgraded = true;
    px_loop_arm(leg->worker->loop, &leg->timer,
                px_loop_now_us(leg->worker->loop) + leg->worker->relay->opts.first_s * PX_US_PER_S);
    consume(leg, used);
    return 1;
}

static int look_ws(struct leg *leg, uint8_t *data, size_t size) {
    uint8_t raw[FIRST_MAX_BYTES];
    struct px_ws_head h;
    size_t head = 0;
    int r = px_ws_head_parse(data, size, &h, &head, NULL);
    if (r <= 0)
        return r;
    if (!h.masked || h.bytes > FIRST_MAX_BYTES || !h.fin || h.opcode == PX_WS_CONTINUATION)
        return -EPROTO;
    if (size - head < h.bytes)
        return 0;
    memcpy(raw, data + head, h.bytes);
    px_ws_mask(raw, h.bytes, h.mask, 0);
    consume(leg, head + h.bytes);
    if (h.opcode == PX_WS_CLOSE)
        return -EPIPE;
    if (h.opcode != PX_WS_BINARY || h.bytes == 0)
        return 1; /* pings before the request are not worth an answer */
    if (leg->state == LEG_FIRST)
        take_request(leg, (struct px_bytes){raw, h.bytes});
    return 0;
}

static int look_frame(struct leg *leg, uint8_t *data, size_t size) {
    uint8_t raw[FIRST_MAX_BYTES];
    uint32_t bytes = 0;
    int r = px_frame_parse(data, size, &bytes, NULL);
    if (r <= 0)
        return r;
    const size_t head = px_frame_prefix_size(data[0]);
    if (bytes > FIRST_MAX_BYTES)
        return -EMSGSIZE;
    if (size - head < bytes)
        return 0;
    memcpy(raw, data + head, bytes);
    consume(leg, head + bytes);
    if (leg->state == LEG_FIRST)
        take_request(leg, (struct px_bytes){raw, bytes});
    return 0;
}

static void look(struct leg *leg) {
    /* The handshake and the first message fit; what is behind them stays. */
    const size_t max = PX_WS_REQUEST_MAX_BYTES + FIRST_MAX_BYTES;
    uint8_t *scratch = px_loop_scratch(leg->worker->loop);
    int r = 1;
    while (r > 0 && leg->state == LEG_FIRST) {
        ssize_t n = recv(leg->watch.fd, scratch, max, MSG_PEEK | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            return leg_close(leg);
        r = !leg->ws        ? look_frame(leg, scratch, (size_t)n)
            : leg->upgraded ? look_ws(leg, scratch, (size_t)n)
                            : look_upgrade(leg, scratch, (size_t)n);
    }
    if (r < 0)
        leg_close(leg);
}

static void on_events(struct px_watch *w, uint32_t events) {
    struct leg *leg = px_container_of(w, struct leg, watch);
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        leg->ended = true;
    switch (leg->state) {
    case LEG_FIRST:
        return look(leg);
    case LEG_WAITING:
        if (leg->ended)
            leg_close(leg);
        return;
    case LEG_PAIRED:
        return pair_on_events(leg, events);
    case LEG_CLOSED:
        return;
    }
}

static void on_timeout(struct px_timer *t) {
    leg_close(px_container_of(t, struct leg, timer));
}

static bool admit(struct px_relay_worker *w, const struct px_addr *from) {
    struct px_relay *r = w->relay;
    if (atomic_fetch_add(&r->n_conns, 1) < r->opts.max_conns &&
        !px_relay_listed(r, PX_RELAY_BLOCKED, from) &&
        px_sources_connect(r->opts.sources, from, px_loop_now_us(w->loop))) {
        stat_add(w, PX_RELAY_CONNS, 1);
        return true;
    }
    atomic_fetch_sub(&r->n_conns, 1);
    stat_add(w, PX_RELAY_CONNS_REFUSED, 1);
    return false;
}

static void accepted(struct px_relay_worker *w, int fd, const struct px_addr *from, bool ws) {
    if (!admit(w, from)) {
        close(fd);
        return;
    }
    struct leg *leg = px_new0(struct leg, 1);
    leg->watch = (struct px_watch){.fd = fd, .on_events = on_events};
    leg->timer.on_timeout = on_timeout;
    leg->worker = w;
    leg->ws = ws;
    leg->source = leg->from = *from;
    leg->handle = px_handles_add(&w->handles, leg);
    enlist(leg);
    px_sock_nodelay(fd);
    if (px_loop_watch(w->loop, &leg->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, NULL) < 0)
        return leg_close(leg);
    px_loop_arm(w->loop, &leg->timer,
                px_loop_now_us(w->loop) + (ws ? UPGRADE_US : w->relay->opts.first_s * PX_US_PER_S));
}

static void on_tcp(struct px_listener *l, int fd, const struct px_addr *from) {
    accepted(px_container_of(l, struct px_relay_worker, tcp), fd, from, false);
}

static void on_ws(struct px_listener *l, int fd, const struct px_addr *from) {
    accepted(px_container_of(l, struct px_relay_worker, ws), fd, from, true);
}

int legs_open(struct px_relay_worker *w, struct px_error *err) {
    const struct px_relay_opts *o = &w->relay->opts;
    int fd = px_sock_listen(&(struct px_sock_opts){.bind = o->bind, .port = o->port}, err);
    int r = fd < 0 ? fd : px_listener_init(&w->tcp, w->loop, fd, on_tcp, err);
    if (r < 0)
        return r;
    fd = px_sock_listen(&(struct px_sock_opts){.bind = o->bind, .port = (uint16_t)(o->port + 2)},
                        err);
    return fd < 0 ? fd : px_listener_init(&w->ws, w->loop, fd, on_ws, err);
}

void legs_close(struct px_relay_worker *w) {
    px_listener_fini(&w->tcp);
    px_listener_fini(&w->ws);
    while (w->legs)
        leg_close(w->legs);
}
