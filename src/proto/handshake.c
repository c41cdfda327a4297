/* src/proto/handshake.c - how two ends of a session come to a common key */
#include "proto/handshake.h"
#include <sodium.h>
#include <string.h>

void px_handshake_new(const uint8_t sign_sk[PX_SIGN_SK_BYTES], const char *id,
                      struct px_handshake *ret, struct px_buf *out) {
    px_secure_offer_new(sign_sk, &ret->offer);
    Pxs__IdPk id_pk = PXS__ID_PK__INIT;
    id_pk.id = (char *)id;
    id_pk.pk = (ProtobufCBinaryData){PX_BOX_KEY_BYTES, ret->offer.pk};
    px_cleanup(px_buf_fini) struct px_buf plain = {0}, sealed = {0};
    px_message_print(&id_pk.base, &plain);
    uint8_t *at = px_buf_reserve(&sealed, plain.size + PX_SIGN_BYTES);
    sealed.size = px_sign(sign_sk, (struct px_bytes){(const uint8_t *)plain.data, plain.size}, at);

    Pxs__SignedId signed_id = PXS__SIGNED_ID__INIT;
    signed_id.id = (ProtobufCBinaryData){sealed.size, at};
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_SIGNED_ID;
    m.signed_id = &signed_id;
    px_message_print(&m.base, out);
}

static struct px_bytes lend(ProtobufCBinaryData b) {
    return (struct px_bytes){b.data, b.len};
}

int px_handshake_accept(const struct px_handshake *h, const uint8_t *body, size_t size,
                        struct px_secure *ret, struct px_error *err) {
    if (size == 0)
        return PX_HANDSHAKE_PLAIN;
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    if (px_message_parse(body, size, &m, err) < 0)
        return px_wrap(err, -EPROTO, "handshake");
    if (m->item_case != PXS__MESSAGE__ITEM_PUBLIC_KEY)
        return PX_HANDSHAKE_PLAIN;
    if (m->public_key->asymmetric_value.len == 0)
        return PX_HANDSHAKE_UNKNOWN;
    const int r = px_secure_accept(&h->offer, lend(m->public_key->asymmetric_value),
                                   lend(m->public_key->symmetric_value), ret, err);
    return r < 0 ? r : PX_HANDSHAKE_ENCRYPTED;
}

void px_handshake_wipe(struct px_handshake *h) {
    sodium_memzero(h, sizeof(*h));
}

/* A signed IdPk with the expected id; its key to @ret. */
static int open_id_pk(const uint8_t sign_pk[PX_SIGN_PK_BYTES], const char *id, struct px_bytes in,
                      uint8_t ret[PX_BOX_KEY_BYTES], struct px_error *err) {
    struct px_bytes plain;
    int r = px_sign_open(sign_pk, in, &plain, err);
    if (r < 0)
        return r;
    Pxs__IdPk *id_pk = pxs__id_pk__unpack(NULL, plain.size, plain.data);
    if (!id_pk)
        return px_fail(err, -EPROTO, "the signed identity is malformed");
    if (id_pk->pk.len != PX_BOX_KEY_BYTES)
        r = px_fail(err, -EPROTO, "the signed key has %zu bytes", id_pk->pk.len);
    else if (strcmp(id_pk->id, id) != 0)
        r = px_fail(err, -EKEYREJECTED, "the signed identity is not %s's", id);
    else
        memcpy(ret, id_pk->pk.data, PX_BOX_KEY_BYTES);
    pxs__id_pk__free_unpacked(id_pk, NULL);
    return r;
}

int px_handshake_identity(const uint8_t server_pk[PX_SIGN_PK_BYTES], const char *id,
                          struct px_bytes signed_id_pk, uint8_t ret[PX_SIGN_PK_BYTES],
                          struct px_error *err) {
    return open_id_pk(server_pk, id, signed_id_pk, ret, err);
}

static int seal_key(const uint8_t host_pk[PX_BOX_KEY_BYTES], struct px_secure *ret,
                    struct px_buf *out, struct px_error *err) {
    static const uint8_t zero_nonce[crypto_box_NONCEBYTES]; /* both pairs live for this one box */
    struct px_secure s = {0};
    uint8_t pk[PX_BOX_KEY_BYTES], sk[PX_BOX_KEY_BYTES], sealed[PX_SEALED_KEY_BYTES];
    crypto_box_keypair(pk, sk);
    randombytes_buf(s.key, sizeof(s.key));
    const int r = crypto_box_easy(sealed, s.key, sizeof(s.key), zero_nonce, host_pk, sk);
    sodium_memzero(sk, sizeof(sk));
    if (r != 0)
        return px_fail(err, -EPROTO, "the host's session key is not usable");
    *ret = s;
    sodium_memzero(&s, sizeof(s));

    Pxs__PublicKey msg = PXS__PUBLIC_KEY__INIT;
    msg.asymmetric_value = (ProtobufCBinaryData){sizeof(pk), pk};
    msg.symmetric_value = (ProtobufCBinaryData){sizeof(sealed), sealed};
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_PUBLIC_KEY;
    m.public_key = &msg;
    px_message_print(&m.base, out);
    return 0;
}

int px_handshake_answer(const uint8_t sign_pk[PX_SIGN_PK_BYTES], const char *id,
                        const uint8_t *body, size_t size, struct px_secure *ret, struct px_buf *out,
                        struct px_error *err) {
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    if (px_message_parse(body, size, &m, err) < 0 || m->item_case != PXS__MESSAGE__ITEM_SIGNED_ID)
        return px_fail(err, -EPROTO, "the host does not sign itself");
    uint8_t host_pk[PX_BOX_KEY_BYTES];
    const int r = open_id_pk(sign_pk, id, lend(m->signed_id->id), host_pk, err);
    return r < 0 ? r : seal_key(host_pk, ret, out, err);
}
