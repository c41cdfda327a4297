/* src/base/test_text.c */
#include "base/cleanup.h"
#include "base/test.h"
#include "base/text.h"

static void sizes_mean_what_people_write(void **state) {
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"4096", 4096},
        {"10B", 10},
        {"8GiB", UINT64_C(8) << 30},
        {"8g", UINT64_C(8) << 30},
        {"8 GiB", UINT64_C(8) << 30},
        {" 8G ", UINT64_C(8) << 30},
        {"8GB", UINT64_C(8000000000)},
        {"8 GB", UINT64_C(8000000000)},
        {"8gb", UINT64_C(8000000000)},
        {"1.5 KiB", 1536},
        {"0.5m", 512 * 1024},
        {"2Ti", UINT64_C(2) << 40},
        {"1p", UINT64_C(1) << 50},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        uint64_t bytes = 1;
        px_assert_ok(px_size_parse(cases[i].text, &bytes, NULL));
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void bad_sizes_are_refused_with_an_example(void **state) {
    static const char *const bad[] = {"",      "G",  "eight", "8X",   "8GiBs", "-1G",
                                      "8 G B", "1.", ".5G",   "8G 2", "0x10",  "1e3"};
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++) {
        struct px_error err = {0};
        uint64_t bytes = 7;
        assert_int_equal(px_size_parse(bad[i], &bytes, &err), -EINVAL);
        assert_int_equal(bytes, 7);
        px_assert_contains(err.msg, "8GiB");
    }
    assert_int_equal(px_size_parse("99999999999999999999", &(uint64_t){0}, NULL), -ERANGE);
    assert_int_equal(px_size_parse("9000P", &(uint64_t){0}, NULL), -ERANGE);
}

static void size_format_is_exact_and_short(void **state) {
    char out[PX_SIZE_TEXT_MAX];
    assert_string_equal(px_size_format(UINT64_C(8) << 30, out), "8GiB");
    assert_string_equal(px_size_format(1536 << 20, out), "1536MiB");
    assert_string_equal(px_size_format(1000, out), "1000B");
    assert_string_equal(px_size_format(0, out), "0B");
    assert_string_equal(px_size_human(1288490189, out), "1.2 GiB");
    assert_string_equal(px_size_human(12, out), "12 B");
}

static void hostname_says_which_rule_is_broken(void **state) {
    struct px_error err = {0};
    px_assert_ok(px_hostname_check("lab-1", NULL));
    assert_int_equal(px_hostname_check("Lab", &err), -EINVAL);
    px_assert_contains(err.msg, "a-z");
    assert_int_equal(px_hostname_check("-a", &err), -EINVAL);
    px_assert_contains(err.msg, "start or end");
    assert_int_equal(px_hostname_check("", NULL), -EINVAL);
    assert_int_equal(px_hostname_check("../x", NULL), -EINVAL);
    char longest[65];
    memset(longest, 'a', 64);
    longest[64] = '\0';
    assert_int_equal(px_hostname_check(longest, NULL), -EINVAL);
    longest[63] = '\0';
    px_assert_ok(px_hostname_check(longest, NULL));
}

static void suggest_finds_slips_and_nothing_far(void **state) {
    static const char *const words[] = {"memory", "cores", "image", "gpus"};
    const size_t n = PX_N_ELEMENTS(words);
    assert_string_equal(px_suggest("memroy", words, n), "memory");
    assert_string_equal(px_suggest("gpu", words, n), "gpus");
    assert_string_equal(px_suggest("Image", words, n), "image");
    assert_null(px_suggest("network", words, n));
    assert_null(px_suggest("", words, n));
}

static void clean_leaves_one_line_of_utf8(void **state) {
    static const struct {
        const char *text, *clean;
    } cases[] = {
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"a\nb\tc\x1b[1m\x7f", "a b c [1m "},
        {"\xc3", "?"}, /* cut in a character */
        {"\xe2\x82", "??"},
        {"\xc0\x80\xff", "???"}, /* overlong, never a byte of UTF-8 */
        {"\xed\xa0\x80", "???"}, /* a surrogate */
        {"\xc2\x9b"
         "1m",
         "??1m"}, /* CSI in one character */
        {"", ""},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        char text[64];
        strcpy(text, cases[i].text);
        px_text_clean(text);
        assert_string_equal(text, cases[i].clean);
    }
}

static void field_is_what_stands_behind_the_key(void **state) {
    static const char text[] = "Models: none\nModel: \t\t NVIDIA GeForce RTX 5060 Ti \nIRQ: 7";
    char value[32];
    px_text_field(text, "Model", value, sizeof(value));
    assert_string_equal(value, "NVIDIA GeForce RTX 5060 Ti");
    px_text_field(text, "IRQ", value, 2);
    assert_string_equal(value, "7");
    px_text_field(text, "IR", value, sizeof(value));
    assert_string_equal(value, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_mean_what_people_write),
        cmocka_unit_test(bad_sizes_are_refused_with_an_example),
        cmocka_unit_test(size_format_is_exact_and_short),
        cmocka_unit_test(hostname_says_which_rule_is_broken),
        cmocka_unit_test(suggest_finds_slips_and_nothing_far),
        cmocka_unit_test(clean_leaves_one_line_of_utf8),
        cmocka_unit_test(field_is_what_stands_behind_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
