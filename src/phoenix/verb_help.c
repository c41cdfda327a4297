/* src/phoenix/verb_help.c - `phoenix help` */
#include "base/text.h"
#include "phoenix/cli.h"
#include "phoenix/help.h"
#include "phoenix/verbs.h"

static int run(struct px_cli *cli, struct px_error *err) {
    /* `help image build` is `image build --help`: the parser knows the words best. */
    char *argv[8] = {(char[]){"phoenix"}};
    int argc = 1;
    for (size_t i = 0; i < cli->args.n_words && argc < 7; i++)
        argv[argc++] = (char *)(uintptr_t)cli->args.words[i];
    argv[argc++] = (char[]){"--help"};
    px_cleanup(px_args_fini) struct px_args args = {0};
    int r = px_args_parse(&px_program, argc, argv, &args, err);
    if (r < 0)
        return px_cli_bad_input(cli, r);
    px_help_print(&px_program, args.verb, &cli->out);
    return 0;
}

const struct px_verb px_verb_help = {
    .name = "help",
    .summary = "explain a command",
    .positionals = {{.name = "COMMAND",
                     .optional = true,
                     .many = true,
                     .doc = "the command to explain, such as 'up' or 'image build'"}},
    .examples = {{"phoenix help image build", "Everything about 'phoenix image build'."}},
    .run = run,
};
