/* src/phoenix/test_complete.c */
#include "base/test.h"
#include "phoenix/complete.h"

static int never(struct px_cli *cli, struct px_error *err) {
    return 0;
}

static const struct px_verb up = {
    .name = "up",
    .summary = "make it so",
    .options = {{.name = "prune", .doc = "remove the rest"},
                {.name = "wait",
                 .letter = 'w',
                 .arg = "WHAT",
                 .completes = PX_COMPLETE_WORDS,
                 .words = "system desktop"}},
    .positionals = {{.name = "FILE", .completes = PX_COMPLETE_FILE}},
    .run = never,
};
static const struct px_verb rm = {
    .name = "rm",
    .summary = "remove",
    .positionals = {{.name = "NAME", .many = true, .completes = PX_COMPLETE_DESKTOP}},
    .run = never,
};
static const struct px_verb verify = {
    .name = "verify",
    .summary = "prove it",
    .options = {{.name = "only", .arg = "CHECK,...", .completes = PX_COMPLETE_CHECKS}},
    .run = never,
};
static const struct px_verb secret = {.name = "__secret", .hidden = true, .run = never};
static const struct px_verb program = {
    .name = "phoenix",
    .options = {{.name = "json", .doc = "as JSON"},
                {.name = "host-file", .arg = "FILE", .completes = PX_COMPLETE_FILE}},
    .subs = (const struct px_verb *const[]){&up, &rm, &verify, &secret, NULL},
};

static void add_names(void *data, enum px_completes what, struct px_buf *out) {
    px_buf_puts(out, what == PX_COMPLETE_DESKTOP  ? "alice\nbob\n"
                     : what == PX_COMPLETE_CHECKS ? "dns\nscreen\nservices\n"
                                                  : "wrong\n");
}

/* What is offered for @line, cut at blanks; a blank at its end: a new word begins. */
static const char *offered(const char *line, struct px_buf *out) {
    char copy[64];
    snprintf(copy, sizeof(copy), "%s", line);
    char *words[12];
    size_t n = 0;
    char *rest = copy;
    while (rest)
        words[n++] = strsep(&rest, " ");
    px_buf_reset(out);
    px_complete(&program, words, n, &(struct px_complete_names){add_names, NULL}, out);
    return px_buf_str(out);
}

static void offers_what_fits_the_place(void **state) {
    static const struct {
        const char *line, *offers;
    } cases[] = {
        {"", "up\tmake it so\nrm\tremove\nverify\tprove it\n"},
        {"u", "up\tmake it so\n"},
        {"x", ""},
        {"--json u", "up\tmake it so\n"},
        {"up ", ":files\n"},
        {"up lab.yaml ", ""},
        {"up --p", "--prune\tremove the rest\n"},
        {"up --j", "--json\tas JSON\n"},
        {"up --wait ", "system\t\ndesktop\t\n"},
        {"up -w d", "desktop\t\n"},
        {"up --wait=s", "--wait=system\t\n"},
        {"up --wait = s", "system\t\n"}, /* as bash cuts it */
        {"up --host-file ", ":files\n"},
        {"rm ", "alice\t\nbob\t\n"},
        {"rm alice b", "bob\t\n"},
        {"rm -- --", ""},
        {"nonsense ", "up\tmake it so\nrm\tremove\nverify\tprove it\n"},
        {"verify --only s", "screen\t\nservices\t\n"},
        {"verify --only dns,s", "dns,screen\t\ndns,services\t\n"},
        {"verify --only=dns,screen,", "--only=dns,screen,services\t\n"},
    };
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++)
        assert_string_equal(offered(cases[i].line, &out), cases[i].offers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offers_what_fits_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
