/* src/phoenix/test_args.c */
#include "base/test.h"
#include "phoenix/args.h"

static int never(struct px_cli *cli, struct px_error *err) {
    return 0;
}

static const struct px_verb up = {
    .name = "up",
    .options = {{.name = "prune", .letter = 'p'},
                {.name = "wait", .letter = 'w', .arg = "WHAT", .words = "system desktop"}},
    .positionals = {{.name = "FILE"}},
    .run = never,
};
static const struct px_verb rm = {
    .name = "rm",
    .positionals = {{.name = "NAME", .many = true}},
    .run = never,
};
static const struct px_verb exec = {
    .name = "exec",
    .options = {{.name = "user", .letter = 'u', .arg = "USER"}},
    .positionals = {{.name = "NAME"}, {.name = "CMD", .verbatim = true}},
    .run = never,
};
static const struct px_verb build = {
    .name = "build", .positionals = {{.name = "RECIPE", .optional = true}}, .run = never};
static const struct px_verb image = {.name = "image",
                                     .subs = (const struct px_verb *const[]){&build, NULL}};
static const struct px_verb program = {
    .name = "phoenix",
    .options = {{.name = "json"},
                {.name = "verbose", .letter = 'v'},
                {.name = "host-file", .arg = "FILE"},
                {.name = "help", .letter = 'h'}},
    .subs = (const struct px_verb *const[]){&up, &rm, &exec, &image, NULL},
};

#define ARGS_MAX 12

/* Parses "up --prune x", cut at blanks. The words live as long as @line. */
static int parse(char *line, struct px_args *ret, struct px_error *err) {
    char *argv[ARGS_MAX] = {(char[]){"phoenix"}};
    int argc = 1;
    char *save = NULL;
    for (char *w = strtok_r(line, " ", &save); w && argc < ARGS_MAX; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    return px_args_parse(&program, argc, argv, ret, err);
}

#define GIVEN(text)                                                                                \
    char line[] = text;                                                                            \
    px_cleanup(px_args_fini) struct px_args args = {0};                                            \
    struct px_error err = {0};                                                                     \
    int r = parse(line, &args, &err)

static void options_stand_before_and_after_words(void **state) {
    GIVEN("--json up lab.yaml -p --verbose -v");
    px_assert_ok_err(r, &err);
    assert_ptr_equal(args.verb, &up);
    assert_int_equal(args.n_words, 1);
    assert_string_equal(args.words[0], "lab.yaml");
    assert_int_equal(px_args_count(&args, "prune"), 1);
    assert_int_equal(px_args_count(&args, "json"), 1);
    assert_int_equal(px_args_count(&args, "verbose"), 2);
    assert_null(px_args_value(&args, "wait"));
}

static void values_come_in_four_forms(void **state) {
    static const char *const forms[] = {"up -w system f", "up -wsystem f", "up --wait system f",
                                        "up f --wait=system"};
    for (size_t i = 0; i < PX_N_ELEMENTS(forms); i++) {
        char line[64];
        snprintf(line, sizeof(line), "%s", forms[i]);
        px_cleanup(px_args_fini) struct px_args args = {0};
        px_assert_ok(parse(line, &args, NULL));
        assert_string_equal(px_args_value(&args, "wait"), "system");
    }
}

static void letters_run_together(void **state) {
    GIVEN("up -vpw desktop f");
    px_assert_ok_err(r, &err);
    assert_int_equal(px_args_count(&args, "verbose"), 1);
    assert_int_equal(px_args_count(&args, "prune"), 1);
    assert_string_equal(px_args_value(&args, "wait"), "desktop");
}

static void commands_for_a_desktop_keep_their_options(void **state) {
    static const char *const forms[] = {"exec -u root a -- ls -l --json",
                                        "exec a -u root ls -l --json",
                                        "exec --user=root a ls -l --json"};
    for (size_t i = 0; i < PX_N_ELEMENTS(forms); i++) {
        char line[64];
        snprintf(line, sizeof(line), "%s", forms[i]);
        px_cleanup(px_args_fini) struct px_args args = {0};
        struct px_error err = {0};
        px_assert_ok_err(parse(line, &args, &err), &err);
        assert_int_equal(args.n_words, 4);
        assert_string_equal(args.words[0], "a");
        assert_string_equal(args.words[1], "ls");
        assert_string_equal(args.words[3], "--json");
        assert_int_equal(px_args_count(&args, "json"), 0);
        assert_string_equal(px_args_value(&args, "user"), "root");
    }
}

static void a_command_may_hold_two_dashes_itself(void **state) {
    GIVEN("exec a -- git log -- x");
    px_assert_ok_err(r, &err);
    assert_int_equal(args.n_words, 5);
    assert_string_equal(args.words[3], "--");
}

static void groups_lead_to_their_commands(void **state) {
    GIVEN("image build --json");
    px_assert_ok_err(r, &err);
    assert_ptr_equal(args.verb, &build);
    assert_ptr_equal(args.group, &image);
    assert_int_equal(args.n_words, 0);
}

static void help_needs_nothing_else_to_be_right(void **state) {
    GIVEN("up --help");
    px_assert_ok_err(r, &err);
    assert_true(args.help);
    assert_ptr_equal(args.verb, &up);
}

static void wrong_usage_names_the_word_and_the_near_miss(void **state) {
    static const struct {
        const char *line, *msg, *hint;
    } cases[] = {
        {"upp", "unknown command 'phoenix upp'", "did you mean 'phoenix up'?"},
        {"image biuld", "unknown command 'phoenix image biuld'",
         "did you mean 'phoenix image build'?"},
        {"frobnicate", "unknown command 'phoenix frobnicate'",
         "'phoenix --help' lists the commands"},
        {"up f --prun", "unknown option '--prun' for 'phoenix up'", "did you mean '--prune'?"},
        {"up f -x", "unknown option '-x' for 'phoenix up'",
         "'phoenix up --help' lists the options"},
        {"up f --wait", "option '--wait' needs a value: WHAT", ""},
        {"up f --wait=sytem", "--wait 'sytem' is not one of: system desktop",
         "did you mean 'system'?"},
        {"up f --prune=yes", "option '--prune' takes no value, found 'yes'", ""},
        {"up", "FILE is missing after 'phoenix up'", "'phoenix up --help' explains it"},
        {"rm", "NAME is missing after 'phoenix rm'", "'phoenix rm --help' explains it"},
        {"up a b", "'b' is one word too many for 'phoenix up'", "'phoenix up --help' explains it"},
        {"image", "a command is missing after 'phoenix image'",
         "'phoenix image --help' lists the commands"},
        {"exec a", "CMD is missing after 'phoenix exec'", "'phoenix exec --help' explains it"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        char line[64];
        snprintf(line, sizeof(line), "%s", cases[i].line);
        px_cleanup(px_args_fini) struct px_args args = {0};
        struct px_error err = {0};
        assert_int_equal(parse(line, &args, &err), -EINVAL);
        assert_string_equal(err.msg, cases[i].msg);
        assert_string_equal(err.hint, cases[i].hint);
    }
}

static void two_dashes_end_the_options(void **state) {
    GIVEN("rm -- -v --json");
    px_assert_ok_err(r, &err);
    assert_int_equal(args.n_words, 2);
    assert_string_equal(args.words[0], "-v");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_before_and_after_words),
        cmocka_unit_test(values_come_in_four_forms),
        cmocka_unit_test(letters_run_together),
        cmocka_unit_test(commands_for_a_desktop_keep_their_options),
        cmocka_unit_test(a_command_may_hold_two_dashes_itself),
        cmocka_unit_test(groups_lead_to_their_commands),
        cmocka_unit_test(help_needs_nothing_else_to_be_right),
        cmocka_unit_test(wrong_usage_names_the_word_and_the_near_miss),
        cmocka_unit_test(two_dashes_end_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
