/* src/proto/wsclient.c - WebSocket, the client's side */
#include "proto/wsclient.h"
#include <sodium.h>
#include <string.h>
#include <strings.h>

void px_ws_request_add(const char *host, const char *path, char ret_key[PX_WS_KEY_TEXT],
                       struct px_buf *out) {
    uint8_t raw[16];
    randombytes_buf(raw, sizeof(raw));
    sodium_bin2base64(ret_key, PX_WS_KEY_TEXT, raw, sizeof(raw), sodium_base64_VARIANT_ORIGINAL);
    px_buf_printf(out,
                  "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
                  path, host, ret_key);
}

/* The value of header @name among the lines of [p, end). */
static struct px_bytes find_header(const char *p, const char *end, const char *name) {
    const size_t n = strlen(name);
    while (p < end) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        const char *stop = eol ? eol : end;
        if ((size_t)(stop - p) > n && strncasecmp(p, name, n) == 0 && p[n] == ':') {
            p += n + 1;
            while (p < stop && (*p == ' ' || *p == '\t'))
                p++;
            while (stop > p && (stop[-1] == '\r' || stop[-1] == ' '))
                stop--;
            return (struct px_bytes){(const uint8_t *)p, (size_t)(stop - p)};
        }
        p = stop + 1;
    }
    return (struct px_bytes){0};
}

int px_ws_response_parse(const uint8_t *data, size_t size, const char *key, size_t *ret_size,
                         struct px_error *err) {
    const char *text = (const char *)data;
    const char *end = memmem(text, size, "\r\n\r\n", 4);
    if (!end)
        return size > PX_WS_RESPONSE_MAX_BYTES ? px_fail(err, -EMSGSIZE, "an endless answer")
                                               : PX_PARSE_MORE;
    if (size < 12 || memcmp(text, "HTTP/1.", 7) != 0 || memcmp(text + 8, " 101", 4) != 0)
        return px_fail(err, -EPROTO, "no WebSocket there");
    char want[PX_WS_ACCEPT_MAX_BYTES];
    px_ws_accept_print(px_bytes_of(key), want);
    const struct px_bytes expected = find_header(want, want + strlen(want), "Sec-WebSocket-Accept");
    const struct px_bytes accept = find_header(text, end, "Sec-WebSocket-Accept");
    if (!px_bytes_equal(accept, expected))
        return px_fail(err, -EPROTO, "a WebSocket that answers somebody else");
    *ret_size = (size_t)(end - text) + 4;
    return PX_PARSE_DONE;
}

void px_ws_reader_fini(struct px_ws_reader *r) {
    px_buf_fini(&r->message);
    *r = (struct px_ws_reader){0};
}

static int take_data(struct px_ws_reader *r, const struct px_ws_head *h, const uint8_t *body,
                     uint32_t max_bytes, struct px_bytes *ret, struct px_error *err) {
    const size_t n = (size_t)h->bytes;
    if ((h->opcode == PX_WS_CONTINUATION) != r->fragmented)
        return px_fail(err, -EPROTO, "WebSocket fragments out of order");
    if (h->fin && !r->fragmented) {
        *ret = (struct px_bytes){body, n};
        return h->opcode == PX_WS_BINARY ? PX_WS_GOT_MESSAGE : PX_WS_GOT_NOTHING;
    }
    if (!r->fragmented)
        px_buf_reset(&r->message);
    if (r->message.size + n > max_bytes)
        return px_fail(err, -EMSGSIZE, "a message of more than %u bytes", max_bytes);
    px_buf_add(&r->message, body, n);
    r->fragmented = !h->fin;
    *ret = (struct px_bytes){(const uint8_t *)r->message.data, r->message.size};
    return h->fin ? PX_WS_GOT_MESSAGE : PX_WS_GOT_NOTHING;
}

int px_ws_reader_next(struct px_ws_reader *r, const uint8_t *data, size_t size, uint32_t max_bytes,
                      struct px_bytes *ret, size_t *ret_used, struct px_error *err) {
    struct px_ws_head h;
    size_t head = 0;
    *ret_used = 0;
    int e = px_ws_head_parse(data, size, &h, &head, err);
    if (e < 0)
        return e;
    if (e == PX_PARSE_MORE)
        return PX_WS_GOT_MORE;
    if (h.masked)
        return px_fail(err, -EPROTO, "a WebSocket server that masks");
    if (h.bytes > max_bytes)
        return px_fail(err, -EMSGSIZE, "a message of %llu bytes, at most %u are taken",
                       (unsigned long long)h.bytes, max_bytes);
    if (size - head < h.bytes)
        return PX_WS_GOT_MORE;
    *ret_used = head + (size_t)h.bytes;
    const uint8_t *body = data + head;
    switch (h.opcode) {
    case PX_WS_PING:
        *ret = (struct px_bytes){body, (size_t)h.bytes};
        return PX_WS_GOT_PING;
    case PX_WS_PONG:
        return PX_WS_GOT_NOTHING;
    case PX_WS_CLOSE:
        return PX_WS_GOT_CLOSE;
    case PX_WS_CONTINUATION:
    case PX_WS_TEXT:
    case PX_WS_BINARY:
        break;
    }
    return take_data(r, &h, body, max_bytes, ret, err);
}

size_t px_ws_client_print(enum px_ws_opcode opcode, struct px_bytes body, uint8_t *out) {
    struct px_ws_head h = {.fin = true, .masked = true, .opcode = opcode, .bytes = body.size};
    randombytes_buf(h.mask, sizeof(h.mask));
    const size_t head = px_ws_head_print(&h, out);
    if (body.size)
        memcpy(out + head, body.data, body.size);
    px_ws_mask(out + head, body.size, h.mask, 0);
    return head + body.size;
}
