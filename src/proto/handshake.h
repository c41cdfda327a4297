/* src/proto/handshake.h - how two ends of a session come to a common key
 *
 *     H -> C  SignedId  = sign(host identity, IdPk{host id, x25519 public key of this connection})
 *     C -> H  PublicKey = x25519 public key of the client (32), box(session key) (48)
 *     then every frame is a record (secure.h)
 *
 * The client knows the host's identity key from the ID server, which signed it. A client that does
 * not answers with an empty frame, another message or an empty key: the session then stays plain,
 * if the host allows that. Pure but for random numbers. A struct belongs to one connection. */
#pragma once
#include "base/buf.h"
#include "proto/secure.h"
#include "proto/session.h"

/* The host's half. Wipe it after use. */
struct px_handshake {
    struct px_secure_offer offer;
};

/* Adds the body of Message.signed_id to @out. */
void px_handshake_new(const uint8_t sign_sk[PX_SIGN_SK_BYTES], const char *id,
                      struct px_handshake *ret, struct px_buf *out);
enum px_handshake_result {
    PX_HANDSHAKE_PLAIN,     /* the client cannot encrypt */
    PX_HANDSHAKE_UNKNOWN,   /* it saw another identity key: register ours again; plain */
    PX_HANDSHAKE_ENCRYPTED, /* *ret is set */
};
/* Judges the client's answer. -EPROTO: neither; close. */
int px_handshake_accept(const struct px_handshake *h, const uint8_t *body, size_t size,
                        struct px_secure *ret, struct px_error *err);
void px_handshake_wipe(struct px_handshake *h);

/* The client's half: checks that @body is a SignedId of @sign_pk and names @id, draws the key, adds
 * the body of Message.public_key to @out. -EKEYREJECTED: signed by another, or another id.
 * -EPROTO: no SignedId. */
int px_handshake_answer(const uint8_t sign_pk[PX_SIGN_PK_BYTES], const char *id,
                        const uint8_t *body, size_t size, struct px_secure *ret, struct px_buf *out,
                        struct px_error *err);
/* Reads the IdPk that an ID server signed for the client: whose identity is @id?
 * -EKEYREJECTED: not signed by @server_pk, or for another id. */
int px_handshake_identity(const uint8_t server_pk[PX_SIGN_PK_BYTES], const char *id,
                          struct px_bytes signed_id_pk, uint8_t ret[PX_SIGN_PK_BYTES],
                          struct px_error *err);
