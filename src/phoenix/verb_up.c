/* src/phoenix/verb_up.c - `phoenix up` */
#include "base/alloc.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/reach_cli.h"
#include "phoenix/verbs.h"

static int carry_out(struct px_cli *cli, const struct px_fleet *fleet,
                     const struct px_desktop_file *file, struct px_error *err) {
    const struct px_plan_opts plan_opts = {.replace = px_cli_flag(cli, "replace"),
                                           .prune = px_cli_flag(cli, "prune")};
    px_cleanup(px_progress_freep) struct px_progress *progress =
        px_progress_new(&cli->err, cli->quiet);
    struct px_life_opts opts;
    int r = px_cli_life_opts(cli, progress, &opts, err);
    if (r < 0)
        return r;
    r = px_up(fleet, file, &plan_opts, &opts, err);
    return r == -EINVAL ? px_cli_bad_input(cli, r) : r;
}

/* The desktops of the file that there are now. */
static int print_result(struct px_cli *cli, const struct px_fleet *fleet,
                        const struct px_desktop_file *file, struct px_error *err) {
    px_cleanup_free const char **names = px_new0(const char *, file->n_desktops + 1);
    size_t n = 0;
    for (size_t i = 0; i < file->n_desktops; i++) {
        char **found = NULL;
        size_t n_found = 0;
        const char *name = file->desktops[i].name;
        if (px_fleet_names(fleet, &name, 1, &found, &n_found, NULL) == 0 && n_found > 0)
            names[n++] = name;
        px_names_free(found, n_found);
    }
    return px_cli_print_reach(cli, fleet, names, n, err);
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *file = NULL;
    int r = px_cli_desktop_file(cli, cli->args.words[0], &file, err);
    if (r < 0 || (r = px_cli_fleet(cli, &fleet, err)) < 0)
        return r;
    r = carry_out(cli, fleet, file, err);
    if (cli->bad_input || r == -EINTR)
        return r; /* nothing was changed, or somebody wants to be gone */
    int printed = print_result(cli, fleet, file, r < 0 ? NULL : err);
    return r < 0 ? r : printed;
}

const struct px_verb px_verb_up = {
    .name = "up",
    .summary = "make the desktops as a desktop file says",
    .description =
        "Makes what is missing, starts what is stopped, changes what differs, and leaves alone "
        "what is "
        "right: a second run changes nothing. Killed at any point, the next run finishes the "
        "work.\n"
        "\n"
        "Desktops that the file made before and no longer names are reported, and removed only "
        "with "
        "--prune. A change that needs a new root (another image, a smaller disk) is made only with "
        "--replace; the home directory is kept.",
    .options = {{.name = "replace", .doc = "also make changes that need a new root; home is kept"},
                {.name = "prune",
                 .doc =
                     "remove desktops that the file made and no longer names, with all they hold"},
                PX_OPTION_WAIT,
                PX_OPTION_TIMEOUT("how long to wait for each desktop (default 120)"),
                PX_OPTION_PARALLEL},
    .positionals = {{.name = "FILE",
                     .doc = "the desktop file; - is standard input",
                     .completes = PX_COMPLETE_FILE}},
    .examples = {{"phoenix up lab.yaml",
                  "Makes the desktops of lab.yaml so, and says how to reach them."},
                 {"phoenix up lab.yaml --wait nothing", "The same, without waiting for sessions."},
                 {"phoenix up lab.yaml --prune --yes",
                  "Also removes what the file no longer names."}},
    .exits =
        "0: everything is as the file says. 1: something could not be done; the rest was. 2: the "
        "file is not right, or this host cannot do what it says; nothing was changed.",
    .needs_root = true,
    .run = run,
};
