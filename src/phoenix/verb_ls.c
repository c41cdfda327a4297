/* src/phoenix/verb_ls.c - `phoenix ls` */
#include "base/text.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/span.h"
#include "phoenix/verbs.h"

struct columns {
    bool disk, problem; /* shown only where asked for, where there is any */
};

static void add_row(struct px_table *t, const struct px_status *s, struct columns columns) {
    char memory[PX_SIZE_TEXT_MAX] = "", written[PX_SIZE_TEXT_MAX] = "", up[PX_SPAN_TEXT_MAX] = "";
    if (s->info.init_pid > 0) {
        px_size_human(s->info.memory_bytes, memory);
        px_span_since_boot(s->info.started_us, up);
    }
    px_table_cell(t, PX_BOLD, "%s", s->name);
    px_table_cell(t, px_cli_state_colour(s), "%s", s->state);
    px_table_cell(t, PX_PLAIN, "%s", s->address);
    px_table_cell(t, PX_PLAIN, "%s", s->user);
    px_table_cell(t, PX_PLAIN, "%s", s->image);
    px_table_cell(t, PX_PLAIN, "%s", s->gpus);
    px_table_cell(t, PX_PLAIN, "%s", memory);
    if (columns.disk)
        px_table_cell(t, PX_PLAIN, "%s", px_size_human(s->info.disk_bytes, written));
    px_table_cell(t, PX_PLAIN, "%s", up);
    if (columns.problem && s->renew && !s->problem)
        px_table_cell(t, PX_WARN, "runs another phoenix-host than installed");
    else if (columns.problem)
        px_table_cell(t, PX_BAD, "%s", s->problem ? s->problem : "");
}

static void print(struct px_cli *cli, const struct px_status *list, size_t n, bool disk) {
    struct columns columns = {.disk = disk};
    for (size_t i = 0; i < n; i++)
        columns.problem |= list[i].problem || list[i].renew;
    px_cleanup(px_table_freep) struct px_table *t =
        px_table_new("NAME", "STATE", "ADDRESS", "USER", "IMAGE", "GPUS", "MEMORY>", NULL);
    if (columns.disk)
        px_table_column(t, "WRITTEN>");
    px_table_column(t, "UP>");
    if (columns.problem)
        px_table_column(t, "PROBLEM~");
    for (size_t i = 0; i < n; i++)
        add_row(t, &list[i], columns);
    px_table_print(t, &cli->out);
    px_cli_note_renewal(cli, list, n);
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    struct px_status *list = NULL;
    size_t n = 0;
    const bool disk = px_cli_flag(cli, "disk");
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0)
        return r;
    r = px_status_list(fleet, cli->args.words, cli->args.n_words,
                       &(struct px_status_opts){.disk = disk}, &list, &n, err);
    if (r < 0)
        return r;
    if (cli->json)
        px_cli_json(cli, px_cli_status_json(list, n));
    else if (cli->quiet)
        for (size_t i = 0; i < n; i++)
            px_cli_printf(cli, "%s\n", list[i].name);
    else if (n == 0)
        px_cli_note(cli, cli->args.n_words > 0 ? "no desktop matches"
                                               : "no desktops yet: 'phoenix up FILE' makes them");
    else
        print(cli, list, n, disk);
    px_status_list_free(list, n);
    return 0;
}

const struct px_verb px_verb_ls = {
    .name = "ls",
    .summary = "list desktops",
    .description =
        "MEMORY is what a desktop holds itself, without the page cache of the shared image. "
        "With --quiet only names are printed.\n"
        "\n"
        "A desktop goes on with the phoenix-host that it started, also when a newer one has been "
        "installed. PROBLEM says so then, and the line below what starts the installed one: it "
        "ends "
        "remote sessions, which clients take up again, and no program.",
    .options = {{.name = "disk", .doc = "also what each has written to disk (slower)"}},
    .positionals = {{.name = "NAME",
                     .many = true,
                     .optional = true,
                     .doc = "names of desktops or globs; without: all",
                     .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix ls", "All desktops."},
                 {"phoenix ls 'lab-*' --json | jq -r '.desktops[].address'",
                  "The addresses of all of lab."}},
    .needs_root = true,
    .run = run,
};
