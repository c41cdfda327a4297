/* src/phoenix-server/admin.c - commands on a Unix socket: a JSON object per line, an answer per
 * line
 *
 *     {"command": "find", "args": ["123456789"]}
 *     {"ok": true, "result": {...}}     {"ok": false, "error": "...", "hint": "..."}
 *
 * Who may open the socket (mode 0600) may do everything. */
#include "phoenix-server/admin.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "phoenix-server/server.h"
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>

#define LINE_MAX_BYTES 65536
#define CONNS_MAX 16
#define LIMIT_US (30 * PX_US_PER_S)

struct admin {
    struct px_listener listener;
    struct server *server;
    struct admin_conn *conns;
    size_t n_conns;
};

struct admin_conn {
    struct px_watch watch;
    struct px_timer timer;
    struct admin *admin;
    struct admin_conn *next, **link;
    struct px_buf in, out;
};

static void handle_line(struct admin_conn *conn, const char *line, size_t size) {
    struct px_error err = {0};
    struct admin_call c = {.server = conn->admin->server};
    json_t *request = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL), *reply;
    int r = admin_execute(&c, request, &err);
    if (r < 0)
        reply = json_pack("{s:b, s:s, s:s}", "ok", 0, "error", err.msg, "hint", err.hint);
    else
        reply = json_pack("{s:b, s:o}", "ok", 1, "result",
                          c.result ? json_incref(c.result) : json_object());
    px_cleanup_free char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
    px_buf_puts(&conn->out, text ? text : "{\"ok\":false,\"error\":\"not valid UTF-8\"}");
    px_buf_putc(&conn->out, '\n');
    json_decref(reply);
    json_decref(c.result);
    json_decref(request);
}

static void conn_free(void *data) {
    struct admin_conn *c = data;
    px_buf_fini(&c->in);
    px_buf_fini(&c->out);
    free(c);
}

static void conn_close(struct admin_conn *c) {
    struct px_loop *loop = c->admin->server->loop;
    if (c->watch.fd < 0)
        return;
    px_loop_disarm(loop, &c->timer);
    px_loop_unwatch(loop, &c->watch);
    px_closep(&c->watch.fd);
    c->watch.fd = -1;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    c->admin->n_conns--;
    px_loop_defer(loop, conn_free, c);
}

static void on_events(struct px_watch *w, uint32_t events) {
    struct admin_conn *c = px_container_of(w, struct admin_conn, watch);
    char *scratch = (char *)px_loop_scratch(c->admin->server->loop), *end;
    ssize_t n;
    while ((n = recv(w->fd, scratch, 4096, MSG_DONTWAIT)) > 0) {
        px_buf_add(&c->in, scratch, (size_t)n);
        while ((end = memchr(c->in.data, '\n', c->in.size))) {
            handle_line(c, c->in.data, (size_t)(end - c->in.data));
            px_buf_drop(&c->in, (size_t)(end - c->in.data) + 1);
        }
        if (c->in.size > LINE_MAX_BYTES)
            return conn_close(c);
    }
    const bool gone = n == 0 || errno != EAGAIN;
    while (c->out.size > 0) {
        ssize_t k = send(w->fd, c->out.data, c->out.size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (k < 0 && errno == EAGAIN)
            return; /* EPOLLOUT brings us back */
        if (k < 0)
            return conn_close(c);
        px_buf_drop(&c->out, (size_t)k);
    }
    if (gone)
        conn_close(c);
}

static void on_timeout(struct px_timer *t) {
    conn_close(px_container_of(t, struct admin_conn, timer));
}

static void on_accept(struct px_listener *l, int fd, const struct px_addr *from) {
    struct admin *a = px_container_of(l, struct admin, listener);
    if (a->n_conns >= CONNS_MAX) {
        close(fd);
        return;
    }
    struct admin_conn *c = px_new0(struct admin_conn, 1);
    c->admin = a;
    c->watch = (struct px_watch){.fd = fd, .on_events = on_events};
    c->timer.on_timeout = on_timeout;
    c->next = a->conns;
    c->link = &a->conns;
    if (c->next)
        c->next->link = &c->next;
    a->conns = c;
    a->n_conns++;
    if (px_loop_watch(a->server->loop, &c->watch, EPOLLIN | EPOLLOUT | EPOLLET, NULL) < 0)
        return conn_close(c);
    px_loop_arm(a->server->loop, &c->timer, px_loop_now_us(a->server->loop) + LIMIT_US);
}

int admin_open(struct server *s, struct px_error *err) {
    int fd = px_sock_listen_unix(s->socket_path, 0600, err);
    if (fd < 0)
        return fd;
    s->admin = px_new0(struct admin, 1);
    s->admin->server = s;
    return px_listener_init(&s->admin->listener, s->loop, fd, on_accept, err);
}

void admin_close(struct server *s) {
    if (!s->admin)
        return;
    px_listener_fini(&s->admin->listener);
    while (s->admin->conns)
        conn_close(s->admin->conns);
    px_loop_flush(s->loop);
    (void)unlink(s->socket_path);
    free(s->admin);
    s->admin = NULL;
}
