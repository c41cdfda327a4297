/* src/host/hole.c - a client on its way to us over UDP, without the relay */
#include "host/hole.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "host/punch.h"
#include "host/session.h"
#include "proto/kcp.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 1200
#define ANSWERS 3 /* datagrams get lost; the server drops what comes twice */
#define ECHOES 8  /* so many of the client's are answered at once */
#define AGAIN_MIN_MS 20
#define AGAIN_MAX_MS 200
#define BATCH 16

struct px_hole {
    struct px_hole *next;
    struct px_holes *all;
    struct px_host *host;
    struct px_addr client, server;
    bool v6, done;
    int fd, n_open;
    uv_poll_t poll;
    uv_timer_t again, limit;
    unsigned n_sent, n_heard;
    uint64_t again_ms;
    uint8_t answer[ANSWER_MAX];
    size_t answer_size;
};

static void on_handle_closed(uv_handle_t *h) {
    struct px_hole *o = h->data;
    if (--o->n_open > 0)
        return;
    if (o->fd >= 0)
        close(o->fd);
    free(o);
}

static void finish(struct px_hole *o) {
    if (o->done)
        return;
    o->done = true;
    struct px_hole **at = &o->all->first;
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    o->all->n--;
    uv_close((uv_handle_t *)&o->poll, on_handle_closed);
    uv_close((uv_handle_t *)&o->again, on_handle_closed);
    uv_close((uv_handle_t *)&o->limit, on_handle_closed);
}

void px_holes_close(struct px_holes *all) {
    while (all->first)
        finish(all->first);
}

static void send_to(const struct px_hole *o, const struct px_addr *to, const void *bytes,
                    size_t size) {
    struct sockaddr_storage ss;
    const socklen_t len = px_addr_to_sockaddr(to, o->v6, &ss);
    (void)sendto(o->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&ss, len);
}

/* The hole first: it must be there when the client hears of it. */
static void on_again(uv_timer_t *t) {
    struct px_hole *o = t->data;
    send_to(o, &o->client, "", 0);
    if (o->n_sent++ < ANSWERS && o->server.port)
        send_to(o, &o->server, o->answer, o->answer_size);
    uv_timer_start(&o->again, on_again, o->again_ms, 0);
    if (o->n_sent > ANSWERS)
        o->again_ms = o->again_ms * 3 / 2 < AGAIN_MAX_MS ? o->again_ms * 3 / 2 : AGAIN_MAX_MS;
}

static void on_limit(uv_timer_t *t) {
    finish(t->data);
}

static void take(struct px_hole *o, const struct px_addr *from, const uint8_t *bytes, size_t size) {
    if (!px_addr_same_ip(from, &o->client))
        return;
    /* Its NAT gave it another port towards us than towards the server. */
    o->client.port = from->port;
    if (!px_kcp_is_syn(bytes, size)) {
        /* Its side is open now. It sends no SYN before it has heard of us, and what we sent earlier
         * may have been dropped there: do not let it wait for the next turn. */
        if (o->n_heard++ < ECHOES)
            send_to(o, &o->client, "", 0);
        return;
    }
    const int fd = o->fd;
    o->fd = -1; /* the session's, who watches it from now on */
    struct px_host *h = o->host;
    finish(o);
    px_session_adopt_udp(h, fd, from, bytes, size);
}

static void on_readable(uv_poll_t *p, int status, int events) {
    struct px_hole *o = p->data;
    uint8_t bytes[PX_KCP_DATAGRAM_MAX_BYTES + 1];
    for (int i = 0; i < BATCH && !o->done; i++) {
        struct sockaddr_storage ss;
        struct px_addr from;
        socklen_t len = sizeof(ss);
        const ssize_t n =
            recvfrom(o->fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&ss, &len);
        if (n < 0)
            return;
        if (px_addr_from_sockaddr((struct sockaddr *)&ss, &from) == 0)
            take(o, &from, bytes, (size_t)n);
    }
}

static int open_socket(const struct px_addr *own, struct px_addr *ret, struct px_error *err) {
    struct sockaddr_storage ss;
    const bool v6 = !px_addr_is_v4(own);
    socklen_t len = px_addr_to_sockaddr(own, v6, &ss);
    px_cleanup_close int fd =
        socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len) < 0)
        return px_fail_sys(err, -errno, "cannot make a socket");
    len = sizeof(ss);
    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return px_fail_sys(err, -errno, "cannot make a socket");
    const int r = px_addr_from_sockaddr((struct sockaddr *)&ss, ret);
    return r < 0 ? px_fail_sys(err, r, "cannot make a socket") : px_take_fd(&fd);
}

int px_hole_open(struct px_holes *all, const struct px_hole_opts *opts, struct px_addr *ret,
                 struct px_error *err) {
    struct px_hole *o = px_new0(struct px_hole, 1);
    const int n = opts->answer ? px_rdv_encode(opts->answer, o->answer, ANSWER_MAX, err) : 0;
    int r = n < 0 ? n : open_socket(&opts->own, ret, err);
    o->fd = r;
    if (r >= 0 && (r = uv_poll_init(opts->host->loop, &o->poll, o->fd)) < 0) {
        close(o->fd);
        px_fail_sys(err, r, "cannot use a socket");
    }
    if (r < 0) {
        free(o);
        return r;
    }
    o->answer_size = (size_t)n;
    o->host = opts->host;
    o->client = opts->client;
    o->server = opts->server;
    o->v6 = !px_addr_is_v4(&opts->own);
    o->again_ms = AGAIN_MIN_MS;
    o->n_open = 3;
    o->all = all;
    o->next = all->first;
    all->first = o;
    all->n++;
    uv_timer_init(o->host->loop, &o->again);
    uv_timer_init(o->host->loop, &o->limit);
    o->poll.data = o->again.data = o->limit.data = o;
    uv_poll_start(&o->poll, UV_READABLE, on_readable);
    uv_timer_start(&o->again, on_again, 0, 0);
    uv_timer_start(&o->limit, on_limit, PX_PUNCH_WAIT_MS, 0);
    return 0;
}
