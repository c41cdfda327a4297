/* src/net/test_rules.c */
#include "base/test.h"
#include "net/note.h"
#include "net/rules.h"
#include <arpa/inet.h>

static struct px_host_spec host_of(const char *bridge) {
    struct px_host_spec host = {.network.prefix = 16, .network.nat = true};
    strcpy(host.network.bridge, bridge);
    inet_pton(AF_INET, "10.88.0.0", &host.network.range);
    return host;
}

static struct px_net_port port_of(const struct px_host_spec *host, const char *address,
                                  bool internet) {
    struct in_addr a;
    struct px_net_port port;
    assert_int_equal(inet_pton(AF_INET, address, &a), 1);
    px_net_port_name(host, "lab", a, &port);
    port.internet = internet;
    return port;
}

static char *load(const struct px_rules *rules, const struct px_net_port *ports, size_t n) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    static const char *const hooked[] = {"px000000-000002"};
    px_rules_load(rules, ports, n, hooked, 1, &out);
    return px_buf_take(&out);
}

static size_t count(const char *text, const char *part) {
    size_t n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

static void load_replaces_both_tables_at_once(void **state) {
    const struct px_host_spec host = host_of("phoenix0");
    const struct px_rules rules = {.host = &host};
    px_cleanup_free char *text = load(&rules, NULL, 0);
    assert_ptr_equal(strstr(text,
                            "table inet phoenix-phoenix0\ndelete table inet phoenix-phoenix0\n"
                            "table bridge phoenix-phoenix0\n"
                            "delete table bridge phoenix-phoenix0\n"),
                     text);
    assert_int_equal(count(text, "{"), count(text, "}"));
    assert_null(strstr(text, "elements")); /* empty sets have none */
    assert_null(strstr(text, "netdev"));
}

static void every_port_may_send_and_only_some_outwards(void **state) {
    const struct px_host_spec host = host_of("phoenix0");
    const struct px_rules rules = {.host = &host};
    const struct px_net_port ports[] = {port_of(&host, "10.88.0.2", true),
                                        port_of(&host, "10.88.0.3", false)};
    px_cleanup_free char *text = load(&rules, ports, 2);
    char key[128];
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *m = ports[i].mac;
        snprintf(key, sizeof(key), "\"%s\" . %02x:%02x:0a:58:00:%02zx . 10.88.0.%zu",
                 ports[i].ifname, m[0], m[1], i + 2, i + 2);
        assert_int_equal(count(text, key), 1);
    }
    px_assert_contains(text, "set internet { type ipv4_addr; elements = { 10.88.0.2 }; }");
}

static void open_ports_are_told_apart_by_protocol(void **state) {
    struct px_host_spec host = host_of("phoenix0");
    struct px_host_port open[] = {{53, true}, {21116, false}, {21116, true}};
    host.network.open = open;
    const struct px_rules rules = {.host = &host};
    px_cleanup_free char *none = load(&rules, NULL, 0);
    assert_null(strstr(none, "dport {"));
    host.network.n_open = 3;
    px_cleanup_free char *some = load(&rules, NULL, 0);
    px_assert_contains(some, "tcp dport { 21116 } accept\nudp dport { 53, 21116 } accept\n");
}

static void nat_is_for_our_range_or_not_at_all(void **state) {
    struct px_host_spec host = host_of("phoenix0");
    const struct px_rules rules = {.host = &host};
    px_cleanup_free char *with = load(&rules, NULL, 0);
    px_assert_contains(with, "ip saddr 10.88.0.0/16 ip daddr != 10.88.0.0/16 oifname != "
                             "\"phoenix0\" masquerade");
    host.network.nat = false;
    px_cleanup_free char *without = load(&rules, NULL, 0);
    assert_null(strstr(without, "masquerade"));
}

static void link_local_is_shut_but_for_name_servers(void **state) {
    const struct px_host_spec host = host_of("phoenix0");
    struct in_addr dns;
    inet_pton(AF_INET, "169.254.169.253", &dns);
    const struct px_rules rules = {.host = &host, .link_dns = &dns, .n_link_dns = 1};
    px_cleanup_free char *text = load(&rules, NULL, 0);
    const char *open =
        strstr(text, "ip daddr 169.254.169.253 meta l4proto { tcp, udp } th dport 53");
    const char *shut = strstr(text, "ip daddr 169.254.0.0/16 reject");
    assert_non_null(open);
    assert_true(open < shut); /* the first match decides */
}

static void without_a_bridge_family_each_interface_has_a_chain(void **state) {
    const struct px_host_spec host = host_of("phoenix0");
    const struct px_rules rules = {.host = &host, .family = PX_RULES_NETDEV};
    px_cleanup_free char *text = load(&rules, NULL, 0);
    assert_null(strstr(text, "table bridge"));
    assert_null(strstr(text, "hook prerouting"));
    px_assert_contains(text, "add chain netdev phoenix-phoenix0 px000000-000002 { type filter hook "
                             "ingress device \"px000000-000002\" priority filter; policy drop; }");
}

static void adding_and_removing_name_the_same_elements(void **state) {
    const struct px_host_spec host = host_of("phoenix0");
    const struct px_rules rules = {.host = &host};
    const struct px_net_port port = port_of(&host, "10.88.0.9", true);
    px_cleanup(px_buf_fini) struct px_buf add = {0}, remove = {0};
    px_rules_port_add(&rules, &port, &add);
    px_rules_port_remove(&rules, &port, &remove);
    assert_int_equal(count(px_buf_str(&add), "add element"), 2);
    assert_int_equal(count(px_buf_str(&remove), "delete element"), 2);
    /* What removal adds first is what add adds: deleting what is not there would fail. */
    for (const char *line = px_buf_str(&add); *line; line = strchr(line, '\n') + 1) {
        char one[256];
        snprintf(one, sizeof(one), "%.*s", (int)strcspn(line, "\n"), line);
        px_assert_contains(px_buf_str(&remove), one);
    }
}

/* ---- notes about what was loaded ---- */

static void a_note_comes_back_as_it_was_written(void **state) {
    const struct px_host_spec host = host_of("phoenix0");
    struct px_loaded note = {.generation = 4000000000U,
                             .family = PX_RULES_NETDEV,
                             .digest = 0xfedcba9876543210U,
                             .place = "boot:1"};
    struct px_loaded back = {0};
    const struct px_net_port a = port_of(&host, "10.88.0.2", true),
                             b = port_of(&host, "10.88.0.3", false);
    px_loaded_add(&note, &a);
    px_loaded_add(&note, &b);
    px_cleanup_free char *text = px_loaded_print(&note);
    px_assert_ok(px_loaded_parse(text, strlen(text), &back, NULL));
    assert_int_equal(back.generation, note.generation);
    assert_int_equal(back.family, PX_RULES_NETDEV);
    assert_true(back.digest == note.digest);
    assert_string_equal(back.place, "boot:1");
    assert_int_equal(back.n_ports, 2);
    assert_true(px_loaded_has(&back, &a) && px_loaded_has(&back, &b));
    px_loaded_fini(&note);
    px_loaded_fini(&back);
}

static void a_port_that_differs_in_anything_is_another(void **state) {
    const struct px_host_spec host = host_of("phoenix0");
    px_cleanup(px_loaded_fini) struct px_loaded note = {0};
    struct px_net_port port = port_of(&host, "10.88.0.2", true);
    px_loaded_add(&note, &port);
    port.internet = false;
    assert_false(px_loaded_has(&note, &port));
    px_loaded_add(&note, &port); /* in place of the other */
    assert_true(px_loaded_has(&note, &port));
    assert_int_equal(note.n_ports, 1);
    port.mac[5] ^= 1;
    assert_false(px_loaded_has(&note, &port));
    px_loaded_drop(&note, port.ifname);
    assert_int_equal(note.n_ports, 0);
}

static void a_note_that_is_none_is_refused(void **state) {
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"place\":\"x\",\"generation\":-1,\"family\":\"bridge\",\"digest\":\"0\",\"ports\":[]}",
        "{\"place\":\"x\",\"generation\":1,\"family\":\"bridge\",\"digest\":\"0\",\"ports\":{}}",
        "{\"place\":\"x\",\"generation\":1,\"family\":\"bridge\",\"digest\":\"0\",\"ports\":[{"
        "\"ifname\":"
        "\"a-name-much-too-long\",\"mac\":\"02:00:00:00:00:01\",\"address\":\"10.0.0.1\","
        "\"internet\":true}]}",
        "{\"place\":\"x\",\"generation\":1,\"family\":\"bridge\",\"digest\":\"0\",\"ports\":[{"
        "\"ifname\":"
        "\"a\",\"mac\":\"02:00:00:00:00:0x\",\"address\":\"10.0.0.1\",\"internet\":true}]}",
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++) {
        struct px_loaded note = {.generation = 77};
        assert_int_equal(px_loaded_parse(bad[i], strlen(bad[i]), &note, NULL), -EINVAL);
        assert_int_equal(note.generation, 77); /* untouched */
    }
}

static void a_note_about_the_host_counts_for_its_boot_only(void **state) {
    const struct px_host_note note = {.forward_set = true,
                                      .accept_redirects = true,
                                      .forwarders = {"default", "eth1.7"},
                                      .n_forwarders = 2};
    struct px_host_note back = {0};
    px_cleanup_free char *text = px_host_note_print(&note, "b1");
    px_assert_ok(px_host_note_parse(text, strlen(text), "b1", &back, NULL));
    assert_true(back.forward_set && back.accept_redirects);
    assert_int_equal(back.n_forwarders, 2);
    assert_string_equal(back.forwarders[1], "eth1.7");
    assert_int_equal(px_host_note_parse(text, strlen(text), "b2", &back, NULL), -EINVAL);
    const char *path = "{\"boot\":\"b1\",\"ip_forward_set\":true,\"accept_redirects\":false,"
                       "\"forwarders\":[\"../../x\"]}";
    assert_int_equal(px_host_note_parse(path, strlen(path), "b1", &back, NULL), -EINVAL);
    assert_int_equal(back.n_forwarders, 2); /* untouched */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_replaces_both_tables_at_once),
        cmocka_unit_test(every_port_may_send_and_only_some_outwards),
        cmocka_unit_test(open_ports_are_told_apart_by_protocol),
        cmocka_unit_test(nat_is_for_our_range_or_not_at_all),
        cmocka_unit_test(link_local_is_shut_but_for_name_servers),
        cmocka_unit_test(without_a_bridge_family_each_interface_has_a_chain),
        cmocka_unit_test(adding_and_removing_name_the_same_elements),
        cmocka_unit_test(a_note_comes_back_as_it_was_written),
        cmocka_unit_test(a_port_that_differs_in_anything_is_another),
        cmocka_unit_test(a_note_that_is_none_is_refused),
        cmocka_unit_test(a_note_about_the_host_counts_for_its_boot_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
