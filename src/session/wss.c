/* src/session/wss.c - the client's side of a session through a reverse proxy that speaks TLS */
#include "session/wss.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "proto/frame.h"
#include "proto/tls.h"
#include "proto/wsclient.h"
#include <string.h>

#define READ_BYTES (64 * 1024)
#define EARLY_MAX_BYTES (64 * 1024) /* of a message before the login */

struct px_client_wss {
    struct px_tls_trust *trust;
    struct px_tls *tls;
    struct px_buf plain; /* of the WebSocket, not taken yet */
    struct px_ws_reader reader;
};

void px_wss_close(struct px_client *c) {
    struct px_client_wss *w = c->wss;
    if (!w)
        return;
    px_tls_free(w->tls);
    px_tls_trust_free(w->trust);
    px_buf_fini(&w->plain);
    px_ws_reader_fini(&w->reader);
    free(w);
    c->wss = NULL;
}

/* TLS of @bytes; before the handshake is done they wait in it. */
static int send_plain(struct px_client *c, const void *bytes, size_t size, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf cipher = {0};
    if (px_tls_give(c->wss->tls, bytes, size, &cipher) < 0)
        return px_fail(err, -EPROTO, "the proxy does not finish TLS's handshake");
    return cipher.size ? px_client_send_raw(c, cipher.data, cipher.size, err) : 0;
}

static int send_message(struct px_client *c, enum px_ws_opcode opcode, const void *body,
                        size_t size, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    uint8_t *at = px_buf_reserve(&out, PX_WS_HEAD_MAX_BYTES + size);
    out.size = px_ws_client_print(opcode, (struct px_bytes){body, size}, at);
    return send_plain(c, out.data, out.size, err);
}

int px_wss_send(struct px_client *c, const void *body, size_t size, struct px_error *err) {
    return send_message(c, PX_WS_BINARY, body, size, err);
}

/* What TLS makes of @bytes is read, what it wants is sent. */
static int take(struct px_client *c, const void *bytes, size_t size, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf cipher = {0};
    struct px_client_wss *w = c->wss;
    const size_t before = w->plain.size;
    int r = px_tls_take(w->tls, bytes, size, &w->plain, &cipher, err);
    if (r >= 0 && cipher.size) {
        const int sent = px_client_send_raw(c, cipher.data, cipher.size, err);
        if (sent < 0)
            return sent;
    }
    if (r == 0 && w->plain.size == before)
        return px_fail(err, -EPIPE, "the proxy closed the connection");
    return r < 0 ? r : 1;
}

/* 1: there may be more in @plain now; 0: not until then. */
static int read_plain(struct px_client *c, int64_t until_us, struct px_error *err) {
    uint8_t bytes[READ_BYTES];
    const int n = px_client_read(c, until_us, bytes, sizeof(bytes), err);
    return n <= 0 ? n : take(c, bytes, (size_t)n, err);
}

/* One message to @c->in, as the frame it is elsewhere. */
static int add_frame(struct px_client *c, struct px_bytes body) {
    uint8_t *at = px_buf_reserve(&c->in, PX_FRAME_PREFIX_MAX_BYTES + body.size);
    const size_t prefix = px_frame_print((uint32_t)body.size, at);
    if (body.size)
        memcpy(at + prefix, body.data, body.size);
    c->in.size += prefix + body.size;
    return 1;
}

int px_wss_read_more(struct px_client *c, int64_t until_us, struct px_error *err) {
    struct px_client_wss *w = c->wss;
    const uint32_t max = c->logged_in ? PX_FRAME_MAX_BYTES : EARLY_MAX_BYTES;
    for (;;) {
        struct px_bytes m = {0};
        size_t used = 0;
        int r = px_ws_reader_next(&w->reader, (uint8_t *)w->plain.data, w->plain.size, max, &m,
                                  &used, err);
        if (r < 0)
            return r;
        if (r == PX_WS_GOT_MESSAGE)
            add_frame(c, m);
        else if (r == PX_WS_GOT_PING && send_message(c, PX_WS_PONG, m.data, m.size, err) < 0)
            return -EPIPE;
        else if (r == PX_WS_GOT_CLOSE)
            return px_fail(err, -EPIPE, "the proxy closed the WebSocket");
        px_buf_drop(&w->plain, used);
        if (r == PX_WS_GOT_MESSAGE)
            return 1;
        if (r == PX_WS_GOT_MORE && (r = read_plain(c, until_us, err)) <= 0)
            return r;
    }
}

static int shake_hands(struct px_client *c, const struct px_wss *at, const char *path,
                       int64_t until_us, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf request = {0};
    struct px_client_wss *w = c->wss;
    char host[PX_WSS_HOST_MAX + 8], key[PX_WS_KEY_TEXT];
    px_wss_header(at, host);
    px_ws_request_add(host, path, key, &request);
    int r = take(c, NULL, 0, err);
    if (r >= 0)
        r = send_plain(c, request.data, request.size, err);
    while (r >= 0) {
        size_t used = 0;
        r = px_ws_response_parse((uint8_t *)w->plain.data, w->plain.size, key, &used, err);
        if (r == PX_PARSE_DONE) {
            px_buf_drop(&w->plain, used);
            return 0;
        }
        if (r >= 0 && (r = read_plain(c, until_us, err)) == 0)
            return px_fail(err, -ETIMEDOUT, "it does not answer");
    }
    return r;
}

int px_wss_connect(const struct px_wss *at, const struct px_addr *to, const char *path,
                   int64_t timeout_us, struct px_client **ret, struct px_error *err) {
    px_cleanup(px_client_closep) struct px_client *c = NULL;
    const int64_t until_us = px_now_us() + timeout_us;
    int r = px_client_connect(to, timeout_us, &c, err);
    if (r < 0)
        return r;
    c->wss = px_new0(struct px_client_wss, 1);
    c->wss->trust = px_tls_trust_new();
    c->wss->tls = px_tls_new_client(c->wss->trust, at->host);
    r = shake_hands(c, at, path, until_us, err);
    if (r < 0)
        return px_wrap(err, r, PX_WSS_SCHEME "%s%s", at->host, path);
    *ret = px_take_ptr(c);
    return 0;
}
