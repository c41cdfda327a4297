/* src/phoenix/verb_rm.c - `phoenix rm` */
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"

static void list_names(struct px_buf *out, char *const *names, size_t n) {
    const size_t shown = n > 6 ? 5 : n;
    for (size_t i = 0; i < shown; i++)
        px_buf_printf(out, "%s%s", i == 0 ? "" : ", ", names[i]);
    if (shown < n)
        px_buf_printf(out, " and %zu more", n - shown);
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    char **names = NULL;
    size_t n = 0;
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0 || (r = px_cli_names(cli, fleet, &names, &n, err)) < 0)
        return r;
    px_cleanup(px_buf_fini) struct px_buf list = {0};
    list_names(&list, names, n);
    r = px_cli_confirm(cli, err, "remove %s with all files in %s?", px_buf_str(&list),
                       n == 1 ? "it" : "them");
    px_names_free(names, n);
    return r < 0 ? r : px_cli_life(cli, px_rm, err);
}

const struct px_verb px_verb_rm = {
    .name = "rm",
    .summary = "remove desktops with everything they hold",
    .description = "Stops them first. Asks on a terminal; elsewhere it needs --yes.",
    .options = {PX_OPTION_TIMEOUT("how long to wait before killing (default 30; 0: kill at once)"),
                PX_OPTION_PARALLEL},
    .positionals = {{.name = "NAME",
                     .many = true,
                     .doc = "names of desktops; globs such as 'lab-*' match several",
                     .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix rm alice", "Asks, then removes it with its home directory."},
                 {"phoenix rm 'lab-*' --yes", "Removes all of lab without asking."}},
    .needs_root = true,
    .run = run,
};
