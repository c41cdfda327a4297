/* src/desktop/test_login.c */
#include "base/cleanup.h"
#include "base/test.h"
#include "desktop/login.h"

static void rename_touches_the_user_and_nothing_like_it(void **state) {
    static const char *const cases[][2] = {
        {"ai:x:1000:1000:,,,:/home/ai:/bin/bash\n", "eve:x:1000:1000:,,,:/home/eve:/bin/bash\n"},
        {"aide:x:1001:1001::/home/aide:/bin/sh\n", "aide:x:1001:1001::/home/aide:/bin/sh\n"},
        {"video:x:44:ai,bob\naudio:x:29:bob,ai", "video:x:44:eve,bob\naudio:x:29:bob,eve"},
        {"ai:!:19000:0:99999:7:::\n", "eve:!:19000:0:99999:7:::\n"},
        {"sudo:*::ai\n", "sudo:*::eve\n"},
        {"ai:100000:65536\n", "eve:100000:65536\n"},
        {"", ""},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        px_cleanup_free char *out = px_login_rename(cases[i][0], strlen(cases[i][0]), "ai", "eve");
        assert_string_equal(out, cases[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rename_touches_the_user_and_nothing_like_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
