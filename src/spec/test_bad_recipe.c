/* src/spec/test_bad_recipe.c */
#include "spec/recipe.h"
#include "spec/test_bad.h"

static int parse(const char *name, const char *text, size_t size, void **ret,
                 struct px_error *err) {
    struct px_recipe *got = NULL;
    int r = px_recipe_parse(name, text, size, &got, err);
    *ret = got;
    if (got)
        px_recipe_free(got);
    return r;
}

static const struct px_bad_case files[] = {
    {"from: x\nsuite: trixie", "recipe.yaml:2: suite: comes from the recipe 'x' below: remove it"},
    {"packages: vim",
     "recipe.yaml:1: packages: expected a list of packages, found 'vim' (hint: write [vim])"},
    {"packages: [vim, vim]", "recipe.yaml:1: packages: 'vim' is listed twice, first in line 1"},
    {"packages: [Vim]", "recipe.yaml:1: packages[0]: 'Vim' is no Debian package name"},
    {"packages: [\"vim nano\"]", "recipe.yaml:1: packages[0]: 'vim nano' is no Debian package name "
                                 "(hint: one package per entry)"},
    {"packages: [vim-]", "recipe.yaml:1: packages[0]: 'vim-' is no Debian package name"},
    {"packages:\n", "recipe.yaml:1: packages: expected a list of packages, found nothing (hint: "
                    "write one '- ' per entry, or [] for none)"},
    {"files: [{path: etc/motd, content: x}]",
     "recipe.yaml:1: files[0].path: expected an absolute path such as /data, found 'etc/motd'"},
    {"files: [{path: /a}]",
     "recipe.yaml:1: files[0]: expected either 'source' or 'content', found neither"},
    {"files: [{path: /a, source: b, content: c}]",
     "recipe.yaml:1: files[0]: expected either 'source' or 'content', found both"},
    {"files: [{path: /a, source: ../b}]",
     "recipe.yaml:1: files[0].source: path '../b' must not leave the recipe's folder by '..'"},
    {"files: [{path: /a, source: /b}]",
     "recipe.yaml:1: files[0].source: expected a path relative to the recipe's folder, found '/b'"},
    {"files: [{path: /a, source: b, mode: 999}]",
     "recipe.yaml:1: files[0].mode: expected an octal mode such as 0755, found '999'"},
    {"files: [{path: /a, source: b, mode: rwx}]",
     "recipe.yaml:1: files[0].mode: expected an octal mode such as 0755, found 'rwx'"},
    {"files: [{path: /a, source: b},{path: /a, source: c}]",
     "recipe.yaml:1: files[1]: path '/a' is also that of files[0]"},
    {"pip: [{venv: x, requirements: y}]",
     "recipe.yaml:1: pip[0].venv: expected an absolute path such as /data, found 'x'"},
    {"pip: [{venv: /x}]", "recipe.yaml:1: pip[0]: key 'requirements' is missing"},
    {"pip: [{venv: /x, requirements: a},{venv: /x, requirements: b}]",
     "recipe.yaml:1: pip[1]: venv '/x' is also that of pip[0]"},
    {"commands: [[a]]", "recipe.yaml:1: commands[0]: expected a shell command, found a list"},
    {"services: {enable: [ssh]}",
     "recipe.yaml:1: services.enable[0]: unit 'ssh' lacks its kind, such as .service or .socket "
     "(hint: did you mean 'ssh.service'?)"},
    {"services: {enable: [a.service], mask: [a.service]}",
     "recipe.yaml:1: services: 'a.service' is in both 'enable' and 'mask'"},
    {"services: {disable: [a.service]}",
     "recipe.yaml:1: services: unknown key 'disable' (hint: did you mean 'mask'?)"},
    {"user: {uid: 1001}", "recipe.yaml:1: user: key 'name' is missing"},
    {"user: {name: root}",
     "recipe.yaml:1: user.name: user 'root' belongs to the system: choose another name"},
    {"user: {name: ai, uid: 0}",
     "recipe.yaml:1: user.uid: expected a whole number from 1000 to 60000, found '0'"},
    {"user: ai", "recipe.yaml:1: user: expected a mapping of keys to values, found 'ai'"},
    {"user: {name: ai, groups: [Sudo]}",
     "recipe.yaml:1: user.groups[0]: 'Sudo' is no user or group name: a-z, 0-9, '_' and '-', at "
     "most 32, not beginning with a digit or '-'"},
    {"suite: Trixie", "recipe.yaml:1: suite: 'Trixie' is no Debian suite, such as trixie"},
    {"from: x/y",
     "recipe.yaml:1: from: 'x/y' is no recipe name: a-z, 0-9, '.', '_' and '-', at most 63"},
    {"package: [a]", "recipe.yaml:1: unknown key 'package' (hint: did you mean 'packages'?)"},
    {"exclude_paths: [usr]", "recipe.yaml:1: exclude_paths[0]: expected a pattern that begins with "
                             "'/', such as /usr/share/man/*, found 'usr'"},
};

static void a_bad_recipe_says_what_was_expected(void **state) {
    px_check_bad(files, PX_N_ELEMENTS(files), "recipe.yaml", "", "", parse);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_recipe_says_what_was_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
