/* src/phoenix/verb_connect.c - `phoenix connect` */
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"
#include <string.h>

static int print(struct px_cli *cli, const struct px_status *s, struct px_error *err) {
    if (strcmp(s->state, "running") != 0) {
        px_fail(err, -ESRCH, "desktop '%s' is %s", s->name, s->state);
        return px_hint(err, -ESRCH, "`phoenix start %s` starts it", s->name);
    }
    px_cli_fact(cli, "shell", "phoenix shell %s", s->name);
    if (s->has_session)
        px_cli_fact(cli, "screen", "phoenix screenshot %s", s->name);
    if (s->jupyter_url)
        px_cli_fact(cli, "Jupyter", "%s", s->jupyter_url);
    if (s->address[0])
        px_cli_fact(cli, "address", "%s (from this host)", s->address);
    return 0;
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    struct px_status *list = NULL;
    size_t n = 0;
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0)
        return r;
    r = px_status_list(fleet, cli->args.words, 1, &(struct px_status_opts){0}, &list, &n, err);
    if (r < 0)
        return r;
    if (n != 1)
        r = px_cli_bad_input(cli, px_fail(err, -EINVAL, "'%s' matches %zu desktops, not one",
                                          cli->args.words[0], n));
    else if (cli->json)
        px_cli_json(cli, px_cli_status_json(list, n));
    else
        r = print(cli, &list[0], err);
    px_status_list_free(list, n);
    return r;
}

const struct px_verb px_verb_connect = {
    .name = "connect",
    .summary = "say how to reach a desktop",
    .positionals = {{.name = "NAME", .doc = "name of a desktop", .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix connect alice",
                  "Its Jupyter URL with the token, and the commands that open a "
                  "shell and show the screen."}},
    .needs_root = true,
    .run = run,
};
