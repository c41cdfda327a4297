/* src/phoenix/verb_start.c - `phoenix start` */
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"

static int run(struct px_cli *cli, struct px_error *err) {
    return px_cli_life_or_boot(cli, px_start, px_start_boot, err);
}

const struct px_verb px_verb_start = {
    .name = "start",
    .summary = "start desktops",
    .options = {PX_OPTION_WAIT,
                PX_OPTION_TIMEOUT("how long to wait for each desktop (default 120)"),
                PX_OPTION_PARALLEL,
                {.name = "boot",
                 .doc = "those with autostart that ran when last asked; for "
                        "phoenix-desktops.service"}},
    .positionals = {{.name = "NAME",
                     .many = true,
                     .optional = true,
                     .doc = "names of desktops; globs such as 'lab-*' match several",
                     .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix start alice bob", "Starts both and waits until they can be used."},
                 {"phoenix start 'lab-*' --wait system",
                  "Starts all of lab, until systemd is up."}},
    .needs_root = true,
    .run = run,
};
