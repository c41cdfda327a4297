/* src/relay/pair.c - two connections and what flows between them
 *
 * Each direction is pumped until its source has nothing more, its sink takes nothing more, or its
 * share of this turn is used up. Edge-triggered: whoever stopped for lack of data or room is woken
 * by the socket; only the share is asked for again by ourselves. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "relay/internal.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define PIPE_BYTES (512 * 1024)
#define TURN_BYTES (2u * 1024 * 1024) /* of one direction before others get theirs */
#define LINGER_US (2 * PX_US_PER_S)
#define TOKENS_AGAIN_US (4 * PX_US_PER_MS)

enum pump {
    PUMP_READ,   /* waits for data */
    PUMP_WRITE,  /* waits for room */
    PUMP_TOKENS, /* waits for its share of a limited bandwidth */
    PUMP_TURN,   /* had its share of this turn */
    PUMP_END,    /* the source is through, all was written */
    PUMP_DEAD,   /* the sink takes nothing any more */
    PUMP_BROKEN, /* the source does not keep to its protocol */
};

struct direction {
    struct leg *from, *to;
    struct px_buf hold; /* read, not yet written */
    int pipe[2];        /* -1: none */
    size_t piped;       /* bytes in it */
    bool bulk, eof, closing;
    enum pump state;
    _Atomic uint64_t bytes;
    struct px_convert convert;
    struct px_buf pong; /* to be sent to `to`: it pinged us */
    bool has_pong;
};

struct pair {
    struct px_relay_worker *worker;
    struct pair *next, **link;
    struct leg *legs[2];
    struct direction dirs[2]; /* [0]: from legs[0] */
    struct px_timer idle, resume;
    struct bucket bucket;
    int64_t since_us, active_us;
    bool framed, slow, ending;
    char name[9];
};

static int pipe_get(struct px_relay_worker *w, int ret[2]) {
    if (w->n_pipes > 0) {
        memcpy(ret, w->pipes[--w->n_pipes], sizeof(w->pipes[0]));
        return 0;
    }
    if (pipe2(ret, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    (void)fcntl(ret[1], F_SETPIPE_SZ, PIPE_BYTES); /* else the default of 64 KiB */
    return 0;
}

/* Only an empty pipe may serve another pair. */
static void pipe_put(struct px_relay_worker *w, struct direction *d) {
    if (d->pipe[0] < 0)
        return;
    if (d->piped == 0 && w->n_pipes < PIPES_KEPT) {
        memcpy(w->pipes[w->n_pipes++], d->pipe, sizeof(d->pipe));
    } else {
        close(d->pipe[0]);
        close(d->pipe[1]);
    }
    d->pipe[0] = d->pipe[1] = -1;
    d->piped = 0;
}

static void pair_free(void *data) {
    struct pair *p = data;
    for (int i = 0; i < 2; i++) {
        px_buf_fini(&p->dirs[i].hold);
        px_buf_fini(&p->dirs[i].pong);
        px_convert_fini(&p->dirs[i].convert);
    }
    free(p);
}

static void pair_close(struct pair *p) {
    struct px_relay_worker *w = p->worker;
    px_loop_disarm(w->loop, &p->idle);
    px_loop_disarm(w->loop, &p->resume);
    for (int i = 0; i < 2; i++) {
        pipe_put(w, &p->dirs[i]);
        if (p->legs[i])
            leg_close(p->legs[i]);
    }
    pthread_mutex_lock(&w->lock);
    *p->link = p->next;
    if (p->next)
        p->next->link = p->link;
    pthread_mutex_unlock(&w->lock);
    px_loop_defer(w->loop, pair_free, p);
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

static void wrote(struct pair *p, struct direction *d, size_t n) {
    atomic_store_explicit(&d->bytes, d->bytes + n, memory_order_relaxed);
    stat_add(p->worker, PX_RELAY_BYTES, n);
}

/* Writes what was read. 1: all of it; 0: no room; less than 0: broken. */
static int flush_hold(struct pair *p, struct direction *d) {
    while (d->hold.size > 0) {
        ssize_t n = send(d->to->watch.fd, d->hold.data, d->hold.size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        px_buf_drop(&d->hold, (size_t)n);
        wrote(p, d, (size_t)n);
    }
    px_buf_fini(&d->hold);
    return 1;
}

static int flush_pipe(struct pair *p, struct direction *d) {
    while (d->piped > 0) {
        ssize_t n = splice(d->pipe[0], NULL, d->to->watch.fd, NULL, d->piped,
                           SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
            return -EPIPE;
        d->piped -= (size_t)n;
        wrote(p, d, (size_t)n);
    }
    pipe_put(p->worker, d);
    return 1;
}

/* Little data: one read and one write. Returns as recv(2). */
static ssize_t copy_some(struct pair *p, struct direction *d, size_t want) {
    uint8_t *scratch = px_loop_scratch(p->worker->loop);
    if (want > READ_BYTES)
        want = READ_BYTES;
    ssize_t n = recv(d->from->watch.fd, scratch, want, MSG_DONTWAIT);
    if (n <= 0)
        return n;
    d->bulk = n == (ssize_t)READ_BYTES;
    ssize_t sent = send(d->to->watch.fd, scratch, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        errno = EPIPE;
        return -1;
    }
    sent = sent < 0 ? 0 : sent;
    wrote(p, d, (size_t)sent);
    if (sent < n)
        px_buf_add(&d->hold, scratch + sent, (size_t)(n - sent));
    return n;
}

/* Much data: the kernel moves pages. */
static ssize_t splice_some(struct pair *p, struct direction *d, size_t want) {
    if (d->pipe[0] < 0 && pipe_get(p->worker, d->pipe) < 0) {
        d->bulk = false; /* out of descriptors */
        return copy_some(p, d, want);
    }
    ssize_t n = splice(d->from->watch.fd, NULL, d->pipe[1], NULL,
                       want < PIPE_BYTES ? want : PIPE_BYTES, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (n <= 0) {
        int e = errno;
        pipe_put(p->worker, d);
        errno = e;
        return n;
    }
    d->piped = (size_t)n;
    d->bulk = n >= (ssize_t)READ_BYTES / 4;
    return n;
}

/* With a WebSocket on either side. */
static ssize_t convert_some(struct pair *p, struct direction *d, size_t want) {
    struct direction *back = d == &p->dirs[0] ? &p->dirs[1] : &p->dirs[0];
    uint8_t *scratch = px_loop_scratch(p->worker->loop);
    bool ping = false;
    if (want > READ_BYTES)
        want = READ_BYTES;
    ssize_t n = recv(d->from->watch.fd, scratch, want, MSG_DONTWAIT);
    if (n <= 0)
        return n;
    int r = px_convert_feed(&d->convert, scratch, (size_t)n, &d->hold, &back->pong, &ping, NULL);
    back->has_pong |= ping;
    if (r < 0) {
        errno = EPROTO;
        return -1;
    }
    if (r == PX_PARSE_DONE)
        d->eof = d->closing = true;
    return n;
}

static void add_pong(struct direction *d) {
    uint8_t raw[PX_WS_HEAD_MAX_BYTES];
    if (!d->has_pong || d->hold.size > 0 || !px_convert_between(&d->convert))
        return;
    const struct px_ws_head h = {.fin = true, .opcode = PX_WS_PONG, .bytes = d->pong.size};
    px_buf_add(&d->hold, raw, px_ws_head_print(&h, raw));
    px_buf_add(&d->hold, d->pong.data, d->pong.size);
    d->has_pong = false;
}

static uint64_t own_bps(const struct pair *p) {
    const struct px_relay *r = p->worker->relay;
    const uint64_t single = atomic_load_explicit(&r->single_bps, memory_order_relaxed);
    const uint64_t slow = atomic_load_explicit(&r->slow_bps, memory_order_relaxed);
    return p->slow && slow ? slow : single;
}

static enum pump pump(struct pair *p, struct direction *d) {
    size_t budget = TURN_BYTES;
    for (;;) {
        if (p->framed)
            add_pong(d);
        int r = d->piped ? flush_pipe(p, d) : flush_hold(p, d);
        if (r <= 0)
            return r < 0 ? PUMP_DEAD : PUMP_WRITE;
        if (d->eof)
            return PUMP_END;
        if (budget == 0)
            return PUMP_TURN;
        const size_t want =
            rate_take(p->worker->relay, &p->bucket, own_bps(p), budget, px_now_us());
        if (want == 0)
            return PUMP_TOKENS;
        ssize_t n = p->framed ? convert_some(p, d, want)
                    : d->bulk ? splice_some(p, d, want)
                              : copy_some(p, d, want);
        rate_give_back(p->worker->relay, &p->bucket, want - (n > 0 ? (size_t)n : 0));
        if (n < 0 && errno == EAGAIN)
            return PUMP_READ;
        if (n < 0 && errno == EPROTO)
            return PUMP_BROKEN;
        if (n < 0 && errno == EPIPE)
            return PUMP_DEAD;
        if (n <= 0) /* also a reset: what came before it is passed on */
            d->eof = true;
        else
            p->active_us = px_loop_now_us(p->worker->loop);
        budget -= n > 0 && (size_t)n < budget ? (size_t)n : budget;
        /* A short read emptied the socket; the next bytes wake us. */
        if (n > 0 && !d->bulk && !d->from->ended && (size_t)n < READ_BYTES && (size_t)n < want &&
            d->hold.size == 0 && !d->has_pong)
            return PUMP_READ;
    }
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

static void init_direction(struct direction *d, struct leg *from, struct leg *to) {
    d->from = from;
    d->to = to;
    d->pipe[0] = d->pipe[1] = -1;
    d->state = PUMP_READ;
    d->convert.from_ws = from->ws;
    d->convert.to_ws = to->ws;
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
    init_direction(&p->dirs[0], a, b);
    init_direction(&p->dirs[1], b, a);
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
