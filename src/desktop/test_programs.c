/* src/desktop/test_programs.c - which phoenix-host runs in each desktop */
#include "base/test.h"
#include "desktop/programs.h"

static void the_hash_is_that_of_the_folder(void **state) {
    static const char starter[] = "#!/bin/sh\n# Starts the program with the libraries beside it.\n"
                                  "exec \"$here/lib-05a11c75b74cd625/ld-linux-x86-64.so.2\" x\n";
    char hash[PX_PROGRAM_HASH + 1] = "";
    assert_true(px_program_hash(starter, hash));
    assert_string_equal(hash, "05a11c75b74cd625");
    assert_true(px_program_hash("/lib-no/opt/lib-7ffc065d14ed6103/phoenix-host", hash));
    assert_string_equal(hash, "7ffc065d14ed6103");
}

static void what_is_no_hash_is_none(void **state) {
    static const char *const texts[] = {"",
                                        "/lib-",
                                        "/lib-7ffc065d14ed6103",
                                        "/lib-7ffc065d14ed610/x",
                                        "/lib-7ffc065d14ed61034/x",
                                        "/lib-7FFC065D14ED6103/x",
                                        "lib-7ffc065d14ed6103/x"};
    char hash[PX_PROGRAM_HASH + 1] = "before";
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_false(px_program_hash(texts[i], hash));
    assert_string_equal(hash, "before");
}

static void only_a_desktop_of_its_own_counts(void **state) {
    struct px_program list[] = {{.pid_ns = 10, .hash = "7ffc065d14ed6103"},
                                {.pid_ns = 11, .hash = "05a11c75b74cd625"}};
    const struct px_programs p = {.installed = "7ffc065d14ed6103", .list = list, .n = 2};
    assert_false(px_programs_differ(&p, 10));
    assert_true(px_programs_differ(&p, 11));
    assert_false(px_programs_differ(&p, 12)); /* runs none */
    assert_false(px_programs_differ(&p, 0));  /* is not running */
}

static void without_a_bundle_nothing_differs(void **state) {
    px_cleanup(px_programs_freep) struct px_programs *p = px_programs_look(NULL);
    assert_int_equal(p->n, 0);
    assert_false(px_programs_differ(p, px_programs_pid_ns(getpid())));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_that_of_the_folder),
        cmocka_unit_test(what_is_no_hash_is_none),
        cmocka_unit_test(only_a_desktop_of_its_own_counts),
        cmocka_unit_test(without_a_bundle_nothing_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
