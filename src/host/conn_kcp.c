/* src/host/conn_kcp.c - a connection over UDP: its stream is kcpsock.h's */
#include "host/conn_private.h"

static void on_kcp_bytes(void *data, size_t n) {
    struct px_conn *c = data;
    if (!c->closing && !c->flushing)
        px_conn_take_bytes(c, n);
}

static void on_kcp_dry(void *data) {
    struct px_conn *c = data;
    px_conn_maybe_go_on(c);
    if (!c->closing && !c->flushing && c->opts.ops->on_dry)
        c->opts.ops->on_dry(c->opts.data);
}

static void on_kcp_drained(void *data) {
    struct px_conn *c = data;
    if (c->flushing)
        px_conn_close(c, false);
}

static void on_kcp_lost(void *data, const struct px_error *why) {
    struct px_conn *c = data;
    if (c->flushing)
        px_conn_close(c, false);
    else
        px_conn_lost(c, why);
}

static void on_kcp_closed(void *data) {
    px_conn_one_closed(data);
}

static const struct px_kcpsock_ops kcp_ops = {.on_bytes = on_kcp_bytes,
                                              .on_dry = on_kcp_dry,
                                              .on_drained = on_kcp_drained,
                                              .on_lost = on_kcp_lost,
                                              .on_closed = on_kcp_closed};

int px_conn_open_kcp(struct px_conn *c, int fd, const struct px_addr *peer, const void *first,
                     size_t size, struct px_error *err) {
    const struct px_kcpsock_opts o = {.loop = c->opts.loop,
                                      .ops = &kcp_ops,
                                      .data = c,
                                      .in = &c->in,
                                      .peer = *peer,
                                      .first = first,
                                      .first_size = size};
    const int r = px_kcpsock_new(&o, fd, &c->kcp, err);
    c->n_open += r == 0;
    return r;
}
