/* src/phoenix/verb_probe.c - `phoenix probe` */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "check/probing.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"
#include <jansson.h>
#include <string.h>

#define LIMIT_US (3600 * PX_US_PER_S)

/* The verb's own options are the probe's, word for word. */
static size_t forward(const struct px_cli *cli, const char *const *extra, const char **args,
                      char **owned) {
    size_t n = 0;
    for (size_t i = 0; i < cli->args.n_given && n + 4 < PX_PROBING_ARGS_MAX; i++) {
        const struct px_option *o = cli->args.given[i].option;
        const struct px_verb *verb = cli->args.verb;
        if (o < verb->options || o >= verb->options + PX_VERB_OPTIONS_MAX)
            continue; /* one of the program's */
        args[n] = owned[n] = cli->args.given[i].value
                                 ? px_asprintf("--%s=%s", o->name, cli->args.given[i].value)
                                 : px_asprintf("--%s", o->name);
        n++;
    }
    for (; *extra; extra++, n++)
        args[n] = owned[n] = px_strdup(*extra);
    return n;
}

/* What a person is shown: of a stage's histogram the mean, and no other histograms. */
static char *fact_text(const json_t *value) {
    const json_t *mean = json_object_get(value, "mean_ms");
    if (mean)
        return px_asprintf("%.1f ms, mean of %jd", json_number_value(mean),
                           (intmax_t)json_integer_value(json_object_get(value, "count")));
    if (json_is_string(value))
        return px_strdup(json_string_value(value));
    if (json_is_boolean(value))
        return px_strdup(json_is_true(value) ? "yes" : "no");
    if (json_is_integer(value))
        return px_asprintf("%jd", (intmax_t)json_integer_value(value));
    return px_asprintf("%.1f", json_number_value(value));
}

/* Prints the facts, their names @width wide; returns the longest name. Without @cli only that. */
static size_t print_facts(struct px_cli *cli, const json_t *o, const char *group, size_t width) {
    const char *key;
    json_t *value;
    size_t longest = 0;
    json_object_foreach((json_t *)o, key, value) {
        if (json_is_array(value) || strcmp(key, "decode_ms") == 0)
            continue;
        px_cleanup_free char *name = px_asprintf("%s%s%s", group, *group ? " " : "", key);
        for (char *p = name; (p = strchr(p, '_'));)
            *p = ' ';
        size_t n = strlen(name);
        if (json_is_object(value) && !json_object_get(value, "mean_ms")) {
            n = print_facts(cli, value, name, width);
        } else if (cli) {
            px_cleanup_free char *padded = px_asprintf("%-*s", (int)width, name);
            px_cleanup_free char *text = fact_text(value);
            px_cli_fact(cli, padded, "%s", text);
        }
        longest = n > longest ? n : longest;
    }
    return longest;
}

/* Its report is a stranger's as far as we are concerned: it has read what a desktop sends. */
static int show(struct px_cli *cli, const struct px_buf *out, const struct px_buf *why, int status,
                json_t *stages, struct px_error *err) {
    json_t *o = out->size ? json_loadb(out->data, out->size, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!json_is_object(o)) {
        px_cleanup_free char *line = px_strndup(px_buf_str(why), strcspn(px_buf_str(why), "\n"));
        const char *words = strncmp(line, "phoenix-probe: ", 15) == 0 ? line + 15 : line;
        json_decref(o);
        px_fail(err, -EIO, "%s", *words ? words : "phoenix-probe says nothing");
        if (status == 2)
            return px_cli_bad_input(cli, -EIO);
        return px_hint(err, -EIO, "`phoenix verify %s` says what is not well", cli->args.words[0]);
    }
    if (stages)
        json_object_set(o, "stages", stages);
    if (cli->json)
        px_cli_json(cli, json_incref(o));
    else
        print_facts(cli, o, "", print_facts(NULL, o, "", 0));
    json_decref(o);
    return status;
}

static int probe(struct px_cli *cli, const struct px_fleet *fleet, const struct px_desktop *d,
                 const char *const *extra, struct px_error *err) {
    const char *args[PX_PROBING_ARGS_MAX] = {0};
    char *owned[PX_PROBING_ARGS_MAX] = {0};
    px_cleanup(px_buf_fini) struct px_buf out = {0}, why = {0};
    struct px_stages before, after;
    const size_t n = forward(cli, extra, args, owned);
    bool told = px_probing_stages(fleet, d, &before, NULL) == 0;
    int r = px_probing_run(fleet, d, args, LIMIT_US, &out, &why, err);
    for (size_t i = 0; i < n; i++)
        free(owned[i]);
    told = r >= 0 && told && px_probing_stages(fleet, d, &after, NULL) == 0;
    json_t *stages = told ? px_stages_json(&before, &after) : NULL;
    r = r < 0 ? r : show(cli, &out, &why, r, stages, err);
    json_decref(stages);
    return r;
}

/* Else its ID would be asked for until the time is up, and nothing said of why. */
static int check_runs(const struct px_fleet *fleet, const struct px_desktop *d,
                      struct px_error *err) {
    struct px_container_info info = {0};
    const char *name = d->rec->spec.name;
    const int r = px_fleet_backend(fleet)->info(&d->c, false, &info, err);
    if (r < 0 || info.init_pid > 0)
        return r;
    px_fail(err, -ESRCH, "desktop '%s' is not running", name);
    return px_hint(err, -ESRCH, "`phoenix start %s` starts it", name);
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    px_cleanup(px_aim_close) struct px_aim aim = {.in = -1};
    const char *name = cli->args.words[0];
    char at[32] = "";
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0 || (r = px_desktop_open(fleet, name, &d, err)) < 0 ||
        (r = check_runs(fleet, d, err)) < 0)
        return r;
    px_interrupt_catch();
    if (px_cli_value(cli, "latency")) {
        if ((r = px_aim_open(fleet, name, &aim, err)) < 0)
            return px_wrap(err, r, "desktop '%s'", name);
        snprintf(at, sizeof(at), "--target=%d,%d", aim.x, aim.y);
    }
    r = probe(cli, fleet, d, (const char *const[]){at[0] ? at : NULL, NULL}, err);
    return r < 0 ? px_wrap(err, r, "desktop '%s'", name) : r;
}

const struct px_verb px_verb_probe = {
    .name = "probe",
    .summary = "look into a desktop as a RustDesk client does",
    .description =
        "Logs in by ID through the server, decodes the picture, and does what the options say. "
        "phoenix-probe(1) is the program behind it, for desktops of other hosts; its options are "
        "the same. What the host counts of its pictures meanwhile is added: for each stage how "
        "many, how long on average and, with --json, as a histogram.",
    .options = {{.name = "relay", .doc = "through the relay, even where there is a shorter way"},
                {.name = "png",
                 .arg = "FILE",
                 .completes = PX_COMPLETE_FILE,
                 .doc = "write the last picture, as it was decoded"},
                {.name = "seconds", .arg = "N", .doc = "watch for so long"},
                {.name = "type", .arg = "TEXT", .doc = "type it"},
                {.name = "click", .arg = "X,Y", .doc = "click there"},
                {.name = "latency",
                 .arg = "N",
                 .doc = "click N times into a small window put there for it, and measure how long "
                        "each takes to show in the picture"},
                {.name = "codec",
                 .arg = "NAME",
                 .completes = PX_COMPLETE_WORDS,
                 .words = "vp8 vp9 av1 h264 h265",
                 .doc = "ask for this one"},
                {.name = "444", .doc = "ask for full colour"},
                {.name = "clipboard", .doc = "copy a text each way; the desktop keeps the last"},
                {.name = "files", .arg = "BYTES", .doc = "send a file there and back"},
                {.name = "put",
                 .arg = "FILE",
                 .completes = PX_COMPLETE_FILE,
                 .doc = "send a file, --to where"},
                {.name = "to", .arg = "PATH", .doc = "its absolute path inside"},
                {.name = "get", .arg = "PATH", .doc = "fetch a file, --into which"},
                {.name = "into",
                 .arg = "FILE",
                 .completes = PX_COMPLETE_FILE,
                 .doc = "where it goes here"},
                {.name = "tunnel",
                 .arg = "HOST:PORT",
                 .doc = "ask there for / by HTTP, through a tunnel"}},
    .positionals = {{.name = "NAME", .doc = "name of a desktop", .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix probe alice --latency 20", "From click to picture, 20 times."},
                 {"phoenix probe alice --relay --seconds 2 --png alice.png",
                  "What a client sees. The very first picture is coarse; it is sharp soon after."},
                 {"phoenix probe alice --tunnel localhost:8888", "Does Jupyter answer?"}},
    .exits = "1 also when one of the things asked for was not done.",
    .needs_root = true,
    .run = run,
};
