/* src/desktop/test_locale.c */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/test.h"
#include "desktop/locale.h"

static void every_layout_keeps_its_variant(void **state) {
    static const char *const cases[][3] = {
        {"us", "us", ""},
        {"de(nodeadkeys)", "de", "nodeadkeys"},
        {"us,de", "us,de", ""},
        {"us,de(nodeadkeys)", "us,de", ",nodeadkeys"},
        {"ch(fr),us,de(neo)", "ch,us,de", "fr,,neo"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        px_cleanup_free char *layouts = NULL, *variants = NULL;
        px_keyboard_split(cases[i][0], &layouts, &variants);
        assert_string_equal(layouts, cases[i][1]);
        assert_string_equal(variants, cases[i][2]);
    }
}

/* Two layers below a directory of their own: the lower has time zones, the upper layouts. */
static char *trees[2];

static void put(const char *tree, const char *path, const char *text) {
    px_cleanup_free char *file = px_asprintf("%s/%s", tree, path);
    char *slash = strrchr(file, '/');
    *slash = '\0';
    px_assert_ok(px_mkdir_p(AT_FDCWD, file, 0755, NULL));
    *slash = '/';
    px_assert_ok(px_file_replace(AT_FDCWD, file, text, strlen(text), 0644, NULL));
}

static int make_trees(void **state) {
    char *dir = px_strdup("/tmp/px-locale-XXXXXX");
    assert_non_null(mkdtemp(dir));
    trees[0] = px_asprintf("%s/lower", dir);
    trees[1] = px_asprintf("%s/upper", dir);
    put(trees[0], "usr/share/zoneinfo/Europe/Berlin", "TZif");
    put(trees[1], "usr/share/X11/xkb/symbols/us", "xkb_symbols \"basic\" {");
    put(trees[1], "usr/share/X11/xkb/symbols/de",
        "xkb_symbols \"basic\" {\nxkb_symbols \"nodeadkeys\" {");
    *state = dir;
    return 0;
}

static int drop_trees(void **state) {
    px_rm_rf(AT_FDCWD, *state, NULL);
    free(*state);
    free(trees[0]);
    free(trees[1]);
    return 0;
}

static void what_the_image_has_is_fine(void **state) {
    px_assert_ok(px_keyboard_check(trees, 2, "us", NULL));
    px_assert_ok(px_keyboard_check(trees, 2, "us,de(nodeadkeys)", NULL));
    px_assert_ok(px_timezone_check(trees, 2, "Europe/Berlin", NULL));
}

static void what_it_has_not_is_named(void **state) {
    static const char *const cases[][2] = {
        {"german", "the image has no keyboard layout 'german'"},
        {"us,dee", "the image has no keyboard layout 'dee'"},
        {"us,de(nodeadkey)", "keyboard layout 'de' has no variant 'nodeadkey'"},
    };
    struct px_error err = {0};
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        assert_int_equal(px_keyboard_check(trees, 2, cases[i][0], &err), -EINVAL);
        assert_string_equal(err.msg, cases[i][1]);
        assert_true(err.hint[0]);
    }
    assert_int_equal(px_timezone_check(trees, 2, "Europe/Berln", &err), -EINVAL);
    assert_string_equal(err.msg, "the image has no time zone 'Europe/Berln'");
}

static void an_image_without_any_takes_all(void **state) {
    px_assert_ok(px_keyboard_check(trees, 1, "german", NULL));
    px_assert_ok(px_timezone_check(trees + 1, 1, "Europe/Berln", NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layout_keeps_its_variant),
        cmocka_unit_test(what_the_image_has_is_fine),
        cmocka_unit_test(what_it_has_not_is_named),
        cmocka_unit_test(an_image_without_any_takes_all),
    };
    return cmocka_run_group_tests(tests, make_trees, drop_trees);
}
