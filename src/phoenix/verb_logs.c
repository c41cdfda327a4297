/* src/phoenix/verb_logs.c - `phoenix logs` */
#include "desktop/reach.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    long lines = 0;
    int r = px_cli_number(cli, "lines", 0, 1000000, 100, &lines, err);
    if (r < 0 || (r = px_cli_fleet(cli, &fleet, err)) < 0)
        return r;
    const struct px_logs_opts opts = {
        .n_lines = px_cli_flag(cli, "all") ? -1 : (int)lines,
        .follow = px_cli_flag(cli, "follow"),
        .host = px_cli_flag(cli, "host"),
        .unit = px_cli_value(cli, "unit"),
        .fd_out = STDOUT_FILENO,
    };
    r = px_desktop_logs(fleet, cli->args.words[0], &opts, err);
    return r < 0 ? r : 0;
}

const struct px_verb px_verb_logs = {
    .name = "logs",
    .summary = "show a desktop's log",
    .description = "The journal of a running desktop, the console of a stopped one.",
    .options =
        {{.name = "lines", .letter = 'n', .arg = "N", .doc = "the last N lines (default 100)"},
         {.name = "all", .letter = 'a', .doc = "all lines"},
         {.name = "follow", .letter = 'f', .doc = "go on showing what is added"},
         {.name = "unit",
          .letter = 'u',
          .arg = "UNIT",
          .doc = "only of this systemd unit, such as phoenix-desktop"},
         {.name = "host", .doc = "what the host's side logged about it"}},
    .positionals = {{.name = "NAME", .doc = "name of a desktop", .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix logs alice -f", "Follows its journal."},
                 {"phoenix logs alice -u phoenix-jupyter -n 20", "The end of JupyterLab's log."},
                 {"phoenix logs alice --host", "Why it did not start."}},
    .needs_root = true,
    .run = run,
};
