/* src/io/sock.h - sockets of the server: listeners, datagram sockets, names
 *
 * Every socket is non-blocking and close-on-exec. Listeners share their port among threads
 * (SO_REUSEPORT). Without a bind address the socket is the dual-stack wildcard, or the IPv4 one
 * where there is no IPv6. Source: socket(7), ipv6(7), udp(7). */
#pragma once
#include "io/loop.h"
#include "proto/addr.h"

struct px_sock_opts {
    const struct px_addr *bind; /* NULL: wildcard; its port is not looked at */
    uint16_t port;              /* 0: any */
    int rcvbuf_bytes;           /* 0: the system's default */
};

/* Return the fd. *ret_v6: sockaddrs are AF_INET6 (dual-stack). */
int px_sock_udp(const struct px_sock_opts *opts, bool *ret_v6, struct px_error *err);
int px_sock_listen(const struct px_sock_opts *opts, struct px_error *err);
/* Negative: nobody can listen there, or somebody does, also one who would share the port with us.
 */
int px_sock_is_free(const struct px_sock_opts *opts, struct px_error *err);
/* A stream socket bound to @path (an old one there is replaced), mode @mode. */
int px_sock_listen_unix(const char *path, unsigned mode, struct px_error *err);
int px_sock_local_addr(int fd, struct px_addr *ret, struct px_error *err);
/* Whether an interface of this machine is in a network with @addr that does not hold @but. */
bool px_sock_on_link(const struct px_addr *addr, const struct px_addr *but);
void px_sock_nodelay(int fd);

/* Accepts for one thread. Owns its fd. */
struct px_listener {
    struct px_watch watch;
    struct px_loop *loop; /* lent */
    /* Takes @fd. */
    void (*on_accept)(struct px_listener *l, int fd, const struct px_addr *from);
    int spare_fd; /* given up to turn a client away when descriptors run out */
};
/* Takes @fd, also on failure. */
int px_listener_init(struct px_listener *l, struct px_loop *loop, int fd,
                     void (*on_accept)(struct px_listener *l, int fd, const struct px_addr *from),
                     struct px_error *err);
void px_listener_fini(struct px_listener *l);
