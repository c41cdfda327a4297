/* src/host/clipboard/test_files.c - copied files as descriptors and as URIs */
#include "base/cleanup.h"
#include "base/test.h"
#include "host/clipboard/descriptor.h"
#include "host/clipboard/uris.h"

static void add(struct px_descriptors *l, const char *name, bool is_dir, uint64_t size) {
    l->list = realloc(l->list, (l->n + 1) * sizeof(*l->list));
    l->list[l->n++] = (struct px_descriptor){
        .name = strdup(name), .is_dir = is_dir, .size = size, .mtime_s = 1000000000, .mode = 0754};
}

static void descriptors_come_back_as_they_were(void **state) {
    struct px_descriptors l = {0}, back = {0};
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    add(&l, "dir", true, 0);
    add(&l, "dir/h\xc3\xa4\xf0\x9f\x98\x80.txt", false, UINT64_C(5) << 32 | 7);
    px_descriptors_print(&l, &b);
    assert_int_equal(b.size, 4 + 2 * 592);
    px_assert_ok(px_descriptors_parse((uint8_t *)b.data, b.size, &back, NULL));
    assert_int_equal(back.n, 2);
    assert_true(back.list[0].is_dir);
    assert_string_equal(back.list[1].name, l.list[1].name);
    assert_int_equal(back.list[1].size, l.list[1].size);
    assert_int_equal(back.list[1].mtime_s, 1000000000);
    assert_int_equal(back.list[1].mode, 0754);
    px_descriptors_fini(&l);
    px_descriptors_fini(&back);
}

/* As a Windows client sends it: backslashes, no mode, no size flag. */
static void descriptors_of_windows_are_read(void **state) {
    uint8_t b[4 + 592] = {1, 0, 0, 0, 0x24};
    struct px_descriptors l = {0};
    static const char name[] = "a\\b.txt";
    b[4 + 36] = 0x20;
    b[4 + 68] = 9;
    for (size_t i = 0; i < sizeof(name); i++)
        b[4 + 72 + i * 2] = (uint8_t)name[i];
    px_assert_ok(px_descriptors_parse(b, sizeof(b), &l, NULL));
    assert_string_equal(l.list[0].name, "a/b.txt");
    assert_int_equal(l.list[0].size, 9);
    assert_int_equal(l.list[0].mtime_s, 0);
    assert_false(l.list[0].is_dir);
    px_descriptors_fini(&l);
}

static int parse_named(const char *name) {
    uint8_t b[4 + 592] = {1, 0, 0, 0};
    struct px_descriptors l = {0};
    for (size_t i = 0; i <= strlen(name); i++)
        b[4 + 72 + i * 2] = (uint8_t)name[i];
    const int r = px_descriptors_parse(b, sizeof(b), &l, NULL);
    px_descriptors_fini(&l);
    return r;
}

static void names_that_lead_elsewhere_are_refused(void **state) {
    static const char *const bad[] = {"",     "..",        "../x", "a/../../x", "/etc/x",
                                      "a//b", "..\\..\\x", "a/",   "a/./b",     "\\x"};
    assert_int_equal(parse_named("fine"), 0);
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++)
        assert_int_equal(parse_named(bad[i]), -EBADMSG);
}

static void broken_lists_are_refused(void **state) {
    uint8_t b[4 + 592];
    struct px_descriptors l;
    memset(b, 'x', sizeof(b)); /* a name without an end, and a huge count */
    assert_int_equal(px_descriptors_parse(b, sizeof(b), &l, NULL), -E2BIG);
    memcpy(b, "\1\0\0\0", 4);
    assert_int_equal(px_descriptors_parse(b, sizeof(b), &l, NULL), -EBADMSG);
    assert_int_equal(px_descriptors_parse(b, 100, &l, NULL), -EBADMSG);
    assert_int_equal(px_descriptors_parse(b, 0, &l, NULL), -EBADMSG);
    memset(b + 4 + 72, 0, 520);
    b[4 + 72] = 'a';
    b[4 + 75] = 0xd8; /* half a surrogate pair */
    assert_int_equal(px_descriptors_parse(b, sizeof(b), &l, NULL), -EBADMSG);
}

static void uris_of_files_become_paths(void **state) {
    static const char list[] = "# comment\r\nfile:///a%20b/%C3%A4\r\nhttp://x/y\r\n"
                               "file://localhost/c/\r\nfile:/d\r\nfile://other/e\r\nfile:///\r\n"
                               "file:///bad%zz\r\nfile:///nul%00\r\nFILE:///f";
    static const char *const want[] = {"/a b/\xc3\xa4", "/c", "/d", "/f"};
    struct px_paths p;
    px_uris_parse(list, sizeof(list) - 1, &p);
    assert_int_equal(p.n, PX_N_ELEMENTS(want));
    for (size_t i = 0; i < p.n; i++)
        assert_string_equal(p.list[i], want[i]);
    px_paths_fini(&p);
}

static void paths_become_uris_and_come_back(void **state) {
    struct px_paths p = {0}, back;
    px_cleanup(px_buf_fini) struct px_buf list = {0}, gnome = {0};
    px_paths_add(&p, "/a b");
    px_paths_add(&p, "/100%");
    px_uris_print(&p, false, &list);
    assert_string_equal(list.data, "file:///a%20b\r\nfile:///100%25\r\n");
    px_uris_print(&p, true, &gnome);
    assert_string_equal(gnome.data, "copy\nfile:///a%20b\nfile:///100%25");
    px_uris_parse(gnome.data, gnome.size, &back);
    assert_int_equal(back.n, 2);
    assert_string_equal(back.list[1], "/100%");
    px_paths_fini(&p);
    px_paths_fini(&back);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_come_back_as_they_were),
        cmocka_unit_test(descriptors_of_windows_are_read),
        cmocka_unit_test(names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(broken_lists_are_refused),
        cmocka_unit_test(uris_of_files_become_paths),
        cmocka_unit_test(paths_become_uris_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
