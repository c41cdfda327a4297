/* src/image/test_sources.c */
#include "base/alloc.h"
#include "base/test.h"
#include "image/deb822.h"
#include "image/pool.h"
#include "image/sources.h"

static void one_line_entries_become_the_images_suite(void **state) {
    static const char list[] =
        "# comment\n"
        "deb http://mirror.example/debian bookworm main contrib # why\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
        "http://security.example/ bookworm-security main\n"
        "deb-src http://mirror.example/debian bookworm main\n"
        "deb [ broken http://mirror.example/debian bookworm main\n"
        "deb\n"
        "debian\n"
        "deb [signed-by=/etc/php.gpg] http://php.example/ bookworm main\n"
        "deb http://db.example/apt bookworm-pgdg main\n"
        "deb http://pve.example/debian bookworm pve-no-subscription\n"
        "deb cdrom:[Debian] bookworm main\n";
    px_cleanup(px_apt_sources_fini) struct px_apt_sources have = {0};
    px_cleanup_free char *text = NULL;
    px_apt_sources_parse(list, strlen(list), 0, &have);
    px_assert_ok(px_apt_sources_derive(&have, "bookworm", "trixie", "main", &text, NULL));
    assert_string_equal(text,
                        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\n"
                        "Components: main\n\n"
                        "Types: deb\nURIs: http://security.example/\nSuites: trixie-security\n"
                        "Components: main\n"
                        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n");
}

static void deb822_entries_count_unless_disabled(void **state) {
    static const char list[] = "Types: deb deb-src\n"
                               "# comment\n"
                               "URIs: http://a.example/debian\n"
                               "  http://b.example/debian\n"
                               "Suites: stable stable-updates\n"
                               "components: main\n"
                               "\n"
                               "Types: deb\nURIs: http://c.example\nSuites: trixie\n"
                               "Components: main\nEnabled: no\n"
                               "\n"
                               "Types: deb-src\nURIs: http://d.example\nSuites: trixie\n"
                               "Components: main\n";
    px_cleanup(px_apt_sources_fini) struct px_apt_sources have = {0};
    px_cleanup_free char *text = NULL;
    px_apt_sources_parse(list, strlen(list), 1, &have);
    assert_int_equal(have.n, 4);
    px_assert_ok(px_apt_sources_derive(&have, "bookworm", "trixie", "main", &text, NULL));
    px_assert_contains(text, "URIs: http://b.example/debian\nSuites: trixie-updates\n");
}

static void no_debian_source_says_what_to_add(void **state) {
    px_cleanup(px_apt_sources_fini) struct px_apt_sources have = {0};
    px_cleanup_free char *text = NULL;
    struct px_error err = {0};
    static const char list[] = "deb http://x.example/ubuntu noble main\n"
                               "deb http://x.example/debian bookworm-updates main\n";
    px_apt_sources_parse(list, strlen(list), 0, &have);
    assert_int_equal(px_apt_sources_derive(&have, "bookworm", "trixie", "main", &text, &err),
                     -ENOENT);
    assert_null(text);
    px_assert_contains(err.msg, "'trixie'");
    px_assert_contains(err.hint, "/etc/apt/sources.list");
}

static void paragraphs_are_read_as_dpkg_writes_them(void **state) {
    static const char text[] = "\n\nPackage: a\nDescription: short\n long 1\n .\n long 2\n"
                               "Version:1\n \t\nPackage: b";
    struct px_deb822 p;
    size_t at = 0;
    assert_true(px_deb822_next(text, strlen(text), &at, &p));
    px_cleanup_free char *name = px_deb822_get(&p, "package");
    px_cleanup_free char *description = px_deb822_get(&p, "Description");
    px_cleanup_free char *version = px_deb822_get(&p, "Version");
    assert_string_equal(name, "a");
    assert_string_equal(description, "short\n long 1\n .\n long 2");
    assert_string_equal(version, "1");
    assert_null(px_deb822_get(&p, "Versio"));
    assert_true(px_deb822_next(text, strlen(text), &at, &p));
    px_cleanup_free char *second = px_deb822_get(&p, "Package");
    assert_string_equal(second, "b");
    assert_false(px_deb822_next(text, strlen(text), &at, &p));
}

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void index_entries_keep_what_apt_decides_by(void **state) {
    static const char text[] = "Package: a\nVersion: 1:2\nArchitecture: all\nMaintainer: x\n"
                               "Depends: b (>= 1),\n c\nInstalled-Size: 10\nSize: 99\n"
                               "Filename: pool/a.deb\nSHA256: " HEX "\n";
    px_cleanup(px_debs_fini) struct px_debs debs = {0};
    px_assert_ok(px_debs_parse(text, strlen(text), &debs, NULL));
    assert_int_equal(debs.n, 1);
    assert_string_equal(debs.items[0].id.version, "1:2");
    assert_int_equal(debs.items[0].installed_bytes, 10240);
    assert_string_equal(debs.items[0].control,
                        "Package: a\nVersion: 1:2\nArchitecture: all\nDepends: b (>= 1),\n c\n"
                        "Installed-Size: 10\n");
    static const char half[] = "Package: a\nVersion: 1\n";
    struct px_error err = {0};
    assert_int_equal(px_debs_parse(half, strlen(half), &debs, &err), -EINVAL);
    assert_int_equal(debs.n, 1);
    px_assert_contains(err.msg, "package 'a'");
}

static void an_upgrade_takes_the_place_of_what_it_upgrades(void **state) {
    px_cleanup(px_debs_fini) struct px_debs all = {0};
    px_cleanup(px_debs_fini) struct px_debs more = {0};
    char hex[] = HEX, none[] = "", a[] = "a", b[] = "b", one[] = "1", two[] = "2", arch[] = "all";
    px_debs_add(&all, &(struct px_deb){.id = {a, one, arch, hex, 1}, .control = none});
    px_debs_add(&all, &(struct px_deb){.id = {b, one, arch, hex, 1}, .control = none});
    px_debs_add(&more, &(struct px_deb){.id = {a, two, arch, hex, 1}, .control = none});
    px_debs_merge(&all, &more);
    assert_int_equal(all.n, 2);
    assert_string_equal(all.items[0].id.name, "a");
    assert_string_equal(all.items[0].id.version, "2");
    assert_string_equal(all.items[1].id.name, "b");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_entries_become_the_images_suite),
        cmocka_unit_test(deb822_entries_count_unless_disabled),
        cmocka_unit_test(no_debian_source_says_what_to_add),
        cmocka_unit_test(paragraphs_are_read_as_dpkg_writes_them),
        cmocka_unit_test(index_entries_keep_what_apt_decides_by),
        cmocka_unit_test(an_upgrade_takes_the_place_of_what_it_upgrades),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
