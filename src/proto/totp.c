/* src/proto/totp.c - one-time codes: HMAC-SHA1 of a time step (RFC 6238, RFC 4226, RFC 2104) */
#include "proto/session.h"
#include "proto/sha1.h"
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 64 /* of SHA-1 */

/* SHA1(key block xor @pad, @data); SHA-1 is fine inside HMAC. */
static void keyed(const uint8_t key[BLOCK], uint8_t pad, const uint8_t *data, size_t size,
                  uint8_t ret[PX_SHA1_BYTES]) {
    uint8_t in[BLOCK + PX_SHA1_BYTES];
    for (size_t i = 0; i < BLOCK; i++)
        in[i] = key[i] ^ pad;
    memcpy(in + BLOCK, data, size);
    px_sha1(in, BLOCK + size, ret);
    sodium_memzero(in, sizeof(in));
}

void px_totp(const uint8_t *secret, size_t size, int64_t unix_s, char ret[7]) {
    uint8_t key[BLOCK] = {0}, counter[8], inner[PX_SHA1_BYTES], mac[PX_SHA1_BYTES];
    memcpy(key, secret, size < BLOCK ? size : BLOCK); /* RFC 4226 secrets are 16 to 20 bytes */
    for (int i = 0; i < 8; i++)
        counter[i] = (uint8_t)((uint64_t)(unix_s / 30) >> (56 - 8 * i));
    keyed(key, 0x36, counter, sizeof(counter), inner);
    keyed(key, 0x5c, inner, sizeof(inner), mac);
    const uint8_t at = mac[19] & 0xf;
    const uint32_t code = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
                          (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    snprintf(ret, 7, "%06u", code % 1000000);
    sodium_memzero(key, sizeof(key));
}
