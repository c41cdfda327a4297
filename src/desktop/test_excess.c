/* src/desktop/test_excess.c */
#include "base/test.h"
#include "desktop/excess.h"

#define GIB (UINT64_C(1) << 30)

static const struct px_excess_host small = {.cores = 2, .memory_bytes = 10 * GIB};

static void find(const char *text, struct px_excess *ret) {
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *file = NULL;
    px_assert_ok(px_desktop_file_parse("lab.yaml", text, strlen(text), &file, NULL));
    px_excess_find(file, &small, ret);
}

static void what_the_host_has_is_no_excess(void **state) {
    struct px_excess e;
    find("desktops:\n  - {name: a, image: x, cores: 2, memory: 10GiB}\n  - {name: b, image: x}\n",
         &e);
    assert_int_equal(e.n, 0);
    px_excess_fini(&e);
}

static void cores_and_memory_are_named_with_place_and_hint(void **state) {
    struct px_excess e;
    find("desktops:\n  - {name: a, image: x}\n  - {name: b, image: x, cores: 99, memory: 1TiB}\n",
         &e);
    assert_int_equal(e.n, 2);
    assert_string_equal(e.lines[0],
                        "lab.yaml:3: desktop 'b': cores: 99, but this host has 2, so it "
                        "gets all of them (hint: without the key it does, too)");
    px_assert_contains(e.lines[1], "lab.yaml:3: desktop 'b': memory: 1TiB, but this host has 10.0 "
                                   "GiB, so nothing holds it back (hint: ");
    px_excess_fini(&e);
}

static void one_line_speaks_for_all_desktops(void **state) {
    struct px_excess e;
    find("defaults: {cores: 99}\ndesktops:\n  - {name: a, image: x, cores: 1}\n"
         "  - {name: lab, image: x, count: 3}\n",
         &e);
    assert_int_equal(e.n, 1);
    px_assert_contains(e.lines[0], "lab.yaml:4: desktop 'lab-1' and 2 others: cores: 99");
    px_excess_fini(&e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_host_has_is_no_excess),
        cmocka_unit_test(cores_and_memory_are_named_with_place_and_hint),
        cmocka_unit_test(one_line_speaks_for_all_desktops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
