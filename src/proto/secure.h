/* src/proto/secure.h - encryption of frames on a TCP stream
 *
 *     S -> C  KeyExchange keys = [ sign(server key, x25519 public key of S) ]           96 bytes
 *     C -> S  KeyExchange keys = [ x25519 public key of C (32), box(session key) (48) ]
 *     then every frame of 2 bytes or more is secretbox(payload), 16 bytes longer
 *
 * Nonce: 8-byte little-endian counter, 16 zero bytes; one counter per direction, incremented before
 * use. Frames of 0 or 1 bytes go as they are and do not count. Both directions use the same key and
 * the same nonces; that is part of the wire format.
 * Call px_secure_init() once before anything else. A struct belongs to one thread.
 * Source: hbb_common src/tcp.rs, libsodium crypto_box_easy, crypto_secretbox_easy. */
#pragma once
#include "base/error.h"
#include "proto/wire.h"

#define PX_SIGN_PK_BYTES 32
#define PX_SIGN_SK_BYTES 64 /* seed, then public key */
#define PX_SIGN_BYTES 64
#define PX_BOX_KEY_BYTES 32
#define PX_SEAL_BYTES 16 /* what encryption adds */
#define PX_SIGNED_BOX_KEY_BYTES (PX_SIGN_BYTES + PX_BOX_KEY_BYTES)
#define PX_SEALED_KEY_BYTES (PX_BOX_KEY_BYTES + PX_SEAL_BYTES)

struct px_secure {
    uint8_t key[PX_BOX_KEY_BYTES];
    uint64_t sent, received;
};

/* An x25519 pair, and its public key signed by the server's key: made once per process. */
struct px_secure_offer {
    uint8_t sk[PX_BOX_KEY_BYTES];
    uint8_t pk[PX_BOX_KEY_BYTES];
    uint8_t signed_pk[PX_SIGNED_BOX_KEY_BYTES];
};

int px_secure_init(struct px_error *err);
void px_secure_offer_new(const uint8_t sign_sk[PX_SIGN_SK_BYTES], struct px_secure_offer *ret);
/* The server's half: opens the client's two keys. -EPROTO: wrong lengths, or not for this offer. */
int px_secure_accept(const struct px_secure_offer *offer, struct px_bytes client_pk,
                     struct px_bytes sealed_key, struct px_secure *ret, struct px_error *err);
/* The client's half: checks the signature under @sign_pk, draws a key, fills what to send.
 * -EKEYREJECTED: signed by somebody else. */
int px_secure_connect(const uint8_t sign_pk[PX_SIGN_PK_BYTES], struct px_bytes signed_pk,
                      uint8_t ret_pk[PX_BOX_KEY_BYTES], uint8_t ret_sealed[PX_SEALED_KEY_BYTES],
                      struct px_secure *ret, struct px_error *err);

/* @out has room for @in.size + PX_SEAL_BYTES; may be the same memory as @in. Returns the length. */
size_t px_secure_seal(struct px_secure *s, struct px_bytes in, uint8_t *out);
/* @out has room for @in.size; may be the same memory. Returns the length. -EBADMSG: tampered with.
 */
int px_secure_open(struct px_secure *s, struct px_bytes in, uint8_t *out, struct px_error *err);

/* Combined signature over @in: 64 bytes, then @in. @out has room for @in.size + PX_SIGN_BYTES. */
size_t px_sign(const uint8_t sign_sk[PX_SIGN_SK_BYTES], struct px_bytes in, uint8_t *out);
/* Checks a combined signature; *ret is the message inside @in. -EKEYREJECTED. */
int px_sign_open(const uint8_t sign_pk[PX_SIGN_PK_BYTES], struct px_bytes in, struct px_bytes *ret,
                 struct px_error *err);
