/* src/io/http.h - a very small HTTP/1.1 responder: one request per connection, an answer, the end
 *
 * For metrics, and for clients that look for an API where there is none. Request bodies are
 * ignored. Belongs to its loop's thread. Source: RFC 9112. */
#pragma once
#include "base/buf.h"
#include "io/sock.h"
#include "io/sources.h"

struct px_http {
    struct px_listener listener;
    struct px_loop *loop; /* lent */
    struct http_conn *conns;
    size_t n_conns, max_conns;
    struct px_sources *sources; /* lent: who may connect how often; NULL: no limit per address */
    const char *type;           /* Content-Type of answers */
    /* Fills @body; returns the status. @path is lent, with its query. */
    int (*answer)(struct px_http *h, struct px_bytes path, struct px_buf *body);
};

/* Takes @fd (listening), also on failure. Set the rest of @h before. */
int px_http_init(struct px_http *h, struct px_loop *loop, int fd, struct px_error *err);
void px_http_fini(struct px_http *h);
