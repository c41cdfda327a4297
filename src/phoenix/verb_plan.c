/* src/phoenix/verb_plan.c - `phoenix plan` */
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *file = NULL;
    px_cleanup(px_plan_freep) struct px_plan *plan = NULL;
    const struct px_plan_opts opts = {.replace = px_cli_flag(cli, "replace"),
                                      .prune = px_cli_flag(cli, "prune")};
    int r = px_cli_desktop_file(cli, cli->args.words[0], &file, err);
    if (r < 0 || (r = px_cli_fleet(cli, &fleet, err)) < 0)
        return r;
    r = px_plan_make(fleet, file, &opts, &plan, err);
    if (r < 0)
        return r == -EINVAL ? px_cli_bad_input(cli, r) : r;
    if (cli->json) {
        px_cli_json(cli, px_plan_to_json(plan));
    } else {
        for (size_t i = 0; i < plan->excess.n; i++)
            px_cli_note(cli, "%s", plan->excess.lines[i]);
        px_cleanup_free char *text = px_plan_print(plan);
        px_cli_puts(cli, text);
    }
    return plan->n_changes > 0 || plan->n_blocked > 0 ? PX_EXIT_DIFFERS : PX_EXIT_DONE;
}

const struct px_verb px_verb_plan = {
    .name = "plan",
    .summary = "show what 'up' would change",
    .description =
        "Compares the desktop file with the desktops there are and changes nothing. The file "
        "is checked as strictly as 'up' does.",
    .options = {{.name = "replace", .doc = "as if 'up --replace' was asked for"},
                {.name = "prune", .doc = "as if 'up --prune' was asked for"}},
    .positionals = {{.name = "FILE",
                     .doc = "the desktop file; - is standard input",
                     .completes = PX_COMPLETE_FILE}},
    .examples = {{"phoenix plan lab.yaml", "What would 'phoenix up lab.yaml' do?"},
                 {"phoenix plan lab.yaml --json | jq .desktops",
                  "The same for a program; exit code 3 says that something differs."}},
    .exits =
        "0: nothing would change. 2: the file is not right, or this host cannot do what it says. "
        "3: something would change.",
    .needs_root = true,
    .run = run,
};
