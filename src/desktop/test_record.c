/* src/desktop/test_record.c */
#include "base/alloc.h"
#include "base/file.h"
#include "base/test.h"
#include "desktop/record.h"
#include <arpa/inet.h>

static const char file_text[] =
    "desktops:\n  - {name: alice, image: desktop, cores: 2, memory: 4GiB, user: alice}\n";

/* What up writes first, from a parsed desktop file. */
static struct px_record *record(void) {
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *file = NULL;
    px_assert_ok(px_desktop_file_parse("t.yaml", file_text, strlen(file_text), &file, NULL));
    struct px_record *rec = px_new0(struct px_record, 1);
    px_desktop_spec_copy(&file->desktops[0], &rec->spec);
    strcpy(rec->image, "sha256:00");
    rec->want_running = true;
    rec->id_first = 1000000;
    rec->id_count = PX_RECORD_IDS;
    inet_pton(AF_INET, "10.88.0.2", &rec->address);
    rec->source = px_strdup("/root/t.yaml");
    return rec;
}

static void what_is_saved_is_loaded(void **state) {
    char dir[] = "/tmp/px-test-record-XXXXXX";
    assert_non_null(mkdtemp(dir));
    px_cleanup_close int fd = px_dir_open(AT_FDCWD, dir, NULL);
    px_cleanup(px_record_freep) struct px_record *rec = record(), *again = NULL;
    px_assert_ok(px_record_save(fd, rec, NULL));
    px_assert_ok(px_record_load(fd, &again, NULL));
    px_cleanup_free char *a = px_record_print(rec), *b = px_record_print(again);
    assert_string_equal(a, b);
    assert_string_equal(again->spec.name, "alice");
    assert_int_equal(again->spec.memory_bytes, UINT64_C(4) << 30);
    assert_true(again->want_running);
    px_assert_ok(px_rm_rf(AT_FDCWD, dir, NULL));
}

static void replace(char *text, const char *from, const char *to) {
    char *at = strstr(text, from);
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

static void a_record_cannot_name_ids_of_the_host(void **state) {
    px_cleanup(px_record_freep) struct px_record *rec = record(), *again = NULL;
    px_cleanup_free char *text = px_record_print(rec);
    replace(text, "\"first\": 1000000", "\"first\": 0      ");
    struct px_error err = {0};
    assert_int_equal(px_record_parse(text, strlen(text), &again, &err), -EBADMSG);
    px_assert_contains(err.msg, "ids are out of range");
    assert_null(again);
}

static void damage_is_told_with_a_way_out(void **state) {
    static const char *const bad[] = {"", "[]", "{}", "{\"version\": 2}", "nonsense"};
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++) {
        struct px_error err = {0};
        px_cleanup(px_record_freep) struct px_record *rec = NULL;
        assert_int_equal(px_record_parse(bad[i], strlen(bad[i]), &rec, &err), -EBADMSG);
        px_assert_contains(err.hint, "phoenix rm");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_is_loaded),
        cmocka_unit_test(a_record_cannot_name_ids_of_the_host),
        cmocka_unit_test(damage_is_told_with_a_way_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
