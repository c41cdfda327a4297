/* src/phoenix/verb_complete.c - `phoenix __complete`: candidates for the shells' completion */
#include "base/alloc.h"
#include "base/file.h"
#include "check/verify.h"
#include "phoenix/cli.h"
#include "phoenix/complete.h"
#include "phoenix/verbs.h"
#include <sys/stat.h>

/* Completion must be quick and never complain: names come straight from the directories that hold
 * the state, and whatever cannot be read offers nothing. */
static void add_entries(const char *dir_path, bool dirs_only, struct px_buf *out) {
    px_cleanup_closedir DIR *dir = opendir(dir_path);
    const struct dirent *e;
    while (dir && (e = readdir(dir))) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dirfd(dir), e->d_name, &st, 0) < 0 ||
            (dirs_only && !S_ISDIR(st.st_mode)))
            continue;
        px_buf_printf(out, "%s\n", e->d_name);
    }
}

static void add_names(void *data, enum px_completes what, struct px_buf *out) {
    const struct px_host_spec *host = NULL;
    if (what == PX_COMPLETE_CHECKS) {
        for (const struct px_check *c = px_verify_checks; c->name; c++)
            px_buf_printf(out, "%s\n", c->name);
        return;
    }
    if (px_cli_host(data, &host, NULL) < 0)
        return;
    if (what == PX_COMPLETE_RECIPE) {
        add_entries(px_host_recipes_dir(host), true, out);
        return;
    }
    const bool desktops = what == PX_COMPLETE_DESKTOP;
    px_cleanup_free char *dir =
        px_asprintf("%s/%s", host->state_dir, desktops ? "desktops" : "images/names");
    add_entries(dir, desktops, out);
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    const struct px_complete_names names = {add_names, cli};
    px_complete(&px_program, (char *const *)(uintptr_t)cli->args.words, cli->args.n_words, &names,
                &out);
    px_cli_puts(cli, px_buf_str(&out));
    return 0;
}

const struct px_verb px_verb_complete = {
    .name = "__complete",
    .summary = "candidates for the shells' completion",
    .hidden = true,
    .positionals =
        {{.name = "WORD", .verbatim = true, .optional = true, .doc = "the words so far"}},
    .run = run,
};
