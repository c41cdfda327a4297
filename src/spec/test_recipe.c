/* src/spec/test_recipe.c */
#include "base/file.h"
#include "base/test.h"
#include "spec/recipe.h"
#include <sys/stat.h>

static void a_whole_recipe_is_read(void **state) {
    static const char text[] =
        "description: Desktop with everything\n"
        "packages: [xfce4-session, 'python3.13', libc6:amd64]\n"
        "exclude_paths:\n"
        "  - /usr/share/man/*\n"
        "files:\n"
        "  - {path: /etc/motd, content: \"hello\\n\"}\n"
        "  - path: /usr/bin/thing\n"
        "    source: files/thing\n"
        "    mode: 0755\n"
        "    owner: ai\n"
        "pip:\n"
        "  - {venv: /opt/ai/torch, requirements: torch.txt, kernel: PyTorch}\n"
        "commands:\n"
        "  - systemctl mask udisks2\n"
        "  - |\n"
        "    set -e\n"
        "    true\n"
        "services: {enable: [a.service], mask: ['getty@.service']}\n"
        "user: {name: ai, groups: [video, render], sudo: true}\n";
    struct px_error err = {0};
    px_cleanup(px_recipe_freep) struct px_recipe *r = NULL;
    px_assert_ok_err(px_recipe_parse("recipes/desktop/recipe.yaml", text, strlen(text), &r, &err),
                     &err);
    assert_string_equal(r->name, "desktop");
    assert_string_equal(r->dir, "recipes/desktop");
    assert_null(r->from);
    assert_string_equal(r->suite, "trixie");
    assert_int_equal(r->components.n, 1);
    assert_string_equal(r->components.items[0], "main");
    assert_int_equal(r->packages.n, 3);
    assert_string_equal(r->packages.items[1], "python3.13");
    assert_int_equal(r->n_files, 2);
    assert_string_equal(r->files[0].content, "hello\n");
    assert_int_equal(r->files[0].mode, 0);
    assert_string_equal(r->files[0].owner, "root");
    assert_int_equal(r->files[1].mode, 0755);
    assert_string_equal(r->files[1].owner, "ai");
    assert_int_equal(r->n_pip, 1);
    assert_string_equal(r->pip[0].kernel, "PyTorch");
    assert_false(r->pip[0].system_site);
    assert_string_equal(r->commands.items[1], "set -e\ntrue\n");
    assert_string_equal(r->mask.items[0], "getty@.service");
    assert_int_equal(r->user_mask.n, 0);
    assert_string_equal(r->user.name, "ai");
    assert_int_equal(r->user.uid, 1000);
    assert_string_equal(r->user.shell, "/bin/bash");
    assert_int_equal(r->user.groups.n, 2);
    assert_true(r->user.sudo);
}

static void a_recipe_on_another_leaves_suite_and_user_to_it(void **state) {
    static const char text[] = "from: minimal\n";
    px_cleanup(px_recipe_freep) struct px_recipe *r = NULL;
    px_assert_ok(px_recipe_parse("x/recipe.yaml", text, strlen(text), &r, NULL));
    assert_string_equal(r->from, "minimal");
    assert_null(r->suite);
    assert_int_equal(r->components.n, 0);
    assert_null(r->user.name);
}

static void load_checks_that_sources_are_there(void **state) {
    char dir[] = "/tmp/pxt-recipe-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    static const char text[] = "files:\n  - {path: /a, source: a}\n";
    struct px_error err = {0};
    px_cleanup(px_recipe_freep) struct px_recipe *r = NULL;
    assert_int_equal(px_recipe_load(dir, &r, &err), -ENOENT);
    snprintf(path, sizeof(path), "%s/recipe.yaml", dir);
    px_assert_ok(px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, NULL));
    assert_int_equal(px_recipe_load(dir, &r, &err), -EINVAL);
    px_assert_contains(err.msg, "recipe.yaml:2: files[0].source: cannot use '");
    px_assert_contains(err.msg, "/a': No such file or directory");
    snprintf(path, sizeof(path), "%s/a", dir);
    px_assert_ok(px_file_write_atomic(AT_FDCWD, path, "", 0, 0644, NULL));
    px_assert_ok_err(px_recipe_load(dir, &r, &err), &err);
    assert_string_equal(r->dir, dir);
    static const char pip[] =
        "pip:\n  - {venv: /v, requirements: a}\n  - {venv: /w, requirements: b}\n";
    snprintf(path, sizeof(path), "%s/recipe.yaml", dir);
    px_assert_ok(px_file_write_atomic(AT_FDCWD, path, pip, strlen(pip), 0644, NULL));
    assert_int_equal(px_recipe_load(dir, &r, &err), -EINVAL);
    px_assert_contains(err.msg, "recipe.yaml:3: pip[1].requirements: cannot use '");
    px_assert_ok(px_rm_rf(AT_FDCWD, dir, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_recipe_is_read),
        cmocka_unit_test(a_recipe_on_another_leaves_suite_and_user_to_it),
        cmocka_unit_test(load_checks_that_sources_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
