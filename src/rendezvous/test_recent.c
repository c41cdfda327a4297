/* src/rendezvous/test_recent.c - the latest requests, and devices that moved */
#include "base/alloc.h"
#include "base/test.h"
#include "rendezvous/recent.h"

static void add(struct px_recent *r, const char *id, int64_t at_s) {
    const struct px_addr from = px_addr_v4(192, 0, 2, 1, 5), to = px_addr_v4(192, 0, 2, 2, 6);
    px_recent_add(r, px_bytes_of(id), &from, &to, at_s);
}

static void the_newest_comes_first_and_the_oldest_goes(void **state) {
    struct px_recent *r = px_recent_new();
    px_cleanup_free struct px_recent_record *list = px_new0(struct px_recent_record, PX_RECENT_MAX);
    add(r, "oldest", 1);
    add(r, "newest", 2);
    assert_int_equal(px_recent_list(r, list, PX_RECENT_MAX), 2);
    assert_string_equal(list[0].id, "newest");
    assert_int_equal(list[0].at_s, 2);
    assert_int_equal(list[0].to.port, 6);
    assert_string_equal(list[1].id, "oldest");
    for (int i = 0; i < PX_RECENT_MAX - 1; i++)
        add(r, "again", 3);
    assert_int_equal(px_recent_list(r, list, PX_RECENT_MAX), PX_RECENT_MAX);
    assert_string_equal(list[PX_RECENT_MAX - 1].id, "newest");
    assert_int_equal(px_recent_list(r, list, 3), 3);
    px_recent_free(r);
}

static void what_is_forgotten_is_gone(void **state) {
    struct px_recent *r = px_recent_new();
    struct px_recent_record one;
    add(r, "123456789", 1);
    px_recent_forget(r);
    assert_int_equal(px_recent_list(r, &one, 1), 0);
    add(r, "123", 2);
    assert_int_equal(px_recent_list(r, &one, 1), 1);
    assert_string_equal(one.id, "123");
    px_recent_free(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_comes_first_and_the_oldest_goes),
        cmocka_unit_test(what_is_forgotten_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
