/* src/phoenix/verb_verify.c - `phoenix verify` */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "check/verify.h"
#include "phoenix/findings_cli.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"
#include <string.h>

#define ONLY_MAX 64

struct shown {
    struct px_progress *progress;
};

static void on_check(void *data, const struct px_check_line *line, const struct px_check *check) {
    struct shown *shown = data;
    size_t n[PX_VERDICT_SKIP + 1] = {0};
    if (check) {
        px_progress_set(shown->progress, line->name, -1, check->name, NULL);
        return;
    }
    for (size_t i = 0; i < line->n; i++)
        for (int v = 0; v <= PX_VERDICT_SKIP; v++)
            n[v] += px_findings_count(&line->outcomes[i].findings, (enum px_verdict)v);
    px_cleanup_free char *text =
        px_asprintf("%zu ok, %zu to look at, %zu to mend, %zu skipped", n[PX_VERDICT_OK],
                    n[PX_VERDICT_WARN], n[PX_VERDICT_FAIL], n[PX_VERDICT_SKIP]);
    px_progress_done(shown->progress, line->name,
                     n[PX_VERDICT_FAIL] ? PX_PROGRESS_FAILED : PX_PROGRESS_OK, text);
}

/* Cuts "dns,screen" (from all --only there are) into @names; the texts are the caller's. */
static size_t read_only(struct px_cli *cli, char **copy, const char *names[ONLY_MAX]) {
    size_t n = 0;
    *copy = px_strdup_null(px_cli_value(cli, "only"));
    char *save = NULL;
    for (char *word = *copy ? strtok_r(*copy, ", ", &save) : NULL; word && n < ONLY_MAX;
         word = strtok_r(NULL, ", ", &save))
        names[n++] = word;
    return n;
}

static int list_checks(struct px_cli *cli) {
    px_cleanup(px_table_freep) struct px_table *t =
        px_table_new("CHECK", "WHAT IT PROVES~", "AT MOST>", NULL);
    for (const struct px_check *c = px_verify_checks; c->name; c++) {
        px_table_cell(t, PX_BOLD, "%s", c->name);
        px_table_cell(t, PX_PLAIN, "%s", c->doc);
        px_table_cell(t, PX_PLAIN, "%.0f s", (double)c->timeout_us / PX_US_PER_S);
    }
    px_table_print(t, &cli->out);
    return 0;
}

static int verify(struct px_cli *cli, const struct px_fleet *fleet, char *const *names, size_t n,
                  struct px_verify_result **ret, struct px_error *err) {
    const char *only[ONLY_MAX];
    px_cleanup_free char *words = NULL;
    long seconds = 0, parallel = 0;
    int r = px_cli_number(cli, "timeout", 1, 86400, 0, &seconds, err);
    if (r < 0 || (r = px_cli_number(cli, "parallel", 1, 1000, 0, &parallel, err)) < 0)
        return r;
    struct px_verify_opts opts = {.only = only,
                                  .n_only = read_only(cli, &words, only),
                                  .timeout_us = seconds * PX_US_PER_S,
                                  .parallel = (unsigned)parallel,
                                  .stopped_fails = cli->args.n_words > 0};
    px_cleanup(px_progress_freep) struct px_progress *progress =
        px_progress_new(&cli->err, cli->quiet);
    struct shown shown = {progress};
    opts.watch = &(struct px_check_watch){on_check, &shown};
    px_interrupt_catch();
    r = px_verify(fleet, names, n, &opts, ret, err);
    return r == -EINVAL ? px_cli_bad_input(cli, r) : r;
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    struct px_verify_result *results = NULL;
    char **names = NULL;
    size_t n = 0;
    if (px_cli_flag(cli, "list"))
        return list_checks(cli);
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0 || (r = px_cli_names(cli, fleet, &names, &n, err)) < 0)
        return r;
    r = verify(cli, fleet, names, n, &results, err);
    px_names_free(names, n);
    if (r < 0)
        return r;
    r = px_cli_print_verify(cli, results, n);
    px_verify_free(results, n);
    return r;
}

const struct px_verb px_verb_verify = {
    .name = "verify",
    .summary = "prove that desktops are reachable, alive and of use",
    .description =
        "Looks at each desktop from outside and does real work inside, as its user. A line per "
        "finding: ok, warn, fail or skip, a figure, and what to do. A desktop that hangs costs "
        "its checks, each of which has a time limit, and holds up nothing else. Without a NAME all "
        "desktops are looked at, and those that are stopped on purpose are skipped.",
    .options = {{.name = "only",
                 .arg = "CHECK,...",
                 .completes = PX_COMPLETE_CHECKS,
                 .doc = "only these checks, by the names that --list shows"},
                {.name = "list", .doc = "list the checks, and how long each may take"},
                {.name = "timeout", .arg = "SECONDS", .doc = "instead of each check's own limit"},
                PX_OPTION_PARALLEL},
    .positionals = {{.name = "NAME",
                     .doc = "name of a desktop, or a glob",
                     .optional = true,
                     .many = true,
                     .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix verify", "All desktops."},
                 {"phoenix verify 'lab-*' --quiet", "Only what is not well."},
                 {"phoenix verify alice --only screen,jupyter", "Two checks."}},
    .exits = "0: all is well (warnings do not count). 1: it could not be looked at. 4: a check has "
             "failed.",
    .needs_root = true,
    .run = run,
};
