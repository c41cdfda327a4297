/* src/host/punch.c - a client on its way to us over TCP, without the relay */
#include "host/punch.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/session.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define BACKLOG 4
#define ANSWER_MAX 4096
/* A client's NAT may refuse our SYN until the client's own is out, and a refusal closes our hole
 * again; so another follows for a while. */
#define AGAIN_MS 10
#define AGAIN_MAX 100
#define ACCEPTED_MAX 4

struct px_punch {
    struct px_punch *next;
    struct px_punches *all; /* NULL: closed */
    struct px_host *host;
    struct px_addr own, client;
    enum px_way way;
    struct px_conn *server; /* NULL: closed */
    uv_tcp_t listener;
    uv_timer_t limit, again;
    uv_poll_t poll; /* of @syn_fd */
    int syn_fd;     /* our connection towards the client, -1: none */
    bool polling, done;
    unsigned n_tries, n_accepted;
    int n_open;
    uint8_t bytes[ANSWER_MAX]; /* of @answer, without the local address */
    size_t size;
};

int px_punch_socket(const struct px_addr *own, struct px_error *err) {
    struct sockaddr_storage ss;
    const bool v6 = !px_addr_is_v4(own);
    const int one = 1;
    const int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot make a socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    const socklen_t len = px_addr_to_sockaddr(own, v6, &ss);
    if (bind(fd, (struct sockaddr *)&ss, len) < 0) {
        const int r = px_fail_sys(err, -errno, "cannot bind a socket");
        close(fd);
        return r;
    }
    return fd;
}

/* ---- the end ---- */

static void maybe_free(struct px_punch *p) {
    if (p->n_open == 0 && !p->server && !p->polling)
        free(p);
}

static void on_handle_closed(uv_handle_t *h) {
    struct px_punch *p = h->data;
    p->n_open--;
    maybe_free(p);
}

static void on_poll_closed(uv_handle_t *h) {
    struct px_punch *p = h->data;
    p->polling = false;
    if (p->syn_fd >= 0)
        close(p->syn_fd);
    p->syn_fd = -1;
    if (p->done)
        maybe_free(p);
}

static void finish(struct px_punch *p) {
    if (p->done)
        return;
    p->done = true;
    struct px_punch **at = &p->all->first;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    p->all->n--;
    uv_close((uv_handle_t *)&p->listener, on_handle_closed);
    uv_close((uv_handle_t *)&p->limit, on_handle_closed);
    uv_close((uv_handle_t *)&p->again, on_handle_closed);
    if (p->polling && !uv_is_closing((uv_handle_t *)&p->poll))
        uv_close((uv_handle_t *)&p->poll, on_poll_closed);
    if (p->server)
        px_conn_close(p->server, true);
}

void px_punches_close(struct px_punches *all) {
    while (all->first)
        finish(all->first);
}

static void on_limit(uv_timer_t *t) {
    finish(t->data);
}

/* ---- the client comes ---- */

static void on_client(uv_stream_t *listener, int status) {
    struct px_punch *p = listener->data;
    if (status < 0 || p->done)
        return;
    /* Others may try the port as well; they must not use up the client's chance. */
    const struct px_session *s = px_session_accept(p->host, listener, p->way, NULL);
    if (!s || ++p->n_accepted >= ACCEPTED_MAX || p->way == PX_WAY_LOCAL ||
        px_addr_same_ip(&s->peer, &p->client))
        finish(p);
}

static void send_syn(struct px_punch *p);

static void on_again(uv_timer_t *t) {
    struct px_punch *p = t->data;
    if (!p->polling)
        send_syn(p);
}

static void on_syn(uv_poll_t *poll, int status, int events) {
    struct px_punch *p = poll->data;
    int e = 0;
    socklen_t len = sizeof(e);
    (void)getsockopt(p->syn_fd, SOL_SOCKET, SO_ERROR, &e, &len);
    uv_poll_stop(poll);
    if (e == 0 && !p->done) { /* their SYN met ours */
        const int fd = p->syn_fd;
        p->syn_fd = -1;
        px_session_adopt(p->host, fd, p->way);
        finish(p);
        return;
    }
    uv_close((uv_handle_t *)poll, on_poll_closed);
    if (++p->n_tries < AGAIN_MAX)
        uv_timer_start(&p->again, on_again, AGAIN_MS, 0);
}

static void send_syn(struct px_punch *p) {
    struct sockaddr_storage ss;
    p->syn_fd = px_punch_socket(&p->own, NULL);
    if (p->syn_fd < 0)
        return;
    const socklen_t len = px_addr_to_sockaddr(&p->client, !px_addr_is_v4(&p->own), &ss);
    if ((connect(p->syn_fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS) ||
        uv_poll_init(p->host->loop, &p->poll, p->syn_fd) < 0) {
        close(p->syn_fd);
        p->syn_fd = -1;
        return;
    }
    p->poll.data = p;
    p->polling = true;
    uv_poll_start(&p->poll, UV_WRITABLE, on_syn);
}

/* ---- the server ---- */

static int start_listening(struct px_punch *p, struct px_error *err) {
    const int fd = px_punch_socket(&p->own, err);
    if (fd < 0)
        return fd;
    int r = uv_tcp_open(&p->listener, fd);
    if (r < 0) {
        close(fd);
        return px_fail_sys(err, r, "cannot use a socket");
    }
    r = uv_listen((uv_stream_t *)&p->listener, BACKLOG, on_client);
    return r < 0 ? px_fail_sys(err, r, "cannot listen") : 0;
}

static void answer(struct px_punch *p) {
    uint8_t out[ANSWER_MAX + 64], local[PX_ADDR_MANGLED_MAX_BYTES];
    struct px_rdv_msg m;
    if (px_rdv_decode((struct px_bytes){p->bytes, p->size}, &m, NULL) < 0)
        return;
    if (m.kind == PX_RDV_LOCAL_ADDR)
        m.local_addr.local_addr =
            (struct px_bytes){local, px_addr_mangle(&p->own, (uint32_t)px_now_us(), local)};
    const int n = px_rdv_encode(&m, out, sizeof(out), NULL);
    if (n > 0)
        px_conn_send(p->server, out, (size_t)n);
}

static void on_server(void *data, int status) {
    struct px_punch *p = data;
    struct px_error err = {0};
    int r = status;
    if (p->done)
        return;
    if (r == 0) {
        px_conn_own(p->server, &p->own);
        r = start_listening(p, &err);
    } else
        px_fail_sys(&err, r, "the server does not take the answer");
    if (r < 0) {
        px_info("punch: %s", err.msg);
        finish(p);
        return;
    }
    if (p->way == PX_WAY_PUNCHED) /* before the answer: the hole must be there when they come */
        send_syn(p);
    answer(p);
    px_conn_close(p->server, true);
}

static void on_frame(void *data, const uint8_t *body, size_t size) {
}

static void on_lost(void *data, const struct px_error *why) {
}

static void on_server_closed(void *data) {
    struct px_punch *p = data;
    p->server = NULL;
    if (p->done)
        maybe_free(p);
}

static const struct px_conn_ops server_ops = {
    .on_frame = on_frame, .on_raw = on_frame, .on_lost = on_lost, .on_closed = on_server_closed};

static int connect_server(struct px_punch *p, const struct px_addr *server, struct px_error *err) {
    const struct px_conn_opts o = {
        .loop = p->host->loop, .ops = &server_ops, .data = p, .max_body_bytes = ANSWER_MAX};
    const struct px_addr any =
        px_addr_is_v4(server) ? px_addr_v4(0, 0, 0, 0, 0) : (struct px_addr){0};
    p->server = px_conn_new(&o);
    const int fd = px_punch_socket(&any, err);
    if (fd < 0)
        return fd;
    const int r = px_conn_open_fd(p->server, fd, err);
    return r < 0 ? r : px_conn_connect(p->server, server, on_server, err);
}

void px_punch_open(struct px_punches *all, const struct px_punch_opts *o) {
    struct px_punch *p = px_new0(struct px_punch, 1);
    struct px_error err = {0};
    p->host = o->host;
    p->client = o->client;
    p->way = o->way;
    p->syn_fd = -1;
    p->all = all;
    p->next = all->first;
    all->first = p;
    all->n++;
    uv_tcp_init(o->host->loop, &p->listener);
    uv_timer_init(o->host->loop, &p->limit);
    uv_timer_init(o->host->loop, &p->again);
    p->listener.data = p->limit.data = p->again.data = p;
    p->n_open = 3;
    const int n = px_rdv_encode(&o->answer, p->bytes, sizeof(p->bytes), &err);
    p->size = n > 0 ? (size_t)n : 0;
    uv_timer_start(&p->limit, on_limit, PX_PUNCH_WAIT_MS, 0);
    if (n < 0 || connect_server(p, &o->server, &err) < 0) {
        px_info("punch: %s", err.msg);
        finish(p);
    }
}
