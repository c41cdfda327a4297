/* src/check/dns.c - one question to a name server, and its answer */
#include "check/dns.h"
#include <string.h>

#define HEAD_BYTES 12
#define TYPE_A 1
#define CLASS_IN 1
#define ANSWERS_MAX 64

static void put16(uint8_t *p, unsigned v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p) {
    return (unsigned)p[0] << 8 | p[1];
}

int px_dns_ask(uint16_t id, const char *name, uint8_t out[PX_DNS_MAX_BYTES], struct px_error *err) {
    size_t at = HEAD_BYTES;
    memset(out, 0, HEAD_BYTES);
    put16(out, id);
    put16(out + 2, 0x0100); /* recursion wanted */
    put16(out + 4, 1);
    if (strlen(name) > 253)
        return px_fail(err, -EINVAL, "'%.64s...' is too long for a name", name);
    for (const char *label = name; *label;) {
        const size_t n = strcspn(label, ".");
        if (n == 0 || n > 63)
            return px_fail(err, -EINVAL, "'%s' is no name of a host", name);
        out[at++] = (uint8_t)n;
        memcpy(out + at, label, n);
        at += n;
        label += n + (label[n] == '.');
    }
    out[at++] = 0;
    put16(out + at, TYPE_A);
    put16(out + at + 2, CLASS_IN);
    return (int)at + 4;
}

/* Past a name at @at; 0: it runs out of the message. A pointer ends it. */
static size_t skip_name(const uint8_t *data, size_t size, size_t at) {
    while (at < size) {
        const unsigned n = data[at];
        if (n == 0)
            return at + 1;
        if (n >= 0xc0)
            return at + 2 <= size ? at + 2 : 0;
        if (n > 63)
            return 0;
        at += n + 1;
    }
    return 0;
}

/* The first address among the answers from @at on. */
static void find_address(const uint8_t *data, size_t size, size_t at, unsigned n_answers,
                         struct in_addr *ret) {
    for (unsigned i = 0; i < n_answers && i < ANSWERS_MAX; i++) {
        at = skip_name(data, size, at);
        if (at == 0 || size - at < 10)
            return;
        const unsigned type = get16(data + at), class = get16(data + at + 2),
                       n = get16(data + at + 8);
        at += 10;
        if (size - at < n)
            return;
        if (type == TYPE_A && class == CLASS_IN && n == 4) {
            memcpy(&ret->s_addr, data + at, 4);
            return;
        }
        at += n;
    }
}

int px_dns_parse(const uint8_t *data, size_t size, uint16_t id, struct in_addr *ret,
                 struct px_error *err) {
    ret->s_addr = 0;
    if (size < HEAD_BYTES || get16(data) != id || !(data[2] & 0x80))
        return px_fail(err, -EBADMSG, "no answer to our question");
    size_t at = HEAD_BYTES;
    for (unsigned i = get16(data + 4); i > 0; i--) {
        at = skip_name(data, size, at);
        if (at == 0 || size - at < 4)
            return px_fail(err, -EBADMSG, "an answer that is cut off");
        at += 4;
    }
    find_address(data, size, at, get16(data + 6), ret);
    return data[3] & 15;
}
