/* src/spec/test_bad_host.c */
#include "spec/host.h"
#include "spec/test_bad.h"

static int parse(const char *name, const char *text, size_t size, void **ret,
                 struct px_error *err) {
    struct px_host_spec *got = NULL;
    int r = px_host_parse(name, text, size, &got, err);
    *ret = got;
    if (got)
        px_host_free(got);
    return r;
}

static const struct px_bad_case files[] = {
    {"state_dir: x", "host.yaml:1: state_dir: expected an absolute path such as /data, found 'x'"},
    {"state_dir: /", "host.yaml:1: state_dir: '/' cannot be used here"},
    {"run_dir: /var/lib/phoenix", "host.yaml:1: run_dir: must not be the same as state_dir"},
    {"statedir: /x", "host.yaml:1: unknown key 'statedir' (hint: did you mean 'state_dir'?)"},
    {"ids: {first: 0}", "host.yaml:1: ids.first: expected a whole number from 65536 to 4294967294, "
                        "or 'auto', found '0'"},
    {"ids: {first: 100}", "host.yaml:1: ids.first: expected a whole number from 65536 to "
                          "4294967294, or 'auto', found '100'"},
    {"ids: {count: 100000}", "host.yaml:1: ids.count: expected a multiple of 65536, a block per "
                             "desktop, found '100000' (hint: did you mean 131072?)"},
    {"ids: {first: 4294900000, count: 131072}",
     "host.yaml:1: ids: 4294900000 to 4295031071: the last must be below 4294967295"},
    {"ids: {count: 4294967295}", "host.yaml:1: ids.count: expected a whole number from 65536 to "
                                 "4294967294, found '4294967295'"},
    {"network: {bridge: averyveryverylongname}",
     "host.yaml:1: network.bridge: 'averyveryverylongname' is no interface name: at most 15 of "
     "a-z, A-Z, 0-9, '_', '.' and '-'"},
    {"network: {bridge: all}", "host.yaml:1: network.bridge: no bridge can be named 'all'"},
    {"network: {bridge: a/b}", "host.yaml:1: network.bridge: 'a/b' is no interface name: at most "
                               "15 of a-z, A-Z, 0-9, '_', '.' and '-'"},
    {"network: {range: 8.8.8.0/24}",
     "host.yaml:1: network.range: '8.8.8.0/24' is no private range (hint: take a part of "
     "10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16)"},
    {"network: {range: 10.88.0.1/16}",
     "host.yaml:1: network.range: '10.88.0.1/16' is an address within a range, not a range (hint: "
     "did you mean 10.88.0.0/16?)"},
    {"network: {range: 10.0.0.0/7}",
     "host.yaml:1: network.range: the prefix of '10.0.0.0/7' must be from /8 to /29"},
    {"network: {range: 10.0.0.0/30}",
     "host.yaml:1: network.range: the prefix of '10.0.0.0/30' must be from /8 to /29"},
    {"network: {range: 10.0.0.0}",
     "host.yaml:1: network.range: expected a range such as 10.88.0.0/16, found '10.0.0.0'"},
    {"network: {range: 172.16.0.0/8}",
     "host.yaml:1: network.range: '172.16.0.0/8' is no private range (hint: take a part of "
     "10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16)"},
    {"network: {subnet: 10.0.0.0/8}",
     "host.yaml:1: network: unknown key 'subnet' (hint: did you mean 'range'?)"},
    {"server: {key: abc}", "host.yaml:1: server.key: is that of a server elsewhere; the one that "
                           "phoenix runs makes its own"},
    {"server: {run: false, key: abc}",
     "host.yaml:1: server: a server elsewhere needs both address and key"},
    {"server: {run: false, key: abc, address: 'https://rd.example.com/x'}",
     "host.yaml:1: server.address: expected a host name or address, or wss://HOST, found "
     "'https://rd.example.com/x' (hint: did you mean wss://rd.example.com?)"},
    {"server: {address: 'ws://rd.example.com'}",
     "host.yaml:1: server.address: expected a host name or address, or wss://HOST, found "
     "'ws://rd.example.com' (hint: write rd.example.com; what it speaks is found out)"},
    {"server: {address: 'tcp://'}", "host.yaml:1: server.address: expected a host name or address, "
                                    "or wss://HOST, found 'tcp://'"},
    {"server: {run: false, key: abc, address: 'wss://'}",
     "host.yaml:1: server.address: expected a host name or address, or wss://HOST, found 'wss://'"},
    {"server: {run: false, key: abc, address: 'wss://rd.example.com:8443/ws/id'}",
     "host.yaml:1: server.address: expected a host name or address, or wss://HOST, found "
     "'wss://rd.example.com:8443/ws/id' (hint: write wss://rd.example.com:8443; the paths are "
     "fixed)"},
    {"server: {run: false, key: abc, address: 'wss://2001:db8::1'}",
     "host.yaml:1: server.address: the port in 'wss://2001:db8::1' is none from 1 to 65535"},
    {"server: {run: false, key: abc, address: 'wss://a:65536'}",
     "host.yaml:1: server.address: the port in 'wss://a:65536' is none from 1 to 65535"},
    {"server: {address: 'a b'}", "host.yaml:1: server.address: expected a host name or address, "
                                 "or wss://HOST, found 'a b'"},
    {"server: {address: '[2001:db8::1'}", "host.yaml:1: server.address: expected a host name or "
                                          "address, or wss://HOST, found '[2001:db8::1'"},
    {"server: {address: 'wss://rd.example.com'}",
     "host.yaml:1: server.address: wss:// is for a server elsewhere; desktops reach the one that "
     "phoenix runs without a proxy (hint: write the name alone, which clients use as well)"},
    {"server: {run: false, key: abc, address: 'wss://a', port: 31116}",
     "host.yaml:1: server.port: the port belongs to the address 'wss://a' here"},
    {"server: {address: 'a:1', port: 31116}",
     "host.yaml:1: server.port: the port belongs to the address 'a:1' here"},
    {"server: {port: 80}",
     "host.yaml:1: server.port: expected a whole number from 1026 to 65532, found '80'"},
    {"network: {dns: 9.9.9.9}", "host.yaml:1: network.dns: expected a list such as [192.0.2.53], "
                                "found '9.9.9.9' (hint: write [9.9.9.9])"},
    {"network: {dns: [127.0.0.53]}", "host.yaml:1: network.dns[0]: '127.0.0.53' is no address that "
                                     "a machine on a network can have"},
    {"network: {dns: [a.b]}",
     "host.yaml:1: network.dns[0]: expected an IPv4 address such as 10.88.0.20, found 'a.b'"},
    {"network: {open: [0]}", "host.yaml:1: network.open[0]: expected a port from 1 to 65535, such "
                             "as 8080, 8080/tcp or 53/udp, found '0'"},
    {"network: {open: [65536]}", "host.yaml:1: network.open[0]: expected a port from 1 to 65535, "
                                 "such as 8080, 8080/tcp or 53/udp, found '65536'"},
    {"network: {open: [53/upd]}", "host.yaml:1: network.open[0]: expected a port from 1 to 65535, "
                                  "such as 8080, 8080/tcp or 53/udp, found '53/upd'"},
    {"network: {open: [53, 53/tcp]}", "host.yaml:1: network.open[1]: port 53/tcp is listed twice"},
    {"network: {open: 53}", "host.yaml:1: network.open: expected a list such as [8080, 53/udp], "
                            "found '53' (hint: write [53])"},
    {"network: {nat: on}",
     "host.yaml:1: network.nat: expected true or false, found 'on' (hint: write true)"},
    {"parallel: 0",
     "host.yaml:1: parallel: expected a whole number from 1 to 1024, or 'auto', found '0'"},
    {"parallel: many",
     "host.yaml:1: parallel: expected a whole number from 1 to 1024, or 'auto', found 'many'"},
    {"gpus: {policy: packed}", "host.yaml:1: gpus.policy: expected 'spread' or 'pack', found "
                               "'packed' (hint: did you mean 'pack'?)"},
    {"gpus: {max_shared: 0}",
     "host.yaml:1: gpus.max_shared: expected a whole number from 1 to 64, found '0'"},
    {"gpus: spread", "host.yaml:1: gpus: expected a mapping of keys to values, found 'spread'"},
    {"- a", "host.yaml:1: expected a mapping of keys to values, found a list (hint: known here: "
            "state_dir, run_dir, recipes_dir, ids, network, server, parallel, gpus)"},
};

static void a_bad_host_file_says_what_was_expected(void **state) {
    px_check_bad(files, PX_N_ELEMENTS(files), "host.yaml", "", "", parse);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_host_file_says_what_was_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
