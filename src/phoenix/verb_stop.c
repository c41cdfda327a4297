/* src/phoenix/verb_stop.c - `phoenix stop` */
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"

static int run(struct px_cli *cli, struct px_error *err) {
    return px_cli_life_or_boot(cli, px_stop, px_stop_boot, err);
}

const struct px_verb px_verb_stop = {
    .name = "stop",
    .summary = "stop desktops",
    .description =
        "Asks systemd inside to shut down, and kills what is left after the timeout. Files "
        "stay; 'phoenix start' brings the desktop back.",
    .options = {PX_OPTION_TIMEOUT("how long to wait before killing (default 30; 0: kill at once)"),
                PX_OPTION_PARALLEL,
                {.name = "boot",
                 .doc = "all of them, to be started again at boot; for "
                        "phoenix-desktops.service"}},
    .positionals = {{.name = "NAME",
                     .many = true,
                     .optional = true,
                     .doc = "names of desktops; globs such as 'lab-*' match several",
                     .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix stop alice", "Stops it."},
                 {"phoenix stop '*' --timeout 0", "Kills all desktops at once."}},
    .needs_root = true,
    .run = run,
};
