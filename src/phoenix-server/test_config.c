/* src/phoenix-server/test_config.c */
#include "base/test.h"
#include "phoenix-server/config.h"

static void flags_file_and_defaults_are_ranked(void **state) {
    struct px_config c;
    char *argv[] = {(char *)"phoenix-server", (char *)"--port=31000",       (char *)"-k",
                    (char *)"word",           (char *)"--always-use-relay", NULL};
    px_config_init(&c);
    assert_int_equal(c.port, 21116);
    assert_string_equal(c.key, "-");
    assert_int_equal(c.limit_speed, 32 * 1024);
    px_assert_ok(px_config_flags(&c, 5, argv, NULL));
    assert_int_equal(c.port, 31000);
    assert_string_equal(c.key, "word");
    assert_true(c.always_use_relay);
    /* bit 0 is the port: it was given as a flag */
    px_assert_ok(px_config_parse(
        &c, "f", "# remark\n\nPORT = 1234\nRelay_Servers=a, b\nhttp = no\n", 1, NULL));
    assert_int_equal(c.port, 31000);
    assert_string_equal(c.relay_servers, "a, b");
    assert_false(c.http);
    px_config_fini(&c);
}

static void what_is_wrong_is_named(void **state) {
    const struct {
        const char *text, *msg, *hint;
    } cases[] = {
        {"prot = 5", "f:1: no option 'prot'", "did you mean 'port'?"},
        {"\nport = 70000", "f:2: port: '70000' is not a number from 3 to 65533", ""},
        {"port = ", "f:1: port: '' is not a number from 3 to 65533", ""},
        {"http = maybe", "f:1: http: 'maybe' is neither yes nor no", ""},
        {"total-bandwidth = -1",
         "f:1: total-bandwidth: '-1' is not a number of megabits per second", ""},
        {"port 5", "f:1: expected 'name = value', found 'port 5'", ""},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_config c;
        struct px_error err = {0};
        px_config_init(&c);
        assert_int_equal(px_config_parse(&c, "f", cases[i].text, 0, &err), -EINVAL);
        assert_string_equal(err.msg, cases[i].msg);
        assert_string_equal(err.hint, cases[i].hint);
        px_config_fini(&c);
    }
}

static void a_flag_without_its_value_is_named(void **state) {
    struct px_config c;
    struct px_error err = {0};
    char *argv[] = {(char *)"phoenix-server", (char *)"--port", NULL};
    px_config_init(&c);
    assert_int_equal(px_config_flags(&c, 2, argv, &err), -EINVAL);
    assert_string_equal(err.msg, "--port needs a value (PORT)");
    px_config_fini(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_file_and_defaults_are_ranked),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(a_flag_without_its_value_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
