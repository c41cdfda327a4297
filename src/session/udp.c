/* src/session/udp.c - the client's side of a session over UDP: hole, KCP stream */
#include "session/udp.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "proto/kcp.h"
#include "proto/rendezvous.h"
#include <poll.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_US (20 * PX_US_PER_MS)
#define AGAIN_MAX_US (200 * PX_US_PER_MS)
#define UNSENT_MAX_BYTES (256 * 1024)
#define SOCKET_BUFFER_BYTES (1024 * 1024)
#define REFUSED_MAX 10

static bool wait_for(int fd, int64_t until_us) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    const int64_t left = until_us - px_now_us();
    const struct timespec ts = {left > 0 ? left / PX_US_PER_S : 0,
                                left > 0 ? left % PX_US_PER_S * 1000 : 0};
    return ppoll(&p, 1, &ts, NULL) > 0;
}

int px_udp_socket(const struct px_addr *own, struct px_error *err) {
    struct sockaddr_storage ss;
    const bool v6 = !px_addr_is_v4(own);
    const int room = SOCKET_BUFFER_BYTES;
    const socklen_t len = px_addr_to_sockaddr(own, v6, &ss);
    px_cleanup_close int fd =
        socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len) < 0)
        return px_fail_sys(err, -errno, "cannot make a socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    return px_take_fd(&fd);
}

int px_udp_seen_port(int fd, const struct px_addr *server, int64_t timeout_us, uint16_t *ret,
                     struct px_error *err) {
    const struct px_rdv_msg ask = {.kind = PX_RDV_TEST_NAT_REQUEST};
    struct sockaddr_storage ss;
    uint8_t out[64], bytes[1500];
    const socklen_t len = px_addr_to_sockaddr(server, !px_addr_is_v4(server), &ss);
    const int n = px_rdv_encode(&ask, out, sizeof(out), err);
    const int64_t until = px_now_us() + timeout_us;
    if (n < 0)
        return n;
    for (int64_t again = AGAIN_US; px_now_us() < until; again = again * 3 / 2) {
        struct sockaddr_storage from_ss;
        struct px_addr from;
        struct px_rdv_msg m;
        socklen_t from_len = sizeof(from_ss);
        (void)sendto(fd, out, (size_t)n, 0, (struct sockaddr *)&ss, len);
        if (!wait_for(fd, px_now_us() + again))
            continue;
        const ssize_t got =
            recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from_ss, &from_len);
        if (got > 0 && px_addr_from_sockaddr((struct sockaddr *)&from_ss, &from) == 0 &&
            px_addr_equal(&from, server) &&
            px_rdv_decode((struct px_bytes){bytes, (size_t)got}, &m, NULL) == 0 &&
            m.kind == PX_RDV_TEST_NAT_RESPONSE && m.test_nat_response.port > 0 &&
            m.test_nat_response.port <= UINT16_MAX) {
            *ret = (uint16_t)m.test_nat_response.port;
            return 0;
        }
    }
    return px_fail(err, -ETIMEDOUT, "the ID server does not answer by UDP");
}

/* Empty datagrams until one comes back: both holes are open then. */
static int punch(int fd, int64_t until_us, struct px_error *err) {
    uint8_t bytes[PX_KCP_DATAGRAM_MAX_BYTES];
    int64_t again = AGAIN_US;
    while (px_now_us() < until_us) {
        (void)send(fd, "", 0, MSG_NOSIGNAL);
        if (wait_for(fd, px_now_us() + again) && recv(fd, bytes, sizeof(bytes), 0) >= 0)
            return 0;
        again = again * 3 / 2 < AGAIN_MAX_US ? again * 3 / 2 : AGAIN_MAX_US;
    }
    return px_fail(err, -ETIMEDOUT, "no hole for UDP");
}

static void on_send(void *data, const uint8_t *bytes, size_t size) {
    const struct px_client *c = data;
    (void)send(c->fd, bytes, size, MSG_NOSIGNAL); /* else lost, and sent again */
}

/* Takes datagrams that are there and sends what is due. While sending, what was handed out of c->in
 * has to stay where it is: bytes wait in the stream then. */
static int pump(struct px_client *c, bool read, struct px_error *err) {
    uint8_t bytes[PX_KCP_DATAGRAM_MAX_BYTES + 1];
    unsigned refused = 0;
    const int64_t now = px_now_us();
    for (;;) {
        const ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n < 0 && errno == ECONNREFUSED && ++refused < REFUSED_MAX)
            continue;
        if (n < 0)
            break;
        px_kcp_input(c->kcp, bytes, (size_t)n, now);
    }
    if (read)
        px_kcp_read(c->kcp, &c->in);
    px_kcp_flush(c->kcp, now);
    return refused >= REFUSED_MAX ? px_fail_sys(err, -EPIPE, "cannot receive") : 0;
}

static int wait_and_pump(struct px_client *c, bool read, int64_t until_us, struct px_error *err) {
    const int64_t due = px_kcp_due_us(c->kcp);
    (void)wait_for(c->fd, due < until_us ? due : until_us);
    return pump(c, read, err);
}

int px_udp_connect(int fd, const struct px_addr *to, int64_t timeout_us, struct px_client **ret,
                   struct px_error *err) {
    struct sockaddr_storage ss;
    px_cleanup(px_client_closep) struct px_client *c = px_client_adopt(fd);
    const int64_t until = px_now_us() + timeout_us;
    const socklen_t len = px_addr_to_sockaddr(to, !px_addr_is_v4(to), &ss);
    if (connect(fd, (struct sockaddr *)&ss, len) < 0)
        return px_fail_sys(err, -errno, "cannot use UDP");
    int r = punch(fd, until, err);
    if (r < 0)
        return r;
    const struct px_kcp_opts o = {.connect = true,
                                  .conv = randombytes_random(),
                                  .send = on_send,
                                  .data = c,
                                  .now_us = px_now_us()};
    c->kcp = px_kcp_new(&o);
    while (r >= 0 && px_kcp_state(c->kcp) == PX_KCP_OPENING && px_now_us() < until)
        r = wait_and_pump(c, true, until, err);
    if (r >= 0 && px_kcp_state(c->kcp) != PX_KCP_OPEN)
        r = px_fail(err, -ETIMEDOUT, "no stream over UDP");
    if (r < 0)
        return r;
    *ret = px_take_ptr(c);
    return 0;
}

int px_udp_send(struct px_client *c, const void *bytes, size_t size, int64_t until_us,
                struct px_error *err) {
    px_kcp_write(c->kcp, bytes, size);
    int r = pump(c, false, err);
    while (r >= 0 && px_kcp_unsent_bytes(c->kcp) > UNSENT_MAX_BYTES) {
        if (px_kcp_state(c->kcp) == PX_KCP_CLOSED)
            return px_fail(err, -EPIPE, "the host closed the connection");
        if (px_now_us() > until_us)
            return px_fail_sys(err, -ETIMEDOUT, "cannot send");
        r = wait_and_pump(c, false, until_us, err);
    }
    return r;
}

int px_udp_read_more(struct px_client *c, int64_t until_us, struct px_error *err) {
    const size_t before = c->in.size;
    int r = pump(c, true, err);
    while (r >= 0 && c->in.size == before) {
        if (px_kcp_state(c->kcp) == PX_KCP_CLOSED)
            return px_fail(err, -EPIPE, "the host closed the connection");
        if (px_now_us() >= until_us)
            return 0;
        r = wait_and_pump(c, true, until_us, err);
    }
    return r < 0 ? r : 1;
}

void px_udp_close(struct px_client *c) {
    if (!c->kcp)
        return;
    px_kcp_finish(c->kcp);
    px_kcp_finish(c->kcp); /* either may be lost */
    c->kcp = px_kcp_free(c->kcp);
}
