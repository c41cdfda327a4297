/* src/net/test_others.c - listings as nft and iptables-legacy print them, cut to what matters */
#include "base/test.h"
#include "net/others.h"

#define HEAD "{\"nftables\": [{\"metainfo\": {\"json_schema_version\": 1}}, "
#define CHAIN(table, name, hook, policy)                                                           \
    "{\"chain\": {\"family\": \"ip\", \"table\": \"" table "\", \"name\": \"" name                 \
    "\", \"type\": \"filter\", \"hook\": \"" hook "\", \"prio\": 0, \"policy\": \"" policy "\"}}"
#define PLAIN(name)                                                                                \
    "{\"chain\": {\"family\": \"ip\", \"table\": \"filter\", \"name\": \"" name "\"}}"
#define RULE(chain, expr)                                                                          \
    "{\"rule\": {\"family\": \"ip\", \"table\": \"filter\", \"chain\": \"" chain                   \
    "\", \"expr\": [" expr "]}}"
#define IIF(name)                                                                                  \
    "{\"match\": {\"op\": \"==\", \"left\": {\"meta\": {\"key\": \"iifname\"}}, \"right\": "       \
    "\"" name "\"}}, {\"accept\": null}"
#define COUNTED "{\"counter\": {\"packets\": 1, \"bytes\": 2}}, {\"reject\": {}}"

static struct px_others parse(const char *json, bool input) {
    struct px_others o;
    struct px_error err = {0};
    px_assert_ok_err(px_others_parse(json, strlen(json), "phoenix0", "eth0", input, &o, &err),
                     &err);
    return o;
}

static void only_a_chain_that_stops_us_is_told(void **state) {
    static const struct {
        const char *json, *who;
    } cases[] = {
        {HEAD CHAIN("filter", "FORWARD", "forward", "accept") "]}", ""},
        {HEAD CHAIN("filter", "FORWARD", "forward", "drop") "]}", "a firewall"},
        {HEAD CHAIN("filter", "FORWARD", "forward", "drop") ", " PLAIN("DOCKER-USER") "]}",
         "Docker"},
        {HEAD CHAIN("filter", "FORWARD", "forward", "drop") ", " PLAIN("ufw-user-forward") "]}",
         "ufw"},
        /* the answer is there already */
        {HEAD CHAIN("filter", "FORWARD", "forward", "drop") ", " RULE("DOCKER-USER",
                                                                      IIF("phoenix0")) "]}",
         ""},
        /* it is for another bridge whose name begins alike */
        {HEAD CHAIN("filter", "FORWARD", "forward", "drop") ", " RULE("FORWARD",
                                                                      IIF("phoenix01")) "]}",
         "a firewall"},
        /* the last rule refuses all, whatever the policy says */
        {HEAD CHAIN("filter", "FORWARD", "forward", "accept") ", " RULE("FORWARD", COUNTED) "]}",
         "a firewall"},
        {HEAD CHAIN("filter", "FORWARD", "forward", "accept") ", " RULE(
             "FORWARD", COUNTED) ", " RULE("FORWARD", "{\"accept\": null}") "]}",
         ""},
        /* ours, and one that sees other packets */
        {HEAD CHAIN("phoenix-phoenix0", "forward", "forward", "drop") "]}", ""},
        {HEAD CHAIN("filter", "OUTPUT", "output", "drop") "]}", ""},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        const struct px_others o = parse(cases[i].json, false);
        if (strncmp(o.who, cases[i].who, strlen(cases[i].who)) != 0 ||
            !o.who[0] != !cases[i].who[0] || !o.who[0] != !o.fix[0])
            fail_msg("case %zu: '%s' instead of '%s'", i, o.who, cases[i].who);
    }
}

static void input_matters_only_when_a_port_is_open(void **state) {
    const char *json = HEAD CHAIN("filter", "INPUT", "input", "drop") "]}";
    assert_string_equal(parse(json, false).who, "");
    assert_string_equal(parse(json, true).fix,
                        "nft insert rule ip filter INPUT iifname phoenix0 accept");
}

static void a_cure_names_bridge_and_uplink(void **state) {
    const char *json =
        HEAD CHAIN("filter", "FORWARD", "forward", "drop") ", " PLAIN("DOCKER-USER") "]}";
    struct px_others o = parse(json, false);
    px_assert_contains(o.fix, "iptables -I DOCKER-USER -i phoenix0 -o eth0 -j ACCEPT && ");
    px_assert_ok(px_others_parse(json, strlen(json), "phoenix0", "", false, &o, NULL));
    px_assert_contains(o.fix, "iptables -I DOCKER-USER -i phoenix0 -j ACCEPT && ");
}

static void what_is_no_listing_is_refused(void **state) {
    static const char *const bad[] = {"", "{}", "[1]", "{\"nftables\": 3}", HEAD};
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++) {
        struct px_others o;
        assert_int_equal(px_others_parse(bad[i], strlen(bad[i]), "b", "", true, &o, NULL), -EINVAL);
    }
}

static void the_old_tables_are_read_as_well(void **state) {
    static const struct {
        const char *rules, *who;
    } cases[] = {
        {"-P INPUT ACCEPT\n-P FORWARD ACCEPT\n", ""},
        {"-P FORWARD DROP\n", "a firewall (iptables-legacy, chain FORWARD)"},
        {"-P FORWARD DROP\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n",
         "Docker (iptables-legacy, chain FORWARD)"},
        {"-P FORWARD DROP\n-N DOCKER-USER\n-A DOCKER-USER -i phoenix0 -j ACCEPT\n", ""},
        {"-P FORWARD DROP\n-A FORWARD -i phoenix01 -j ACCEPT\n",
         "a firewall (iptables-legacy, chain FORWARD)"},
        {"-P FORWARD DROP\n-A FORWARD -i phoenix0", ""},
        {"", ""},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_others o;
        px_others_parse_legacy(cases[i].rules, "phoenix0", "eth0", &o);
        assert_string_equal(o.who, cases[i].who);
        assert_int_equal(!o.fix[0], !o.who[0]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_chain_that_stops_us_is_told),
        cmocka_unit_test(input_matters_only_when_a_port_is_open),
        cmocka_unit_test(a_cure_names_bridge_and_uplink),
        cmocka_unit_test(what_is_no_listing_is_refused),
        cmocka_unit_test(the_old_tables_are_read_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
