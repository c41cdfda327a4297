/* src/relay/pump.c - moving the bytes of one direction
 *
 * Little data is copied, much is spliced, and with a WebSocket on either side it is converted. */
#include "base/alloc.h"
#include "base/clock.h"
#include "relay/pair.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define PIPE_BYTES (512 * 1024)
#define TURN_BYTES (2u * 1024 * 1024) /* of one direction before others get theirs */

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

void direction_init(struct direction *d, struct leg *from, struct leg *to) {
    d->from = from;
    d->to = to;
    d->pipe[0] = d->pipe[1] = -1;
    d->state = PUMP_READ;
    d->convert.from_ws = from->ws;
    d->convert.to_ws = to->ws;
}

void direction_fini(struct px_relay_worker *w, struct direction *d) {
    pipe_put(w, d);
    px_buf_fini(&d->hold);
    px_buf_fini(&d->pong);
    px_convert_fini(&d->convert);
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

enum pump pump(struct pair *p, struct direction *d) {
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
            rate_take(p->worker->relay, &p->bucket, own_bps(p), &d->share, budget, px_now_us());
        if (want == 0)
            return PUMP_TOKENS;
        ssize_t n = p->framed ? convert_some(p, d, want)
                    : d->bulk ? splice_some(p, d, want)
                              : copy_some(p, d, want);
        rate_give_back(p->worker->relay, &p->bucket, &d->share, want - (n > 0 ? (size_t)n : 0));
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
            d->hold.size == 0 && d->piped == 0 && !d->has_pong)
            return PUMP_READ;
    }
}
