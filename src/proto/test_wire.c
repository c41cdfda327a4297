/* src/proto/test_wire.c */
#include "base/test.h"
#include "base/cleanup.h"
#include "proto/wire.h"

static struct px_bytes of(const char *raw, size_t size) {
    return (struct px_bytes){(const uint8_t *)raw, size};
}

static void next_reads_each_wire_type(void **state) {
    struct px_bytes in = of("\x08\x96\x01\x12\x02hi\x1d\x01\0\0\0\x21\x02\0\0\0\0\0\0\0", 21);
    struct px_wire_field f;
    assert_int_equal(px_wire_next(&in, &f), 1);
    assert_int_equal(f.value, 150);
    assert_int_equal(f.whole.size, 3);
    assert_int_equal(px_wire_next(&in, &f), 1);
    assert_memory_equal(f.bytes.data, "hi", 2);
    assert_int_equal(px_wire_next(&in, &f), 1);
    assert_int_equal(f.value, 1);
    assert_int_equal(px_wire_next(&in, &f), 1);
    assert_int_equal(f.num, 4);
    assert_int_equal(f.value, 2);
    assert_int_equal(px_wire_next(&in, &f), 0);
}

static void malformed_bytes_are_refused(void **state) {
    const struct {
        const char *raw;
        size_t size;
    } cases[] = {
        {"\x0b\x0b\x0b", 3},                                      /* groups */
        {"\x0c", 1},                                              /* end of a group */
        {"\x12\x05hi", 4},                                        /* shorter than it says */
        {"\x08", 1},                                              /* no value */
        {"\x00\x01", 2},                                          /* field 0 */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* varint of 11 bytes */
        {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},     /* length 2^64-1 */
        {"\x0d\x01\x02", 3},
        {"\x09\x01\x02", 3},
        {"\x0e", 1},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++)
        assert_false(px_wire_valid(of(cases[i].raw, cases[i].size)));
    assert_true(px_wire_valid(of("", 0)));
}

static void utf8_is_checked_as_unicode_says(void **state) {
    const char *good[] = {
        "", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbf"};
    const char *bad[] = {
        "\xff", "\xc0\x80",         "\xe2\x82",    "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\x80", "\xf0\x80\x80\x80", "\xe0\x9f\xbf"};
    for (size_t i = 0; i < PX_N_ELEMENTS(good); i++)
        assert_true(px_utf8_valid(px_bytes_of(good[i])));
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++)
        assert_false(px_utf8_valid(px_bytes_of(bad[i])));
}

static void put_counts_past_the_end_and_writes_nothing_there(void **state) {
    uint8_t raw[4] = {9, 9, 9, 9};
    struct px_wire_out o = {.data = raw, .cap = 3};
    px_wire_put(&o, "ab", 2);
    px_wire_put(&o, "cd", 2);
    px_wire_put(&o, "e", 1);
    assert_false(px_wire_fits(&o));
    assert_int_equal(o.size, 5);
    assert_memory_equal(raw, "ab\x09\x09", 4);
}

static void put_fields_leaves_out_the_named_ones(void **state) {
    uint8_t raw[32];
    struct px_wire_out o = {.data = raw, .cap = sizeof(raw)};
    px_wire_put_fields(&o, of("\x08\x01\x12\x01x\xf8\x07\x01\x18\x02", 10), 1u << 2 | 1u << 3);
    assert_int_equal(o.size, 5);
    assert_memory_equal(raw, "\x08\x01\xf8\x07\x01", 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_reads_each_wire_type),
        cmocka_unit_test(malformed_bytes_are_refused),
        cmocka_unit_test(utf8_is_checked_as_unicode_says),
        cmocka_unit_test(put_counts_past_the_end_and_writes_nothing_there),
        cmocka_unit_test(put_fields_leaves_out_the_named_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
