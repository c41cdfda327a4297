/* src/spec/test_bad_desktop.c */
#include "spec/desktop.h"
#include "spec/test_bad.h"

static int parse(const char *name, const char *text, size_t size, void **ret,
                 struct px_error *err) {
    struct px_desktop_file *got = NULL;
    int r = px_desktop_file_parse(name, text, size, &got, err);
    *ret = got;
    if (got)
        px_desktop_file_free(got);
    return r;
}

static const struct px_bad_case keys[] = {
    {"memory: lots",
     "lab.yaml:3: desktops[0].memory: expected a size such as 8GiB, or 'none', found 'lots'"},
    {"memory: 8", "lab.yaml:3: desktops[0].memory: expected a size of at least 64MiB, or 'none', "
                  "found '8' (8 bytes) (hint: did you mean 8GiB?)"},
    {"memory: 4096", "lab.yaml:3: desktops[0].memory: expected a size of at least 64MiB, or "
                     "'none', found '4096' (4096 bytes) (hint: did you mean 4096MiB?)"},
    {"memory: 99999999999999999999",
     "lab.yaml:3: desktops[0].memory: '99999999999999999999' is too large a size: at most 8191PiB"},
    {"memory: -1",
     "lab.yaml:3: desktops[0].memory: expected a size such as 8GiB, or 'none', found '-1'"},
    {"memory:", "lab.yaml:3: desktops[0].memory: expected a size such as 8GiB, or 'none', found "
                "nothing (hint: give it a value, or remove the key for its default)"},
    {"memory: [8GiB]",
     "lab.yaml:3: desktops[0].memory: expected a size such as 8GiB, or 'none', found a list"},
    {"memory: {x: 1}",
     "lab.yaml:3: desktops[0].memory: expected a size such as 8GiB, or 'none', found a mapping"},
    {"memory: 8 gigs",
     "lab.yaml:3: desktops[0].memory: expected a size such as 8GiB, or 'none', found '8 gigs'"},
    {"memroy: 8GiB",
     "lab.yaml:3: desktops[0]: unknown key 'memroy' (hint: did you mean 'memory'?)"},
    {"ram: 8GiB", "lab.yaml:3: desktops[0]: unknown key 'ram' (hint: did you mean 'memory'?)"},
    {"cpus: 4", "lab.yaml:3: desktops[0]: unknown key 'cpus' (hint: did you mean 'cores'?)"},
    {"gpu: 1", "lab.yaml:3: desktops[0]: unknown key 'gpu' (hint: did you mean 'gpus'?)"},
    {"colour: red", "lab.yaml:3: desktops[0]: unknown key 'colour' (hint: known here: name, count, "
                    "image, cores, memory, disk, shm, pids, user, gpus, network, mounts, display, "
                    "keyboard, remote, timezone, jupyter, nesting, fuse, autostart)"},
    {"cores: 0",
     "lab.yaml:3: desktops[0].cores: expected a whole number from 1 to 4096, or 'all', found '0'"},
    {"cores: four", "lab.yaml:3: desktops[0].cores: expected a whole number from 1 to 4096, or "
                    "'all', found 'four'"},
    {"cores: 4.5", "lab.yaml:3: desktops[0].cores: expected a whole number from 1 to 4096, or "
                   "'all', found '4.5'"},
    {"cores: \"4\"", "lab.yaml:3: desktops[0].cores: expected a whole number from 1 to 4096, or "
                     "'all', found '4' (hint: write it without quotes)"},
    {"cores: 5000", "lab.yaml:3: desktops[0].cores: expected a whole number from 1 to 4096, or "
                    "'all', found '5000'"},
    {"cores: 0x10", "lab.yaml:3: desktops[0].cores: expected a whole number from 1 to 4096, or "
                    "'all', found '0x10'"},
    {"cores: 010", "lab.yaml:3: desktops[0].cores: expected a whole number from 1 to 4096, or "
                   "'all', found '010'"},
    {"disk: 1", "lab.yaml:3: desktops[0].disk: expected a size of at least 64MiB, or 'none', found "
                "'1' (1 byte) (hint: did you mean 1GiB?)"},
    {"shm: 9GiB\n    memory: 4GiB",
     "lab.yaml:3: desktops[0].shm: 9GiB is more than the desktop's memory of 4GiB (hint: what lies "
     "in /dev/shm counts as memory)"},
    {"shm: none", "lab.yaml:3: desktops[0].shm: expected a size such as 8GiB, found 'none'"},
    {"pids: 10",
     "lab.yaml:3: desktops[0].pids: expected a whole number from 128 to 4194304, found '10'"},
    {"user: root",
     "lab.yaml:3: desktops[0].user: user 'root' belongs to the system: choose another name"},
    {"user: Eve", "lab.yaml:3: desktops[0].user: 'Eve' is no user or group name: a-z, 0-9, '_' and "
                  "'-', at most 32, not beginning with a digit or '-'"},
    {"user: 1eve", "lab.yaml:3: desktops[0].user: '1eve' is no user or group name: a-z, 0-9, '_' "
                   "and '-', at most 32, not beginning with a digit or '-'"},
    {"user: \"eve x\"", "lab.yaml:3: desktops[0].user: 'eve x' is no user or group name: a-z, 0-9, "
                        "'_' and '-', at most 32, not beginning with a digit or '-'"},
    {"user: \"\"", "lab.yaml:3: desktops[0].user: expected a user name, found ''"},
    {"user: |\n      eve\n",
     "lab.yaml:3: desktops[0].user: expected one line of text without tabs"},
    {"image: Desktop", "lab.yaml:3: desktops[0].image: 'Desktop' is no image: expected a name such "
                       "as desktop, or sha256:..."},
    {"image: sha256:xyz", "lab.yaml:3: desktops[0].image: 'sha256:xyz' is no digest: expected "
                          "sha256: and 6 to 64 hex digits"},
    {"image: ../x", "lab.yaml:3: desktops[0].image: '../x' is no image: expected a name such as "
                    "desktop, or sha256:..."},
    {"jupyter: yes",
     "lab.yaml:3: desktops[0].jupyter: expected true or false, found 'yes' (hint: write true)"},
    {"jupyter: on",
     "lab.yaml:3: desktops[0].jupyter: expected true or false, found 'on' (hint: write true)"},
    {"jupyter: 1",
     "lab.yaml:3: desktops[0].jupyter: expected true or false, found '1' (hint: write true)"},
    {"jupyter: \"true\"", "lab.yaml:3: desktops[0].jupyter: expected true or false, found 'true' "
                          "(hint: write true without quotes)"},
    {"jupyter: maybe", "lab.yaml:3: desktops[0].jupyter: expected true or false, found 'maybe'"},
    {"autostart: no",
     "lab.yaml:3: desktops[0].autostart: expected true or false, found 'no' (hint: write false)"},
    {"network: none",
     "lab.yaml:3: desktops[0].network: expected a mapping of keys to values, found 'none'"},
    {"network: {internet: yes}", "lab.yaml:3: desktops[0].network.internet: expected true or "
                                 "false, found 'yes' (hint: write true)"},
    {"network: {address: 10.0.0}", "lab.yaml:3: desktops[0].network.address: expected an IPv4 "
                                   "address such as 10.88.0.20, found '10.0.0'"},
    {"network: {address: 127.0.0.1}", "lab.yaml:3: desktops[0].network.address: '127.0.0.1' is no "
                                      "address that a machine on a network can have"},
    {"network: {address: 10.88.0.300}", "lab.yaml:3: desktops[0].network.address: expected an IPv4 "
                                        "address such as 10.88.0.20, found '10.88.0.300'"},
    {"network: {ip: 10.0.0.5}",
     "lab.yaml:3: desktops[0].network: unknown key 'ip' (hint: did you mean 'address'?)"},
    {"gpus: -1", "lab.yaml:3: desktops[0].gpus: expected 'none', a number of cards from 1 to 64, "
                 "'all', a list of cards or a mapping, found '-1'"},
    {"gpus: 65", "lab.yaml:3: desktops[0].gpus: expected 'none', a number of cards from 1 to 64, "
                 "'all', a list of cards or a mapping, found '65'"},
    {"gpus: two", "lab.yaml:3: desktops[0].gpus: expected 'none', a number of cards from 1 to 64, "
                  "'all', a list of cards or a mapping, found 'two'"},
    {"gpus: GPU-0123456789ab",
     "lab.yaml:3: desktops[0].gpus: expected 'none', a number of cards from 1 to 64, 'all', a list "
     "of cards or a mapping, found 'GPU-0123456789ab' (hint: did you mean [GPU-0123456789ab]?)"},
    {"gpus:",
     "lab.yaml:3: desktops[0].gpus: expected 'none', a number of cards, 'all', a list of cards or "
     "a mapping, found nothing (hint: give it a value, or remove the key for its default)"},
    {"gpus: []", "lab.yaml:3: desktops[0].gpus: expected at least 1 in the list, found 0"},
    {"gpus: [0, 0]", "lab.yaml:3: desktops[0].gpus: '0' is listed twice, first in line 3"},
    {"gpus: [x]",
     "lab.yaml:3: desktops[0].gpus[0]: expected a card as GPU-<uuid>, MIG-<uuid>, 0000:01:00.0 or "
     "an index such as 0, found 'x' (hint: phoenix gpu ls lists the cards of this host)"},
    {"gpus: {count: 0}", "lab.yaml:3: desktops[0].gpus.count: expected a number of cards from 1 to "
                         "64, or 'all', found '0' (hint: for no card: gpus: none)"},
    {"gpus: {count: 2, ids: [0]}",
     "lab.yaml:3: desktops[0].gpus: expected either 'count' or 'ids', found both"},
    {"gpus: {mode: share}", "lab.yaml:3: desktops[0].gpus.mode: expected 'exclusive' or 'shared', "
                            "found 'share' (hint: did you mean 'shared'?)"},
    {"gpus: {mode: shared, memory: 6}",
     "lab.yaml:3: desktops[0].gpus.memory: expected a size of at least 64MiB, found '6' (6 bytes) "
     "(hint: did you mean 6GiB?)"},
    {"gpus: {memory: 6GiB}", "lab.yaml:3: desktops[0].gpus.memory: a budget is for shared cards "
                             "only (hint: add mode: shared)"},
    {"gpus: {cuont: 1}",
     "lab.yaml:3: desktops[0].gpus: unknown key 'cuont' (hint: did you mean 'count'?)"},
    {"gpus: [[0]]",
     "lab.yaml:3: desktops[0].gpus[0]: expected a card's UUID, PCI address or index, found a list"},
    {"mounts: /data", "lab.yaml:3: desktops[0].mounts: expected a list such as [{source: /data}], "
                      "found '/data' (hint: did you mean [{source: /data}]?)"},
    {"mounts: [/data]",
     "lab.yaml:3: desktops[0].mounts[0]: expected a mapping such as {source: /data, read_only: "
     "true}, found '/data' (hint: did you mean {source: /data}?)"},
    {"mounts: [{source: data}]", "lab.yaml:3: desktops[0].mounts[0].source: expected an absolute "
                                 "path such as /data, found 'data'"},
    {"mounts: [{source: /}]", "lab.yaml:3: desktops[0].mounts[0].source: '/' cannot be used here"},
    {"mounts: [{source: /etc}]",
     "lab.yaml:3: desktops[0].mounts[0].source: '/etc' belongs to the desktop's system (hint: "
     "mount it at a place of its own, such as /data)"},
    {"mounts: [{source: /data/../etc, target: /x}]",
     "lab.yaml:3: desktops[0].mounts[0].source: path '/data/../etc' must not hold '..' or '//'"},
    {"mounts: [{target: /x}]", "lab.yaml:3: desktops[0].mounts[0]: key 'source' is missing"},
    {"mounts: [{source: /dev/sda, target: /x}]",
     "lab.yaml:3: desktops[0].mounts[0].source: '/dev/sda' of the host cannot be given to a "
     "desktop"},
    {"mounts: [{source: /data, target: /etc}]",
     "lab.yaml:3: desktops[0].mounts[0].target: '/etc' belongs to the desktop's system (hint: "
     "mount it at a place of its own, such as /data)"},
    {"mounts: [{source: /data, target: /proc/x}]",
     "lab.yaml:3: desktops[0].mounts[0].target: '/proc/x' belongs to the desktop's system (hint: "
     "mount it at a place of its own, such as /data)"},
    {"mounts: [{source: /data, target: /etc/}]",
     "lab.yaml:3: desktops[0].mounts[0].target: '/etc/' belongs to the desktop's system (hint: "
     "mount it at a place of its own, such as /data)"},
    {"mounts: [{source: /a}, {source: /b, target: /a/}]",
     "lab.yaml:3: desktops[0].mounts[1]: target '/a' is also that of mounts[0]"},
    {"mounts: [{src: /a}]",
     "lab.yaml:3: desktops[0].mounts[0]: unknown key 'src' (hint: did you mean 'source'?)"},
    {"mounts: [{source: \"/a\\tb\"}]",
     "lab.yaml:3: desktops[0].mounts[0].source: expected one line of text without tabs"},
    {"display: big", "lab.yaml:3: desktops[0].display: expected a size of the screen such as "
                     "1920x1080 (from 320x200 to 7680x4320), found 'big'"},
    {"display: 1920", "lab.yaml:3: desktops[0].display: expected a size of the screen such as "
                      "1920x1080 (from 320x200 to 7680x4320), found '1920'"},
    {"display: 99x99", "lab.yaml:3: desktops[0].display: expected a size of the screen such as "
                       "1920x1080 (from 320x200 to 7680x4320), found '99x99'"},
    {"display: {width: 10}",
     "lab.yaml:3: desktops[0].display.width: expected a whole number from 320 to 7680, found '10'"},
    {"display: [1, 2]", "lab.yaml:3: desktops[0].display: expected a size such as 1920x1080, or a "
                        "mapping, found a list"},
    {"keyboard: US", "lab.yaml:3: desktops[0].keyboard: expected an XKB layout such as us or "
                     "de(nodeadkeys), found 'US'"},
    {"keyboard: de(", "lab.yaml:3: desktops[0].keyboard: expected an XKB layout such as us or "
                      "de(nodeadkeys), found 'de('"},
    {"timezone: Europe/", "lab.yaml:3: desktops[0].timezone: expected a time zone such as "
                          "Europe/Berlin or UTC, found 'Europe/'"},
    {"timezone: Berlin time", "lab.yaml:3: desktops[0].timezone: expected a time zone such as "
                              "Europe/Berlin or UTC, found 'Berlin time'"},
    {"remote: {file: false}",
     "lab.yaml:3: desktops[0].remote: unknown key 'file' (hint: did you mean 'files'?)"},
    {"remote: {2fa: true}",
     "lab.yaml:3: desktops[0].remote: unknown key '2fa' (hint: did you mean 'totp'?)"},
    {"remote: {input: no}", "lab.yaml:3: desktops[0].remote.input: expected true or false, found "
                            "'no' (hint: write false)"},
    {"remote: {allow: [10.0.0.0/33]}",
     "lab.yaml:3: desktops[0].remote.allow[0]: expected an address or a block of them such as "
     "10.0.0.0/8, found '10.0.0.0/33'"},
    {"remote: {allow: [office]}",
     "lab.yaml:3: desktops[0].remote.allow[0]: expected an address or a block of them such as "
     "10.0.0.0/8, found 'office'"},
    {"remote: {direct: [21118]}",
     "lab.yaml:3: desktops[0].remote.direct[0]: expected an address of the desktop, with a port or "
     "without, such as 10.88.0.20:21118, found '21118' (hint: for a port on all addresses: "
     "0.0.0.0:21118)"},
    {"remote: {direct: ['10.88.0.20:0']}",
     "lab.yaml:3: desktops[0].remote.direct[0]: expected an address of the desktop, with a port or "
     "without, such as 10.88.0.20:21118, found '10.88.0.20:0'"},
    {"nesting: {}", "lab.yaml:3: desktops[0].nesting: expected true or false, found a mapping"},
    {"count: 0",
     "lab.yaml:3: desktops[0].count: expected a whole number from 1 to 1000, found '0'"},
    {"count: 1001",
     "lab.yaml:3: desktops[0].count: expected a whole number from 1 to 1000, found '1001'"},
    {"count: 2\n    network: {address: 10.0.0.9}",
     "lab.yaml:4: desktops[0].network.address: 2 desktops cannot share one address"},
    {"name: b", "lab.yaml:3: key 'name' is given twice, first in line 2"},
    {"autostart: null", "lab.yaml:3: desktops[0].autostart: expected true or false, found nothing "
                        "(hint: give it a value, or remove the key for its default)"},
};

static void a_bad_value_is_named_with_what_was_expected(void **state) {
    px_check_bad(keys, PX_N_ELEMENTS(keys), "lab.yaml", "desktops:\n  - name: a\n    ", "\n",
                 parse);
}

static const struct px_bad_case files[] = {
    {"", "lab.yaml: the file is empty"},
    {"[]", "lab.yaml:1: expected a mapping of keys to values, found a list (hint: known here: "
           "defaults, desktops)"},
    {"hello", "lab.yaml:1: expected a mapping of keys to values, found 'hello' (hint: known here: "
              "defaults, desktops)"},
    {"desktops:", "lab.yaml:1: desktops: expected a list such as [{name: alice}], found nothing "
                  "(hint: write one '- ' per entry, or [] for none)"},
    {"desktops: {a: {}}", "lab.yaml:1: desktops: expected a list such as [{name: alice}], found a "
                          "mapping (hint: write one '- ' per entry, or [] for none)"},
    {"desktops: [a]", "lab.yaml:1: desktops[0]: expected a mapping such as {name: alice}, found "
                      "'a' (hint: did you mean {name: a}?)"},
    {"desktops: [{}]", "lab.yaml:1: desktops[0]: key 'name' is missing"},
    {"desktops: [{nmae: a}]",
     "lab.yaml:1: desktops[0]: unknown key 'nmae' (hint: did you mean 'name'?)"},
    {"desktop: [{name: a}]", "lab.yaml:1: unknown key 'desktop' (hint: did you mean 'desktops'?)"},
    {"version: 1\ndesktops: []",
     "lab.yaml:1: unknown key 'version' (hint: known here: defaults, desktops)"},
    {"defaults: {name: a}\ndesktops: []",
     "lab.yaml:1: defaults: unknown key 'name' (hint: known here: image, cores, memory, disk, shm, "
     "pids, user, gpus, network, mounts, display, keyboard, remote, timezone, jupyter, nesting, "
     "fuse, "
     "autostart)"},
    {"defaults: {memory: lots}\ndesktops: []",
     "lab.yaml:1: defaults.memory: expected a size such as 8GiB, or 'none', found 'lots'"},
    {"defaults: {}", "lab.yaml:1: key 'desktops' is missing"},
    {"defaults:\n  network: {address: 10.0.0.9}\ndesktops:\n  - name: a\n  - name: b\n",
     "lab.yaml:2: defaults.network.address: desktops cannot share one address: give it to one of "
     "them"},
    {"desktops:\n  - name: a\n  - name: b\n  - name: a\n",
     "lab.yaml:4: desktops[2].name: desktop 'a' is there already, from line 2"},
    {"desktops:\n  - {name: lab, count: 3}\n  - {name: lab-2}\n",
     "lab.yaml:3: desktops[1].name: desktop 'lab-2' is there already, from line 2 ('lab' with "
     "count: 3)"},
    {"desktops:\n  - name: lab-2\n  - name: lab\n    count: 3\n",
     "lab.yaml:3: desktops[1].name: desktop 'lab-2' (with count: 3) is there already, from line 2"},
    {"desktops:\n  - {name: lab, count: 2}\n  - {name: lab, count: 3}\n",
     "lab.yaml:3: desktops[1].name: desktop 'lab-1' (with count: 3) is there already, from line 2 "
     "('lab' with count: 2)"},
    {"desktops:\n  - {name: a, network: {address: 10.0.0.9}}\n  - {name: b, network: {address: "
     "10.0.0.9}}\n",
     "lab.yaml:3: desktops[1].network.address: 10.0.0.9 is already that of 'a', from line 2"},
    {"desktops: [{name: Lab}]",
     "lab.yaml:1: desktops[0].name: name 'Lab' is no host name: only a-z, 0-9 and '-' are allowed"},
    {"desktops: [{name: lab_1}]", "lab.yaml:1: desktops[0].name: name 'lab_1' is no host name: "
                                  "only a-z, 0-9 and '-' are allowed"},
    {"desktops: [{name: -a}]",
     "lab.yaml:1: desktops[0].name: name '-a' is no host name: it cannot start or end with '-'"},
    {"desktops: [{name: localhost}]",
     "lab.yaml:1: desktops[0].name: no desktop can be named 'localhost'"},
    {"desktops: [{name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]",
     "lab.yaml:1: desktops[0].name: name 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' has 41 "
     "characters, at most 40 are allowed"},
    {"desktops: [{name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, count: 100}]",
     "lab.yaml:1: desktops[0].name: name 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-100' has 41 "
     "characters, at most 40 are allowed"},
    {"desktops: [{name: a, count: 600},{name: b, count: 600}]",
     "lab.yaml:1: desktops[1]: more than 1000 desktops in one file"},
    {"defaults: {shm: 8GiB}\ndesktops: [{name: a, memory: 4GiB}]",
     "lab.yaml:2: desktops[0].shm: 8GiB is more than the desktop's memory of 4GiB (hint: what lies "
     "in /dev/shm counts as memory)"},
    {"desktops:\n- name: \"a\n", "lab.yaml:3: the file ends inside quotes (it began in line 2)"},
    {"desktops:\n  - name: a\n\tmemory: 1\n", "lab.yaml:3: tabs cannot indent YAML: use spaces"},
};

static void a_bad_file_is_refused_as_a_whole(void **state) {
    px_check_bad(files, PX_N_ELEMENTS(files), "lab.yaml", "", "", parse);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_value_is_named_with_what_was_expected),
        cmocka_unit_test(a_bad_file_is_refused_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
