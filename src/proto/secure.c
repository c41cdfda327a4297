/* src/proto/secure.c - encryption of frames on a TCP stream */
#include "proto/secure.h"
#include <sodium.h>
#include <string.h>

_Static_assert(PX_SIGN_SK_BYTES == crypto_sign_SECRETKEYBYTES, "libsodium's key format");
_Static_assert(PX_SEAL_BYTES == crypto_secretbox_MACBYTES, "libsodium's box format");
_Static_assert(PX_SEAL_BYTES == crypto_box_MACBYTES, "libsodium's box format");

int px_secure_init(struct px_error *err) {
    return sodium_init() < 0 ? px_fail(err, -EIO, "libsodium does not start") : 0;
}

void px_secure_offer_new(const uint8_t sign_sk[PX_SIGN_SK_BYTES], struct px_secure_offer *ret) {
    crypto_box_keypair(ret->pk, ret->sk);
    px_sign(sign_sk, (struct px_bytes){ret->pk, sizeof(ret->pk)}, ret->signed_pk);
}

int px_secure_accept(const struct px_secure_offer *offer, struct px_bytes client_pk,
                     struct px_bytes sealed_key, struct px_secure *ret, struct px_error *err) {
    static const uint8_t nonce[crypto_box_NONCEBYTES];
    struct px_secure s = {0};
    if (client_pk.size != PX_BOX_KEY_BYTES || sealed_key.size != PX_SEALED_KEY_BYTES)
        return px_fail(err, -EPROTO, "key exchange with keys of %zu and %zu bytes", client_pk.size,
                       sealed_key.size);
    if (crypto_box_open_easy(s.key, sealed_key.data, sealed_key.size, nonce, client_pk.data,
                             offer->sk) != 0)
        return px_fail(err, -EPROTO, "key exchange does not open");
    *ret = s;
    sodium_memzero(&s, sizeof(s));
    return 0;
}

int px_secure_connect(const uint8_t sign_pk[PX_SIGN_PK_BYTES], struct px_bytes signed_pk,
                      uint8_t ret_pk[PX_BOX_KEY_BYTES], uint8_t ret_sealed[PX_SEALED_KEY_BYTES],
                      struct px_secure *ret, struct px_error *err) {
    static const uint8_t nonce[crypto_box_NONCEBYTES];
    struct px_secure s = {0};
    struct px_bytes server_pk;
    uint8_t sk[PX_BOX_KEY_BYTES];
    int r = px_sign_open(sign_pk, signed_pk, &server_pk, err);
    if (r < 0)
        return r;
    if (server_pk.size != PX_BOX_KEY_BYTES)
        return px_fail(err, -EPROTO, "signed key has %zu bytes", server_pk.size);
    crypto_box_keypair(ret_pk, sk);
    randombytes_buf(s.key, sizeof(s.key));
    r = crypto_box_easy(ret_sealed, s.key, sizeof(s.key), nonce, server_pk.data, sk);
    sodium_memzero(sk, sizeof(sk));
    if (r != 0)
        return px_fail(err, -EPROTO, "server's key is not usable");
    *ret = s;
    sodium_memzero(&s, sizeof(s));
    return 0;
}

static void nonce_of(uint64_t counter, uint8_t ret[crypto_secretbox_NONCEBYTES]) {
    memset(ret, 0, crypto_secretbox_NONCEBYTES);
    for (size_t i = 0; i < 8; i++)
        ret[i] = (uint8_t)(counter >> (8 * i));
}

size_t px_secure_seal(struct px_secure *s, struct px_bytes in, uint8_t *out) {
    uint8_t nonce[crypto_secretbox_NONCEBYTES];
    if (in.size <= 1) {
        if (in.size)
            out[0] = in.data[0];
        return in.size;
    }
    nonce_of(++s->sent, nonce);
    crypto_secretbox_easy(out, in.data, in.size, nonce, s->key);
    return in.size + PX_SEAL_BYTES;
}

int px_secure_open(struct px_secure *s, struct px_bytes in, uint8_t *out, struct px_error *err) {
    uint8_t nonce[crypto_secretbox_NONCEBYTES];
    if (in.size <= 1) {
        if (in.size)
            out[0] = in.data[0];
        return (int)in.size;
    }
    nonce_of(++s->received, nonce);
    if (in.size < PX_SEAL_BYTES ||
        crypto_secretbox_open_easy(out, in.data, in.size, nonce, s->key) != 0)
        return px_fail(err, -EBADMSG, "encrypted frame does not open");
    return (int)(in.size - PX_SEAL_BYTES);
}

size_t px_sign(const uint8_t sign_sk[PX_SIGN_SK_BYTES], struct px_bytes in, uint8_t *out) {
    unsigned long long size = 0;
    crypto_sign(out, &size, in.data, in.size, sign_sk);
    return (size_t)size;
}

int px_sign_open(const uint8_t sign_pk[PX_SIGN_PK_BYTES], struct px_bytes in, struct px_bytes *ret,
                 struct px_error *err) {
    if (in.size < PX_SIGN_BYTES ||
        crypto_sign_verify_detached(in.data, in.data + PX_SIGN_BYTES, in.size - PX_SIGN_BYTES,
                                    sign_pk) != 0)
        return px_fail(err, -EKEYREJECTED, "signature is not of the expected key");
    *ret = (struct px_bytes){in.data + PX_SIGN_BYTES, in.size - PX_SIGN_BYTES};
    return 0;
}
