/* src/proto/test_secure.c - against the vector of the specification (7.4) and RFC 8032 test 1 */
#include "base/test.h"
#include "proto/rendezvous.h"
#include "proto/secure.h"
#include <sodium.h>

static const char seed_hex[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

static void bytes_of(const char *hex, uint8_t *out, size_t size) {
    size_t n = 0;
    assert_int_equal(sodium_hex2bin(out, size, hex, strlen(hex), NULL, &n, NULL), 0);
    assert_int_equal(n, size);
}

static void test_pair(uint8_t pk[PX_SIGN_PK_BYTES], uint8_t sk[PX_SIGN_SK_BYTES]) {
    uint8_t seed[32];
    bytes_of(seed_hex, seed, sizeof(seed));
    crypto_sign_seed_keypair(pk, sk, seed);
}

static struct px_secure_offer fixed_offer(void) {
    struct px_secure_offer o;
    uint8_t pk[PX_SIGN_PK_BYTES], sk[PX_SIGN_SK_BYTES];
    test_pair(pk, sk);
    memset(o.sk, 0x11, sizeof(o.sk));
    crypto_scalarmult_base(o.pk, o.sk);
    px_sign(sk, (struct px_bytes){o.pk, sizeof(o.pk)}, o.signed_pk);
    return o;
}

static void signed_identity_is_the_vector(void **state) {
    uint8_t pk[PX_SIGN_PK_BYTES], sk[PX_SIGN_SK_BYTES], device[32], id_pk[64], out[128], want[64];
    for (uint8_t i = 0; i < 32; i++)
        device[i] = i;
    test_pair(pk, sk);
    int n = px_rdv_id_pk_encode(px_bytes_of("123456789"), (struct px_bytes){device, 32}, id_pk,
                                sizeof(id_pk));
    assert_int_equal(n, 45);
    assert_int_equal(px_sign(sk, (struct px_bytes){id_pk, 45}, out), 109);
    bytes_of("8d88afd6b9f57bc5529b0bcaa8245e81054e1f4223ccd55037579695f9736997fb472755a0d656a2c772"
             "a8e38f7673b7b034fcc644ffc1e0056bf9a93bbdc700",
             want, 64);
    assert_memory_equal(out, want, 64);
    struct px_bytes inside;
    px_assert_ok(px_sign_open(pk, (struct px_bytes){out, 109}, &inside, NULL));
    assert_memory_equal(inside.data, id_pk, 45);
    out[70] ^= 1;
    assert_int_equal(px_sign_open(pk, (struct px_bytes){out, 109}, &inside, NULL), -EKEYREJECTED);
}

static void item_13_accept_opens_the_vector_and_counts_from_one(void **state) {
    const struct px_secure_offer offer = fixed_offer();
    uint8_t client_pk[32], sealed[48], want[21], out[64];
    struct px_secure s;
    bytes_of("0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20", client_pk, 32);
    bytes_of("7e23d90f0c455a0e3e633d6e800f8e6b4717555154619a58b13291dcb98cafaa18a9cc1a883aab54386e"
             "39de02b2a5b7",
             sealed, 48);
    px_assert_ok(px_secure_accept(&offer, (struct px_bytes){client_pk, 32},
                                  (struct px_bytes){sealed, 48}, &s, NULL));
    const struct px_bytes plain = {(const uint8_t *)"\x82\x01\x02\x10\x1e", 5};
    assert_int_equal(px_secure_seal(&s, plain, out), 21);
    bytes_of("c4bab3ef19a5b227032672821ca04024a7f31b9f0d", want, 21);
    assert_memory_equal(out, want, 21);
    assert_int_equal(px_secure_seal(&s, plain, out), 21);
    bytes_of("2e1d86e23ea95434972bf71999b98a765b36dab364", want, 21);
    assert_memory_equal(out, want, 21);
}

static void short_frames_stay_plain_and_do_not_count(void **state) {
    struct px_secure s = {.key = {1}};
    uint8_t out[32];
    assert_int_equal(px_secure_seal(&s, (struct px_bytes){NULL, 0}, out), 0);
    assert_int_equal(px_secure_seal(&s, px_bytes_of("x"), out), 1);
    assert_int_equal(out[0], 'x');
    assert_int_equal(px_secure_open(&s, px_bytes_of("y"), out, NULL), 1);
    assert_int_equal(s.sent + s.received, 0);
}

static void both_halves_understand_each_other(void **state) {
    uint8_t pk[PX_SIGN_PK_BYTES], sk[PX_SIGN_SK_BYTES], client_pk[32], sealed[48], wire[64];
    struct px_secure_offer offer;
    struct px_secure server, client;
    test_pair(pk, sk);
    px_secure_offer_new(sk, &offer);
    px_assert_ok(px_secure_connect(pk, (struct px_bytes){offer.signed_pk, 96}, client_pk, sealed,
                                   &client, NULL));
    px_assert_ok(px_secure_accept(&offer, (struct px_bytes){client_pk, 32},
                                  (struct px_bytes){sealed, 48}, &server, NULL));
    size_t n = px_secure_seal(&client, px_bytes_of("hello"), wire);
    assert_int_equal(px_secure_open(&server, (struct px_bytes){wire, n}, wire, NULL), 5);
    assert_memory_equal(wire, "hello", 5);
    n = px_secure_seal(&client, px_bytes_of("again"), wire);
    wire[3] ^= 1;
    assert_int_equal(px_secure_open(&server, (struct px_bytes){wire, n}, wire, NULL), -EBADMSG);
}

static void keys_of_wrong_length_or_signer_are_refused(void **state) {
    const struct px_secure_offer offer = fixed_offer();
    uint8_t other[PX_SIGN_PK_BYTES] = {5}, out_pk[32], out_sealed[48], raw[48] = {0};
    struct px_secure s;
    struct px_error err = {0};
    assert_int_equal(
        px_secure_accept(&offer, (struct px_bytes){raw, 31}, (struct px_bytes){raw, 48}, &s, &err),
        -EPROTO);
    assert_string_equal(err.msg, "key exchange with keys of 31 and 48 bytes");
    assert_int_equal(
        px_secure_accept(&offer, (struct px_bytes){raw, 32}, (struct px_bytes){raw, 48}, &s, &err),
        -EPROTO);
    assert_int_equal(px_secure_connect(other, (struct px_bytes){offer.signed_pk, 96}, out_pk,
                                       out_sealed, &s, NULL),
                     -EKEYREJECTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_identity_is_the_vector),
        cmocka_unit_test(item_13_accept_opens_the_vector_and_counts_from_one),
        cmocka_unit_test(short_frames_stay_plain_and_do_not_count),
        cmocka_unit_test(both_halves_understand_each_other),
        cmocka_unit_test(keys_of_wrong_length_or_signer_are_refused),
    };
    return px_secure_init(NULL) < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
