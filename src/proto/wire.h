/* src/proto/wire.h - protobuf on the wire, one field at a time
 *
 * Reads without copying and without recursion: a field's bytes point into the input. Nothing here
 * allocates, so it serves the packet path. Groups (wire types 3 and 4) count as malformed: nobody
 * sends them, and nested ones are an attack. Pure functions, any thread.
 * Source: protobuf.dev/programming-guides/encoding. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a parser says when it did not fail. */
enum { PX_PARSE_MORE = 0, PX_PARSE_DONE = 1 };

/* Bytes that belong to somebody else. */
struct px_bytes {
    const uint8_t *data;
    size_t size;
};

enum px_wire_type { PX_WIRE_VARINT = 0, PX_WIRE_FIXED64 = 1, PX_WIRE_LEN = 2, PX_WIRE_FIXED32 = 5 };

struct px_wire_field {
    uint32_t num;
    enum px_wire_type type;
    uint64_t value;        /* of a varint or fixed field */
    struct px_bytes bytes; /* of a length-delimited field */
    struct px_bytes whole; /* tag, length and content: to copy a field as it is */
};

#define PX_VARINT_MAX_BYTES 10

/* Takes the next field off the front of @rest. 1: *ret is filled in; 0: @rest was empty;
 * -EBADMSG: malformed (@rest is then useless). */
int px_wire_next(struct px_bytes *rest, struct px_wire_field *ret);
/* Whether @body is a row of well-formed fields. */
bool px_wire_valid(struct px_bytes body);
bool px_utf8_valid(struct px_bytes text);
bool px_bytes_equal(struct px_bytes a, struct px_bytes b);
/* The bytes of a C string, without its NUL. */
struct px_bytes px_bytes_of(const char *text);

/* Writing into memory of a known size. Zero-initialise, set data and cap; size counts on past cap,
 * so that a first run with cap 0 measures. */
struct px_wire_out {
    uint8_t *data;
    size_t cap, size;
};

/* Whether all that was written had room. */
static inline bool px_wire_fits(const struct px_wire_out *o) {
    return o->size <= o->cap;
}
void px_wire_put(struct px_wire_out *o, const void *data, size_t size);
void px_wire_put_varint(struct px_wire_out *o, uint64_t value);
void px_wire_put_uint(struct px_wire_out *o, uint32_t num, uint64_t value);
void px_wire_put_bytes(struct px_wire_out *o, uint32_t num, struct px_bytes bytes);
/* Tag and length only; the content follows by px_wire_put(). */
void px_wire_put_head(struct px_wire_out *o, uint32_t num, size_t size);
/* Copies the fields of @body (which must be valid) except those whose bit 1<<num is in @without. */
void px_wire_put_fields(struct px_wire_out *o, struct px_bytes body, uint32_t without);

static inline uint16_t px_le16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t px_le32(const uint8_t *p) {
    return (uint32_t)px_le16(p) | (uint32_t)px_le16(p + 2) << 16;
}
static inline uint64_t px_le64(const uint8_t *p) {
    return px_le32(p) | (uint64_t)px_le32(p + 4) << 32;
}
