/* src/host/dial.c - names to addresses, without blocking */
#include "host/dial.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <stdio.h>
#include <string.h>

struct dial {
    uv_getaddrinfo_t req;
    uv_timer_t soon;
    void (*done)(void *data, const struct px_addr *to, int status);
    void *data;
    struct px_addr addr;
    int status;
    uint16_t port;
};

static void on_soon_closed(uv_handle_t *h) {
    struct dial *d = px_container_of((uv_timer_t *)h, struct dial, soon);
    d->done(d->data, d->status < 0 ? NULL : &d->addr, d->status);
    free(d);
}

/* The answer always comes from the loop, also when it is known at once. */
static void finish(struct dial *d, int status) {
    d->status = status;
    uv_close((uv_handle_t *)&d->soon, on_soon_closed);
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *res) {
    struct dial *d = px_container_of(req, struct dial, req);
    if (status == 0)
        status = res && px_addr_from_sockaddr(res->ai_addr, &d->addr) == 0 ? 0 : -ENOENT;
    d->addr.port = d->port;
    uv_freeaddrinfo(res);
    finish(d, status < 0 ? -ENOENT : 0);
}

void px_dial(uv_loop_t *loop, const char *name, uint16_t default_port,
             void (*done)(void *data, const struct px_addr *to, int status), void *data) {
    struct dial *d = px_new0(struct dial, 1);
    d->done = done;
    d->data = data;
    uv_timer_init(loop, &d->soon);
    if (px_addr_parse(name, default_port, &d->addr, NULL) >= 0) {
        finish(d, 0);
        return;
    }
    px_cleanup_free char *host = px_strdup(name);
    char *colon = strrchr(host, ':');
    unsigned port = default_port;
    if (colon && sscanf(colon + 1, "%5u", &port) == 1)
        *colon = '\0';
    d->port = (uint16_t)port;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (uv_getaddrinfo(loop, &d->req, on_lookup, host, NULL, &hints) < 0)
        finish(d, -ENOENT);
}
