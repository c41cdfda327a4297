/* src/net/test_address.c */
#include "base/test.h"
#include "net/net.h"
#include <arpa/inet.h>

static struct px_host_spec host_of(const char *range, unsigned prefix) {
    struct px_host_spec host = {.network.prefix = prefix, .network.bridge = "phoenix0"};
    assert_int_equal(inet_pton(AF_INET, range, &host.network.range), 1);
    return host;
}

static struct in_addr addr(const char *text) {
    struct in_addr a = {0};
    assert_int_equal(inet_pton(AF_INET, text, &a), 1);
    return a;
}

static void assert_address(struct in_addr a, const char *text) {
    char got[INET_ADDRSTRLEN];
    assert_string_equal(inet_ntop(AF_INET, &a, got, sizeof(got)), text);
}

static void gateway_is_the_first_even_if_the_range_is_written_untidily(void **state) {
    const struct px_host_spec tidy = host_of("10.88.0.0", 16), untidy = host_of("10.88.7.9", 16);
    assert_address(px_net_gateway(&tidy), "10.88.0.1");
    assert_address(px_net_gateway(&untidy), "10.88.0.1");
}

static void alloc_gives_the_lowest_free_address(void **state) {
    const struct px_host_spec host = host_of("10.88.0.0", 16);
    /* not sorted, twice the same, one of another range */
    const struct in_addr taken[] = {addr("10.88.0.3"), addr("10.88.0.2"), addr("10.88.0.5"),
                                    addr("10.88.0.2"), addr("192.168.0.4")};
    struct in_addr got;
    px_assert_ok(px_net_address_alloc(&host, NULL, 0, &got, NULL));
    assert_address(got, "10.88.0.2");
    px_assert_ok(px_net_address_alloc(&host, taken, 5, &got, NULL));
    assert_address(got, "10.88.0.4");
}

static void alloc_says_how_to_get_room(void **state) {
    const struct px_host_spec host = host_of("192.168.7.0", 29); /* .2 to .6 are desktops' */
    struct in_addr taken[5], got = {.s_addr = 42};
    struct px_error err = {0};
    for (unsigned i = 0; i < 5; i++) {
        taken[i].s_addr = htonl(ntohl(host.network.range.s_addr) + 2 + i);
        assert_int_equal(px_net_address_check(&host, taken[i], NULL), 0);
    }
    assert_int_equal(px_net_address_alloc(&host, taken, 5, &got, &err), -ENOSPC);
    assert_int_equal(got.s_addr, 42); /* untouched */
    assert_string_equal(err.msg, "no free address in 192.168.7.0/29");
    px_assert_contains(err.hint, "network.range");
    px_assert_ok(px_net_address_alloc(&host, taken, 4, &got, NULL));
    assert_address(got, "192.168.7.6");
}

static void check_takes_only_addresses_for_desktops(void **state) {
    const struct px_host_spec host = host_of("10.88.0.0", 16);
    static const struct {
        const char *address, *why;
    } bad[] = {
        {"10.88.0.0", "not one for desktops"},
        {"10.88.0.1", "gateway"},
        {"10.88.255.255", "not one for desktops"},
        {"10.89.0.2", "not one for desktops in 10.88.0.0/16"},
        {"10.87.255.254", "not one for desktops"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++) {
        struct px_error err = {0};
        assert_int_equal(px_net_address_check(&host, addr(bad[i].address), &err), -EINVAL);
        px_assert_contains(err.msg, bad[i].why);
        px_assert_contains(err.msg, bad[i].address);
    }
    px_assert_ok(px_net_address_check(&host, addr("10.88.255.254"), NULL));
    px_assert_ok(px_net_address_check(&host, addr("10.88.0.2"), NULL));
}

static void port_name_is_stable_valid_and_its_own(void **state) {
    const struct px_host_spec a = host_of("10.88.0.0", 16);
    struct px_host_spec b = a;
    struct px_net_port p, again, next, other;
    strcpy(b.network.bridge, "phoenix1");
    px_net_port_name(&a, "lab-1", addr("10.88.255.254"), &p);
    px_net_port_name(&a, "renamed", addr("10.88.255.254"), &again);
    px_net_port_name(&a, "lab-2", addr("10.88.255.253"), &next);
    px_net_port_name(&b, "lab-1", addr("10.88.255.254"), &other);
    assert_true(strlen(p.ifname) < IFNAMSIZ);
    assert_string_equal(p.ifname, again.ifname);
    assert_memory_equal(p.mac, again.mac, 6);
    assert_string_not_equal(p.ifname, next.ifname);
    assert_memory_not_equal(p.mac, next.mac, 6);
    assert_string_not_equal(p.ifname, other.ifname);
    assert_memory_not_equal(p.mac, other.mac, 6);
    assert_int_equal(p.mac[0] & 3, 2); /* unicast, locally administered */
    assert_true(p.internet);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gateway_is_the_first_even_if_the_range_is_written_untidily),
        cmocka_unit_test(alloc_gives_the_lowest_free_address),
        cmocka_unit_test(alloc_says_how_to_get_room),
        cmocka_unit_test(check_takes_only_addresses_for_desktops),
        cmocka_unit_test(port_name_is_stable_valid_and_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
