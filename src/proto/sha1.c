/* src/proto/sha1.c - SHA-1 of short text, for the WebSocket handshake and one-time codes */
#include "proto/sha1.h"
#include <assert.h>
#include <string.h>

static uint32_t rol(uint32_t v, unsigned n) {
    return v << n | v >> (32 - n);
}

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t mix(unsigned i, const uint32_t s[5]) {
    if (i < 20)
        return ((s[1] & s[2]) | (~s[1] & s[3])) + 0x5a827999;
    if (i < 40)
        return (s[1] ^ s[2] ^ s[3]) + 0x6ed9eba1;
    if (i < 60)
        return ((s[1] & s[2]) | (s[1] & s[3]) | (s[2] & s[3])) + 0x8f1bbcdc;
    return (s[1] ^ s[2] ^ s[3]) + 0xca62c1d6;
}

static void block(uint32_t h[5], const uint8_t *p) {
    uint32_t w[80], s[5];
    for (unsigned i = 0; i < 80; i++)
        w[i] = i < 16 ? be32(p + 4 * i) : rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    memcpy(s, h, sizeof(s));
    for (unsigned i = 0; i < 80; i++) {
        uint32_t t = rol(s[0], 5) + mix(i, s) + s[4] + w[i];
        s[4] = s[3];
        s[3] = s[2];
        s[2] = rol(s[1], 30);
        s[1] = s[0];
        s[0] = t;
    }
    for (unsigned i = 0; i < 5; i++)
        h[i] += s[i];
    explicit_bzero(w, sizeof(w)); /* it may have been a key */
    explicit_bzero(s, sizeof(s));
}

void px_sha1(const void *data, size_t size, uint8_t ret[PX_SHA1_BYTES]) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t text[PX_SHA1_INPUT_MAX_BYTES + 72] = {0};
    assert(size <= PX_SHA1_INPUT_MAX_BYTES);
    memcpy(text, data, size);
    text[size] = 0x80;
    size_t padded = (size + 9 + 63) / 64 * 64;
    for (size_t i = 0; i < 8; i++)
        text[padded - 1 - i] = (uint8_t)((uint64_t)size * 8 >> (8 * i));
    for (size_t i = 0; i < padded; i += 64)
        block(h, text + i);
    for (size_t i = 0; i < PX_SHA1_BYTES; i++)
        ret[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
    explicit_bzero(text, sizeof(text));
}
