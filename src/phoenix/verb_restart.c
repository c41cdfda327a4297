/* src/phoenix/verb_restart.c - `phoenix restart` */
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"

static int run(struct px_cli *cli, struct px_error *err) {
    return px_cli_life(cli, px_restart, err);
}

const struct px_verb px_verb_restart = {
    .name = "restart",
    .summary = "stop desktops and start them again",
    .options = {PX_OPTION_WAIT,
                PX_OPTION_TIMEOUT("how long to wait for each step (default 30 to stop, "
                                  "120 to start)"),
                PX_OPTION_PARALLEL},
    .positionals = {{.name = "NAME",
                     .many = true,
                     .doc = "names of desktops; globs such as 'lab-*' match several",
                     .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix restart alice", "Restarts it and waits until it can be used."}},
    .needs_root = true,
    .run = run,
};
