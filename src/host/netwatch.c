/* src/host/netwatch.c - tells that addresses or routes of this machine changed */
#include "host/netwatch.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTLE_MS 1000

struct px_netwatch {
    uv_poll_t poll;
    uv_timer_t settle;
    int fd, n_open;
    void (*changed)(void *data);
    void *data;
};

static void on_settled(uv_timer_t *t) {
    struct px_netwatch *w = t->data;
    w->changed(w->data);
}

/* What they say is of no interest; that messages were lost (ENOBUFS) is news, too. */
static void on_readable(uv_poll_t *p, int status, int events) {
    struct px_netwatch *w = p->data;
    char bytes[8192];
    ssize_t n;
    while ((n = recv(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0 || (n < 0 && errno == ENOBUFS))
        ;
    uv_timer_start(&w->settle, on_settled, SETTLE_MS, 0);
}

struct px_netwatch *px_netwatch_new(uv_loop_t *loop, void (*changed)(void *data), void *data) {
    const struct sockaddr_nl to = {.nl_family = AF_NETLINK,
                                   .nl_groups =
                                       RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE};
    px_cleanup_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return NULL;
    struct px_netwatch *w = px_new0(struct px_netwatch, 1);
    if (uv_poll_init(loop, &w->poll, fd) < 0) {
        free(w);
        return NULL;
    }
    w->fd = px_take_fd(&fd);
    w->changed = changed;
    w->data = data;
    uv_timer_init(loop, &w->settle);
    w->poll.data = w->settle.data = w;
    w->n_open = 2;
    uv_poll_start(&w->poll, UV_READABLE, on_readable);
    return w;
}

static void on_closed(uv_handle_t *h) {
    struct px_netwatch *w = h->data;
    if (--w->n_open > 0)
        return;
    close(w->fd);
    free(w);
}

void px_netwatch_close(struct px_netwatch *w) {
    if (!w)
        return;
    uv_close((uv_handle_t *)&w->poll, on_closed);
    uv_close((uv_handle_t *)&w->settle, on_closed);
}
