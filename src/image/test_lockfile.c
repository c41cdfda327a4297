/* src/image/test_lockfile.c */
#include "base/alloc.h"
#include "base/test.h"
#include "image/lockfile.h"
#include "image/pip.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const char whole[] =
    "{\n"
    "  \"phoenix_lock\": 1,\n"
    "  \"recipe\": \"minimal\",\n"
    "  \"suite\": \"trixie\",\n"
    "  \"architecture\": \"amd64\",\n"
    "  \"inputs\": \"sha256:" HEX "\",\n"
    "  \"below\": \"sha256:" HEX "\",\n"
    "  \"source_date_epoch\": 1763856000,\n"
    "  \"packages\": [\n"
    "    {\"name\": \"adduser\", \"version\": \"3.152\", \"architecture\": \"all\", \"sha256\": "
    "\"" HEX "\", \"size\": 203000},\n"
    "    {\"name\": \"libstdc++6\", \"version\": \"1:2.75-10+deb13u1~a\", \"architecture\": "
    "\"amd64\", \"sha256\": \"" HEX "\", \"size\": 1}\n"
    "  ],\n"
    "  \"pip\": [\n"
    "    {\"venv\": \"/opt/ai/torch\", \"requirements\": [\n"
    "      \"numpy==2.3.1 --hash=sha256:" HEX "\"\n"
    "    ]}\n"
    "  ]\n"
    "}\n";

static void what_is_printed_is_what_was_read(void **state) {
    px_cleanup(px_lockfile_freep) struct px_lockfile *lock = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_lockfile_parse("recipe.lock", whole, strlen(whole), &lock, &err), &err);
    assert_int_equal(lock->n_debs, 2);
    assert_string_equal(lock->debs[1].version, "1:2.75-10+deb13u1~a");
    assert_int_equal(lock->epoch_s, 1763856000);
    assert_string_equal(lock->pips[0].venv, "/opt/ai/torch");
    px_cleanup_free char *text = px_lockfile_print(lock);
    assert_string_equal(text, whole);
}

static void packages_are_printed_sorted(void **state) {
    px_cleanup(px_lockfile_freep) struct px_lockfile *lock = NULL;
    px_assert_ok(px_lockfile_parse("recipe.lock", whole, strlen(whole), &lock, NULL));
    struct px_locked_deb first = lock->debs[0];
    lock->debs[0] = lock->debs[1];
    lock->debs[1] = first;
    px_cleanup_free char *text = px_lockfile_print(lock);
    assert_string_equal(text, whole);
    px_lockfile_sort(lock);
    assert_string_equal(lock->debs[0].name, "adduser");
}

/* @whole with @from replaced by @to must be refused with a message that has @says. */
static void refused(const char *from, const char *to, int code, const char *says) {
    const char *at = strstr(whole, from);
    assert_non_null(at);
    px_cleanup_free char *text =
        px_asprintf("%.*s%s%s", (int)(at - whole), whole, to, at + strlen(from));
    px_cleanup(px_lockfile_freep) struct px_lockfile *lock = NULL;
    struct px_error err = {0};
    assert_int_equal(px_lockfile_parse("recipe.lock", text, strlen(text), &lock, &err), code);
    assert_null(lock);
    px_assert_contains(err.msg, "recipe.lock");
    px_assert_contains(err.msg, says);
}

static void what_would_reach_a_shell_or_a_path_is_refused(void **state) {
    refused("\"adduser\"", "\"../adduser\"", -EINVAL, "packages[0]: name");
    refused("\"adduser\"", "\"-o=Dir::Etc=/\"", -EINVAL, "packages[0]: name");
    refused("\"adduser\"", "\"\"", -EINVAL, "packages[0]: name");
    refused("\"3.152\"", "\"3 152\"", -EINVAL, "packages[0]: version");
    refused("\"3.152\"", "\"/etc\"", -EINVAL, "packages[0]: version");
    refused("\"all\"", "\"a/b\"", -EINVAL, "packages[0]: architecture");
    refused("\"sha256\": \"e3b0", "\"sha256\": \"E3B0", -EINVAL, "packages[0]: sha256");
    refused("/opt/ai/torch", "/opt/../etc", -EINVAL, "pip[0]: venv");
    refused("/opt/ai/torch", "opt", -EINVAL, "pip[0]: venv");
    refused("numpy==2.3.1", "numpy>=2.3.1", -EINVAL, "pip[0]: requirements[0]");
    refused("numpy==2.3.1", "-r x==2.3.1", -EINVAL, "pip[0]: requirements[0]");
}

static void wrong_shapes_say_where(void **state) {
    refused("\"size\": 203000", "\"size\": 0", -EINVAL, "packages[0]: size");
    refused("\"size\": 203000", "\"size\": \"1\"", -EINVAL, "packages[0]");
    refused("\"suite\"", "\"sweet\"", -EINVAL, "suite");
    refused("1763856000", "-1", -EINVAL, "source_date_epoch");
    refused("\"phoenix_lock\": 1", "\"phoenix_lock\": 2", -EPROTONOSUPPORT, "later phoenix");
    refused("\"pip\": [", "\"pip\": 3, \"more\": [", -EINVAL, "more");
    refused("{\n", "[\n", -EINVAL, "recipe.lock:");
}

static void wheels_are_named_by_their_files(void **state) {
    px_cleanup_free char *name = NULL;
    px_cleanup_free char *version = NULL;
    px_assert_ok(px_wheel_parse("nvidia_cudnn_cu12-9.1.0.70-py3-none-manylinux2014_x86_64.whl",
                                &name, &version, NULL));
    assert_string_equal(name, "nvidia_cudnn_cu12");
    assert_string_equal(version, "9.1.0.70");
    static const char *const bad[] = {"x.whl",
                                      "a-1-py3-none.whl",
                                      "a-1-py3-none-any.tar.gz",
                                      "a-1-2-3-4-5-6.whl",
                                      "a/b-1-py3-none-any.whl",
                                      "",
                                      ".whl"};
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++) {
        char *a = NULL, *b = NULL;
        assert_int_equal(px_wheel_parse(bad[i], &a, &b, NULL), -EINVAL);
        assert_null(a);
        assert_null(b);
    }
}

static void pips_log_names_each_wheel_once(void **state) {
    static const char log[] =
        "2026-01-01T10:00:00,000 Collecting numpy\n"
        "2026-01-01T10:00:00,000   Downloading numpy-2.0-cp313-cp313-linux_x86_64.whl (15 MB)\n"
        "2026-01-01T10:00:01,000   File was already downloaded /w/tqdm-4.1-py3-none-any.whl\n"
        "2026-01-01T10:00:02,000 Saved ./out/wheels/numpy-2.0-cp313-cp313-linux_x86_64.whl\n"
        "2026-01-01T10:00:02,000 Saved ./out/wheels/numpy-2.0-cp313-cp313-linux_x86_64.whl\n"
        "2026-01-01T10:00:02,000 Saved nothing.whl\n"
        "2026-01-01T10:00:02,000 Saved ./out/wheels/";
    px_cleanup(px_store_names_fini) struct px_store_names names = {0};
    px_pip_log_parse(log, strlen(log), &names);
    assert_int_equal(names.n, 2);
    assert_string_equal(names.items[0], "numpy-2.0-cp313-cp313-linux_x86_64.whl");
    assert_string_equal(names.items[1], "tqdm-4.1-py3-none-any.whl");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_is_what_was_read),
        cmocka_unit_test(packages_are_printed_sorted),
        cmocka_unit_test(what_would_reach_a_shell_or_a_path_is_refused),
        cmocka_unit_test(wrong_shapes_say_where),
        cmocka_unit_test(wheels_are_named_by_their_files),
        cmocka_unit_test(pips_log_names_each_wheel_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
