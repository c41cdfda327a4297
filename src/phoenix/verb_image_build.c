/* src/phoenix/verb_image_build.c - `phoenix image build` */
#include "base/clock.h"
#include "base/text.h"
#include "phoenix/image_cli.h"
#include <jansson.h>

static void print_built(struct px_cli *cli, const struct px_image *image, int64_t took_us) {
    char size[PX_SIZE_TEXT_MAX];
    if (cli->json)
        px_cli_json(cli, json_pack("{s:s, s:s, s:I}", "name", image->name, "digest", image->digest,
                                   "size_bytes", (json_int_t)image->size_bytes));
    else
        px_cli_printf(cli, "%s  %.19s  %s  %.1f s\n", image->name, image->digest,
                      px_size_human(image->size_bytes, size), (double)took_us / PX_US_PER_S);
}

static int run(struct px_cli *cli, struct px_error *err) {
    struct px_image_work work;
    struct px_image_opts opts;
    px_cleanup(px_image_freep) struct px_image *image = NULL;
    const bool locked = px_cli_flag(cli, "locked"), newest = px_cli_flag(cli, "newest");
    if (locked && newest)
        return px_cli_bad_input(cli,
                                px_fail(err, -EINVAL, "--locked and --newest exclude each other"));
    int r = px_image_work_begin(cli, &work, &opts, err);
    if (r < 0)
        return r;
    const int64_t began = px_now_us();
    opts.name = px_cli_value(cli, "name");
    opts.lock = locked ? PX_LOCK_REQUIRE : newest ? PX_LOCK_IGNORE : PX_LOCK_AUTO;
    r = px_image_work_end(cli, &work, px_image_build(&opts, &image, err));
    if (r >= 0)
        print_built(cli, image, px_now_us() - began);
    return r < 0 ? r : 0;
}

const struct px_verb px_verb_image_build = {
    .name = "build",
    .summary = "build an image from a recipe",
    .description =
        "Builds from the recipe's lock where it has one, so that the same recipe gives the same "
        "image. Layers whose inputs did not change are not built again. The log is kept; its end "
        "is "
        "shown when the build fails.",
    .options = {{.name = "name", .arg = "NAME", .doc = "name of the image (default: the recipe's)"},
                {.name = "locked", .doc = "refuse to build without a lock"},
                {.name = "newest", .doc = "ignore the lock, take what Debian serves now"}},
    .positionals = {{.name = "RECIPE",
                     .doc = "name of a recipe, or a path to its folder",
                     .completes = PX_COMPLETE_RECIPE}},
    .examples = {{"phoenix image build desktop",
                  "The image that desktops are made from by default."},
                 {"phoenix image build ./my-recipe --name lab", "One of your own."}},
    .needs_root = true,
    .run = run,
};
