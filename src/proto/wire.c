/* src/proto/wire.c - protobuf on the wire, one field at a time */
#include "proto/wire.h"
#include "base/text.h"
#include <errno.h>
#include <string.h>

static int take_varint(struct px_bytes *rest, uint64_t *ret) {
    uint64_t value = 0;
    size_t i = 0;
    for (; i < rest->size && i < PX_VARINT_MAX_BYTES; i++) {
        value |= (uint64_t)(rest->data[i] & 0x7f)
                 << (7 * i); /* the tenth byte's high bits fall off */
        if (!(rest->data[i] & 0x80)) {
            rest->data += i + 1;
            rest->size -= i + 1;
            *ret = value;
            return 0;
        }
    }
    return -EBADMSG;
}

static int take(struct px_bytes *rest, uint64_t size, struct px_bytes *ret) {
    if (size > rest->size)
        return -EBADMSG;
    *ret = (struct px_bytes){.data = rest->data, .size = (size_t)size};
    rest->data += size;
    rest->size -= (size_t)size;
    return 0;
}

static int take_value(struct px_bytes *rest, struct px_wire_field *f) {
    uint64_t size = 0;
    int r = 0;
    switch ((unsigned)f->type) {
    case PX_WIRE_VARINT:
        return take_varint(rest, &f->value);
    case PX_WIRE_LEN:
        r = take_varint(rest, &size);
        return r < 0 ? r : take(rest, size, &f->bytes);
    case PX_WIRE_FIXED64:
        r = take(rest, 8, &f->bytes);
        f->value = r < 0 ? 0 : px_le64(f->bytes.data);
        return r;
    case PX_WIRE_FIXED32:
        r = take(rest, 4, &f->bytes);
        f->value = r < 0 ? 0 : px_le32(f->bytes.data);
        return r;
    default:
        return -EBADMSG;
    }
}

int px_wire_next(struct px_bytes *rest, struct px_wire_field *ret) {
    if (rest->size == 0)
        return 0;
    const uint8_t *start = rest->data;
    uint64_t tag = 0;
    int r = take_varint(rest, &tag);
    if (r < 0 || tag > UINT32_MAX || tag >> 3 == 0)
        return -EBADMSG;
    *ret =
        (struct px_wire_field){.num = (uint32_t)(tag >> 3), .type = (enum px_wire_type)(tag & 7)};
    r = take_value(rest, ret);
    if (r < 0)
        return r;
    ret->whole = (struct px_bytes){.data = start, .size = (size_t)(rest->data - start)};
    return 1;
}

bool px_wire_valid(struct px_bytes body) {
    struct px_wire_field f;
    int r;
    while ((r = px_wire_next(&body, &f)) > 0)
        ;
    return r == 0;
}

bool px_utf8_valid(struct px_bytes text) {
    for (size_t i = 0; i < text.size;) {
        size_t n = px_utf8_length(text.data + i, text.size - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

bool px_bytes_equal(struct px_bytes a, struct px_bytes b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

struct px_bytes px_bytes_of(const char *text) {
    return (struct px_bytes){.data = (const uint8_t *)text, .size = strlen(text)};
}

void px_wire_put(struct px_wire_out *o, const void *data, size_t size) {
    if (size > 0 && o->size <= o->cap && size <= o->cap - o->size)
        memcpy(o->data + o->size, data, size);
    o->size += size;
}

void px_wire_put_varint(struct px_wire_out *o, uint64_t value) {
    uint8_t raw[PX_VARINT_MAX_BYTES];
    size_t n = 0;
    do {
        raw[n] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        n++;
        value >>= 7;
    } while (value);
    px_wire_put(o, raw, n);
}

void px_wire_put_uint(struct px_wire_out *o, uint32_t num, uint64_t value) {
    px_wire_put_varint(o, (uint64_t)num << 3 | PX_WIRE_VARINT);
    px_wire_put_varint(o, value);
}

void px_wire_put_head(struct px_wire_out *o, uint32_t num, size_t size) {
    px_wire_put_varint(o, (uint64_t)num << 3 | PX_WIRE_LEN);
    px_wire_put_varint(o, size);
}

void px_wire_put_bytes(struct px_wire_out *o, uint32_t num, struct px_bytes bytes) {
    px_wire_put_head(o, num, bytes.size);
    px_wire_put(o, bytes.data, bytes.size);
}

void px_wire_put_fields(struct px_wire_out *o, struct px_bytes body, uint32_t without) {
    struct px_wire_field f;
    while (px_wire_next(&body, &f) > 0)
        if (f.num > 31 || !(without >> f.num & 1))
            px_wire_put(o, f.whole.data, f.whole.size);
}
