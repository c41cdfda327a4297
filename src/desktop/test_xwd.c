/* src/desktop/test_xwd.c */
#include "base/cleanup.h"
#include "base/test.h"
#include "desktop/xwd.h"
#include <png.h>

#define HEADER_BYTES 104 /* 25 words and a window name of 4 bytes */
#define COLOURS 2

static void put_word(uint8_t *dump, unsigned n, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        dump[n * 4 + i] = (uint8_t)(value >> 8 * (3 - i));
}

/* A dump of 2x2 pixels, 32 bits each, with a padded line: red green / blue grey. */
#define DUMP_BYTES (HEADER_BYTES + COLOURS * 12 + 2 * 12)
static void make_dump(uint8_t dump[DUMP_BYTES]) {
    static const uint32_t words[25] = {HEADER_BYTES, 7, 2,   24,      2,  2, 0,        0,
                                       32,           0, 32,  32,      12, 4, 0xff0000, 0x00ff00,
                                       0x0000ff,     8, 256, COLOURS, 2,  2};
    static const uint8_t pixels[24] = {0,   0, 255, 9, 0,   255, 0,   9, 7, 7, 7, 7,
                                       255, 0, 0,   9, 128, 128, 128, 9, 7, 7, 7, 7};
    memset(dump, 0, DUMP_BYTES);
    for (unsigned i = 0; i < 25; i++)
        put_word(dump, i, words[i]);
    memcpy(dump + HEADER_BYTES + COLOURS * 12, pixels, sizeof(pixels));
}

static void rows_come_out_as_red_green_blue(void **state) {
    uint8_t dump[DUMP_BYTES], rgb[6];
    struct px_xwd xwd;
    make_dump(dump);
    px_assert_ok(px_xwd_parse(dump, sizeof(dump), &xwd, NULL));
    assert_int_equal(xwd.width_px, 2);
    assert_int_equal(xwd.height_px, 2);
    px_xwd_row(&xwd, 0, rgb);
    assert_memory_equal(rgb, ((uint8_t[]){255, 0, 0, 0, 255, 0}), 6);
    px_xwd_row(&xwd, 1, rgb);
    assert_memory_equal(rgb, ((uint8_t[]){0, 0, 255, 128, 128, 128}), 6);
}

static void narrow_channels_are_stretched_and_either_byte_order_read(void **state) {
    uint8_t dump[DUMP_BYTES], rgb[6];
    struct px_xwd xwd;
    make_dump(dump);
    put_word(dump, 11, 16); /* 5-6-5, big endian */
    put_word(dump, 7, 1);
    put_word(dump, 14, 0xf800);
    put_word(dump, 15, 0x07e0);
    put_word(dump, 16, 0x001f);
    memcpy(dump + HEADER_BYTES + COLOURS * 12, (uint8_t[]){0xf8, 0x00, 0x07, 0xff}, 4);
    px_assert_ok(px_xwd_parse(dump, sizeof(dump), &xwd, NULL));
    px_xwd_row(&xwd, 0, rgb);
    assert_memory_equal(rgb, ((uint8_t[]){255, 0, 0, 0, 255, 255}), 6);
}

static void screens_with_several_visuals_are_read(void **state) {
    uint8_t dump[DUMP_BYTES], rgb[6];
    struct px_xwd xwd;
    make_dump(dump);
    put_word(dump, 11, 24);
    put_word(dump, 13, 5);
    memcpy(dump + HEADER_BYTES + COLOURS * 12, (uint8_t[]){0, 0, 255, 0, 255, 0}, 6);
    px_assert_ok(px_xwd_parse(dump, sizeof(dump), &xwd, NULL));
    px_xwd_row(&xwd, 0, rgb);
    assert_memory_equal(rgb, ((uint8_t[]){255, 0, 0, 0, 255, 0}), 6);
}

static void bad_dumps_are_refused(void **state) {
    static const struct {
        unsigned word;
        uint32_t value;
        int code;
        const char *msg;
    } cases[] = {
        {1, 6, -EINVAL, "not a screen dump of xwd"},
        {0, 99, -EINVAL, "not a screen dump of xwd"},
        {0, 0xffffffff, -EMSGSIZE, "ends early"},
        {19, 0xffffffff, -EMSGSIZE, "ends early"},
        {2, 1, -ENOTSUP, "format 1"},
        {13, 3, -ENOTSUP, "visual 3"},
        {11, 8, -ENOTSUP, "8 bits per pixel"},
        {4, 0, -EMSGSIZE, "0x2 pixels"},
        {4, 16385, -EMSGSIZE, "16385x2"},
        {5, 0xffffffff, -EMSGSIZE, "2x4294967295"},
        {5, 3, -EMSGSIZE, "ends early"},
        {12, 7, -EINVAL, "lines of 7 bytes for 2 pixels"},
        {12, 0xffffffff, -EMSGSIZE, "ends early"},
        {14, 0, -EINVAL, "colour masks"},
        {14, 0xff00ff, -EINVAL, "colour masks"},
        {15, 0xffffffff, -EINVAL, "colour masks"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        uint8_t dump[DUMP_BYTES];
        struct px_xwd xwd = {.width_px = 77};
        struct px_error err = {0};
        make_dump(dump);
        put_word(dump, cases[i].word, cases[i].value);
        assert_int_equal(px_xwd_parse(dump, sizeof(dump), &xwd, &err), cases[i].code);
        px_assert_contains(err.msg, cases[i].msg);
        assert_int_equal(xwd.width_px, 77); /* untouched */
    }
    uint8_t dump[DUMP_BYTES];
    make_dump(dump);
    for (size_t size = 0; size < DUMP_BYTES; size++)
        assert_true(px_xwd_parse(dump, size, &(struct px_xwd){0}, NULL) < 0);
}

static void the_png_shows_the_same_pixels(void **state) {
    uint8_t dump[DUMP_BYTES], rgb[12];
    make_dump(dump);
    px_cleanup(px_buf_fini) struct px_buf png = {0};
    px_assert_ok(px_xwd_to_png(dump, sizeof(dump), &png, NULL));
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_memory(&image, png.data, png.size));
    assert_int_equal(image.width, 2);
    assert_int_equal(image.height, 2);
    image.format = PNG_FORMAT_RGB;
    assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
    assert_memory_equal(rgb, ((uint8_t[]){255, 0, 0, 0, 255, 0, 0, 0, 255, 128, 128, 128}), 12);
}

static void a_bad_dump_leaves_the_buffer_alone(void **state) {
    px_cleanup(px_buf_fini) struct px_buf png = {0};
    px_buf_puts(&png, "before");
    assert_int_equal(px_xwd_to_png("nonsense", 8, &png, NULL), -EINVAL);
    assert_string_equal(px_buf_str(&png), "before");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_out_as_red_green_blue),
        cmocka_unit_test(narrow_channels_are_stretched_and_either_byte_order_read),
        cmocka_unit_test(screens_with_several_visuals_are_read),
        cmocka_unit_test(bad_dumps_are_refused),
        cmocka_unit_test(the_png_shows_the_same_pixels),
        cmocka_unit_test(a_bad_dump_leaves_the_buffer_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
