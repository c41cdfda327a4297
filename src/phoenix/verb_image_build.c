/* src/phoenix/verb_image_build.c - `phoenix image build` */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/text.h"
#include "image/build.h"
#include "phoenix/cli.h"
#include "phoenix/image_cli.h"
#include <jansson.h>
#include <string.h>

#define TAIL_LINES 25 /* of the log, when it went wrong */

struct work {
    struct px_progress *progress;
    const char *recipe;
    char *log; /* where the output goes; NULL: not begun */
};

static void on_progress(void *data, const struct px_image_progress *p) {
    struct work *w = data;
    px_cleanup_free char *text = strcmp(p->recipe, w->recipe) == 0
                                     ? px_strdup(p->stage)
                                     : px_asprintf("%s: %s", p->recipe, p->stage);
    px_progress_set(w->progress, w->recipe, p->fraction, text, p->item);
}

static void on_log(void *data, const char *path) {
    struct work *w = data;
    free(w->log);
    w->log = px_strdup(path);
}

static void show_log(struct px_cli *cli, const struct work *w) {
    px_cleanup_free char *tail = NULL;
    if (!w->log || px_image_log_tail(w->log, TAIL_LINES, &tail, NULL) < 0)
        return;
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    px_buf_printf(&text, "--- the last lines of %s\n", w->log);
    for (char *save = NULL, *l = strtok_r(tail, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        px_text_add(&text, l, 0);
        px_buf_putc(&text, '\n');
    }
    px_buf_puts(&text, "---\n");
    px_fd_write_all(cli->err.fd, text.data, text.size);
}

/* Where recipes are, when the host file does not say: here, else where they were installed. */
static const char *recipes_dir(const struct px_host_spec *host) {
    if (host->recipes_dir)
        return host->recipes_dir;
    return px_exists(AT_FDCWD, "recipes") ? "recipes" : PX_DATA_DIR "/recipes";
}

static int prepare(struct px_cli *cli, struct work *w, struct px_image_opts *ret,
                   struct px_error *err) {
    const struct px_host_spec *host = NULL;
    int r = px_cli_host(cli, &host, err);
    if (r < 0)
        return r;
    w->recipe = cli->args.words[0];
    w->progress = px_progress_new(&cli->err, cli->quiet);
    *ret = (struct px_image_opts){
        .state_dir = host->state_dir,
        .recipes_dir = recipes_dir(host),
        .recipe = w->recipe,
        .wait_ms = -1,
        .on_progress = on_progress,
        .on_log = on_log,
        .data = w,
    };
    px_interrupt_catch();
    return 0;
}

static void print_built(struct px_cli *cli, const struct px_image *image, int64_t took_us) {
    char size[PX_SIZE_TEXT_MAX];
    if (cli->json)
        px_cli_json(cli, json_pack("{s:s, s:s, s:I}", "name", image->name, "digest", image->digest,
                                   "size_bytes", (json_int_t)image->size_bytes));
    else
        px_cli_printf(cli, "%s  %.19s  %s  %.1f s\n", image->name, image->digest,
                      px_size_human(image->size_bytes, size), (double)took_us / PX_US_PER_S);
}

static int finish(struct px_cli *cli, struct work *w, int r) {
    w->progress = px_progress_free(w->progress);
    if (r < 0 && r != -EINTR && r != -ENOENT && r != -EAGAIN)
        show_log(cli, w);
    free(w->log);
    return r;
}

static int build(struct px_cli *cli, struct px_error *err) {
    struct work w = {0};
    struct px_image_opts opts;
    px_cleanup(px_image_freep) struct px_image *image = NULL;
    if (px_cli_flag(cli, "locked") && px_cli_flag(cli, "newest"))
        return px_cli_bad_input(cli,
                                px_fail(err, -EINVAL, "--locked and --newest exclude each other"));
    int r = prepare(cli, &w, &opts, err);
    if (r < 0)
        return r;
    const int64_t began = px_now_us();
    opts.name = px_cli_value(cli, "name");
    opts.lock = px_cli_flag(cli, "locked")   ? PX_LOCK_REQUIRE
                : px_cli_flag(cli, "newest") ? PX_LOCK_IGNORE
                                             : PX_LOCK_AUTO;
    r = finish(cli, &w, px_image_build(&opts, &image, err));
    if (r < 0)
        return r == -EINVAL ? px_cli_bad_input(cli, r) : r;
    print_built(cli, image, px_now_us() - began);
    return 0;
}

const struct px_verb px_verb_image_build = {
    .name = "build",
    .summary = "build an image from a recipe",
    .description =
        "Builds from the recipe's lock where it has one, so that the same recipe gives the same "
        "image. Layers whose inputs did not change are not built again. The log is kept; its "
        "end is shown when the build fails.",
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
    .run = build,
};
