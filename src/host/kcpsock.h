/* src/host/kcpsock.h - a KCP stream (proto/kcp.h) over a UDP socket, on the loop
 *
 * Wakes only for datagrams and when the stream says that something is due. Callbacks run on the
 * loop, never inside a call from the owner; none runs after px_kcpsock_close() except on_closed. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "host/link.h"
#include "proto/addr.h"
#include <uv.h>

struct px_kcpsock;

struct px_kcpsock_ops {
    /* @n bytes were added to the owner's buffer. */
    void (*on_bytes)(void *data, size_t n);
    /* All that was written is on its way, or was (the window has room). */
    void (*on_dry)(void *data);
    /* All that was written has arrived. */
    void (*on_drained)(void *data);
    /* The other side ended it, or is gone (@why NULL: it said so). Close it now. */
    void (*on_lost)(void *data, const struct px_error *why);
    void (*on_closed)(void *data);
};

struct px_kcpsock_opts {
    uv_loop_t *loop;
    const struct px_kcpsock_ops *ops; /* lent, as is @in */
    void *data;
    struct px_buf *in;
    struct px_addr peer;
    const uint8_t *first; /* the peer's datagram that began it, lent for the call */
    size_t first_size;
};

/* Takes @fd, a UDP socket of @peer's family, which is connected to it. */
int px_kcpsock_new(const struct px_kcpsock_opts *opts, int fd, struct px_kcpsock **ret,
                   struct px_error *err);
void px_kcpsock_write(struct px_kcpsock *s, const void *bytes, size_t size);
/* Whether bytes come in; they wait with the other side meanwhile. */
void px_kcpsock_read(struct px_kcpsock *s, bool on);
size_t px_kcpsock_unsent_bytes(const struct px_kcpsock *s);
bool px_kcpsock_is_drained(const struct px_kcpsock *s);
/* When the unsent bytes last became fewer; 0: there are none. */
int64_t px_kcpsock_blocked_since_us(const struct px_kcpsock *s);
void px_kcpsock_own(const struct px_kcpsock *s, struct px_addr *ret);
void px_kcpsock_peer(const struct px_kcpsock *s, struct px_addr *ret);
void px_kcpsock_link(const struct px_kcpsock *s, struct px_link_info *ret);
void px_kcpsock_close(struct px_kcpsock *s);
