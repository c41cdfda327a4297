/* src/host/test_way.c */
#include "base/test.h"
#include "host/way.h"
#include "proto/rendezvous.h"

static struct px_addr addr(const char *text) {
    struct px_addr a = {0};
    px_assert_ok(px_addr_parse(text, 1000, &a, NULL));
    return a;
}

static void way_is_straight_only_where_packets_arrive(void **state) {
    static const struct {
        const char *own, *server, *client;
        bool on_link, local, no_lan, server_on_link, udp;
        int own_nat, client_nat;
        enum px_way want;
    } cases[] = {
        {"10.77.0.5", "203.0.113.1", "203.0.113.2", .want = PX_WAY_PUNCHED},
        {"198.51.100.7", "203.0.113.1", "203.0.113.2", .want = PX_WAY_PUNCHED},
        {"2001:db8::5", "2001:db8::1", "2001:db8::9", .want = PX_WAY_PUNCHED},
        {"10.77.0.5", "203.0.113.1", "203.0.113.2", .udp = true, .want = PX_WAY_UDP},
        {"10.77.0.5", "203.0.113.1", "203.0.113.2", .udp = true, .own_nat = PX_NAT_SYMMETRIC,
         .want = PX_WAY_RELAY},
        {"192.168.1.5", "203.0.113.1", "203.0.113.3", .udp = true, .local = true,
         .want = PX_WAY_LOCAL},
        /* the server is our gateway: it tells the client an address that only we know */
        {"10.88.0.5", "10.88.0.1", "198.51.100.9", .want = PX_WAY_RELAY},
        {"10.88.0.5", "10.88.0.1", "192.168.1.20", .want = PX_WAY_RELAY},
        /* but whoever sits on that gateway reaches us */
        {"10.88.0.5", "10.88.0.1", "10.88.0.1", .on_link = true, .want = PX_WAY_PUNCHED},
        {"10.88.0.5", "203.0.113.1", "192.168.1.20", .want = PX_WAY_RELAY},
        {"127.0.0.1", "127.0.0.1", "127.0.0.1", .on_link = true, .want = PX_WAY_PUNCHED},
        {"10.88.0.5", "10.88.0.1", "127.0.0.1", .on_link = true, .want = PX_WAY_RELAY},
        {"10.77.0.5", "203.0.113.1", "2001:db8::9", .want = PX_WAY_RELAY},
        {"10.77.0.5", "203.0.113.1", "203.0.113.2", .own_nat = PX_NAT_SYMMETRIC,
         .want = PX_WAY_RELAY},
        {"10.77.0.5", "203.0.113.1", "203.0.113.2", .client_nat = PX_NAT_SYMMETRIC,
         .want = PX_WAY_RELAY},
        {"192.168.1.5", "203.0.113.1", "203.0.113.3", .local = true, .want = PX_WAY_LOCAL},
        {"192.168.1.5", "203.0.113.1", "203.0.113.3", .local = true, .no_lan = true,
         .want = PX_WAY_RELAY},
        {"10.88.0.5", "10.88.0.1", "10.88.0.5", .local = true, .no_lan = true,
         .want = PX_WAY_LOCAL},
        /* the server's own machine, by its outer address: our gateway says that it is one */
        {"10.88.0.5", "10.88.0.1", "192.168.1.5", .local = true, .no_lan = true,
         .server_on_link = true, .want = PX_WAY_LOCAL},
        {"10.88.0.5", "10.88.0.1", "10.88.0.1", .on_link = true, .no_lan = true,
         .server_on_link = true, .want = PX_WAY_PUNCHED},
        /* a desktop beside us, which the bridge keeps apart */
        {"10.88.0.5", "10.88.0.1", "10.88.0.6", .on_link = true, .no_lan = true,
         .server_on_link = true, .want = PX_WAY_RELAY},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct px_way_facts f = {.own = addr(cases[i].own),
                                       .server = addr(cases[i].server),
                                       .client = addr(cases[i].client),
                                       .client_on_link = cases[i].on_link,
                                       .server_on_link = cases[i].server_on_link,
                                       .local = cases[i].local,
                                       .lan = !cases[i].no_lan,
                                       .udp = cases[i].udp,
                                       .own_nat = cases[i].own_nat,
                                       .client_nat = cases[i].client_nat};
        if (px_way_choose(&f) != cases[i].want)
            fail_msg("case %zu", i);
        struct px_way_facts forced = f;
        forced.relay_only = true;
        assert_int_equal(px_way_choose(&forced), PX_WAY_RELAY);
    }
}

static void client_without_an_address_gets_the_relay(void **state) {
    const struct px_way_facts f = {
        .own = addr("198.51.100.7"), .server = addr("203.0.113.1"), .lan = true};
    assert_int_equal(px_way_choose(&f), PX_WAY_RELAY);
}

static void own_networks_are_on_link(void **state) {
    const struct px_addr own = addr("127.0.0.1"), near = addr("127.9.9.9"),
                         far = addr("203.0.113.99");
    assert_true(px_way_on_link(&own));
    assert_true(px_way_on_link(&near));
    assert_false(px_way_on_link(&far));
    struct px_addr from;
    px_assert_ok(px_way_source(&own, &from));
    assert_true(px_addr_is_loopback(&from));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(way_is_straight_only_where_packets_arrive),
        cmocka_unit_test(client_without_an_address_gets_the_relay),
        cmocka_unit_test(own_networks_are_on_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
