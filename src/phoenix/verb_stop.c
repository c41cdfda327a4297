/* src/phoenix/verb_stop.c - `phoenix stop` */
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
    return r < 0 ? r : px_stop_boot(fleet, &opts, err);
}

static int run(struct px_cli *cli, struct px_error *err) {
    const bool at_boot = px_cli_flag(cli, "boot");
    if (at_boot == (cli->args.n_words > 0)) {
        px_fail(err, -EINVAL,
                at_boot ? "--boot takes no names" : "NAME is missing after 'phoenix stop'");
        return px_cli_bad_input(cli, -EINVAL);
    }
    return at_boot ? boot(cli, err) : px_cli_life(cli, px_stop, err);
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
