/* src/spec/test_host.c */
#include "base/test.h"
#include "spec/host.h"
#include <arpa/inet.h>

static void no_file_means_all_defaults(void **state) {
    px_cleanup(px_host_freep) struct px_host_spec *host = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_host_parse("host.yaml", "# nothing set\n", 14, &host, &err), &err);
    assert_string_equal(host->state_dir, "/var/lib/phoenix");
    assert_string_equal(host->run_dir, "/run/phoenix");
    assert_null(host->recipes_dir);
    assert_int_equal(host->ids.first, 0);
    assert_int_equal(host->ids.count, 65536 * 1024);
    assert_true(host->ids.reserve);
    assert_string_equal(host->network.bridge, "phoenix0");
    assert_int_equal(ntohl(host->network.range.s_addr), 0x0a580000);
    assert_int_equal(host->network.prefix, 16);
    assert_int_equal(host->network.n_dns, 0);
    assert_int_equal(host->network.n_open, 0);
    assert_true(host->network.nat);
    assert_int_equal(host->parallel, 0);
    assert_int_equal(host->gpus.policy, PX_GPU_SPREAD);
    assert_int_equal(host->gpus.max_shared, 4);
}

static void every_key_is_read(void **state) {
    static const char text[] = "state_dir: /srv/phoenix\n"
                               "ids: {first: 1000000, count: 131072, reserve: false}\n"
                               "network:\n"
                               "  bridge: pxt0\n"
                               "  range: 192.168.77.0/24\n"
                               "  dns: [192.168.1.1, 9.9.9.9]\n"
                               "  open: [8080, 53/udp, 22/tcp]\n"
                               "  nat: false\n"
                               "parallel: 3\n"
                               "gpus: {policy: pack, max_shared: 8}\n";
    px_cleanup(px_host_freep) struct px_host_spec *host = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_host_parse("host.yaml", text, strlen(text), &host, &err), &err);
    assert_string_equal(host->state_dir, "/srv/phoenix");
    assert_int_equal(host->ids.first, 1000000);
    assert_int_equal(host->ids.count, 131072);
    assert_false(host->ids.reserve);
    assert_string_equal(host->network.bridge, "pxt0");
    assert_int_equal(ntohl(host->network.range.s_addr), 0xc0a84d00);
    assert_int_equal(host->network.prefix, 24);
    assert_int_equal(host->network.n_dns, 2);
    assert_int_equal(ntohl(host->network.dns[1].s_addr), 0x09090909);
    assert_int_equal(host->network.n_open, 3);
    assert_int_equal(host->network.open[0].port, 8080);
    assert_false(host->network.open[0].udp);
    assert_true(host->network.open[1].udp);
    assert_false(host->network.open[2].udp);
    assert_false(host->network.nat);
    assert_int_equal(host->parallel, 3);
    assert_int_equal(host->gpus.policy, PX_GPU_PACK);
    assert_int_equal(host->gpus.max_shared, 8);
}

static void a_server_has_a_name_an_address_or_a_proxy(void **state) {
    static const char *const good[] = {
        "rd.example.com",        "rd.example.com:31116",      "192.0.2.1",
        "2001:db8::1",           "[2001:db8::1]:31116",       "wss://rd.example.com",
        "wss://rd.example.com/", "wss://rd.example.com:8443", "wss://[2001:db8::1]:8443"};
    for (size_t i = 0; i < PX_N_ELEMENTS(good); i++) {
        px_cleanup(px_host_freep) struct px_host_spec *host = NULL;
        struct px_error err = {0};
        char text[128];
        const int n = snprintf(text, sizeof(text),
                               "server: {run: false, key: abc, address: '%s'}\n", good[i]);
        px_assert_ok_err(px_host_parse("host.yaml", text, (size_t)n, &host, &err), &err);
        assert_string_equal(host->server.address, good[i]);
    }
}

static void a_named_file_must_exist(void **state) {
    px_cleanup(px_host_freep) struct px_host_spec *host = NULL;
    assert_int_equal(px_host_load("/nonexistent/host.yaml", &host, NULL), -ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_means_all_defaults),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(a_server_has_a_name_an_address_or_a_proxy),
        cmocka_unit_test(a_named_file_must_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
