/* src/phoenix/test_verbs.c - the table of verbs itself */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/test.h"
#include "phoenix/help.h"
#include "phoenix/man.h"
#include "phoenix/verbs.h"
#include <ctype.h>

/* Calls @check for every verb there is, groups and the program included. */
static void for_each(const struct px_verb *verb, void (*check)(const struct px_verb *verb)) {
    check(verb);
    for (size_t i = 0; i < px_verb_n_subs(verb); i++)
        for_each(verb->subs[i], check);
}

static void check_text(const struct px_verb *verb, const char *what, const char *text) {
    const size_t n = text ? strlen(text) : 0;
    if (n == 0 || text[n - 1] == '.' || strchr(text, '\n'))
        fail_msg("%s: %s '%s' is not one line without a full stop", verb->name, what, text);
}

static void check_words(const struct px_verb *verb) {
    check_text(verb, "summary", verb->summary);
    if (verb->run && isupper((unsigned char)verb->summary[0]))
        fail_msg("%s: summary begins with a capital", verb->name);
    for (size_t i = 0; i < px_verb_n_options(verb); i++)
        check_text(verb, verb->options[i].name, verb->options[i].doc);
    for (size_t i = 0; i < px_verb_n_positionals(verb); i++)
        check_text(verb, verb->positionals[i].name, verb->positionals[i].doc);
}

static void every_verb_option_and_argument_is_explained(void **state) {
    for_each(&px_program, check_words);
}

static void check_example(const struct px_verb *verb) {
    if (!verb->run || verb->hidden)
        return;
    if (!verb->examples[0].command)
        fail_msg("%s has no example", verb->name);
    for (size_t i = 0; i < PX_VERB_EXAMPLES_MAX && verb->examples[i].command; i++) {
        px_cleanup_free char *path = px_verb_path(&px_program, verb);
        px_assert_contains(verb->examples[i].command, path);
        assert_non_null(verb->examples[i].doc);
    }
}

static void every_verb_has_an_example_that_calls_it(void **state) {
    for_each(&px_program, check_example);
}

static void check_runs(const struct px_verb *verb) {
    if ((verb->run != NULL) == (verb->subs != NULL))
        fail_msg("%s is neither a command nor a group", verb->name);
}

static void a_verb_runs_or_has_subs(void **state) {
    for_each(&px_program, check_runs);
}

/* An option of a verb must not hide one of the program's, nor share a letter with one. */
static void check_options(const struct px_verb *verb) {
    const struct px_verb *both[] = {verb, &px_program};
    for (size_t i = 0; i < px_verb_n_options(verb); i++)
        for (size_t v = 0; v < 2; v++)
            for (size_t j = 0; j < px_verb_n_options(both[v]); j++) {
                const struct px_option *a = &verb->options[i], *b = &both[v]->options[j];
                if (a == b)
                    continue;
                if (strcmp(a->name, b->name) == 0 || (a->letter && a->letter == b->letter))
                    fail_msg("%s: --%s and --%s clash", verb->name, a->name, b->name);
            }
}

static void options_do_not_clash(void **state) {
    for_each(&px_program, check_options);
}

/* What is optional or takes the rest must come last, or words could not be told apart. */
static void check_positionals(const struct px_verb *verb) {
    const size_t n = px_verb_n_positionals(verb);
    for (size_t i = 0; i + 1 < n; i++)
        if (verb->positionals[i].optional || verb->positionals[i].many ||
            verb->positionals[i].verbatim)
            fail_msg("%s: %s is not the last", verb->name, verb->positionals[i].name);
    for (size_t i = 0; i < n; i++)
        if ((verb->positionals[i].completes == PX_COMPLETE_WORDS) != !!verb->positionals[i].words)
            fail_msg("%s: %s completes words it does not have", verb->name,
                     verb->positionals[i].name);
    for (size_t i = 0; i < px_verb_n_options(verb); i++)
        if ((verb->options[i].completes == PX_COMPLETE_WORDS) != !!verb->options[i].words)
            fail_msg("%s: --%s completes words it does not have", verb->name,
                     verb->options[i].name);
}

static void only_the_last_argument_is_open(void **state) {
    for_each(&px_program, check_positionals);
}

static void check_names(const struct px_verb *verb) {
    for (size_t i = 0; i < px_verb_n_subs(verb); i++)
        assert_ptr_equal(px_verb_find(verb, verb->subs[i]->name), verb->subs[i]);
}

static void names_are_unique(void **state) {
    for_each(&px_program, check_names);
}

static void check_help(const struct px_verb *verb) {
    for (unsigned width = 60; width <= 120; width += 20) {
        px_cleanup(px_buf_fini) struct px_buf out = {0};
        px_help_render(&px_program, verb, width, false, &out);
        for (char *save = NULL, *line = strtok_r(out.data, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save))
            /* commands of examples stay whole */
            if (strlen(line) > width && strncmp(line, "  phoenix ", 10) != 0)
                fail_msg("%s at %u columns: '%s'", verb->name, width, line);
    }
}

static void help_fits_the_terminal(void **state) {
    for_each(&px_program, check_help);
}

static void the_man_page_names_every_command(void **state) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_man_render(&px_program, "@COMMANDS@\n", &out);
    px_assert_contains(px_buf_str(&out), ".Ss phoenix up FILE\n");
    px_assert_contains(px_buf_str(&out), ".Ss phoenix image build RECIPE\n");
    assert_null(strstr(px_buf_str(&out), "__complete"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_option_and_argument_is_explained),
        cmocka_unit_test(every_verb_has_an_example_that_calls_it),
        cmocka_unit_test(a_verb_runs_or_has_subs),
        cmocka_unit_test(options_do_not_clash),
        cmocka_unit_test(only_the_last_argument_is_open),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(help_fits_the_terminal),
        cmocka_unit_test(the_man_page_names_every_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
