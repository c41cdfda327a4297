/* bench/relay_uring.c - moving bytes by io_uring, in the ways that a relay could
 * Source: io_uring(7), io_uring_enter(2); the kernel's include/uapi/linux/io_uring.h. */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "relay_ways.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SQ_ENTRIES 8192u /* links of one chain must not be parted */
#define CQ_ENTRIES 32768u
#define N_BUFFERS (IN_FLIGHT_BYTES / CHUNK_BYTES) /* of one direction; a power of two */

struct ring {
    int fd;
    unsigned *sq_tail, *sq_array, *cq_head, *cq_tail, sq_mask, cq_mask, n_new;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
};

static void *map(int fd, size_t bytes, off_t what) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
    if (p == MAP_FAILED)
        die("io_uring mmap");
    return p;
}

static void ring_open(struct ring *r) {
    struct io_uring_params p = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
                                         IORING_SETUP_DEFER_TASKRUN,
                                .cq_entries = CQ_ENTRIES};
    r->fd = (int)syscall(SYS_io_uring_setup, SQ_ENTRIES, &p);
    if (r->fd < 0)
        _exit(WAY_FORBIDDEN);
    uint8_t *sq = map(r->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    uint8_t *cq = map(r->fd, p.cq_off.cqes + p.cq_entries * sizeof(*r->cqes), IORING_OFF_CQ_RING);
    r->sqes = map(r->fd, p.sq_entries * sizeof(*r->sqes), IORING_OFF_SQES);
    r->sq_tail = (unsigned *)(void *)(sq + p.sq_off.tail);
    r->sq_array = (unsigned *)(void *)(sq + p.sq_off.array);
    r->sq_mask = p.sq_entries - 1;
    r->cq_head = (unsigned *)(void *)(cq + p.cq_off.head);
    r->cq_tail = (unsigned *)(void *)(cq + p.cq_off.tail);
    r->cq_mask = p.cq_entries - 1;
    r->cqes = (struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes);
}

static void ring_enter(struct ring *r, unsigned n_wanted) {
    long n =
        syscall(SYS_io_uring_enter, r->fd, r->n_new, n_wanted, IORING_ENTER_GETEVENTS, NULL, 0);
    if (n < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY)
        die("io_uring_enter");
    r->n_new -= n > 0 ? (unsigned)n : 0;
}

static struct io_uring_sqe *ring_next(struct ring *r, uint8_t opcode, int fd, uint64_t user_data) {
    while (r->n_new > r->sq_mask)
        ring_enter(r, 0);
    const unsigned tail = *r->sq_tail, i = tail & r->sq_mask;
    r->sqes[i] = (struct io_uring_sqe){.opcode = opcode, .fd = fd, .user_data = user_data};
    r->sq_array[i] = i;
    __atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
    r->n_new++;
    return &r->sqes[i];
}

/* Submits, waits, and hands over each completion. */
static void ring_turn(struct ring *r, void (*fn)(const struct io_uring_cqe *cqe, void *data),
                      void *data) {
    ring_enter(r, 1);
    unsigned head = *r->cq_head;
    while (head != __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE)) {
        const struct io_uring_cqe cqe = r->cqes[head & r->cq_mask];
        __atomic_store_n(r->cq_head, ++head, __ATOMIC_RELEASE);
        fn(&cqe, data);
    }
}

enum kind { RECV, SEND };
enum spliced { SPLICE_IN, SPLICE_OUT, POLL };
/* One direction. Its buffers are its back-pressure: when all are full nothing more is read. */
struct lane {
    int from, to, pipe[2], n_piped;      /* n_piped: bytes in the pipe */
    struct io_uring_buf_ring *free_ones; /* what the kernel may fill */
    uint8_t *memory;
    struct {
        uint16_t buffer;
        uint32_t bytes;
    } full[N_BUFFERS]; /* a queue */
    unsigned head, n_full;
    bool receiving, sending;
};

struct mover {
    struct ring ring;
    struct lane *lanes;
    uint8_t send_opcode;
};

static uint64_t tag(size_t lane, int kind, uint16_t buffer) {
    return (uint64_t)lane << 16 | (uint64_t)buffer << 2 | (uint64_t)kind;
}

static void give_buffer(struct lane *l, uint16_t buffer) {
    const uint16_t tail = l->free_ones->tail;
    struct io_uring_buf *b = &l->free_ones->bufs[tail & (N_BUFFERS - 1)];
    b->addr = (uint64_t)(uintptr_t)(l->memory + (size_t)buffer * CHUNK_BYTES);
    b->len = CHUNK_BYTES;
    b->bid = buffer;
    __atomic_store_n(&l->free_ones->tail, (uint16_t)(tail + 1), __ATOMIC_RELEASE);
}

static void receive(struct mover *m, size_t i) {
    struct lane *l = &m->lanes[i];
    struct io_uring_sqe *e = ring_next(&m->ring, IORING_OP_RECV, l->from, tag(i, RECV, 0));
    e->ioprio = IORING_RECV_MULTISHOT;
    e->flags = IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
    e->buf_group = (uint16_t)i;
    l->receiving = true;
}

static void send_first(struct mover *m, size_t i) {
    struct lane *l = &m->lanes[i];
    const uint16_t buffer = l->full[l->head].buffer;
    struct io_uring_sqe *e = ring_next(&m->ring, m->send_opcode, l->to, tag(i, SEND, buffer));
    e->addr = (uint64_t)(uintptr_t)(l->memory + (size_t)buffer * CHUNK_BYTES);
    e->len = l->full[l->head].bytes;
    e->msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
    e->flags = IOSQE_FIXED_FILE;
    l->sending = true;
}

static void on_received(struct lane *l, const struct io_uring_cqe *cqe) {
    if (!(cqe->flags & IORING_CQE_F_MORE))
        l->receiving = false;
    if (cqe->res == -ENOBUFS)
        return;
    if (cqe->res <= 0)
        _exit(0); /* the load is through */
    const unsigned at = (l->head + l->n_full++) % N_BUFFERS;
    l->full[at].buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    l->full[at].bytes = (uint32_t)cqe->res;
}

static void on_sent(struct lane *l, const struct io_uring_cqe *cqe) {
    const uint16_t buffer = (uint16_t)(cqe->user_data >> 2 & (N_BUFFERS - 1));
    if (!(cqe->flags & IORING_CQE_F_MORE)) /* send_zc tells later when it is done with it */
        give_buffer(l, buffer);
    if (cqe->flags & IORING_CQE_F_NOTIF)
        return;
    if (cqe->res != (int)l->full[l->head].bytes)
        _exit(0);
    l->head = (l->head + 1) % N_BUFFERS;
    l->n_full--;
    l->sending = false;
}

static void on_completion(const struct io_uring_cqe *cqe, void *data) {
    struct mover *m = data;
    const size_t i = cqe->user_data >> 16;
    struct lane *l = &m->lanes[i];
    if ((cqe->user_data & 3) == RECV)
        on_received(l, cqe);
    else
        on_sent(l, cqe);
    if (!l->sending && l->n_full > 0)
        send_first(m, i);
    if (!l->receiving && l->n_full < N_BUFFERS)
        receive(m, i);
}

static struct lane *lanes_of(int (*pairs)[2], size_t n) {
    struct lane *lanes = px_new0(struct lane, n * 2);
    for (size_t i = 0; i < n * 2; i++) {
        lanes[i].from = pairs[i / 2][i % 2];
        lanes[i].to = pairs[i / 2][1 - i % 2];
    }
    return lanes;
}

/* The kernel looks up registered sockets faster: from here on a socket is its place in @pairs. */
static void register_sockets(struct mover *m, int (*pairs)[2], size_t n) {
    if (syscall(SYS_io_uring_register, m->ring.fd, IORING_REGISTER_FILES, pairs, n * 2) < 0)
        die("IORING_REGISTER_FILES");
    for (size_t i = 0; i < n * 2; i++) {
        m->lanes[i].from = (int)i;
        m->lanes[i].to = (int)(i ^ 1);
    }
}

static void *pages(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

static void move_by_uring(int (*pairs)[2], size_t n, uint8_t send_opcode) {
    struct mover m = {.lanes = lanes_of(pairs, n), .send_opcode = send_opcode};
    ring_open(&m.ring);
    register_sockets(&m, pairs, n);
    for (size_t i = 0; i < n * 2; i++) {
        struct lane *l = &m.lanes[i];
        l->free_ones = pages(N_BUFFERS * sizeof(struct io_uring_buf));
        l->memory = pages(IN_FLIGHT_BYTES);
        const struct io_uring_buf_reg reg = {.ring_addr = (uint64_t)(uintptr_t)l->free_ones,
                                             .ring_entries = N_BUFFERS,
                                             .bgid = (uint16_t)i};
        if (syscall(SYS_io_uring_register, m.ring.fd, IORING_REGISTER_PBUF_RING, &reg, 1) < 0)
            die("IORING_REGISTER_PBUF_RING");
        for (uint16_t k = 0; k < N_BUFFERS; k++)
            give_buffer(l, k);
        receive(&m, i);
    }
    for (;;)
        ring_turn(&m.ring, on_completion, &m);
}

void way_uring(int (*pairs)[2], size_t n) {
    move_by_uring(pairs, n, IORING_OP_SEND);
}

void way_uring_zc(int (*pairs)[2], size_t n) {
    move_by_uring(pairs, n, IORING_OP_SEND_ZC);
}

/* Waits for data, moves it into the pipe and out again; or, while the pipe holds some, waits for
 * room. The kernel gives every splice to a worker thread. Hard links, as a short splice breaks
 * others. */
static void splice_on(struct mover *m, size_t i) {
    struct lane *l = &m->lanes[i];
    const bool in = l->n_piped == 0;
    struct io_uring_sqe *e =
        ring_next(&m->ring, IORING_OP_POLL_ADD, in ? l->from : l->to, tag(i, POLL, 0));
    e->poll32_events = in ? POLLIN : POLLOUT;
    e->flags = IOSQE_IO_HARDLINK | IOSQE_CQE_SKIP_SUCCESS;
    for (int k = in ? 0 : 1; k < 2; k++) {
        e = ring_next(&m->ring, IORING_OP_SPLICE, k ? l->to : l->pipe[1],
                      tag(i, k ? SPLICE_OUT : SPLICE_IN, 0));
        e->splice_fd_in = k ? l->pipe[0] : l->from;
        e->splice_off_in = e->off = (uint64_t)-1;
        e->len = IN_FLIGHT_BYTES;
        e->splice_flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
        e->flags = k ? 0 : IOSQE_IO_HARDLINK;
    }
}

static void on_spliced(const struct io_uring_cqe *cqe, void *data) {
    struct mover *m = data;
    struct lane *l = &m->lanes[cqe->user_data >> 16];
    const bool out = (cqe->user_data & 3) == SPLICE_OUT;
    if (cqe->res <= 0 && cqe->res != -EAGAIN)
        _exit(0);
    if (cqe->res > 0)
        l->n_piped += out ? -cqe->res : cqe->res;
    if (out)
        splice_on(m, cqe->user_data >> 16);
}

void way_uring_splice(int (*pairs)[2], size_t n) {
    struct mover m = {.lanes = lanes_of(pairs, n)};
    ring_open(&m.ring);
    for (size_t i = 0; i < n * 2; i++) {
        if (pipe2(m.lanes[i].pipe, O_CLOEXEC | O_NONBLOCK) < 0)
            die("pipe");
        (void)fcntl(m.lanes[i].pipe[1], F_SETPIPE_SZ, IN_FLIGHT_BYTES);
        splice_on(&m, i);
    }
    for (;;)
        ring_turn(&m.ring, on_spliced, &m);
}
