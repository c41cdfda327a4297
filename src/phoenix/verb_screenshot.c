/* src/phoenix/verb_screenshot.c - `phoenix screenshot` */
#include "base/alloc.h"
#include "base/file.h"
#include "desktop/reach.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"
#include <jansson.h>
#include <string.h>

static int write_png(struct px_cli *cli, const char *path, const struct px_buf *png,
                     struct px_error *err) {
    if (strcmp(path, "-") == 0) {
        int r = px_fd_write_all(STDOUT_FILENO, png->data, png->size);
        return r < 0 ? px_fail_sys(err, r, "cannot write the picture") : 0;
    }
    int r = px_file_write_atomic(AT_FDCWD, path, png->data, png->size, 0644, err);
    if (r < 0)
        return r;
    if (cli->json)
        px_cli_json(cli, json_pack("{s:s, s:I}", "file", path, "bytes", (json_int_t)png->size));
    else
        px_cli_printf(cli, "%s\n", path);
    return 0;
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    px_cleanup(px_buf_fini) struct px_buf png = {0};
    const char *name = cli->args.words[0];
    px_cleanup_free char *fallback = px_asprintf("%s.png", name);
    const char *path = px_cli_value(cli, "output") ? px_cli_value(cli, "output") : fallback;
    if (strcmp(path, "-") == 0 && cli->out.tty)
        return px_cli_bad_input(cli, px_fail(err, -EINVAL, "a picture does not go to a terminal"));
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0 || (r = px_desktop_screenshot(fleet, name, &png, err)) < 0)
        return r;
    return write_png(cli, path, &png, err);
}

const struct px_verb px_verb_screenshot = {
    .name = "screenshot",
    .summary = "take a picture of a desktop's screen",
    .options = {{.name = "output",
                 .letter = 'o',
                 .arg = "FILE",
                 .completes = PX_COMPLETE_FILE,
                 .doc = "the PNG to write (default NAME.png; - is standard output)"}},
    .positionals = {{.name = "NAME", .doc = "name of a desktop", .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix screenshot alice", "Writes alice.png."}},
    .needs_root = true,
    .run = run,
};
