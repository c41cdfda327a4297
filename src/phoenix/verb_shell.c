/* src/phoenix/verb_shell.c - `phoenix shell` */
#include "desktop/reach.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0)
        return r;
    /* Without a terminal it reads commands from its input: `phoenix shell alice < script`. */
    const struct px_exec_opts opts = {
        .user = px_cli_value(cli, "user"),
        .tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO),
        .fd_in = STDIN_FILENO,
        .fd_out = STDOUT_FILENO,
        .fd_err = STDERR_FILENO,
    };
    return px_desktop_exec(fleet, cli->args.words[0], &opts, err);
}

const struct px_verb px_verb_shell = {
    .name = "shell",
    .summary = "open a login shell in a desktop",
    .options = {{.name = "user",
                 .letter = 'u',
                 .arg = "USER",
                 .doc = "as this user of the desktop, such as root"}},
    .positionals = {{.name = "NAME", .doc = "name of a desktop", .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix shell alice", "A shell as the desktop's user."},
                 {"phoenix shell -u root alice", "A shell as its root."}},
    .exits = "That of the shell.",
    .needs_root = true,
    .run = run,
};
