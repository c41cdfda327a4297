/* src/phoenix/verb_image_lock.c - `phoenix image lock` */
#include "phoenix/image_cli.h"
#include <jansson.h>

static int run(struct px_cli *cli, struct px_error *err) {
    struct px_image_work work;
    struct px_image_opts opts;
    unsigned n_changed = 0;
    int r = px_image_work_begin(cli, &work, &opts, err);
    if (r < 0)
        return r;
    r = px_image_work_end(cli, &work, px_image_lock(&opts, &n_changed, err));
    if (r < 0)
        return r;
    if (cli->json)
        px_cli_json(cli, json_pack("{s:i}", "changed", (int)n_changed));
    else if (n_changed == 0)
        px_cli_puts(cli, "the locks are up to date\n");
    else
        px_cli_printf(cli, "%u lock file%s changed\n", n_changed, n_changed == 1 ? "" : "s");
    return 0;
}

const struct px_verb px_verb_image_lock = {
    .name = "lock",
    .summary = "write down the exact packages of a recipe",
    .description = "Writes name, version and hash of every package into recipe.lock, for this "
                   "recipe and those "
                   "it builds on. Existing images stay as they are.",
    .positionals = {{.name = "RECIPE",
                     .doc = "name of a recipe, or a path to its folder",
                     .completes = PX_COMPLETE_RECIPE}},
    .examples = {{"phoenix image lock desktop", "Takes the newest packages from now on."}},
    .needs_root = true,
    .run = run,
};
