/* src/net/test_resolv.c */
#include "base/file.h"
#include "base/test.h"
#include "net/net.h"
#include "net/resolv.h"
#include <arpa/inet.h>

static char *digest_of(const char *text) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    struct px_resolv r;
    px_resolv_parse(text, strlen(text), &r);
    px_resolv_print(&r, &out);
    return px_buf_take(&out);
}

static void parse_keeps_what_desktops_can_use(void **state) {
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"nameserver 192.0.2.1\n", "nameserver 192.0.2.1\n"},
        {"nameserver 192.0.2.1", "nameserver 192.0.2.1\n"},
        {" nameserver\t192.0.2.1 # mine\r\nsearch a.example  b.example\r\n",
         "nameserver 192.0.2.1\nsearch a.example b.example\n"},
        {"domain old.example\nsearch new.example\n", "search new.example\n"},
        {"nameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\nnameserver 0.0.0.0\n",
         ""},
        {"nameserver 1.1.1.1\nnameserver 127.0.0.1\nnameserver 8.8.8.8\n",
         "nameserver 1.1.1.1\nnameserver 8.8.8.8\n"},
        {"nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n",
         "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n"},
        {"#nameserver 1.1.1.1\n;nameserver 2.2.2.2\nnameservers 3.3.3.3\nnameserver\nnameserver "
         "x\n",
         ""},
        {"search . ok.example $(reboot) a\x01"
         "b\n",
         "search . ok.example\n"},
        {"options ndots:5 rotate\n", ""},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        px_cleanup_free char *got = digest_of(cases[i].text);
        assert_string_equal(got, cases[i].want);
    }
}

struct files {
    char dir[32], conf[64], upstream[64];
};

static void put(const char *path, const char *text) {
    px_assert_ok(px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, NULL));
}

static int setup(void **state) {
    static struct files f;
    f = (struct files){.dir = "/tmp/px-test-resolv-XXXXXX"};
    if (!mkdtemp(f.dir))
        return -1;
    snprintf(f.conf, sizeof(f.conf), "%s/conf", f.dir);
    snprintf(f.upstream, sizeof(f.upstream), "%s/upstream", f.dir);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    const struct files *f = *state;
    return px_rm_rf(AT_FDCWD, f->dir, NULL);
}

static void a_stub_on_loopback_is_replaced_by_what_stands_behind_it(void **state) {
    const struct files *f = *state;
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    struct px_resolv r;
    put(f->conf, "nameserver 127.0.0.53\nsearch lab.example\n");
    put(f->upstream, "nameserver 192.0.2.7\n");
    px_assert_ok(px_resolv_host(f->conf, f->upstream, &r, NULL));
    px_resolv_print(&r, &out);
    assert_string_equal(px_buf_str(&out), "nameserver 192.0.2.7\nsearch lab.example\n");
}

static void no_usable_server_is_an_error_that_says_why(void **state) {
    const struct files *f = *state;
    static const struct {
        const char *conf, *why;
    } cases[] = {{"nameserver 127.0.0.1\n", "only this host's loopback"},
                 {"nameserver 2001:db8::1\n", "only IPv6"},
                 {"search a.example\n", "none at all"}};
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_error err = {0};
        struct px_resolv r = {.n_servers = 9};
        put(f->conf, cases[i].conf);
        assert_int_equal(px_resolv_host(f->conf, "/nonexistent", &r, &err), -ENOENT);
        px_assert_contains(err.msg, cases[i].why);
        px_assert_contains(err.hint, "network.dns");
        assert_int_equal(r.n_servers, 9); /* untouched */
    }
    struct px_error err = {0};
    struct px_resolv r;
    assert_int_equal(px_resolv_host("/nonexistent", "/nonexistent", &r, &err), -ENOENT);
    px_assert_contains(err.hint, "network.dns");
}

static void servers_of_the_host_file_win(void **state) {
    struct in_addr dns[2];
    px_cleanup_free char *text = NULL;
    inet_pton(AF_INET, "9.9.9.9", &dns[0]);
    inet_pton(AF_INET, "10.88.0.1", &dns[1]);
    const struct px_host_spec host = {.network.dns = dns, .network.n_dns = 2};
    px_assert_ok(px_net_resolv_conf(&host, &text, NULL));
    assert_string_equal(text, "nameserver 9.9.9.9\nnameserver 10.88.0.1\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_keeps_what_desktops_can_use),
        cmocka_unit_test_setup_teardown(a_stub_on_loopback_is_replaced_by_what_stands_behind_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(no_usable_server_is_an_error_that_says_why, setup,
                                        teardown),
        cmocka_unit_test(servers_of_the_host_file_win),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
