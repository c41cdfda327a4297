/* src/proto/test_unpack.c */
#include "base/alloc.h"
#include "base/test.h"
#include "proto/unpack.h"
#include <zstd.h>

static size_t pack(const void *data, size_t size, uint8_t *to, size_t cap) {
    const size_t n = ZSTD_compress(to, cap, data, size, 3);
    assert_false(ZSTD_isError(n));
    return n;
}

static void what_was_packed_comes_out(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_cleanup_free uint8_t *plain = px_calloc(1, 1000000), *packed = px_calloc(1, 1100000);
    for (size_t i = 0; i < 1000000; i++)
        plain[i] = (uint8_t)(i * i >> 7);
    const size_t n = pack(plain, 1000000, packed, 1100000);
    px_assert_ok(px_unpack(packed, n, 1000000, &out, NULL));
    assert_int_equal(out.size, 1000000);
    assert_memory_equal(out.data, plain, 1000000);
}

static void a_bomb_costs_no_more_than_the_limit(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_cleanup_free uint8_t *plain = px_calloc(64, 1 << 20), *packed = px_calloc(1, 1 << 20);
    const size_t n = pack(plain, 64 << 20, packed, 1 << 20);
    assert_int_equal(px_unpack(packed, n, 1 << 20, &out, NULL), -EFBIG);
    assert_in_range(out.cap, 0, 4 << 20);
}

static void what_is_no_whole_frame_is_refused(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    uint8_t packed[256];
    const size_t n = pack("hello hello hello", 17, packed, sizeof(packed));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(px_unpack(packed, i, 1000, &out, NULL), -EBADMSG);
    assert_int_equal(px_unpack((const uint8_t *)"\xff\xff\xff\xff\xff", 5, 1000, &out, NULL),
                     -EBADMSG);
}

static void frames_follow_one_another_and_nothing_else_does(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    uint8_t packed[256];
    size_t n = pack("one ", 4, packed, sizeof(packed));
    n += pack("two", 3, packed + n, sizeof(packed) - n);
    px_assert_ok(px_unpack(packed, n, 7, &out, NULL));
    assert_string_equal(px_buf_str(&out), "one two");
    assert_int_equal(px_unpack(packed, n, 6, &out, NULL), -EFBIG);
    packed[n] = 'x';
    assert_int_equal(px_unpack(packed, n + 1, 7, &out, NULL), -EBADMSG);
}

static void nothing_unpacks_to_nothing(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    uint8_t packed[256];
    const size_t n = pack("", 0, packed, sizeof(packed));
    px_assert_ok(px_unpack(packed, n, 0, &out, NULL));
    assert_int_equal(out.size, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_packed_comes_out),
        cmocka_unit_test(a_bomb_costs_no_more_than_the_limit),
        cmocka_unit_test(what_is_no_whole_frame_is_refused),
        cmocka_unit_test(frames_follow_one_another_and_nothing_else_does),
        cmocka_unit_test(nothing_unpacks_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
