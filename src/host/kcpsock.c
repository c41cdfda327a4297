/* src/host/kcpsock.c - a KCP stream over a UDP socket, on the loop */
#include "host/kcpsock.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "proto/kcp.h"
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64 /* datagrams, until others have their turn */
#define SOCKET_BUFFER_BYTES (1024 * 1024)
/* A refusal may be an old one, of when the hole was not there; several in a row are not. */
#define REFUSED_MAX 10

struct px_kcpsock {
    struct px_kcpsock_opts opts;
    struct px_kcp *kcp;
    struct px_addr peer;
    uv_poll_t poll;
    uv_timer_t timer;
    int fd, n_open;
    bool reading, closing, wants_dry, wants_drained;
    unsigned n_refused;
    size_t unsent; /* as last seen */
    int64_t progress_us;
};

static void on_send(void *data, const uint8_t *bytes, size_t size) {
    const struct px_kcpsock *s = data;
    /* What is not taken is lost on the way, as it were. */
    (void)send(s->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool is_due_dry(const struct px_kcpsock *s) {
    return (s->wants_dry && px_kcp_unsent_bytes(s->kcp) == 0) ||
           (s->wants_drained && px_kcp_is_dry(s->kcp));
}

static void on_timer(uv_timer_t *t);

/* What the owner has to hear comes from the timer, too. */
static void arm(struct px_kcpsock *s) {
    const int64_t due = px_kcp_due_us(s->kcp);
    int64_t left = (due - px_now_us() + PX_US_PER_MS - 1) / PX_US_PER_MS;
    if (s->closing)
        return;
    if (is_due_dry(s) || px_kcp_state(s->kcp) == PX_KCP_CLOSED || left < 0)
        left = 0;
    else if (due == INT64_MAX) {
        uv_timer_stop(&s->timer);
        return;
    }
    uv_timer_start(&s->timer, on_timer, (uint64_t)left, 0);
}

static void flush(struct px_kcpsock *s) {
    const int64_t now = px_now_us();
    px_kcp_flush(s->kcp, now);
    const size_t unsent = px_kcp_unsent_bytes(s->kcp);
    if (unsent < s->unsent || s->unsent == 0)
        s->progress_us = now;
    s->unsent = unsent;
}

/* After anything happened: tells what there is to be told. The owner may close us in any of it. */
static void tell(struct px_kcpsock *s) {
    const size_t before = s->opts.in->size;
    if (s->reading)
        px_kcp_read(s->kcp, s->opts.in);
    flush(s);
    const size_t n = s->opts.in->size - before;
    if (n > 0)
        s->opts.ops->on_bytes(s->opts.data, n);
    if (!s->closing && s->wants_dry && px_kcp_unsent_bytes(s->kcp) == 0) {
        s->wants_dry = false;
        s->opts.ops->on_dry(s->opts.data);
    }
    if (!s->closing && s->wants_drained && px_kcp_is_dry(s->kcp)) {
        s->wants_drained = false;
        s->opts.ops->on_drained(s->opts.data);
    }
    if (!s->closing && px_kcp_state(s->kcp) == PX_KCP_CLOSED)
        s->opts.ops->on_lost(s->opts.data, NULL);
    arm(s);
}

static void on_timer(uv_timer_t *t) {
    tell(t->data);
}

static void on_readable(uv_poll_t *p, int status, int events) {
    struct px_kcpsock *s = p->data;
    uint8_t bytes[PX_KCP_DATAGRAM_MAX_BYTES + 1];
    const int64_t now = px_now_us();
    for (int i = 0; i < BATCH; i++) {
        const ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n < 0 && errno == ECONNREFUSED && ++s->n_refused >= REFUSED_MAX) {
            struct px_error err = {0};
            px_fail_sys(&err, -ECONNREFUSED, "cannot send");
            s->opts.ops->on_lost(s->opts.data, &err);
            return;
        }
        if (n < 0)
            break;
        s->n_refused = 0;
        px_kcp_input(s->kcp, bytes, (size_t)n, now);
    }
    tell(s);
}

int px_kcpsock_new(const struct px_kcpsock_opts *o, int fd, struct px_kcpsock **ret,
                   struct px_error *err) {
    struct sockaddr_storage ss;
    const socklen_t len = px_addr_to_sockaddr(&o->peer, !px_addr_is_v4(&o->peer), &ss);
    const int room = SOCKET_BUFFER_BYTES;
    struct px_kcpsock *s = px_new0(struct px_kcpsock, 1);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    int r = connect(fd, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
    if (r == 0)
        r = uv_poll_init(o->loop, &s->poll, fd);
    if (r < 0) {
        close(fd);
        free(s);
        return px_fail_sys(err, r, "cannot use a socket");
    }
    s->opts = *o;
    s->fd = fd;
    s->peer = o->peer;
    s->n_open = 2;
    uv_timer_init(o->loop, &s->timer);
    s->poll.data = s->timer.data = s;
    const struct px_kcp_opts k = {.send = on_send, .data = s, .now_us = px_now_us()};
    s->kcp = px_kcp_new(&k);
    px_kcp_input(s->kcp, o->first, o->first_size, k.now_us);
    uv_poll_start(&s->poll, UV_READABLE, on_readable);
    arm(s);
    *ret = s;
    return 0;
}

void px_kcpsock_write(struct px_kcpsock *s, const void *bytes, size_t size) {
    if (s->closing)
        return;
    px_kcp_write(s->kcp, bytes, size);
    s->wants_dry = s->wants_drained = true;
    flush(s);
    arm(s);
}

void px_kcpsock_read(struct px_kcpsock *s, bool on) {
    s->reading = on;
    if (on && !s->closing)
        uv_timer_start(&s->timer, on_timer, 0, 0); /* what waits */
}

size_t px_kcpsock_unsent_bytes(const struct px_kcpsock *s) {
    return px_kcp_unsent_bytes(s->kcp);
}

bool px_kcpsock_is_drained(const struct px_kcpsock *s) {
    return px_kcp_is_dry(s->kcp);
}

int64_t px_kcpsock_blocked_since_us(const struct px_kcpsock *s) {
    return s->unsent ? s->progress_us : 0;
}

void px_kcpsock_own(const struct px_kcpsock *s, struct px_addr *ret) {
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    *ret = (struct px_addr){0};
    if (getsockname(s->fd, (struct sockaddr *)&ss, &len) == 0)
        (void)px_addr_from_sockaddr((struct sockaddr *)&ss, ret);
}

void px_kcpsock_peer(const struct px_kcpsock *s, struct px_addr *ret) {
    *ret = s->peer;
}

void px_kcpsock_link(const struct px_kcpsock *s, struct px_link_info *ret) {
    struct px_kcp_line line;
    px_kcp_line(s->kcp, &line);
    *ret = (struct px_link_info){.delivered_bytes_per_s = line.bytes_per_s,
                                 .rtt_us = line.rtt_us,
                                 .min_rtt_us = line.min_rtt_us,
                                 .unsent_bytes = (uint32_t)px_kcp_unsent_bytes(s->kcp),
                                 .app_limited = line.app_limited};
}

static void on_handle_closed(uv_handle_t *h) {
    struct px_kcpsock *s = h->data;
    if (--s->n_open > 0)
        return;
    const struct px_kcpsock_ops *ops = s->opts.ops;
    void *data = s->opts.data;
    close(s->fd);
    px_kcp_free(s->kcp);
    free(s);
    ops->on_closed(data);
}

void px_kcpsock_close(struct px_kcpsock *s) {
    if (s->closing)
        return;
    s->closing = true;
    px_kcp_finish(s->kcp);
    px_kcp_finish(s->kcp); /* either may be lost, and nobody resends them */
    uv_close((uv_handle_t *)&s->poll, on_handle_closed);
    uv_close((uv_handle_t *)&s->timer, on_handle_closed);
}
