/* src/io/http.h - a very small HTTP/1.1 responder: one request per connection, an answer, the end
 *
 * For metrics, and for clients that look for an API where there is none. Request bodies are
 * ignored. Belongs to its loop's thread. Source: RFC 9112. */
#pragma once
#include "base/buf.h"
#include "io/sock.h"
#include "io/sources.h"

#define PX_HTTP_HEAD_MAX_BYTES 8192

/* The head of a request, up to its empty line. PX_PARSE_DONE: *ret_path is what it asks for, lent
 * by
 * @data. PX_PARSE_MORE: the rest has to come. -EPROTO: complete, but not HTTP/1. -EMSGSIZE: too
 * long. Pure. */
int px_http_request_parse(const uint8_t *data, size_t size, struct px_bytes *ret_path);

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
