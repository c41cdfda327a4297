/* src/proto/test_frame.c */
#include "base/test.h"
#include "base/cleanup.h"
#include "proto/frame.h"

static const struct {
    uint32_t bytes;
    size_t size;
    uint8_t raw[4];
} cases[] = {
    {0, 1, {0x00}},
    {1, 1, {0x04}},
    {63, 1, {0xfc}},
    {64, 2, {0x01, 0x01}},
    {16383, 2, {0xfd, 0xff}},
    {16384, 3, {0x02, 0x00, 0x01}},
    {4194303, 3, {0xfe, 0xff, 0xff}},
    {4194304, 4, {0x03, 0x00, 0x00, 0x01}},
};

static void item_1_print_writes_the_shortest_prefix(void **state) {
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        uint8_t out[PX_FRAME_PREFIX_MAX_BYTES];
        assert_int_equal(px_frame_print(cases[i].bytes, out), cases[i].size);
        assert_memory_equal(out, cases[i].raw, cases[i].size);
    }
}

static void parse_reads_what_print_wrote(void **state) {
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        uint32_t bytes = 1234567;
        assert_int_equal(px_frame_parse(cases[i].raw, cases[i].size, &bytes, NULL), PX_PARSE_DONE);
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void parse_waits_for_the_whole_prefix(void **state) {
    uint32_t bytes = 77;
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++)
        for (size_t n = 0; n < cases[i].size; n++)
            assert_int_equal(px_frame_parse(cases[i].raw, n, &bytes, NULL), PX_PARSE_MORE);
    assert_int_equal(bytes, 77);
}

/* The body 2A 00 behind the shortest prefix and behind longer ones. */
static void item_2_parse_takes_a_longer_prefix_than_needed(void **state) {
    static const struct {
        size_t size;
        uint8_t raw[4];
    } longer[] = {{1, {0x08}}, {2, {0x09, 0}}, {3, {0x0a, 0, 0}}, {4, {0x0b, 0, 0, 0}}};
    for (size_t i = 0; i < PX_N_ELEMENTS(longer); i++) {
        uint32_t bytes = 0;
        assert_int_equal(px_frame_parse(longer[i].raw, longer[i].size, &bytes, NULL),
                         PX_PARSE_DONE);
        assert_int_equal(bytes, 2);
        assert_int_equal(px_frame_prefix_size(longer[i].raw[0]), longer[i].size);
    }
}

static void parse_refuses_more_than_the_limit(void **state) {
    static const uint8_t raw[] = {0xff, 0xff, 0xff, 0xff};
    struct px_error err = {0};
    uint32_t bytes = 5;
    assert_int_equal(px_frame_parse(raw, sizeof(raw), &bytes, &err), -EMSGSIZE);
    assert_string_equal(err.msg, "frame of 1073741823 bytes is above 67108864");
    assert_int_equal(bytes, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_1_print_writes_the_shortest_prefix),
        cmocka_unit_test(parse_reads_what_print_wrote),
        cmocka_unit_test(parse_waits_for_the_whole_prefix),
        cmocka_unit_test(item_2_parse_takes_a_longer_prefix_than_needed),
        cmocka_unit_test(parse_refuses_more_than_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
