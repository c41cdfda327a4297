/* src/phoenix/verb_start.c - `phoenix start` */
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"

static int boot(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0)
        return r;
    px_cleanup(px_progress_freep) struct px_progress *progress =
        px_progress_new(&cli->err, cli->quiet);
    struct px_life_opts opts;
    r = px_cli_life_opts(cli, progress, &opts, err);
    return r < 0 ? r : px_start_boot(fleet, &opts, err);
}

static int run(struct px_cli *cli, struct px_error *err) {
    const bool at_boot = px_cli_flag(cli, "boot");
    if (at_boot == (cli->args.n_words > 0)) {
        px_fail(err, -EINVAL,
                at_boot ? "--boot takes no names" : "NAME is missing after 'phoenix start'");
        return px_cli_bad_input(cli, -EINVAL);
    }
    return at_boot ? boot(cli, err) : px_cli_life(cli, px_start, err);
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
