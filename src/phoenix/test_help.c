/* src/phoenix/test_help.c */
#include "base/cleanup.h"
#include "base/test.h"
#include "phoenix/help.h"
#include "phoenix/man.h"

static int never(struct px_cli *cli, struct px_error *err) {
    return 0;
}

static const struct px_verb up = {
    .name = "up",
    .summary = "make the desktops so",
    .description =
        "First paragraph that is long enough to be broken into several lines.\n\nSecond.",
    .options = {{.name = "prune", .letter = 'p', .doc = "remove the rest"},
                {.name = "wait", .arg = "WHAT", .doc = "until when to wait, a long story"},
                {.name = "secret", .doc = "not shown", .hidden = true}},
    .positionals = {{.name = "FILE", .doc = ".the desktop file"}},
    .examples = {{"phoenix up lab.yaml", "Makes it so."}},
    .exits = "0: all is well.",
    .run = never,
};
static const struct px_verb hidden = {.name = "__x", .summary = "x", .hidden = true, .run = never};
static const struct px_verb program = {
    .name = "phoenix",
    .summary = "makes desktops",
    .options = {{.name = "json", .doc = "as JSON"}},
    .subs = (const struct px_verb *const[]){&up, &hidden, NULL},
};

static void help_explains_a_command_with_an_example(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_help_render(&program, &up, 50, false, &out);
    assert_string_equal(px_buf_str(&out), "Usage: phoenix up [OPTIONS] FILE\n"
                                          "Make the desktops so.\n"
                                          "\n"
                                          "First paragraph that is long enough to be broken\n"
                                          "into several lines.\n"
                                          "\n"
                                          "Second.\n"
                                          "\n"
                                          "Arguments\n"
                                          "  FILE  .the desktop file\n"
                                          "\n"
                                          "Options\n"
                                          "  -p, --prune  remove the rest\n"
                                          "  --wait WHAT  until when to wait, a long story\n"
                                          "\n"
                                          "Examples\n"
                                          "  phoenix up lab.yaml\n"
                                          "      Makes it so.\n"
                                          "\n"
                                          "Exit code\n"
                                          "  0: all is well.\n"
                                          "\n"
                                          "Options of every command: phoenix --help\n");
}

static void overview_lists_commands_but_hidden_ones(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_help_render(&program, &program, 80, false, &out);
    px_assert_contains(px_buf_str(&out), "\nCommands\n  up  make the desktops so\n");
    px_assert_contains(px_buf_str(&out), "  --json  as JSON\n");
    assert_null(strstr(px_buf_str(&out), "__x"));
}

static void man_page_escapes_what_roff_would_take(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_man_render(&program, ".Dd x\n@OPTIONS@\n@COMMANDS@\n.Sh END\n", &out);
    assert_string_equal(
        px_buf_str(&out),
        ".Dd x\n"
        ".Bl -tag -width Ds -compact\n.It Fl -json\nas JSON\n.El\n"
        ".Ss phoenix up FILE\nMake the desktops so.\n.Pp\n"
        "First paragraph that is long enough to be broken into several lines.\n.Pp\nSecond.\n"
        ".Pp\n.Bl -tag -width Ds -compact\n.It Ar FILE\n\\&.the desktop file\n.El\n"
        ".Pp\n.Bl -tag -width Ds -compact\n.It Fl p , Fl -prune\nremove the rest\n"
        ".It Fl -wait Ar WHAT\nuntil when to wait, a long story\n.El\n"
        ".Pp\n.Dl phoenix up lab.yaml\n.Pp\nMakes it so.\n"
        ".Pp\nExit code: 0: all is well.\n"
        ".Sh END\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_explains_a_command_with_an_example),
        cmocka_unit_test(overview_lists_commands_but_hidden_ones),
        cmocka_unit_test(man_page_escapes_what_roff_would_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
