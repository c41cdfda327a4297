/* src/rendezvous/udp.c - heartbeats and registrations by datagram
 *
 * The hot path: a batch comes in by one recvmmsg, each datagram is decoded in place, and the
 * answers leave by one sendmmsg. A thread of its own waits in recvmmsg: a socket that epoll watches
 * costs more for every datagram, in and out (bench/server.md). Nothing is allocated and no answer
 * is longer than its request, except
 *  - the NAT test's (7 bytes for 3; both are below the smallest Ethernet frame), limited per
 * source;
 *  - ConfigUpdate, only to peers that are registered, and after their registration. */
#include "base/alloc.h"
#include "base/clock.h"
#include "rendezvous/idserver_private.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define BATCH 64
#define LOOK_MS 500 /* how often a thread without work shows that it is alive */
#define IN_MAX_BYTES 2048
#define OUT_MAX_BYTES 64
#define CONTROL_BYTES 64

struct slot {
    struct sockaddr_storage from;
    uint8_t in[IN_MAX_BYTES];
    uint8_t out[OUT_MAX_BYTES];
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_BYTES];
    struct iovec in_iov, out_iov;
};

struct udp {
    int fd; /* its thread reads, any thread sends */
    pthread_t thread;
    bool started;
    _Atomic bool stop;
    _Atomic uint64_t turns;
    struct px_id_worker self; /* what the handlers need of a worker: server, time, counters */
    bool v6, info;            /* info: the packet tells which of our addresses it was sent to */
    struct slot slots[BATCH];
    struct mmsghdr in[BATCH], out[BATCH];
};

uint8_t local_number(struct px_idserver *s, const struct px_addr *local) {
    const uint8_t n = atomic_load_explicit(&s->n_locals, memory_order_acquire);
    for (uint8_t i = 0; i < n; i++)
        if (px_addr_same_ip(&s->locals[i], local))
            return (uint8_t)(i + 1);
    pthread_mutex_lock(&s->lock);
    uint8_t at = atomic_load(&s->n_locals), found = 0;
    for (uint8_t i = n; i < at && !found; i++)
        if (px_addr_same_ip(&s->locals[i], local))
            found = (uint8_t)(i + 1);
    if (!found && at < LOCAL_ADDRS_MAX) {
        s->locals[at] = *local;
        found = (uint8_t)(at + 1);
        atomic_store_explicit(&s->n_locals, found, memory_order_release);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static struct px_addr local_of(const struct msghdr *m) {
    struct px_addr a = {0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR((struct msghdr *)m, c)) {
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo i;
            memcpy(&i, CMSG_DATA(c), sizeof(i));
            memcpy(a.ip, &i.ipi6_addr, 16);
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo i;
            memcpy(&i, CMSG_DATA(c), sizeof(i));
            const uint8_t *ip = (const uint8_t *)&i.ipi_addr;
            a = px_addr_v4(ip[0], ip[1], ip[2], ip[3], 0);
        }
    }
    return a;
}

/* Makes @m leave from @local. */
static void set_local(struct msghdr *m, bool v6, const struct px_addr *local, uint8_t *control) {
    struct cmsghdr *c = (struct cmsghdr *)(void *)control;
    memset(control, 0, CONTROL_BYTES);
    m->msg_control = control;
    if (v6) {
        struct in6_pktinfo i = {0};
        memcpy(&i.ipi6_addr, local->ip, 16);
        m->msg_controllen = CMSG_SPACE(sizeof(i));
        *c = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(i)), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_PKTINFO};
        memcpy(CMSG_DATA(c), &i, sizeof(i));
    } else {
        struct in_pktinfo i = {0};
        memcpy(&i.ipi_spec_dst, local->ip + 12, 4);
        m->msg_controllen = CMSG_SPACE(sizeof(i));
        *c = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(i)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO};
        memcpy(CMSG_DATA(c), &i, sizeof(i));
    }
}

static bool is_set(const struct px_addr *a) {
    static const struct px_addr none;
    return !px_addr_same_ip(a, &none);
}

void udp_send(struct px_id_worker *w, const struct px_peer_where *to, struct px_bytes msg) {
    struct udp *u = w->udp;
    struct sockaddr_storage sa;
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_BYTES];
    struct iovec iov = {(void *)msg.data, msg.size};
    if (!u->v6 && !px_addr_is_v4(&to->addr))
        return;
    struct msghdr m = {.msg_name = &sa,
                       .msg_namelen = px_addr_to_sockaddr(&to->addr, u->v6, &sa),
                       .msg_iov = &iov,
                       .msg_iovlen = 1};
    if (u->info && to->local)
        set_local(&m, u->v6, &w->server->locals[to->local - 1], control);
    if (msg.size <= DATAGRAM_MAX_BYTES && to->addr.port)
        (void)sendmsg(u->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL); /* lost ones are asked again */
}

static void push_config(struct px_id_worker *w, const struct px_peer_where *to) {
    uint8_t raw[DATAGRAM_MAX_BYTES];
    const struct px_buf *body = &w->server->config_update;
    struct px_wire_out o = {.data = raw, .cap = sizeof(raw)};
    px_wire_put_bytes(&o, PX_RDV_CONFIG_UPDATE,
                      (struct px_bytes){(uint8_t *)body->data, body->size});
    if (px_wire_fits(&o))
        udp_send(w, to, (struct px_bytes){raw, o.size});
}

static size_t on_register_peer(struct px_id_worker *w, const struct px_rdv_register_peer *msg,
                               const struct px_peer_where *from, uint8_t out[OUT_MAX_BYTES]) {
    bool request_pk = true;
    if (msg->id.size == 0 || msg->id.size > PX_PEER_ID_MAX_BYTES)
        return 0;
    count(w, PX_ID_HEARTBEATS);
    bool online = px_peers_heartbeat(w->server->peers, msg->id, from, now_us(w), &request_pk);
    if (online && w->server->config_update.size && msg->serial < w->server->opts.serial &&
        px_sources_may_probe(w->server->opts.sources, &from->addr, now_us(w)))
        push_config(w, from);
    /* RegisterPeerResponse, written out: this is the server's most frequent line. */
    static const uint8_t known[] = {0x3a, 0x00}, unknown[] = {0x3a, 0x02, 0x10, 0x01};
    memcpy(out, request_pk ? unknown : known, request_pk ? sizeof(unknown) : sizeof(known));
    return request_pk ? sizeof(unknown) : sizeof(known);
}

static size_t encode(const struct px_rdv_msg *msg, uint8_t out[OUT_MAX_BYTES]) {
    int n = px_rdv_encode(msg, out, OUT_MAX_BYTES, NULL);
    return n < 0 ? 0 : (size_t)n;
}

/* Returns the size of the answer in @out, 0: none. */
static size_t on_datagram(struct px_id_worker *w, struct px_bytes in,
                          const struct px_peer_where *from, uint8_t out[OUT_MAX_BYTES]) {
    struct px_rdv_msg msg;
    enum px_register_pk_result result;
    count(w, PX_ID_UDP_IN);
    if (px_rdv_decode(in, &msg, NULL) < 0) {
        count(w, PX_ID_UDP_BAD);
        return 0;
    }
    if (msg.kind == PX_RDV_REGISTER_PEER)
        return on_register_peer(w, &msg.register_peer, from, out);
    if (msg.kind == PX_RDV_REGISTER_PK) {
        if (!register_peer(w, &msg.register_pk, from, &result))
            return 0;
        return encode(&(struct px_rdv_msg){.kind = PX_RDV_REGISTER_PK_RESPONSE,
                                           .register_pk_response = {.result = (int32_t)result}},
                      out);
    }
    if (msg.kind == PX_RDV_TEST_NAT_REQUEST) {
        count(w, PX_ID_NAT_TESTS);
        if (!px_sources_may_probe(w->server->opts.sources, &from->addr, now_us(w)))
            return 0;
        return encode(&(struct px_rdv_msg){.kind = PX_RDV_TEST_NAT_RESPONSE,
                                           .test_nat_response = {.port = from->addr.port}},
                      out);
    }
    /* Never answered, and nothing goes to the address inside (CVE-2026-30784). */
    if (msg.kind == PX_RDV_PUNCH_HOLE_SENT)
        answer(w, &msg, &from->addr, true);
    return 0;
}

static bool handle_slot(struct udp *u, struct mmsghdr *in, struct slot *slot, struct mmsghdr *out) {
    struct px_peer_where from = {0};
    struct px_addr local = {0};
    if (px_addr_from_sockaddr((struct sockaddr *)&slot->from, &from.addr) < 0 ||
        from.addr.port == 0 || in->msg_hdr.msg_flags & MSG_TRUNC)
        return false;
    if (u->info) {
        local = local_of(&in->msg_hdr);
        if (is_set(&local))
            from.local = local_number(u->self.server, &local);
    }
    slot->out_iov = (struct iovec){slot->out, 0};
    slot->out_iov.iov_len =
        on_datagram(&u->self, (struct px_bytes){slot->in, in->msg_len}, &from, slot->out);
    if (slot->out_iov.iov_len == 0)
        return false;
    out->msg_hdr = (struct msghdr){.msg_name = &slot->from,
                                   .msg_namelen = in->msg_hdr.msg_namelen,
                                   .msg_iov = &slot->out_iov,
                                   .msg_iovlen = 1};
    if (from.local)
        set_local(&out->msg_hdr, u->v6, &local, slot->control);
    return true;
}

static void prepare(struct udp *u, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct slot *slot = &u->slots[i];
        slot->in_iov = (struct iovec){slot->in, sizeof(slot->in)};
        u->in[i].msg_hdr = (struct msghdr){.msg_name = &slot->from,
                                           .msg_namelen = sizeof(slot->from),
                                           .msg_iov = &slot->in_iov,
                                           .msg_iovlen = 1};
        if (u->info) {
            u->in[i].msg_hdr.msg_control = slot->control;
            u->in[i].msg_hdr.msg_controllen = CONTROL_BYTES;
        }
    }
}

/* One answer that cannot be sent (a forged sender) must not hold up the rest. */
static void send_all(struct udp *u, unsigned n) {
    for (unsigned done = 0; done < n;) {
        int r = sendmmsg(u->fd, u->out + done, n - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (r < 0 && errno == EAGAIN)
            return; /* the queue is full: like any lost datagram */
        done += r > 0 ? (unsigned)r : 1;
    }
}

static void *run(void *data) {
    struct udp *u = data;
    prepare(u, BATCH);
    while (!atomic_load_explicit(&u->stop, memory_order_relaxed)) {
        const int n = recvmmsg(u->fd, u->in, BATCH, MSG_WAITFORONE, NULL);
        atomic_fetch_add_explicit(&u->turns, 1, memory_order_relaxed);
        u->self.now_us = px_now_us();
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            px_sleep_us(PX_US_PER_MS); /* not for ever at full speed */
        if (n <= 0)
            continue;
        unsigned n_out = 0;
        for (int i = 0; i < n; i++)
            if (handle_slot(u, &u->in[i], &u->slots[i], &u->out[n_out]))
                n_out++;
        send_all(u, n_out);
        prepare(u, (size_t)n); /* the kernel wrote into those */
    }
    return NULL;
}

int udp_open(struct px_id_worker *w, struct px_error *err) {
    const struct px_idserver_opts *o = &w->server->opts;
    const struct timeval look = {.tv_usec = LOOK_MS * 1000};
    struct udp *u = px_new0(struct udp, 1);
    w->udp = u->self.udp = u;
    u->self.server = w->server;
    u->info = !o->bind;
    u->fd = px_sock_udp(
        &(struct px_sock_opts){.bind = o->bind, .port = o->port, .rcvbuf_bytes = o->rcvbuf_bytes},
        &u->v6, err);
    if (u->fd < 0)
        return u->fd;
    if (fcntl(u->fd, F_SETFL, 0) < 0 ||
        setsockopt(u->fd, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof(look)) < 0)
        return px_fail_sys(err, -errno, "UDP socket");
    return 0;
}

int px_id_worker_start(struct px_id_worker *w, struct px_error *err) {
    struct udp *u = w->udp;
    if (pthread_create(&u->thread, NULL, run, u) != 0)
        return px_fail(err, -EAGAIN, "cannot start a thread for datagrams");
    u->started = true;
    return 0;
}

void px_id_worker_stop(struct px_id_worker *w) {
    struct udp *u = w->udp;
    if (!u->started)
        return;
    atomic_store(&u->stop, true);
    (void)shutdown(u->fd, SHUT_RD); /* wakes it, though it says ENOTCONN */
    pthread_join(u->thread, NULL);
    u->started = false;
}

uint64_t px_id_worker_turns(const struct px_id_worker *w) {
    return atomic_load_explicit(&w->udp->turns, memory_order_relaxed);
}

uint64_t udp_stat(const struct px_id_worker *w, enum px_id_stat stat) {
    return w->udp ? atomic_load_explicit(&w->udp->self.stats[stat], memory_order_relaxed) : 0;
}

void udp_close(struct px_id_worker *w) {
    if (!w->udp)
        return;
    px_id_worker_stop(w);
    px_closep(&w->udp->fd);
    free(w->udp);
    w->udp = NULL;
}
