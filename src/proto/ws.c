/* src/proto/ws.c - WebSocket, the server's side: handshake and frame headers */
#include "proto/ws.h"
#include "proto/sha1.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static uint64_t be(const uint8_t *p, size_t n) {
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static bool opcode_known(unsigned opcode) {
    return opcode <= PX_WS_BINARY || (opcode >= PX_WS_CLOSE && opcode <= PX_WS_PONG);
}

int px_ws_head_parse(const uint8_t *data, size_t size, struct px_ws_head *ret, size_t *ret_size,
                     struct px_error *err) {
    if (size < 2)
        return PX_PARSE_MORE;
    unsigned opcode = data[0] & 15, len = data[1] & 127;
    bool masked = data[1] & 128, fin = data[0] & 128;
    if (data[0] & 0x70 || !opcode_known(opcode))
        return px_fail(err, -EPROTO, "WebSocket frame starts with 0x%02x", data[0]);
    if (opcode >= PX_WS_CLOSE && (!fin || len > PX_WS_CONTROL_MAX_BYTES))
        return px_fail(err, -EPROTO, "WebSocket control frame is fragmented or too long");
    size_t n_len = len == 126 ? 2 : len == 127 ? 8 : 0, head = 2 + n_len + (masked ? 4 : 0);
    if (size < head)
        return PX_PARSE_MORE;
    uint64_t bytes = n_len ? be(data + 2, n_len) : len;
    if ((n_len == 2 && bytes < 126) || (n_len == 8 && (bytes <= UINT16_MAX || bytes >> 63)))
        return px_fail(err, -EPROTO, "WebSocket frame length is not in its shortest form");
    *ret = (struct px_ws_head){
        .fin = fin, .masked = masked, .opcode = (enum px_ws_opcode)opcode, .bytes = bytes};
    if (masked)
        memcpy(ret->mask, data + 2 + n_len, 4);
    *ret_size = head;
    return PX_PARSE_DONE;
}

size_t px_ws_head_print(const struct px_ws_head *head, uint8_t out[PX_WS_HEAD_MAX_BYTES]) {
    size_t n_len = head->bytes < 126 ? 0 : head->bytes <= UINT16_MAX ? 2 : 8;
    uint8_t len = n_len == 0 ? (uint8_t)head->bytes : n_len == 2 ? 126 : 127;
    out[0] = (uint8_t)((head->fin ? 128 : 0) | head->opcode);
    out[1] = (uint8_t)((head->masked ? 128 : 0) | len);
    for (size_t i = 0; i < n_len; i++)
        out[2 + i] = (uint8_t)(head->bytes >> (8 * (n_len - 1 - i)));
    if (head->masked)
        memcpy(out + 2 + n_len, head->mask, 4);
    return 2 + n_len + (head->masked ? 4 : 0);
}

void px_ws_mask(uint8_t *data, size_t size, const uint8_t mask[4], uint64_t at) {
    uint8_t turned[8];
    for (size_t i = 0; i < 8; i++)
        turned[i] = mask[(at + i) & 3];
    size_t i = 0;
    uint64_t word, key;
    memcpy(&key, turned, 8);
    for (; i + 8 <= size; i += 8) {
        memcpy(&word, data + i, 8);
        word ^= key;
        memcpy(data + i, &word, 8);
    }
    for (; i < size; i++)
        data[i] ^= turned[i & 7];
}

static struct px_bytes trim(struct px_bytes b) {
    while (b.size && (b.data[0] == ' ' || b.data[0] == '\t')) {
        b.data++;
        b.size--;
    }
    while (b.size &&
           (b.data[b.size - 1] == ' ' || b.data[b.size - 1] == '\t' || b.data[b.size - 1] == '\r'))
        b.size--;
    return b;
}

static bool is_word(struct px_bytes b, const char *word) {
    return b.size == strlen(word) && strncasecmp((const char *)b.data, word, b.size) == 0;
}

/* Takes one line, without its line end, off the front. */
static bool take_line(struct px_bytes *rest, struct px_bytes *ret) {
    const uint8_t *end = memchr(rest->data, '\n', rest->size);
    if (!end)
        return false;
    *ret = (struct px_bytes){rest->data, (size_t)(end - rest->data)};
    rest->data = end + 1;
    rest->size -= ret->size + 1;
    if (ret->size && ret->data[ret->size - 1] == '\r')
        ret->size--;
    return true;
}

static bool has_token(struct px_bytes list, const char *word) {
    while (list.size) {
        const uint8_t *comma = memchr(list.data, ',', list.size);
        size_t n = comma ? (size_t)(comma - list.data) : list.size;
        if (is_word(trim((struct px_bytes){list.data, n}), word))
            return true;
        n += comma ? 1 : 0;
        list.data += n;
        list.size -= n;
    }
    return false;
}

struct upgrade {
    bool upgrade, connection, version;
};

static void read_header(struct px_bytes line, struct px_ws_request *req, struct upgrade *up) {
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (!colon)
        return;
    struct px_bytes name = {line.data, (size_t)(colon - line.data)};
    struct px_bytes value = trim((struct px_bytes){colon + 1, line.size - name.size - 1});
    if (is_word(name, "upgrade"))
        up->upgrade = has_token(value, "websocket");
    else if (is_word(name, "connection"))
        up->connection |= has_token(value, "upgrade");
    else if (is_word(name, "sec-websocket-version"))
        up->version = is_word(value, "13");
    else if (is_word(name, "sec-websocket-key"))
        req->key = value;
    else if (is_word(name, "x-real-ip"))
        req->forwarded = value;
    else if (is_word(name, "x-forwarded-for") && !req->forwarded.size) {
        const uint8_t *comma = memchr(value.data, ',', value.size);
        if (comma)
            value.size = (size_t)(comma - value.data);
        req->forwarded = trim(value);
    }
}

/* "GET path HTTP/1.1" */
static bool read_request_line(struct px_bytes line, struct px_ws_request *req) {
    if (line.size < 14 || memcmp(line.data, "GET ", 4) != 0 ||
        memcmp(line.data + line.size - 9, " HTTP/1.1", 9) != 0)
        return false;
    req->path = (struct px_bytes){line.data + 4, line.size - 13};
    return true;
}

int px_ws_request_parse(const uint8_t *data, size_t size, struct px_ws_request *ret,
                        size_t *ret_size, struct px_error *err) {
    struct px_bytes rest = {data, size}, line = {0};
    struct px_ws_request req = {0};
    struct upgrade up = {0};
    bool first = true, good = false;
    while (take_line(&rest, &line) && line.size) {
        if (first)
            good = read_request_line(line, &req);
        else
            read_header(line, &req, &up);
        if (first && !good)
            return px_fail(err, -EPROTO, "not a WebSocket request");
        first = false;
    }
    if (size - rest.size > PX_WS_REQUEST_MAX_BYTES || rest.size > PX_WS_REQUEST_MAX_BYTES * 4)
        return px_fail(err, -EMSGSIZE, "WebSocket request is too long");
    if (!line.data || line.size || first)
        return size > PX_WS_REQUEST_MAX_BYTES
                   ? px_fail(err, -EMSGSIZE, "WebSocket request is too long")
                   : PX_PARSE_MORE;
    if (!up.upgrade || !up.connection || !up.version || !req.key.size || req.key.size > 64)
        return px_fail(err, -EPROTO, "not a WebSocket upgrade");
    *ret = req;
    *ret_size = size - rest.size;
    return PX_PARSE_DONE;
}

size_t px_ws_accept_print(struct px_bytes key, char out[PX_WS_ACCEPT_MAX_BYTES]) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t text[64 + sizeof(guid)], digest[PX_SHA1_BYTES];
    char b64[sodium_base64_ENCODED_LEN(PX_SHA1_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    size_t n = key.size < 64 ? key.size : 64;
    memcpy(text, key.data, n);
    memcpy(text + n, guid, sizeof(guid) - 1);
    px_sha1(text, n + sizeof(guid) - 1, digest);
    sodium_bin2base64(b64, sizeof(b64), digest, sizeof(digest), sodium_base64_VARIANT_ORIGINAL);
    return (size_t)snprintf(out, PX_WS_ACCEPT_MAX_BYTES,
                            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                            b64);
}
