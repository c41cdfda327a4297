/* src/phoenix/verb_man.c - `phoenix __man`: the man page, at build time */
#include "base/file.h"
#include "phoenix/cli.h"
#include "phoenix/man.h"
#include "phoenix/verbs.h"

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    int r = px_file_read(AT_FDCWD, cli->args.words[0], 1024 * 1024, &text, NULL, err);
    if (r < 0)
        return r;
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_man_render(&px_program, text, &out);
    px_cli_puts(cli, px_buf_str(&out));
    return 0;
}

const struct px_verb px_verb_man = {
    .name = "__man",
    .summary = "the man page, at build time",
    .hidden = true,
    .positionals = {{.name = "TEMPLATE", .doc = "the page's prose"}},
    .run = run,
};
