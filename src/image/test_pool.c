/* src/image/test_pool.c */
#include "base/alloc.h"
#include "base/file.h"
#include "base/test.h"
#include "image/pool.h"

static void a_wheel_is_linked_and_stays_where_it_was(void **state) {
    char dir[] = "/tmp/px-test-pool-XXXXXX";
    assert_non_null(mkdtemp(dir));
    px_cleanup_free char *wheel = px_asprintf("%s/a-1-py3-none-any.whl", dir);
    px_cleanup_free char *pool = px_asprintf("%s/pool/wheel", dir);
    px_assert_ok(px_file_write_atomic(AT_FDCWD, wheel, "wheel", 5, 0644, NULL));
    for (int i = 0; i < 2; i++) { /* the second time it is there already */
        px_assert_ok(px_pool_add_wheel(dir, wheel, NULL));
        assert_true(px_exists(AT_FDCWD, wheel));
    }
    px_cleanup_closedir DIR *d = opendir(pool);
    assert_non_null(d);
    const struct dirent *e;
    char hex[65] = "";
    while ((e = readdir(d)))
        if (e->d_name[0] != '.') {
            assert_string_equal(hex, ""); /* one, and no temporary one */
            strcpy(hex, e->d_name);
        }
    px_cleanup_free char *found = px_pool_find_wheel(dir, hex);
    assert_non_null(found);
    px_cleanup_free char *inside = px_asprintf("%s/a-1-py3-none-any.whl", found);
    assert_true(px_exists(AT_FDCWD, inside));
    px_assert_ok(px_rm_rf(AT_FDCWD, dir, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wheel_is_linked_and_stays_where_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
