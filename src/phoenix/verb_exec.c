/* src/phoenix/verb_exec.c - `phoenix exec` */
#include "base/alloc.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"
#include "desktop/reach.h"

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0)
        return r;
    px_cleanup_free const char **argv = px_new0(const char *, cli->args.n_words);
    for (size_t i = 1; i < cli->args.n_words; i++)
        argv[i - 1] = cli->args.words[i];
    long seconds = 0;
    r = px_cli_number(cli, "timeout", 1, 86400 * 365, 0, &seconds, err);
    if (r < 0)
        return r;
    const struct px_exec_opts opts = {
        .argv = argv,
        .user = px_cli_value(cli, "user"),
        .tty = px_cli_flag(cli, "tty"),
        .session = px_cli_flag(cli, "session"),
        .fd_in = STDIN_FILENO,
        .fd_out = STDOUT_FILENO,
        .fd_err = STDERR_FILENO,
        .timeout_us = (int64_t)seconds * 1000000,
    };
    if (opts.tty && !isatty(STDIN_FILENO))
        return px_cli_bad_input(cli, px_fail(err, -EINVAL, "--tty: standard input is no terminal"));
    return px_desktop_exec(fleet, cli->args.words[0], &opts, err);
}

const struct px_verb px_verb_exec = {
    .name = "exec",
    .summary = "run a command in a desktop",
    .description =
        "As the desktop's user, in the home directory. Input and output are passed through. "
        "Options of the command itself are left alone once the command has begun, or behind "
        "'--'.",
    .options = {{.name = "user",
                 .letter = 'u',
                 .arg = "USER",
                 .doc = "run as this user of the desktop, such as root"},
                {.name = "tty", .letter = 't', .doc = "give it a terminal"},
                {.name = "session",
                 .letter = 's',
                 .doc = "with DISPLAY and the session bus, to start programs on the screen"},
                {.name = "timeout", .arg = "SECONDS", .doc = "end it after that long"}},
    .positionals = {{.name = "NAME", .doc = "name of a desktop", .completes = PX_COMPLETE_DESKTOP},
                    {.name = "CMD", .verbatim = true, .doc = "the command and its arguments"}},
    .examples = {{"phoenix exec alice -- nvidia-smi", "Which GPUs does it see?"},
                 {"phoenix exec -u root alice -- apt-get install -y ncdu", "Installs a package."},
                 {"phoenix exec -s alice -- xfce4-terminal",
                  "Opens a terminal on its screen, until it is closed."}},
    .exits =
        "That of the command; 128 and the number when a signal ended it. 1 also when it could not "
        "be run.",
    .needs_root = true,
    .run = run,
};
