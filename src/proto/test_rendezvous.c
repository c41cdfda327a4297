/* src/proto/test_rendezvous.c - against the byte examples of the specification */
#include "base/test.h"
#include "base/cleanup.h"
#include "proto/rendezvous.h"

static const uint8_t addr[] = {0xc8, 0x19, 0xf1, 0xac, 0x68, 0x24, 0x86, 0xae, 0x4a, 0x33};

static void assert_encodes(const struct px_rdv_msg *msg, const char *want, size_t size) {
    uint8_t out[512];
    assert_int_equal(px_rdv_encode(msg, out, sizeof(out), NULL), size);
    assert_memory_equal(out, want, size);
}

static struct px_rdv_msg decoded(const char *raw, size_t size) {
    struct px_rdv_msg msg;
    px_assert_ok(px_rdv_decode((struct px_bytes){(const uint8_t *)raw, size}, &msg, NULL));
    return msg;
}

static void encode_gives_the_bytes_of_the_specification(void **state) {
    assert_encodes(
        &(struct px_rdv_msg){.kind = PX_RDV_REGISTER_PEER,
                             .register_peer = {.id = px_bytes_of("123456789"), .serial = 3}},
        "\x32\x0d\x0a\x09"
        "123456789\x10\x03",
        15);
    assert_encodes(&(struct px_rdv_msg){.kind = PX_RDV_REGISTER_PEER_RESPONSE}, "\x3a\x00", 2);
    assert_encodes(&(struct px_rdv_msg){.kind = PX_RDV_REGISTER_PK_RESPONSE,
                                        .register_pk_response = {.result = PX_PK_UUID_MISMATCH}},
                   "\x82\x01\x02\x08\x02", 5);
    assert_encodes(&(struct px_rdv_msg){.kind = PX_RDV_TEST_NAT_RESPONSE,
                                        .test_nat_response = {.port = 54321}},
                   "\xaa\x01\x04\x08\xb1\xa8\x03", 7);
    assert_encodes(
        &(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE,
                             .punch_hole = {.socket_addr = {addr, sizeof(addr)},
                                            .relay_server = px_bytes_of("relay.example.com"),
                                            .nat_type = 1}},
        "\x4a\x21\x0a\x0a\xc8\x19\xf1\xac\x68\x24\x86\xae\x4a\x33\x12\x11relay.example.com\x18\x01",
        35);
    const struct px_bytes peers[] = {px_bytes_of("123456789"), px_bytes_of("111111111")};
    assert_encodes(&(struct px_rdv_msg){.kind = PX_RDV_ONLINE_REQUEST,
                                        .online_request = {.id = px_bytes_of("987654321"),
                                                           .peers = {.items = peers, .n = 2}}},
                   "\xba\x01\x21\x0a\x09"
                   "987654321\x12\x09"
                   "123456789\x12\x09"
                   "111111111",
                   36);
}

static void a_chosen_oneof_member_is_written_even_when_zero(void **state) {
    assert_encodes(&(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE_RESPONSE,
                                        .punch_hole_response = {.has = PX_RDV_HAS_NAT_TYPE}},
                   "\x5a\x02\x28\x00", 4);
    assert_encodes(
        &(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE_RESPONSE,
                             .punch_hole_response = {.has = PX_RDV_HAS_IS_LOCAL, .is_local = true}},
        "\x5a\x02\x30\x01", 4);
    assert_encodes(&(struct px_rdv_msg){.kind = PX_RDV_PUNCH_HOLE_RESPONSE}, "\x5a\x00", 2);
}

static void decode_finds_every_field(void **state) {
    struct px_rdv_msg m = decoded("\x42\x19\x0a\x09"
                                  "123456789\x10\x01\x1a\x03KEY\x32\x05"
                                  "1.4.2",
                                  27);
    assert_int_equal(m.kind, PX_RDV_PUNCH_HOLE_REQUEST);
    assert_memory_equal(m.punch_hole_request.id.data, "123456789", 9);
    assert_memory_equal(m.punch_hole_request.licence_key.data, "KEY", 3);
    assert_int_equal(m.punch_hole_request.nat_type, PX_NAT_ASYMMETRIC);
    assert_int_equal(m.punch_hole_request.version.size, 5);
    m = decoded("\xba\x01\x21\x0a\x09"
                "987654321\x12\x09"
                "123456789\x12\x09"
                "111111111",
                36);
    assert_int_equal(m.online_request.peers.n, 2);
    struct px_bytes peer;
    size_t pos = 0;
    assert_true(px_rdv_list_next(&m.online_request.peers, &pos, &peer));
    assert_memory_equal(peer.data, "123456789", 9);
    assert_true(px_rdv_list_next(&m.online_request.peers, &pos, &peer));
    assert_memory_equal(peer.data, "111111111", 9);
    assert_false(px_rdv_list_next(&m.online_request.peers, &pos, &peer));
}

static void decode_skips_unknown_fields(void **state) {
    struct px_rdv_msg m = decoded("\x32\x0e\x0a\x09"
                                  "123456789\xf8\x07\x01",
                                  16);
    assert_int_equal(m.register_peer.id.size, 9);
}

static void of_two_members_the_last_one_counts(void **state) {
    struct px_rdv_msg m = decoded("\x32\x03\x0a\x01x\xa2\x01\x02\x08\x07", 10);
    assert_int_equal(m.kind, PX_RDV_TEST_NAT_REQUEST);
    assert_int_equal(m.test_nat_request.serial, 7);
    m = decoded("\x9a\x01\x05\x22\x01x\x2a\x00", 8);
    assert_int_equal(m.relay_response.has & (PX_RDV_HAS_ID | PX_RDV_HAS_PK), PX_RDV_HAS_PK);
}

static void negative_numbers_take_ten_bytes(void **state) {
    struct px_rdv_msg m = decoded("\xa2\x01\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 14);
    assert_int_equal(m.test_nat_request.serial, -1);
}

static void decode_refuses_malformed_messages(void **state) {
    const struct {
        const char *raw;
        size_t size;
    } cases[] = {
        {"\x32\x0b\x0a\x09"
         "12345678",
         12},                            /* truncated */
        {"\x32\x04\x0a\x02\xff\xfe", 6}, /* not UTF-8 */
        {"\x0b\x0b\x0b", 3},             /* groups */
        {"\x32\x02\x0a\x05", 4},         /* inner length too long */
        {"\x32\x00\x07", 3},             /* trailing garbage */
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_rdv_msg m;
        const struct px_bytes in = {(const uint8_t *)cases[i].raw, cases[i].size};
        assert_int_equal(px_rdv_decode(in, &m, NULL), -EBADMSG);
    }
    assert_int_equal(decoded("", 0).kind, PX_RDV_NONE);
    assert_int_equal(decoded("\xf8\x07\x01", 3).kind, PX_RDV_NONE);
}

static void encode_says_when_there_is_no_room(void **state) {
    uint8_t out[8];
    struct px_error err = {0};
    const struct px_rdv_msg m = {.kind = PX_RDV_REGISTER_PEER,
                                 .register_peer = {.id = px_bytes_of("123456789")}};
    assert_int_equal(px_rdv_encode(&m, out, sizeof(out), &err), -ENOBUFS);
    assert_string_equal(err.msg, "message of 11 bytes is above 8");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode_gives_the_bytes_of_the_specification),
        cmocka_unit_test(a_chosen_oneof_member_is_written_even_when_zero),
        cmocka_unit_test(decode_finds_every_field),
        cmocka_unit_test(decode_skips_unknown_fields),
        cmocka_unit_test(of_two_members_the_last_one_counts),
        cmocka_unit_test(negative_numbers_take_ten_bytes),
        cmocka_unit_test(decode_refuses_malformed_messages),
        cmocka_unit_test(encode_says_when_there_is_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
