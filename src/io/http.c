/* src/io/http.c - a very small HTTP/1.1 responder */
#include "io/http.h"
#include "base/alloc.h"
#include "base/clock.h"
#include <string.h>
#include <sys/socket.h>

#define LIMIT_US (10 * PX_US_PER_S)

struct http_conn {
    struct px_watch watch;
    struct px_timer timer;
    struct px_http *http;
    struct px_addr from;
    struct http_conn *next, **link;
    struct px_buf in, out;
    bool answered, shut;
};

static void conn_free(void *data) {
    struct http_conn *c = data;
    px_buf_fini(&c->in);
    px_buf_fini(&c->out);
    free(c);
}

static void conn_close(struct http_conn *c) {
    if (c->watch.fd < 0)
        return;
    px_loop_disarm(c->http->loop, &c->timer);
    px_loop_unwatch(c->http->loop, &c->watch);
    px_closep(&c->watch.fd);
    c->watch.fd = -1;
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    c->http->n_conns--;
    if (c->http->sources)
        px_sources_disconnect(c->http->sources, &c->from);
    px_loop_defer(c->http->loop, conn_free, c);
}

/* "GET /path HTTP/1.1": the middle word. */
int px_http_request_parse(const uint8_t *data, size_t size, struct px_bytes *ret_path) {
    const size_t seen = size < PX_HTTP_HEAD_MAX_BYTES ? size : PX_HTTP_HEAD_MAX_BYTES;
    if (!memmem(data, seen, "\r\n\r\n", 4))
        return size < PX_HTTP_HEAD_MAX_BYTES ? PX_PARSE_MORE : -EMSGSIZE;
    const uint8_t *end = memchr(data, '\r', seen), *a = memchr(data, ' ', (size_t)(end - data));
    const uint8_t *b = a ? memchr(a + 1, ' ', (size_t)(end - a - 1)) : NULL;
    if (!b || b == a + 1 || end - b < 8 || memcmp(b + 1, "HTTP/1.", 7) != 0)
        return -EPROTO;
    *ret_path = (struct px_bytes){a + 1, (size_t)(b - a - 1)};
    return PX_PARSE_DONE;
}

static void respond(struct http_conn *c, int status, const struct px_buf *body) {
    px_buf_printf(&c->out,
                  "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
                  "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                  status,
                  status == 200   ? "OK"
                  : status == 404 ? "Not Found"
                                  : "Bad Request",
                  c->http->type, body->size);
    px_buf_add(&c->out, px_buf_str(body), body->size);
    c->answered = true;
}

/* false: it is not worth an answer. */
static bool look(struct http_conn *c) {
    px_cleanup(px_buf_fini) struct px_buf body = {0};
    struct px_bytes path;
    const int r = px_http_request_parse((const uint8_t *)c->in.data, c->in.size, &path);
    if (r == PX_PARSE_DONE)
        respond(c, c->http->answer(c->http, path, &body), &body);
    else if (r == -EPROTO)
        respond(c, 400, &body);
    return r != -EMSGSIZE;
}

static void write_out(struct http_conn *c) {
    while (c->out.size > 0) {
        ssize_t n = send(c->watch.fd, c->out.data, c->out.size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            return conn_close(c);
        px_buf_drop(&c->out, (size_t)n);
    }
    if (c->answered && !c->shut) {
        c->shut = true; /* then the client closes; what it still sends is thrown away */
        shutdown(c->watch.fd, SHUT_WR);
    }
}

static void on_events(struct px_watch *w, uint32_t events) {
    struct http_conn *c = px_container_of(w, struct http_conn, watch);
    char *scratch = (char *)px_loop_scratch(c->http->loop);
    for (int i = 0; i < 8; i++) {
        ssize_t n = recv(w->fd, scratch, PX_HTTP_HEAD_MAX_BYTES, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return write_out(c);
        if (n <= 0)
            return conn_close(c);
        if (c->answered)
            continue;
        px_buf_add(&c->in, scratch, (size_t)n);
        if (!look(c))
            return conn_close(c);
    }
    px_loop_again(c->http->loop, w); /* a long body: others come first */
    write_out(c);
}

static void on_timeout(struct px_timer *t) {
    conn_close(px_container_of(t, struct http_conn, timer));
}

static void on_accept(struct px_listener *l, int fd, const struct px_addr *from) {
    struct px_http *h = px_container_of(l, struct px_http, listener);
    if (h->n_conns >= h->max_conns ||
        (h->sources && !px_sources_connect(h->sources, from, px_loop_now_us(h->loop)))) {
        close(fd);
        return;
    }
    struct http_conn *c = px_new0(struct http_conn, 1);
    c->http = h;
    c->from = *from;
    c->watch = (struct px_watch){.fd = fd, .on_events = on_events};
    c->timer.on_timeout = on_timeout;
    c->next = h->conns;
    c->link = &h->conns;
    if (c->next)
        c->next->link = &c->next;
    h->conns = c;
    h->n_conns++;
    if (px_loop_watch(h->loop, &c->watch, EPOLLIN | EPOLLOUT | EPOLLET, NULL) < 0)
        return conn_close(c);
    px_loop_arm(h->loop, &c->timer, px_loop_now_us(h->loop) + LIMIT_US);
}

int px_http_init(struct px_http *h, struct px_loop *loop, int fd, struct px_error *err) {
    h->loop = loop;
    return px_listener_init(&h->listener, loop, fd, on_accept, err);
}

void px_http_fini(struct px_http *h) {
    if (!h->loop)
        return;
    px_listener_fini(&h->listener);
    while (h->conns)
        conn_close(h->conns);
    px_loop_flush(h->loop);
    h->loop = NULL;
}
