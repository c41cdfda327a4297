/* src/proto/test_addr.c */
#include "base/test.h"
#include "base/cleanup.h"
#include "proto/addr.h"

static const struct {
    const char *text;
    uint32_t t;
    size_t size;
    uint8_t raw[PX_ADDR_MANGLED_MAX_BYTES];
} cases[] = {
    {"203.0.113.7:50000",
     0x12345678,
     10,
     {0xc8, 0x19, 0xf1, 0xac, 0x68, 0x24, 0x86, 0xae, 0x4a, 0x33}},
    {"192.168.16.32:21116",
     0x0000ffff,
     10,
     {0x7b, 0x52, 0xff, 0xff, 0x01, 0, 0x7e, 0x51, 0x23, 0x40}},
    {"1.2.3.4:80", 0xffffffff, 11, {0x4f, 0, 0xff, 0xff, 0xff, 0xff, 1, 4, 6, 8, 2}},
    {"10.0.0.1:443", 0, 10, {0xbb, 1, 0, 0, 0, 0, 0x14, 0, 0, 2}},
    {"0.0.0.0:0", 1, 7, {1, 0, 2, 0, 0, 0, 2}},
    {"255.255.255.255:65535",
     0xffffffff,
     11,
     {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd, 0xff, 0xff, 0xff, 3}},
    {"[2001:db8::1]:8080",
     7,
     18,
     {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x90, 0x1f}},
};

static void mangle_gives_the_bytes_of_the_specification(void **state) {
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        uint8_t out[PX_ADDR_MANGLED_MAX_BYTES];
        struct px_addr a;
        px_assert_ok(px_addr_parse(cases[i].text, 0, &a, NULL));
        assert_int_equal(px_addr_mangle(&a, cases[i].t, out), cases[i].size);
        assert_memory_equal(out, cases[i].raw, cases[i].size);
    }
}

static void unmangle_reads_them_back(void **state) {
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        char text[PX_ADDR_TEXT_MAX];
        struct px_addr a = px_addr_unmangle((struct px_bytes){cases[i].raw, cases[i].size});
        assert_string_equal(px_addr_text(&a, text), cases[i].text);
    }
}

static void unmangle_takes_any_length(void **state) {
    uint8_t raw[40];
    memset(raw, 0xff, sizeof(raw));
    for (size_t n = 0; n < sizeof(raw); n++)
        (void)px_addr_unmangle((struct px_bytes){raw, n});
    struct px_addr a = px_addr_unmangle((struct px_bytes){raw, 17});
    assert_int_equal(a.port, 0);
    a = px_addr_unmangle((struct px_bytes){raw, 0});
    assert_true(px_addr_is_v4(&a));
    assert_int_equal(a.port, 0);
}

static void ipv4_has_one_form_however_it_came(void **state) {
    const char *forms[] = {"1.2.3.4", "::ffff:1.2.3.4", "::1.2.3.4", "[::ffff:102:304]:0"};
    const struct px_addr want = px_addr_v4(1, 2, 3, 4, 0);
    for (size_t i = 0; i < PX_N_ELEMENTS(forms); i++) {
        struct px_addr a;
        px_assert_ok(px_addr_parse(forms[i], 0, &a, NULL));
        assert_true(px_addr_equal(&a, &want));
    }
    struct px_addr a;
    px_assert_ok(px_addr_parse("::1", 0, &a, NULL));
    assert_false(px_addr_is_v4(&a));
    assert_true(px_addr_is_loopback(&a));
    px_assert_ok(px_addr_parse("[::]:5", 0, &a, NULL));
    assert_false(px_addr_is_v4(&a));
}

static void parse_says_what_is_wrong(void **state) {
    struct px_error err = {0};
    struct px_addr a;
    assert_int_equal(px_addr_parse("example.com", 1, &a, &err), -EINVAL);
    assert_string_equal(err.msg, "'example.com' is not an IP address");
    assert_int_equal(px_addr_parse("1.2.3.4:70000", 1, &a, &err), -EINVAL);
    assert_string_equal(err.msg, "'1.2.3.4:70000' has no valid port");
}

static void block_holds_its_addresses_only(void **state) {
    struct px_addr_block block;
    const struct px_addr in = px_addr_v4(10, 200, 0, 1, 5), out = px_addr_v4(11, 0, 0, 1, 5);
    px_assert_ok(px_addr_block_parse("10.0.0.0/8", &block, NULL));
    assert_true(px_addr_in_block(&in, &block));
    assert_false(px_addr_in_block(&out, &block));
    px_assert_ok(px_addr_block_parse("10.200.0.1", &block, NULL));
    assert_true(px_addr_in_block(&in, &block));
    assert_int_equal(px_addr_block_parse("10.0.0.0/33", &block, NULL), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mangle_gives_the_bytes_of_the_specification),
        cmocka_unit_test(unmangle_reads_them_back),
        cmocka_unit_test(unmangle_takes_any_length),
        cmocka_unit_test(ipv4_has_one_form_however_it_came),
        cmocka_unit_test(parse_says_what_is_wrong),
        cmocka_unit_test(block_holds_its_addresses_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
