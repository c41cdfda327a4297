/* src/proto/test_handshake.c - items 6 to 14 of the session checklist */
#include "base/test.h"
#include "proto/frame.h"
#include "proto/handshake.h"
#include <sodium.h>

static void fill(uint8_t out[PX_BOX_KEY_BYTES], uint8_t v) {
    memset(out, v, PX_BOX_KEY_BYTES);
}

struct identity {
    uint8_t pk[PX_SIGN_PK_BYTES], sk[PX_SIGN_SK_BYTES];
};

static struct identity identity(void) {
    uint8_t seed[32];
    for (int i = 0; i < 32; i++)
        seed[i] = (uint8_t)i;
    struct identity id;
    crypto_sign_seed_keypair(id.pk, id.sk, seed);
    return id;
}

static struct px_secure_offer offer(uint8_t secret) {
    struct px_secure_offer o = {0};
    fill(o.sk, secret);
    crypto_scalarmult_base(o.pk, o.sk);
    return o;
}

static void assert_hex(const void *data, size_t size, const char *hex) {
    char *text = calloc(1, size * 2 + 1);
    for (size_t i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02X", ((const uint8_t *)data)[i]);
    assert_string_equal(text, hex);
    free(text);
}

static void item_6_identity_key(void **state) {
    assert_hex(identity().pk, 32,
               "03A107BFF3CE10BE1D70DD18E74BC09967E4D6309BA50D5F1DDC8664125531B8");
}

static void item_7_session_keys(void **state) {
    assert_hex(offer(1).pk, 32, "A4E09292B651C278B9772C569F5FA9BB13D906B46AB68C9DF9DC2B4409F8A209");
    assert_hex(offer(2).pk, 32, "CE8D3AD1CCB633EC7B70C17814A5C76ECD029685050D344745BA05870E587D59");
}

static void print_id_pk(struct px_buf *out) {
    struct px_secure_offer host = offer(1);
    Pxs__IdPk id_pk = PXS__ID_PK__INIT;
    id_pk.id = (char *)"123456789";
    id_pk.pk = (ProtobufCBinaryData){PX_BOX_KEY_BYTES, host.pk};
    px_message_print(&id_pk.base, out);
}

static void item_8_identity_and_key(void **state) {
    px_cleanup(px_buf_fini) struct px_buf plain = {0};
    print_id_pk(&plain);
    assert_int_equal(plain.size, 45);
    assert_hex(plain.data, 45,
               "0A093132333435363738391220"
               "A4E09292B651C278B9772C569F5FA9BB13D906B46AB68C9DF9DC2B4409F8A209");
}

static void item_9_signature_of_the_identity(void **state) {
    px_cleanup(px_buf_fini) struct px_buf plain = {0};
    uint8_t out[PX_SIGN_BYTES + 45];
    print_id_pk(&plain);
    px_sign(identity().sk, (struct px_bytes){(const uint8_t *)plain.data, plain.size}, out);
    assert_hex(out, 64,
               "E7EEB16083C47B411C087488A9809CB31BE8DF8BB49A2CEDD341594CBEA3D9FF"
               "9A925132B1586FF6B7E767DA463F992F547DD55F867D46F853646BBEDE256304");
}

/* A body behind its header, as it goes over the line. */
static void print_frame(const void *body, size_t size, struct px_buf *out) {
    uint8_t prefix[PX_FRAME_PREFIX_MAX_BYTES];
    px_buf_add(out, prefix, px_frame_print((uint32_t)size, prefix));
    px_buf_add(out, body, size);
}

/* The message as it is with the vector's key, and the same from what makes a new one each time. */
static void item_10_signed_id_message(void **state) {
    const struct identity id = identity();
    struct px_handshake h;
    px_cleanup(px_buf_fini) struct px_buf plain = {0}, body = {0}, frame = {0}, fresh = {0};
    uint8_t sealed[PX_SIGN_BYTES + 45];
    print_id_pk(&plain);
    px_sign(id.sk, (struct px_bytes){(const uint8_t *)plain.data, plain.size}, sealed);
    Pxs__SignedId signed_id = PXS__SIGNED_ID__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    signed_id.id = (ProtobufCBinaryData){sizeof(sealed), sealed};
    m.item_case = PXS__MESSAGE__ITEM_SIGNED_ID;
    m.signed_id = &signed_id;
    px_message_print(&m.base, &body);
    assert_int_equal(body.size, 113);
    print_frame(body.data, body.size, &frame);
    assert_hex(frame.data, 8, "C5011A6F0A6DE7EE");
    px_handshake_new(id.sk, "123456789", &h, &fresh);
    assert_int_equal(fresh.size, 113);
    assert_memory_equal(fresh.data, body.data, 4);
    assert_memory_equal(fresh.data + 4 + PX_SIGN_BYTES, plain.data, 13); /* and a key of its own */
}

static void item_11_sealed_session_key_opens(void **state) {
    static const uint8_t sealed[PX_SEALED_KEY_BYTES] = {
        0xBA, 0x87, 0x82, 0x1C, 0xDC, 0x89, 0x50, 0x99, 0x3D, 0x4D, 0x59, 0xE1,
        0xAF, 0xB0, 0x69, 0xF4, 0xCD, 0x53, 0x9B, 0x8A, 0x54, 0xD0, 0x50, 0xE8,
        0x8B, 0xF4, 0x67, 0x0B, 0xBF, 0x68, 0x56, 0x43, 0x45, 0xAB, 0x41, 0x1A,
        0x9D, 0xFE, 0x49, 0xEE, 0x0C, 0xE1, 0x5C, 0x03, 0xB4, 0xD3, 0x38, 0xD0,
    };
    struct px_handshake h = {.offer = offer(1)};
    struct px_secure_offer client = offer(2);
    Pxs__PublicKey pk = PXS__PUBLIC_KEY__INIT;
    pk.asymmetric_value = (ProtobufCBinaryData){PX_BOX_KEY_BYTES, client.pk};
    pk.symmetric_value = (ProtobufCBinaryData){sizeof(sealed), (uint8_t *)sealed};
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_PUBLIC_KEY;
    m.public_key = &pk;
    px_cleanup(px_buf_fini) struct px_buf body = {0};
    px_message_print(&m.base, &body);
    px_cleanup(px_buf_fini) struct px_buf frame = {0};
    assert_int_equal(body.size, 86);
    print_frame(body.data, body.size, &frame);
    assert_hex(frame.data, 8, "590122540A20CE8D");

    struct px_secure got = {0};
    uint8_t want[PX_BOX_KEY_BYTES];
    fill(want, 0x42);
    assert_int_equal(px_handshake_accept(&h, (uint8_t *)body.data, body.size, &got, NULL),
                     PX_HANDSHAKE_ENCRYPTED);
    assert_memory_equal(got.key, want, sizeof(want));
    body.data[60] ^= 1;
    assert_int_equal(px_handshake_accept(&h, (uint8_t *)body.data, body.size, &got, NULL), -EPROTO);
}

static void item_12_records(void **state) {
    struct px_secure s = {0};
    fill(s.key, 0x42);
    const uint8_t body[] = {0x2a, 0x00};
    uint8_t out[18];
    px_cleanup(px_buf_fini) struct px_buf frame = {0};
    assert_int_equal(px_secure_seal(&s, (struct px_bytes){body, 2}, out), 18);
    print_frame(out, sizeof(out), &frame);
    assert_hex(frame.data, 19, "48CDDA853C35CB8274BEF116FE0D7520C441F9");
    assert_int_equal(px_secure_seal(&s, (struct px_bytes){body, 2}, out), 18);
    assert_hex(out, 18, "A877B85FD81C3AD163A10EDBF7102E7BFE46");
}

/* Opened by the library with nonces made by hand. */
static void item_13_nonce_is_the_counter_and_zeros(void **state) {
    struct px_secure s = {0};
    fill(s.key, 0x42);
    const uint8_t body[] = {0x2a, 0x00};
    for (uint8_t counter = 1; counter <= 3; counter++) {
        const uint8_t nonce[crypto_secretbox_NONCEBYTES] = {counter};
        uint8_t sealed[18], plain[2];
        assert_int_equal(px_secure_seal(&s, (struct px_bytes){body, 2}, sealed), 18);
        assert_int_equal(crypto_secretbox_open_easy(plain, sealed, sizeof(sealed), nonce, s.key),
                         0);
        assert_memory_equal(plain, body, 2);
    }
}

static void item_14_clients_that_cannot_encrypt(void **state) {
    const struct identity id = identity();
    struct px_handshake h;
    struct px_secure got = {0};
    px_cleanup(px_buf_fini) struct px_buf body = {0};
    px_handshake_new(id.sk, "123456789", &h, &body);
    assert_int_equal(px_handshake_accept(&h, NULL, 0, &got, NULL), PX_HANDSHAKE_PLAIN);
    assert_int_equal(px_handshake_accept(&h, (const uint8_t *)"\x2a\x00", 2, &got, NULL),
                     PX_HANDSHAKE_PLAIN);
    assert_int_equal(px_handshake_accept(&h, (const uint8_t *)"\x22\x00", 2, &got, NULL),
                     PX_HANDSHAKE_UNKNOWN);
    assert_int_equal(px_handshake_accept(&h, (const uint8_t *)"\x22\x03\x0a\x01x", 5, &got, NULL),
                     -EPROTO);
    assert_int_equal(px_handshake_accept(&h, (const uint8_t *)"\x0c", 1, &got, NULL), -EPROTO);
}

static void both_ends_come_to_the_same_key(void **state) {
    const struct identity id = identity();
    struct px_handshake h;
    struct px_secure host = {0}, client = {0};
    px_cleanup(px_buf_fini) struct px_buf body = {0}, answer = {0};
    px_handshake_new(id.sk, "123456789", &h, &body);
    px_assert_ok(px_handshake_answer(id.pk, "123456789", (uint8_t *)body.data, body.size, &client,
                                     &answer, NULL));
    assert_int_equal(px_handshake_accept(&h, (uint8_t *)answer.data, answer.size, &host, NULL),
                     PX_HANDSHAKE_ENCRYPTED);
    assert_memory_equal(host.key, client.key, sizeof(host.key));
}

static void answer_refuses_another_identity(void **state) {
    const struct identity id = identity();
    struct identity other;
    crypto_sign_keypair(other.pk, other.sk);
    struct px_handshake h;
    struct px_secure client = {0};
    px_cleanup(px_buf_fini) struct px_buf body = {0}, answer = {0};
    px_handshake_new(id.sk, "123456789", &h, &body);
    assert_int_equal(px_handshake_answer(other.pk, "123456789", (uint8_t *)body.data, body.size,
                                         &client, &answer, NULL),
                     -EKEYREJECTED);
    assert_int_equal(px_handshake_answer(id.pk, "987654321", (uint8_t *)body.data, body.size,
                                         &client, &answer, NULL),
                     -EKEYREJECTED);
    assert_int_equal(px_handshake_answer(id.pk, "123456789", (const uint8_t *)"\x2a\x00", 2,
                                         &client, &answer, NULL),
                     -EPROTO);
    assert_int_equal(answer.size, 0);
}

static int init(void **state) {
    return px_secure_init(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_6_identity_key),
        cmocka_unit_test(item_7_session_keys),
        cmocka_unit_test(item_8_identity_and_key),
        cmocka_unit_test(item_9_signature_of_the_identity),
        cmocka_unit_test(item_10_signed_id_message),
        cmocka_unit_test(item_11_sealed_session_key_opens),
        cmocka_unit_test(item_12_records),
        cmocka_unit_test(item_13_nonce_is_the_counter_and_zeros),
        cmocka_unit_test(item_14_clients_that_cannot_encrypt),
        cmocka_unit_test(both_ends_come_to_the_same_key),
        cmocka_unit_test(answer_refuses_another_identity),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
