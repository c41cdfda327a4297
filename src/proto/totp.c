/* src/proto/totp.c - one-time codes: HMAC-SHA1 of a time step (RFC 6238, RFC 4226, RFC 2104) */
#include "proto/session.h"
#include "proto/sha1.h"
#include <sodium.h>
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

/* Four bytes of @mac from where its last four bits say, whichever that is in the same time. */
static uint32_t truncated(const uint8_t mac[PX_SHA1_BYTES]) {
    const uint32_t at = mac[PX_SHA1_BYTES - 1] & 0xf;
    uint32_t code = 0;
    for (uint32_t i = 0; i < 16; i++) {
        const uint32_t here = 0 - (((i ^ at) - 1) >> 31);
        code |= here & ((uint32_t)mac[i] << 24 | (uint32_t)mac[i + 1] << 16 |
                        (uint32_t)mac[i + 2] << 8 | mac[i + 3]);
    }
    return code & 0x7fffffff;
}

/* printf takes a time that depends on the number. */
static void digits(uint32_t code, char ret[7]) {
    for (int i = 5; i >= 0; i--, code /= 10)
        ret[i] = (char)('0' + code % 10);
    ret[6] = '\0';
}

void px_totp(const uint8_t *secret, size_t size, int64_t unix_s, char ret[7]) {
    uint8_t key[BLOCK] = {0}, counter[8], inner[PX_SHA1_BYTES], mac[PX_SHA1_BYTES];
    memcpy(key, secret, size < BLOCK ? size : BLOCK); /* RFC 4226 secrets are 16 to 20 bytes */
    for (int i = 0; i < 8; i++)
        counter[i] = (uint8_t)((uint64_t)(unix_s / 30) >> (56 - 8 * i));
    keyed(key, 0x36, counter, sizeof(counter), inner);
    keyed(key, 0x5c, inner, sizeof(inner), mac);
    digits(truncated(mac), ret);
    sodium_memzero(key, sizeof(key));
    sodium_memzero(inner, sizeof(inner));
    sodium_memzero(mac, sizeof(mac));
}

bool px_totp_check(const uint8_t *secret, size_t size, int64_t unix_s, const char *code,
                   int64_t *ret_step) {
    char given[7] = "";
    int right = 0, at = 0; /* the last one, should two steps have the same code */
    if (strlen(code) == 6)
        memcpy(given, code, 6);
    for (int step = -1; step <= 1; step++) {
        char want[7];
        px_totp(secret, size, unix_s + step * 30, want);
        const int same = sodium_memcmp(want, given, 6) + 1;
        right |= same;
        at = (at & (same - 1)) | (step & -same);
        sodium_memzero(want, sizeof(want));
    }
    if (right && ret_step)
        *ret_step = unix_s / 30 + at;
    return right;
}
