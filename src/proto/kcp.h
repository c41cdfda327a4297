/* src/proto/kcp.h - a byte stream over datagrams, as RustDesk's clients speak it
 *
 *     0   conv      32 bits, little endian; drawn by who connects, the same in all packets
 *     4   from, to  32 bits each; 0
 *     12  flags     SYN 1, ACK 2, FIN 4, DATA 8, RST 16, PING 32, PONG 64
 *     13  0
 *     14  segments of KCP, for DATA only (third_party/kcp), each with the same conv in front
 *
 *     SYN -->    <-- SYN|ACK    ACK|DATA -->    ACK|DATA both ways    FIN from who ends
 *     PING asks for PING|PONG; who hears nothing for a minute is gone.
 *
 * KCP: stream mode, MTU 1200, windows of 1024, resends after 2 later acknowledgements, no window
 * for congestion (ours is kcp_window.h, which only the sender has to know).
 *
 * No sockets, no clock: datagrams come in by px_kcp_input(), go out by a callback, and the caller
 * comes back when px_kcp_due_us() says, which is never sooner than needed. One thread.
 * Source: rustdesk-org/kcp-sys (packets, states, settings), skywind3000/kcp (segments). */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

#define PX_KCP_HEAD_BYTES 14
#define PX_KCP_DATAGRAM_MAX_BYTES 1500 /* of what is taken; ours have 1214 at most */

struct px_kcp;

enum px_kcp_state {
    PX_KCP_OPENING, /* no word of the other side yet */
    PX_KCP_OPEN,
    PX_KCP_CLOSED, /* the other side ended it, or is gone */
};

struct px_kcp_opts {
    bool connect;  /* we begin; else the first SYN does */
    uint32_t conv; /* any, for who connects */
    /* Sends a datagram, lent; may lose it. */
    void (*send)(void *data, const uint8_t *bytes, size_t size);
    void *data;
    int64_t now_us;
};

/* Who connects sends at once. */
struct px_kcp *px_kcp_new(const struct px_kcp_opts *opts);
struct px_kcp *px_kcp_free(struct px_kcp *k); /* takes NULL, returns NULL */
PX_DEFINE_CLEANUP(struct px_kcp *, px_kcp_free)

enum px_kcp_state px_kcp_state(const struct px_kcp *k);
/* Whether a datagram is somebody's first. Pure. */
bool px_kcp_is_syn(const uint8_t *bytes, size_t size);
/* One datagram; what is none of this stream is ignored. px_kcp_flush() is due after the last of
 * several. */
void px_kcp_input(struct px_kcp *k, const uint8_t *bytes, size_t size, int64_t now_us);
/* Adds what came, in order, to @to. */
void px_kcp_read(struct px_kcp *k, struct px_buf *to);
/* Takes everything; px_kcp_flush() sends it. */
void px_kcp_write(struct px_kcp *k, const void *bytes, size_t size);
/* Sends what is due: data, acknowledgements, resends, pings. */
void px_kcp_flush(struct px_kcp *k, int64_t now_us);
/* When px_kcp_flush() has to be called at the latest; INT64_MAX: after the next input or write. */
int64_t px_kcp_due_us(const struct px_kcp *k);
/* Tells the other side that nothing more comes. */
void px_kcp_finish(struct px_kcp *k);

/* Written, but not yet on its way: the window is full. In bytes, rounded up to whole segments. */
size_t px_kcp_unsent_bytes(const struct px_kcp *k);
/* Written and not acknowledged, the unsent included. */
bool px_kcp_is_dry(const struct px_kcp *k);

struct px_kcp_line {      /* what is known of it; 0: nothing */
    uint64_t bytes_per_s; /* delivered of late, at most */
    uint32_t rtt_us, min_rtt_us;
    bool app_limited; /* we send less than it takes */
};
void px_kcp_line(const struct px_kcp *k, struct px_kcp_line *ret);
