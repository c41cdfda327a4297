/* src/proto/kcp.c - a byte stream over datagrams, as RustDesk's clients speak it */
#include "proto/kcp.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "proto/kcp_window.h"
#include "proto/wire.h"
#include <ikcp.h>
#include <string.h>

#define MTU 1200
#define WINDOW 1024
#define FAST_RESEND 2
#define SLACK_MS 40 /* a resend waits the round trip and this: our own queue makes trips differ */
#define SEGMENT_HEAD_BYTES 24
#define AGAIN_US (100 * PX_US_PER_MS) /* between SYNs, or answers to one */
#define AGAIN_MAX 50
#define PING_US (10 * PX_US_PER_S)
#define GONE_US (60 * PX_US_PER_S)
#define ACK_AGE_MAX_MS 60000 /* of the time that an acknowledgement sends back */

enum { SYN = 1, ACK = 2, FIN = 4, DATA = 8, RST = 16, PING = 32, PONG = 64 };
enum { PUSH = 81, ACKNOWLEDGE = 82, ASK_WINDOW = 83, TELL_WINDOW = 84 }; /* segments' commands */

struct px_kcp {
    struct px_kcp_opts opts;
    ikcpcb *kcp; /* NULL: nobody said SYN yet */
    uint32_t conv;
    uint8_t ids[8]; /* from and to, given back as they are */
    enum px_kcp_state state;
    struct px_kcp_window window;
    bool confirmed; /* a packet that only an open stream has came in */
    unsigned n_again;
    int64_t now_us, again_us, heard_us, sent_us, pinged_us, flushed_us;
};

struct head {
    uint32_t conv;
    const uint8_t *ids;
    uint8_t flags;
};

static bool parse_head(const uint8_t *bytes, size_t size, struct head *ret) {
    if (size < PX_KCP_HEAD_BYTES || size > PX_KCP_DATAGRAM_MAX_BYTES)
        return false;
    *ret = (struct head){px_le32(bytes), bytes + 4, bytes[12]};
    return true;
}

bool px_kcp_is_syn(const uint8_t *bytes, size_t size) {
    struct head h;
    return parse_head(bytes, size, &h) && h.flags == SYN;
}

/* The library's clock; from the stream's beginning, so that times sent back are not before it. */
static uint32_t ms(const struct px_kcp *k) {
    return (uint32_t)((k->now_us - k->opts.now_us) / PX_US_PER_MS) + 1;
}

/* ---- out ---- */

static void put_le32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void send_packet(struct px_kcp *k, unsigned flags, const void *body, size_t size) {
    uint8_t out[PX_KCP_HEAD_BYTES + MTU] = {0};
    if (size > MTU)
        return;
    put_le32(out, k->conv);
    memcpy(out + 4, k->ids, sizeof(k->ids));
    out[12] = (uint8_t)flags;
    if (size)
        memcpy(out + PX_KCP_HEAD_BYTES, body, size);
    k->sent_us = k->now_us;
    k->opts.send(k->opts.data, out, PX_KCP_HEAD_BYTES + size);
}

static int on_output(const char *bytes, int size, ikcpcb *kcp, void *user) {
    send_packet(user, ACK | DATA, bytes, (size_t)size);
    return 0;
}

static void make(struct px_kcp *k, uint32_t conv) {
    k->conv = conv;
    k->kcp = ikcp_create(conv, k);
    if (!k->kcp || ikcp_setmtu(k->kcp, MTU) < 0)
        abort(); /* memory is out */
    k->kcp->stream = 1;
    ikcp_setoutput(k->kcp, on_output);
    ikcp_wndsize(k->kcp, (int)k->window.segments, WINDOW);
    ikcp_nodelay(k->kcp, 1, SLACK_MS, FAST_RESEND, 1);
    ikcp_update(k->kcp, ms(k)); /* flushes do nothing before the first */
}

struct px_kcp *px_kcp_new(const struct px_kcp_opts *opts) {
    struct px_kcp *k = px_new0(struct px_kcp, 1);
    k->opts = *opts;
    k->now_us = k->heard_us = k->sent_us = k->pinged_us = k->flushed_us = opts->now_us;
    px_kcp_window_init(&k->window);
    if (opts->connect) {
        make(k, opts->conv);
        k->again_us = opts->now_us + AGAIN_US;
        send_packet(k, SYN, NULL, 0);
    }
    return k;
}

struct px_kcp *px_kcp_free(struct px_kcp *k) {
    if (k && k->kcp)
        ikcp_release(k->kcp);
    free(k);
    return NULL;
}

enum px_kcp_state px_kcp_state(const struct px_kcp *k) {
    return k->state;
}

/* ---- in ---- */

/* Whether the library may see it. It takes care of lengths, but adds up times of strangers, and
 * keeps what no stream sends (fragments) for ever. */
static bool segments_are_sane(const struct px_kcp *k, const uint8_t *p, size_t size) {
    while (size > 0) {
        if (size < SEGMENT_HEAD_BYTES || px_le32(p) != k->conv)
            return false;
        const uint32_t len = px_le32(p + 20);
        const uint32_t age = ms(k) - px_le32(p + 8);
        const uint8_t command = p[4];
        if (command < PUSH || command > TELL_WINDOW || p[5] != 0 ||
            len > size - SEGMENT_HEAD_BYTES || (command == PUSH) != (len > 0) ||
            (command == ACKNOWLEDGE && age > ACK_AGE_MAX_MS))
            return false;
        p += SEGMENT_HEAD_BYTES + len;
        size -= SEGMENT_HEAD_BYTES + len;
    }
    return true;
}

static void take_segments(struct px_kcp *k, const uint8_t *p, size_t size) {
    if (size == 0 || !segments_are_sane(k, p, size))
        return;
    k->kcp->current = ms(k);
    (void)ikcp_input(k->kcp, (const char *)p, (long)size);
}

/* Somebody's SYN makes us one end of a stream; a repeated one lost our answer. */
static void take_syn(struct px_kcp *k, const struct head *h) {
    if (k->opts.connect || k->confirmed || (k->kcp && h->conv != k->conv))
        return;
    if (!k->kcp) {
        memcpy(k->ids, h->ids, sizeof(k->ids));
        make(k, h->conv);
        k->state = PX_KCP_OPEN;
    }
    k->again_us = k->now_us + AGAIN_US;
    send_packet(k, SYN | ACK, NULL, 0);
}

static void take_open(struct px_kcp *k, const struct head *h, const uint8_t *bytes, size_t size) {
    switch (h->flags) {
    case SYN | ACK:
        if (!k->opts.connect)
            return;
        k->state = PX_KCP_OPEN;
        k->confirmed = true;
        send_packet(k, ACK | DATA, NULL, 0); /* also again: the first may be lost */
        return;
    case ACK | DATA:
        if (k->state != PX_KCP_OPEN)
            return;
        k->confirmed = true;
        take_segments(k, bytes + PX_KCP_HEAD_BYTES, size - PX_KCP_HEAD_BYTES);
        return;
    default:
        break;
    }
    if (h->flags & (RST | FIN)) {
        k->state = PX_KCP_CLOSED;
    } else if ((h->flags & PING) && !(h->flags & PONG)) {
        k->confirmed |= k->state == PX_KCP_OPEN;
        send_packet(k, PING | PONG, NULL, 0);
    }
}

void px_kcp_input(struct px_kcp *k, const uint8_t *bytes, size_t size, int64_t now_us) {
    struct head h;
    k->now_us = now_us;
    if (k->state == PX_KCP_CLOSED || !parse_head(bytes, size, &h))
        return;
    if (h.flags == SYN) {
        take_syn(k, &h);
        return;
    }
    if (!k->kcp || h.conv != k->conv || memcmp(h.ids, k->ids, sizeof(k->ids)) != 0)
        return;
    k->heard_us = now_us;
    take_open(k, &h, bytes, size);
}

void px_kcp_read(struct px_kcp *k, struct px_buf *to) {
    int n;
    while (k->kcp && (n = ikcp_peeksize(k->kcp)) > 0) {
        n = ikcp_recv(k->kcp, px_buf_reserve(to, (size_t)n), n);
        if (n <= 0)
            return;
        to->size += (size_t)n;
    }
}

/* ---- sending ---- */

void px_kcp_write(struct px_kcp *k, const void *bytes, size_t size) {
    const char *p = bytes;
    while (k->kcp && k->state != PX_KCP_CLOSED && size > 0) {
        const size_t part = size < k->kcp->mss ? size : k->kcp->mss;
        const int n = ikcp_send(k->kcp, p, (int)part);
        if (n < 0)
            abort(); /* memory is out */
        p += n;
        size -= (size_t)n;
    }
}

static bool wants_answer(const struct px_kcp *k) {
    return k->opts.connect ? k->state == PX_KCP_OPENING : k->state == PX_KCP_OPEN && !k->confirmed;
}

/* Who connected has no use for data before our answer has reached it, and drops what comes too
 * soon; but for its word that it did we wait only once, as that may be lost. */
static bool holds_back(const struct px_kcp *k) {
    return !k->confirmed && k->n_again == 0;
}

static int64_t ping_due_us(const struct px_kcp *k) {
    int64_t since = k->sent_us < k->heard_us ? k->sent_us : k->heard_us;
    if (since < k->pinged_us)
        since = k->pinged_us;
    return since + PING_US;
}

static void speak(struct px_kcp *k) {
    if (wants_answer(k) && k->now_us >= k->again_us && k->n_again < AGAIN_MAX) {
        k->n_again++;
        k->again_us = k->now_us + AGAIN_US;
        send_packet(k, k->opts.connect ? SYN : SYN | ACK, NULL, 0);
    }
    if (k->state == PX_KCP_OPEN && k->now_us >= ping_due_us(k)) {
        k->pinged_us = k->now_us;
        send_packet(k, PING, NULL, 0);
    }
    if (k->now_us - k->heard_us > GONE_US)
        k->state = PX_KCP_CLOSED;
}

void px_kcp_flush(struct px_kcp *k, int64_t now_us) {
    k->now_us = k->flushed_us = now_us;
    if (!k->kcp || k->state == PX_KCP_CLOSED)
        return;
    speak(k);
    if (k->state != PX_KCP_OPEN || holds_back(k))
        return;
    ikcpcb *kcp = k->kcp;
    kcp->current = ms(k);
    ikcp_flush(kcp);
    px_kcp_window_step(&k->window, kcp->snd_una, kcp->snd_nxt, kcp->nsnd_que > 0, kcp->xmit,
                       now_us);
    kcp->snd_wnd = k->window.segments;
    if (kcp->state != 0) /* one segment was sent twenty times */
        k->state = PX_KCP_CLOSED;
}

/* The first resend; while the other side takes nothing, its asking about that. */
static int64_t resend_due_us(const struct px_kcp *k) {
    const ikcpcb *kcp = k->kcp;
    int32_t soonest = INT32_MAX;
    for (struct IQUEUEHEAD *p = kcp->snd_buf.next; p != &kcp->snd_buf; p = p->next) {
        const struct IKCPSEG *s = px_container_of(p, struct IKCPSEG, node);
        const int32_t left = (int32_t)(s->resendts - kcp->current);
        if (left < soonest)
            soonest = left;
    }
    if (kcp->nsnd_que > 0 && kcp->rmt_wnd == 0 && soonest > 1000)
        soonest = 1000;
    if (soonest == INT32_MAX)
        return INT64_MAX;
    return k->flushed_us + (soonest > 1 ? soonest : 1) * PX_US_PER_MS;
}

int64_t px_kcp_due_us(const struct px_kcp *k) {
    if (!k->kcp || k->state == PX_KCP_CLOSED)
        return INT64_MAX;
    int64_t due = k->heard_us + GONE_US + 1;
    if (wants_answer(k) && k->n_again < AGAIN_MAX && k->again_us < due)
        due = k->again_us;
    if (k->state != PX_KCP_OPEN)
        return due;
    const int64_t ping = ping_due_us(k), resend = resend_due_us(k);
    due = ping < due ? ping : due;
    return resend < due ? resend : due;
}

void px_kcp_finish(struct px_kcp *k) {
    if (k->kcp && k->state != PX_KCP_CLOSED)
        send_packet(k, FIN, NULL, 0);
}

size_t px_kcp_unsent_bytes(const struct px_kcp *k) {
    return k->kcp ? (size_t)k->kcp->nsnd_que * k->kcp->mss : 0;
}

bool px_kcp_is_dry(const struct px_kcp *k) {
    return !k->kcp || ikcp_waitsnd(k->kcp) == 0;
}

void px_kcp_line(const struct px_kcp *k, struct px_kcp_line *ret) {
    *ret = (struct px_kcp_line){.min_rtt_us = (uint32_t)k->window.min_rtt_us,
                                .app_limited = !k->window.limited};
    if (!k->kcp)
        return;
    ret->bytes_per_s = (uint64_t)(k->window.rate * k->kcp->mss);
    ret->rtt_us = (uint32_t)k->kcp->rx_srtt * 1000;
}
