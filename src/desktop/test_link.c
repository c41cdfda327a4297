/* src/desktop/test_link.c - links for RustDesk clients */
#include "base/cleanup.h"
#include "base/test.h"
#include "desktop/link.h"

static void a_link_names_server_and_key(void **state) {
    px_cleanup_free char *link = px_link_make("740993202", "192.0.2.2", "+nA/9=", "h6yv4lmg");
    assert_string_equal(
        link, "rustdesk://connection/new/740993202@192.0.2.2?key=%2BnA%2F9%3D&password=h6yv4lmg");
}

static void a_port_goes_with_the_server(void **state) {
    px_cleanup_free char *link = px_link_make("740993202", "ai.example.org:31116", "abc", "a&b");
    assert_string_equal(
        link, "rustdesk://connection/new/740993202@ai.example.org:31116?key=abc&password=a%26b");
}

static void an_address_in_brackets_is_left_out(void **state) {
    px_cleanup_free char *link = px_link_make("740993202", "[2001:db8::1]:21116", "abc", "x");
    assert_string_equal(link, "rustdesk://connection/new/740993202?password=x");
}

static void a_server_behind_a_proxy_is_left_out(void **state) {
    px_cleanup_free char *link = px_link_make("740993202", NULL, "abc", "x");
    assert_string_equal(link, "rustdesk://connection/new/740993202?password=x");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_names_server_and_key),
        cmocka_unit_test(a_port_goes_with_the_server),
        cmocka_unit_test(an_address_in_brackets_is_left_out),
        cmocka_unit_test(a_server_behind_a_proxy_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
