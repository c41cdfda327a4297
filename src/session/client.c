/* src/session/client.c - the client's side of a session, blocking */
#include "session/client.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "proto/frame.h"
#include "session/udp.h"
#include "session/wss.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES (256 * 1024)
#define WRITE_LIMIT_US (20 * PX_US_PER_S)
#define EARLY_MAX_BYTES (64 * 1024) /* of a frame before the login */

struct px_client *px_client_adopt(int fd) {
    struct px_client *c = px_new0(struct px_client, 1);
    const int one = 1;
    c->fd = fd;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return c;
}

void px_client_close(struct px_client *c) {
    if (!c)
        return;
    px_udp_close(c);
    px_wss_close(c);
    if (c->fd >= 0)
        close(c->fd);
    px_buf_fini(&c->in);
    free(c->salt);
    free(c->challenge);
    explicit_bzero(&c->secure, sizeof(c->secure));
    free(c);
}

/* 1: ready; 0: not until then. */
static int wait_fd(int fd, short events, int64_t until_us) {
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        const int64_t left = until_us - px_now_us();
        const struct timespec ts = {left > 0 ? left / PX_US_PER_S : 0,
                                    left > 0 ? left % PX_US_PER_S * 1000 : 0};
        const int n = ppoll(&p, 1, &ts, NULL);
        if (n > 0)
            return 1;
        if (n == 0 || errno != EINTR)
            return 0;
    }
}

/* A port that several connections of ours may leave from, as hole punching needs. */
static int bind_shared(int fd, const struct px_addr *own, struct px_error *err) {
    struct sockaddr_storage ss;
    const int one = 1;
    const socklen_t len = px_addr_to_sockaddr(own, !px_addr_is_v4(own), &ss);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    return bind(fd, (struct sockaddr *)&ss, len) < 0 ? px_fail_sys(err, -errno, "cannot bind") : 0;
}

int px_client_connect(const struct px_addr *to, int64_t timeout_us, struct px_client **ret,
                      struct px_error *err) {
    return px_client_connect_from(NULL, to, timeout_us, ret, err);
}

int px_client_connect_from(const struct px_addr *own, const struct px_addr *to, int64_t timeout_us,
                           struct px_client **ret, struct px_error *err) {
    struct sockaddr_storage ss;
    char text[PX_ADDR_TEXT_MAX];
    const socklen_t len = px_addr_to_sockaddr(to, !px_addr_is_v4(to), &ss);
    px_cleanup_close int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot make a socket");
    const int r = own ? bind_shared(fd, own, err) : 0;
    if (r < 0)
        return r;
    int e = connect(fd, (struct sockaddr *)&ss, len) < 0 ? errno : 0;
    if (e == EINPROGRESS) {
        socklen_t size = sizeof(e);
        if (!wait_fd(fd, POLLOUT, px_now_us() + timeout_us))
            return px_fail_sys(err, -ETIMEDOUT, "cannot connect to %s", px_addr_text(to, text));
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &size);
    }
    if (e != 0)
        return px_fail_sys(err, -e, "cannot connect to %s", px_addr_text(to, text));
    *ret = px_client_adopt(px_take_fd(&fd));
    return 0;
}

void px_client_own(const struct px_client *c, struct px_addr *ret) {
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    *ret = (struct px_addr){0};
    if (getsockname(c->fd, (struct sockaddr *)&ss, &len) == 0)
        (void)px_addr_from_sockaddr((struct sockaddr *)&ss, ret);
}

/* ---- out ---- */

int px_client_send_raw(struct px_client *c, const void *bytes, size_t size, struct px_error *err) {
    const char *p = bytes;
    const int64_t until = px_now_us() + WRITE_LIMIT_US;
    if (c->kcp)
        return px_udp_send(c, bytes, size, until, err);
    while (size > 0) {
        const ssize_t n = send(c->fd, p, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            p += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_fd(c->fd, POLLOUT, until))
                return px_fail_sys(err, -ETIMEDOUT, "cannot send");
        } else if (errno != EINTR)
            return px_fail_sys(err, -errno, "cannot send");
    }
    return 0;
}

int px_client_send_body(struct px_client *c, const void *body, size_t size, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    uint8_t *at = px_buf_reserve(&out, PX_FRAME_PREFIX_MAX_BYTES + size + PX_SEAL_BYTES);
    const size_t sealed = c->encrypted && size > 1 ? size + PX_SEAL_BYTES : size;
    const size_t prefix = px_frame_print((uint32_t)sealed, at);
    if (c->encrypted)
        px_secure_seal(&c->secure, (struct px_bytes){body, size}, at + prefix);
    else if (size > 0)
        memcpy(at + prefix, body, size);
    if (c->wss)
        return px_wss_send(c, at + prefix, sealed, err);
    return px_client_send_raw(c, at, prefix + sealed, err);
}

int px_client_send(struct px_client *c, const Pxs__Message *m, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf body = {0};
    px_message_print(&m->base, &body);
    return px_client_send_body(c, body.data, body.size, err);
}

int px_client_send_misc(struct px_client *c, const Pxs__Misc *misc, struct px_error *err) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_MISC;
    m.misc = (Pxs__Misc *)misc;
    return px_client_send(c, &m, err);
}

/* ---- in ---- */

int px_client_read(struct px_client *c, int64_t until_us, void *to, size_t cap,
                   struct px_error *err) {
    for (;;) {
        if (!wait_fd(c->fd, POLLIN, until_us))
            return 0;
        const ssize_t n = recv(c->fd, to, cap, MSG_DONTWAIT);
        if (n > 0)
            return (int)n;
        if (n == 0)
            return px_fail(err, -EPIPE, "the host closed the connection");
        if (errno != EAGAIN && errno != EINTR)
            return px_fail_sys(err, -EPIPE, "cannot receive");
    }
}

static int read_more(struct px_client *c, int64_t until_us, struct px_error *err) {
    if (c->kcp)
        return px_udp_read_more(c, until_us, err);
    if (c->wss)
        return px_wss_read_more(c, until_us, err);
    const int n = px_client_read(c, until_us, px_buf_reserve(&c->in, READ_BYTES), READ_BYTES, err);
    c->in.size += n > 0 ? (size_t)n : 0;
    return n > 0 ? 1 : n;
}

static void drop_taken(struct px_client *c) {
    px_buf_drop(&c->in, c->taken);
    c->taken = 0;
}

int px_client_recv_body(struct px_client *c, int64_t until_us, const uint8_t **ret,
                        size_t *ret_size, struct px_error *err) {
    drop_taken(c);
    for (;;) {
        uint8_t *data = (uint8_t *)c->in.data;
        uint32_t body = 0;
        int r = c->in.size ? px_frame_parse(data, c->in.size, &body, err) : PX_PARSE_MORE;
        if (r < 0)
            return r;
        if (!c->logged_in && body > EARLY_MAX_BYTES)
            return px_fail(err, -EMSGSIZE, "a frame of %u bytes before the login", body);
        const size_t prefix = r == PX_PARSE_DONE ? px_frame_prefix_size(data[0]) : 0;
        if (r == PX_PARSE_DONE && c->in.size - prefix >= body) {
            int n = (int)body;
            if (c->encrypted)
                n = px_secure_open(&c->secure, (struct px_bytes){data + prefix, body},
                                   data + prefix, err);
            if (n < 0)
                return n;
            *ret = data + prefix;
            *ret_size = (size_t)n;
            c->taken = prefix + body;
            return 1;
        }
        r = read_more(c, until_us, err);
        if (r <= 0)
            return r;
    }
}

/* Answers a probe; 1 when @m was one. */
static int echo_probe(struct px_client *c, const Pxs__Message *m, const uint8_t *body, size_t size,
                      struct px_error *err) {
    if (m->item_case != PXS__MESSAGE__ITEM_TEST_DELAY || m->test_delay->from_client)
        return 0;
    c->n_probes++;
    c->last_delay_ms = m->test_delay->last_delay;
    c->target_kbps = m->test_delay->target_bitrate;
    const int r = c->no_echo ? 0 : px_client_send_body(c, body, size, err);
    return r < 0 ? r : 1;
}

int px_client_recv(struct px_client *c, int64_t until_us, Pxs__Message **ret,
                   struct px_error *err) {
    for (;;) {
        const uint8_t *body;
        size_t size;
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        int r = px_client_recv_body(c, until_us, &body, &size, err);
        if (r <= 0)
            return r;
        if (size == 0)
            continue;
        r = px_message_parse(body, size, &m, err);
        if (r >= 0)
            r = echo_probe(c, m, body, size, err);
        if (r < 0)
            return r;
        if (r == 0) {
            *ret = px_take_ptr(m);
            return 1;
        }
    }
}

int px_client_recv_raw(struct px_client *c, int64_t until_us, void *to, size_t cap,
                       struct px_error *err) {
    drop_taken(c);
    while (c->in.size == 0) {
        const int r = read_more(c, until_us, err);
        if (r <= 0)
            return r;
    }
    const size_t n = c->in.size < cap ? c->in.size : cap;
    memcpy(to, c->in.data, n);
    px_buf_drop(&c->in, n);
    return (int)n;
}
