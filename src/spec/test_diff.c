/* src/spec/test_diff.c */
#include "base/alloc.h"
#include "base/test.h"
#include "spec/desktop_fields.h"
#include "spec/diff.h"

static struct px_desktop_file *parse(const char *keys) {
    struct px_desktop_file *file = NULL;
    struct px_error err = {0};
    px_cleanup_free char *text = px_asprintf("desktops: [{name: a, %s}]", keys);
    px_assert_ok_err(px_desktop_file_parse("x", text, strlen(text), &file, &err), &err);
    return file;
}

static struct px_spec_diff *diff_of(const char *before, const char *after) {
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *a = parse(before), *b = parse(after);
    return px_spec_diff_new(&a->desktops[0], &b->desktops[0]);
}

static void each_change_has_texts_and_an_effect(void **state) {
    static const struct {
        const char *before, *after; /* in the file */
        const char *key, *old_text, *new_text;
        enum px_effect effect;
    } cases[] = {
        {"", "memory: 4GiB", "memory", "none", "4GiB", PX_EFFECT_LIVE},
        {"memory: 8 GB", "memory: none", "memory", "7812500KiB", "none", PX_EFFECT_LIVE},
        {"cores: 4", "", "cores", "4", "all", PX_EFFECT_LIVE},
        {"", "pids: 999", "pids", "4096", "999", PX_EFFECT_LIVE},
        {"", "autostart: false", "autostart", "true", "false", PX_EFFECT_LIVE},
        {"disk: 10GiB", "disk: 20GiB", "disk", "10GiB", "20GiB", PX_EFFECT_LIVE},
        {"disk: 20GiB", "disk: 10GiB", "disk", "20GiB", "10GiB", PX_EFFECT_REPLACE},
        {"disk: 20GiB", "disk: none", "disk", "20GiB", "none", PX_EFFECT_REPLACE},
        {"disk: none", "disk: 1GiB", "disk", "none", "1GiB", PX_EFFECT_REPLACE},
        {"", "shm: 2GiB", "shm", "1GiB", "2GiB", PX_EFFECT_RESTART},
        {"", "image: ai", "image", "desktop", "ai", PX_EFFECT_REPLACE},
        {"", "user: eve", "user", "(that of the image)", "eve", PX_EFFECT_REPLACE},
        {"timezone: UTC", "", "timezone", "UTC", "(the host's)", PX_EFFECT_REPLACE},
        {"gpus: 1", "gpus: [0, 1]", "gpus", "1", "[0, 1]", PX_EFFECT_RESTART},
        {"", "gpus: {mode: shared, memory: 6GiB}", "gpus", "none",
         "{count: 1, mode: shared, memory: 6GiB}", PX_EFFECT_RESTART},
        {"", "network: {internet: false}", "network.internet", "true", "false", PX_EFFECT_RESTART},
        {"", "network: {address: 10.88.0.9}", "network.address", "(chosen once and kept)",
         "10.88.0.9", PX_EFFECT_RESTART},
        {"", "mounts: [{source: /d}]", "mounts", "[]",
         "[{source: /d, target: /d, read_only: false}]", PX_EFFECT_RESTART},
        {"", "display: {width: 800}", "display", "1920x1080", "800x1080", PX_EFFECT_RESTART},
        {"", "keyboard: de", "keyboard", "us", "de", PX_EFFECT_RESTART},
        {"", "remote: {files: false}", "remote.files", "true", "false", PX_EFFECT_LIVE},
        {"", "remote: {allow: [10.0.0.0/8]}", "remote.allow", "[]", "[10.0.0.0/8]", PX_EFFECT_LIVE},
        {"", "jupyter: false", "jupyter", "true", "false", PX_EFFECT_RESTART},
        {"", "nesting: true", "nesting", "false", "true", PX_EFFECT_RESTART},
        {"", "fuse: true", "fuse", "false", "true", PX_EFFECT_RESTART},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        px_cleanup(px_spec_diff_freep) struct px_spec_diff *d =
            diff_of(cases[i].before, cases[i].after);
        assert_int_equal(d->n, 1);
        assert_string_equal(d->changes[0].key, cases[i].key);
        assert_string_equal(d->changes[0].old_text, cases[i].old_text);
        assert_string_equal(d->changes[0].new_text, cases[i].new_text);
        assert_int_equal(d->changes[0].effect, cases[i].effect);
        assert_int_equal(d->effect, cases[i].effect);
    }
}

static size_t count_leaves(const struct px_field *fields) {
    size_t n = 0;
    for (const struct px_field *f = fields; f->kind; f++)
        n += f->kind == PX_FIELD_MAP ? count_leaves(f->fields) : 1;
    return n;
}

static void no_key_of_the_file_is_forgotten(void **state) {
    px_cleanup(px_spec_diff_freep) struct px_spec_diff *d = diff_of(
        "",
        "image: x, cores: 1, memory: 4GiB, disk: 1GiB, shm: 64MiB, pids: 300, user: u, gpus: 1, "
        "network: {internet: false, address: 10.0.0.9}, mounts: [{source: /x}], display: "
        "800x600, keyboard: de, remote: {input: false, clipboard: false, files: false, audio: "
        "false, tunnel: false, terminal: false, recording: false, banner: false, totp: true, "
        "trusted_devices: false, allow: [10.0.0.0/8], direct: [0.0.0.0], punching: false, "
        "discovery: true}, "
        "timezone: UTC, jupyter: false, nesting: true, fuse: true, "
        "autostart: false");
    assert_int_equal(d->n, count_leaves(px_desktop_fields) - 2); /* name, count */
    assert_int_equal(d->effect, PX_EFFECT_REPLACE);
}

static void equal_specs_have_no_diff(void **state) {
    px_cleanup(px_spec_diff_freep) struct px_spec_diff *d =
        diff_of("memory: 4GiB, gpus: none", "memory: 4096MiB, shm: 2g");
    assert_int_equal(d->n, 0);
}

static void more_memory_alone_does_not_restart(void **state) {
    px_cleanup(px_spec_diff_freep) struct px_spec_diff *d = diff_of("memory: 4GiB", "memory: 8GiB");
    assert_int_equal(d->n, 1);
    assert_int_equal(d->effect, PX_EFFECT_LIVE);
}

static void the_strongest_effect_counts_also_of_what_is_added(void **state) {
    px_cleanup(px_spec_diff_freep) struct px_spec_diff *d = diff_of("", "keyboard: de, pids: 300");
    assert_int_equal(d->effect, PX_EFFECT_RESTART);
    px_spec_diff_add(d, "image", "a", "b", PX_EFFECT_REPLACE);
    assert_int_equal(d->n, 3);
    assert_int_equal(d->effect, PX_EFFECT_REPLACE);
    assert_string_equal(px_effect_word(d->effect), "replace");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_change_has_texts_and_an_effect),
        cmocka_unit_test(no_key_of_the_file_is_forgotten),
        cmocka_unit_test(equal_specs_have_no_diff),
        cmocka_unit_test(more_memory_alone_does_not_restart),
        cmocka_unit_test(the_strongest_effect_counts_also_of_what_is_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
