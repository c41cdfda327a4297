/* src/relay/pair.c - two connections and what flows between them
 *
 * Each direction is pumped until its source has nothing more, its sink takes nothing more, or its
 * share of this turn is used up. Edge-triggered: whoever stopped for lack of data or room is woken
 * by the socket; only the share is asked for again by ourselves. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "relay/pair.h"
#include <string.h>
#include <sys/socket.h>

#define LINGER_US (2 * PX_US_PER_S)
#define TOKENS_AGAIN_US (4 * PX_US_PER_MS)

static void pair_close(struct pair *p) {
    struct px_relay_worker *w = p->worker;
    px_loop_disarm(w->loop, &p->idle);
    px_loop_disarm(w->loop, &p->resume);
    for (int i = 0; i < 2; i++) {
        direction_fini(w, &p->dirs[i]);
        if (p->legs[i])
            leg_close(p->legs[i]);
    }
    pthread_mutex_lock(&w->lock);
    *p->link = p->next;
    if (p->next)
        p->next->link = p->link;
    pthread_mutex_unlock(&w->lock);
    px_loop_defer(w->loop, free, p);
}

static void audit(const struct pair *p, const char *reason) {
    char a[PX_ADDR_TEXT_MAX], b[PX_ADDR_TEXT_MAX];
    if (!px_loglimit_pass(&p->worker->log, "relay", px_loop_now_us(p->worker->loop)))
        return;
    px_info("relay: session %s closed: reason=%s a=%s b=%s bytes_ab=%llu bytes_ba=%llu "
            "age_ms=%lld",
            p->name, reason, px_addr_text(&p->legs[0]->from, a), px_addr_text(&p->legs[1]->from, b),
            (unsigned long long)p->dirs[0].bytes, (unsigned long long)p->dirs[1].bytes,
            (long long)((px_loop_now_us(p->worker->loop) - p->since_us) / PX_US_PER_MS));
}

static void end(struct pair *p, const char *reason) {
    audit(p, reason);
    stat_add(p->worker, PX_RELAY_PAIRS_OPEN, (uint64_t)-1);
    pair_close(p);
}

/* One side is through and the other got all of it: tell that one, and give what it still sends time
 * to arrive, so that no reset overtakes the last bytes. */
static void end_gently(struct pair *p, struct direction *d) {
    audit(p, d->closing ? "goodbye" : "end");
    stat_add(p->worker, PX_RELAY_PAIRS_OPEN, (uint64_t)-1);
    pthread_mutex_lock(&p->worker->lock); /* from here on nobody else looks at the legs */
    p->ending = true;
    pthread_mutex_unlock(&p->worker->lock);
    px_loop_disarm(p->worker->loop, &p->resume);
    shutdown(d->to->watch.fd, SHUT_WR);
    int i = d->from == p->legs[0] ? 0 : 1;
    leg_close(p->legs[i]);
    p->legs[i] = NULL;
    px_loop_arm(p->worker->loop, &p->idle, px_loop_now_us(p->worker->loop) + LINGER_US);
    px_loop_again(p->worker->loop, &d->to->watch);
}

static void discard(struct pair *p, struct leg *leg) {
    uint8_t *scratch = px_loop_scratch(p->worker->loop);
    ssize_t n;
    for (int i = 0; i < 16; i++) {
        n = recv(leg->watch.fd, scratch, READ_BYTES, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            return pair_close(p);
    }
    px_loop_again(p->worker->loop, &leg->watch);
}

/* false: the pair is over. */
static bool run(struct pair *p, struct direction *d) {
    struct direction *other = d == &p->dirs[0] ? &p->dirs[1] : &p->dirs[0];
    d->state = pump(p, d);
    switch (d->state) {
    case PUMP_READ:
    case PUMP_WRITE:
        return true;
    case PUMP_TOKENS:
        if (!p->resume.place)
            px_loop_arm(p->worker->loop, &p->resume, px_now_us() + TOKENS_AGAIN_US);
        return true;
    case PUMP_TURN:
        px_loop_again(p->worker->loop, &d->from->watch);
        return true;
    case PUMP_END:
        end_gently(p, d);
        return false;
    case PUMP_DEAD: /* it may have sent something before it left */
        d->to->ended = true;
        if (other->state != PUMP_DEAD)
            return run(p, other);
        end(p, "reset");
        return false;
    case PUMP_BROKEN:
        end(p, "protocol");
        return false;
    }
    return false;
}

void pair_on_events(struct leg *leg, uint32_t events) {
    struct pair *p = leg->pair;
    const int i = leg == p->legs[0] ? 0 : 1;
    struct direction *out = &p->dirs[i], *in = &p->dirs[1 - i]; /* from it; to it */
    if (p->ending)
        return discard(p, leg);
    if (events & EPOLLOUT && in->state == PUMP_WRITE && !run(p, in))
        return;
    /* A sink that is full, or lacks tokens, goes on by itself later. */
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR) &&
        (out->state == PUMP_READ || out->state == PUMP_TURN) && !run(p, out))
        return;
    if (p->framed && in->has_pong && in->state == PUMP_READ)
        (void)run(p, in);
}

static void on_resume(struct px_timer *t) {
    struct pair *p = px_container_of(t, struct pair, resume);
    for (int i = 0; i < 2; i++)
        if (p->dirs[i].state == PUMP_TOKENS && !run(p, &p->dirs[i]))
            return;
}

static void on_idle(struct px_timer *t) {
    struct pair *p = px_container_of(t, struct pair, idle);
    const int64_t due = p->active_us + p->worker->relay->opts.idle_s * PX_US_PER_S;
    if (p->ending)
        return pair_close(p);
    if (px_loop_now_us(p->worker->loop) < due)
        return px_loop_arm(p->worker->loop, t, due);
    end(p, "idle");
}

void pair_new(struct px_relay_worker *w, struct leg *a, struct leg *b) {
    struct pair *p = px_new0(struct pair, 1);
    p->worker = w;
    p->legs[0] = a;
    p->legs[1] = b;
    p->framed = a->ws || b->ws;
    p->slow = px_relay_listed(w->relay, PX_RELAY_SLOW, &a->from) ||
              px_relay_listed(w->relay, PX_RELAY_SLOW, &b->from);
    p->idle.on_timeout = on_idle;
    p->resume.on_timeout = on_resume;
    p->since_us = p->active_us = px_loop_now_us(w->loop);
    memcpy(p->name, a->name, sizeof(p->name));
    direction_init(&p->dirs[0], a, b);
    direction_init(&p->dirs[1], b, a);
    a->pair = b->pair = p;
    a->state = b->state = LEG_PAIRED;
    pthread_mutex_lock(&w->lock);
    p->next = w->pairs;
    p->link = &w->pairs;
    if (p->next)
        p->next->link = &p->next;
    w->pairs = p;
    pthread_mutex_unlock(&w->lock);
    stat_add(w, PX_RELAY_PAIRS, 1);
    stat_add(w, PX_RELAY_PAIRS_OPEN, 1);
    px_loop_arm(w->loop, &p->idle, p->since_us + w->relay->opts.idle_s * PX_US_PER_S);
    px_loop_again(w->loop, &a->watch); /* what came while they waited */
    px_loop_again(w->loop, &b->watch);
}

void pairs_close(struct px_relay_worker *w, const char *reason) {
    while (w->pairs)
        if (w->pairs->ending)
            pair_close(w->pairs);
        else
            end(w->pairs, reason);
}

void pairs_cut_blocked(struct px_relay_worker *w) {
    for (struct pair *p = w->pairs, *next; p; p = next) {
        next = p->next;
        if (!p->ending && (px_relay_listed(w->relay, PX_RELAY_BLOCKED, &p->legs[0]->from) ||
                           px_relay_listed(w->relay, PX_RELAY_BLOCKED, &p->legs[1]->from)))
            end(p, "blocked");
    }
}

void pairs_each(struct px_relay_worker *w,
                void (*fn)(const struct px_relay_pair_info *info, void *data), void *data) {
    const int64_t now_us = px_now_us();
    pthread_mutex_lock(&w->lock);
    for (struct pair *p = w->pairs; p; p = p->next) {
        if (p->ending)
            continue;
        struct px_relay_pair_info i = {.a = p->dirs[0].from->from,
                                       .b = p->dirs[1].from->from,
                                       .bytes_ab = p->dirs[0].bytes,
                                       .bytes_ba = p->dirs[1].bytes,
                                       .age_us = now_us - p->since_us};
        memcpy(i.token, p->name, sizeof(i.token));
        fn(&i, data);
    }
    pthread_mutex_unlock(&w->lock);
}
