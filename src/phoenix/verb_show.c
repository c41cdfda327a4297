/* src/phoenix/verb_show.c - `phoenix show` */
#include "base/alloc.h"
#include "base/text.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/span.h"
#include "phoenix/verbs.h"
#include <jansson.h>

static const char *limit_text(uint64_t bytes, char out[PX_SIZE_TEXT_MAX]) {
    return bytes > 0 ? px_size_format(bytes, out) : "no limit";
}

static void print_use(struct px_cli *cli, const struct px_status *s) {
    char memory[PX_SIZE_TEXT_MAX], disk[PX_SIZE_TEXT_MAX], up[PX_SPAN_TEXT_MAX],
        cpu[PX_SPAN_TEXT_MAX];
    px_cli_fact(cli, "written", "%s", px_size_human(s->info.disk_bytes, disk));
    if (s->info.init_pid <= 0)
        return;
    px_cli_fact(cli, "up", "%s, %s of CPU time", px_span_since_boot(s->info.started_us, up),
                px_span_text((int64_t)s->info.cpu_us, cpu));
    px_cli_fact(cli, "uses", "%s of memory, %u processes",
                px_size_human(s->info.memory_bytes, memory), s->info.pids);
    px_cli_fact(cli, "init", "pid %d on the host", (int)s->info.init_pid);
}

static void print_spec(struct px_cli *cli, const struct px_record *rec) {
    const struct px_desktop_spec *spec = &rec->spec;
    char memory[PX_SIZE_TEXT_MAX], disk[PX_SIZE_TEXT_MAX], shm[PX_SIZE_TEXT_MAX],
        age[PX_SPAN_TEXT_MAX];
    px_cli_fact(cli, "image", "%s (%.19s)", spec->image, rec->image);
    if (spec->cores > 0)
        px_cli_fact(cli, "cores", "%u", spec->cores);
    else
        px_cli_fact(cli, "cores", "all");
    px_cli_fact(cli, "memory", "%s", limit_text(spec->memory_bytes, memory));
    px_cli_fact(cli, "disk", "%s", limit_text(spec->disk_bytes, disk));
    px_cli_fact(cli, "/dev/shm", "%s", limit_text(spec->shm_bytes, shm));
    px_cli_fact(cli, "display", "%ux%u, keyboard %s", spec->width_px, spec->height_px,
                spec->keyboard ? spec->keyboard : "us");
    for (size_t i = 0; i < spec->n_mounts; i++)
        px_cli_fact(cli, "mount", "%s on %s%s", spec->mounts[i].source, spec->mounts[i].target,
                    spec->mounts[i].read_only ? ", read-only" : "");
    px_cli_fact(cli, "ids", "%u..%u", rec->id_first, rec->id_first + (rec->id_count - 1));
    px_cli_fact(cli, "at boot", "%s",
                spec->autostart && rec->want_running ? "started" : "not started");
    px_cli_fact(cli, "made", "%s ago, from %s", px_span_since_epoch(rec->created_s, age),
                rec->source[0] ? rec->source : "standard input");
}

static void print(struct px_cli *cli, const struct px_status *s) {
    px_cli_fact(cli, "desktop", "%s", s->name);
    px_cli_fact(cli, "state", "%s", s->state);
    if (s->problem)
        px_cli_fact(cli, "problem", "%s", s->problem);
    if (s->renew)
        px_cli_fact(cli, "phoenix-host", "another than installed; the installed one starts by: %s",
                    s->renew);
    if (s->rec) {
        px_cli_fact(cli, "user", "%s", s->user);
        px_cli_fact(cli, "address", "%s", s->address[0] ? s->address : "none");
        px_cli_fact(cli, "GPUs", "%s", s->gpus);
        print_spec(cli, s->rec);
        print_use(cli, s);
    }
    if (s->rustdesk_id)
        px_cli_fact(cli, "RustDesk ID", "%s (password: phoenix connect %s)", s->rustdesk_id,
                    s->name);
    if (s->jupyter_url)
        px_cli_fact(cli, "Jupyter", "%s", s->jupyter_url);
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    struct px_status *list = NULL;
    size_t n = 0;
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0)
        return r;
    r = px_status_list(fleet, cli->args.words, cli->args.n_words,
                       &(struct px_status_opts){.disk = true}, &list, &n, err);
    if (r < 0)
        return r;
    if (n == 0 && !cli->json) {
        px_status_list_free(list, n);
        return px_cli_no_match(cli, fleet, err);
    }
    if (cli->json)
        px_cli_json(cli, px_cli_status_json(list, n));
    for (size_t i = 0; i < n && !cli->json; i++) {
        if (i > 0)
            px_cli_puts(cli, "\n");
        print(cli, &list[i]);
    }
    px_status_list_free(list, n);
    return 0;
}

const struct px_verb px_verb_show = {
    .name = "show",
    .summary = "show all about a desktop",
    .positionals = {{.name = "NAME",
                     .many = true,
                     .doc = "names of desktops or globs",
                     .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix show alice", "Its state, limits, use and how to reach it."}},
    .needs_root = true,
    .run = run,
};
