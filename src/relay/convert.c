/* src/relay/convert.c - from one carrier's message framing to the other's */
#include "relay/convert.h"
#include <string.h>

void px_convert_fini(struct px_convert *c) {
    px_buf_fini(&c->message);
    px_buf_fini(&c->control);
}

bool px_convert_between(const struct px_convert *c) {
    return c->left == 0 || c->drop;
}

static void put_ws_head(struct px_buf *out, bool fin, enum px_ws_opcode opcode, uint64_t bytes) {
    uint8_t raw[PX_WS_HEAD_MAX_BYTES];
    const struct px_ws_head h = {.fin = fin, .opcode = opcode, .bytes = bytes};
    px_buf_add(out, raw, px_ws_head_print(&h, raw));
}

static void put_frame_head(struct px_buf *out, size_t bytes) {
    uint8_t raw[PX_FRAME_PREFIX_MAX_BYTES];
    px_buf_add(out, raw, px_frame_print((uint32_t)bytes, raw));
}

static int frame_started(struct px_convert *c, uint32_t bytes, struct px_buf *out) {
    c->left = bytes;
    c->at = 0;
    if (bytes)
        put_ws_head(out, true, PX_WS_BINARY, bytes);
    return 0;
}

/* What to do with the payload of the WebSocket frame whose head just came. */
static int ws_started(struct px_convert *c, struct px_buf *out, struct px_error *err) {
    const struct px_ws_head *h = &c->head;
    const bool control = h->opcode >= PX_WS_CLOSE;
    const bool first = h->opcode == PX_WS_TEXT || h->opcode == PX_WS_BINARY;
    if (!h->masked || (!control && first == c->in_fragments))
        return px_fail(err, -EPROTO, "WebSocket frame is out of order or not masked");
    if (!control && h->bytes > PX_CONVERT_MESSAGE_MAX_BYTES)
        return px_fail(err, -EMSGSIZE, "WebSocket message is too large");
    c->left = h->bytes;
    c->at = 0;
    c->drop = control;
    px_buf_reset(&c->control);
    if (control)
        return 0;
    if (first)
        c->drop_message = h->opcode == PX_WS_TEXT;
    const bool whole = first && h->fin;
    c->in_fragments = !h->fin;
    c->drop = c->drop_message || (whole && h->bytes == 0);
    if (c->drop)
        return 0;
    if (c->to_ws)
        put_ws_head(out, h->fin, h->opcode, h->bytes);
    else if (whole)
        put_frame_head(out, h->bytes);
    else if (c->message.size + h->bytes > PX_CONVERT_MESSAGE_MAX_BYTES)
        return px_fail(err, -EMSGSIZE, "fragmented WebSocket message is too large");
    return 0;
}

static bool collecting(const struct px_convert *c) {
    const struct px_ws_head *h = &c->head;
    return c->from_ws && !c->to_ws && !c->drop && (h->opcode == PX_WS_CONTINUATION || !h->fin);
}

static void payload(struct px_convert *c, uint8_t *data, size_t size, struct px_buf *out) {
    if (c->from_ws)
        px_ws_mask(data, size, c->head.mask, c->at);
    c->at += size;
    c->left -= size;
    if (c->from_ws && c->head.opcode >= PX_WS_CLOSE)
        px_buf_add(&c->control, data, size); /* at most 125 bytes */
    else if (collecting(c))
        px_buf_add(&c->message, data, size);
    else if (!c->drop)
        px_buf_add(out, data, size);
}

/* The frame is complete. */
static int ws_ended(struct px_convert *c, struct px_buf *out, struct px_buf *pong, bool *ret_ping) {
    if (c->head.opcode == PX_WS_CLOSE)
        return PX_PARSE_DONE;
    if (c->head.opcode == PX_WS_PING) {
        px_buf_reset(pong);
        px_buf_add(pong, c->control.data ? c->control.data : "", c->control.size);
        *ret_ping = true;
    }
    if (collecting(c) && c->head.fin) {
        if (c->message.size) {
            put_frame_head(out, c->message.size);
            px_buf_add(out, c->message.data, c->message.size);
        }
        px_buf_fini(&c->message);
    }
    c->drop = false;
    return PX_PARSE_MORE;
}

/* Reads a header from @data; returns how many of its bytes were used, *ret_started: it is complete.
 */
static int take_head(struct px_convert *c, const uint8_t *data, size_t size, struct px_buf *out,
                     bool *ret_started, struct px_error *err) {
    const size_t had = c->n_carry;
    const size_t take = size < sizeof(c->carry) - had ? size : sizeof(c->carry) - had;
    size_t head = 0;
    uint32_t bytes = 0;
    memcpy(c->carry + had, data, take);
    int r = c->from_ws ? px_ws_head_parse(c->carry, had + take, &c->head, &head, err)
                       : px_frame_parse(c->carry, had + take, &bytes, err);
    *ret_started = r == PX_PARSE_DONE;
    if (r < 0)
        return r;
    if (r == PX_PARSE_MORE) {
        c->n_carry = had + take;
        return (int)take;
    }
    c->n_carry = 0;
    if (!c->from_ws)
        head = px_frame_prefix_size(c->carry[0]);
    r = c->from_ws ? ws_started(c, out, err) : frame_started(c, bytes, out);
    return r < 0 ? r : (int)(head - had);
}

int px_convert_feed(struct px_convert *c, uint8_t *data, size_t size, struct px_buf *out,
                    struct px_buf *pong, bool *ret_ping, struct px_error *err) {
    bool started = false;
    while (size > 0 || started) {
        if (c->left == 0 && !started) {
            int n = take_head(c, data, size, out, &started, err);
            if (n < 0)
                return n;
            data += n;
            size -= (size_t)n;
            if (!started)
                return PX_PARSE_MORE;
        }
        const size_t n = c->left < size ? (size_t)c->left : size;
        payload(c, data, n, out);
        data += n;
        size -= n;
        started = false;
        if (c->left > 0)
            continue;
        int r = c->from_ws ? ws_ended(c, out, pong, ret_ping) : PX_PARSE_MORE;
        if (r != PX_PARSE_MORE)
            return r;
    }
    return PX_PARSE_MORE;
}
