/* src/phoenix/fleet_cli.c - what the verbs about desktops share */
#include "phoenix/fleet_cli.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include <jansson.h>
#include <string.h>

int px_cli_fleet(struct px_cli *cli, struct px_fleet **ret, struct px_error *err) {
    const struct px_host_spec *host = NULL;
    int r = px_cli_host(cli, &host, err);
    return r < 0 ? r : px_fleet_open(host, ret, err);
}

int px_cli_names(struct px_cli *cli, const struct px_fleet *fleet, char ***ret, size_t *ret_n,
                 struct px_error *err) {
    int r = px_fleet_names(fleet, cli->args.words, cli->args.n_words, ret, ret_n, err);
    if (r < 0 || *ret_n > 0)
        return r;
    px_names_free(*ret, 0);
    return px_cli_no_match(cli, fleet, err);
}

int px_cli_no_match(const struct px_cli *cli, const struct px_fleet *fleet, struct px_error *err) {
    char **names = NULL;
    size_t n = 0;
    const int r = px_fleet_names(fleet, NULL, 0, &names, &n, err);
    if (r < 0)
        return r;
    px_names_free(names, n);
    if (n == 0) {
        px_fail(err, -ENOENT, "there are no desktops yet");
        return px_hint(err, -ENOENT, "`phoenix up FILE` makes them");
    }
    px_fail(err, -ENOENT, "no desktop matches '%s'",
            cli->args.n_words > 0 ? cli->args.words[0] : "*");
    return px_hint(err, -ENOENT, "`phoenix ls` lists them");
}

static void on_event(void *data, const struct px_event *e) {
    struct px_progress *p = data;
    const char *key = e->desktop[0] ? e->desktop : "host";
    px_cleanup_free char *text = NULL;
    switch (e->kind) {
    case PX_EVENT_STEP:
        px_progress_set(p, key, -1, e->text, NULL);
        break;
    case PX_EVENT_DONE:
        text = px_asprintf("%s (%.1f s)", e->text, (double)e->elapsed_us / PX_US_PER_S);
        px_progress_done(p, key, PX_PROGRESS_OK, e->elapsed_us > 0 ? text : e->text);
        break;
    case PX_EVENT_FAILED:
        text = e->err->hint[0] ? px_asprintf("%s (hint: %s)", e->err->msg, e->err->hint)
                               : px_strdup(e->err->msg);
        px_progress_done(p, key, PX_PROGRESS_FAILED, text);
        break;
    case PX_EVENT_NOTE:
        text = e->desktop[0] ? px_asprintf("%s: %s", e->desktop, e->text) : px_strdup(e->text);
        px_progress_say(p, text);
        break;
    }
}

struct px_events px_cli_events(struct px_progress *progress) {
    return (struct px_events){on_event, progress};
}

static bool has_option(const struct px_cli *cli, const char *name) {
    for (size_t i = 0; i < px_verb_n_options(cli->args.verb); i++)
        if (strcmp(cli->args.verb->options[i].name, name) == 0)
            return true;
    return false;
}

static enum px_wait_for wait_of(const char *word) {
    return !word || strcmp(word, "desktop") == 0 ? PX_WAIT_DESKTOP
           : strcmp(word, "system") == 0         ? PX_WAIT_SYSTEM
                                                 : PX_WAIT_NOTHING;
}

int px_cli_life_opts(struct px_cli *cli, struct px_progress *progress, struct px_life_opts *ret,
                     struct px_error *err) {
    long number = 0;
    int r = 0;
    *ret = (struct px_life_opts){
        .wait = PX_WAIT_DESKTOP, .stop_timeout_ms = -1, .events = px_cli_events(progress)};
    if (has_option(cli, "parallel")) {
        if ((r = px_cli_number(cli, "parallel", 1, 1000, 0, &number, err)) < 0)
            return r;
        ret->parallel = (unsigned)number;
    }
    if (has_option(cli, "timeout")) {
        if ((r = px_cli_number(cli, "timeout", 0, 86400, -1, &number, err)) < 0)
            return r;
        ret->timeout_us = number > 0 ? number * PX_US_PER_S : number == 0 ? 1 : 0;
        ret->stop_timeout_ms = number < 0 ? -1 : (int)number * 1000;
    }
    if (has_option(cli, "wait"))
        ret->wait = wait_of(px_cli_value(cli, "wait"));
    px_interrupt_catch();
    return 0;
}

/* @boot over all desktops where there is one, else @work over the desktops named. */
static int work_on(struct px_cli *cli, px_life_fn work, px_boot_fn boot, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    char **names = NULL;
    size_t n = 0;
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0 || (!boot && (r = px_cli_names(cli, fleet, &names, &n, err)) < 0))
        return r;
    px_cleanup(px_progress_freep) struct px_progress *progress =
        px_progress_new(&cli->err, cli->quiet);
    struct px_life_opts opts;
    r = px_cli_life_opts(cli, progress, &opts, err);
    if (r >= 0)
        r = boot ? boot(fleet, &opts, err) : work(fleet, names, n, &opts, err);
    px_names_free(names, n);
    return r < 0 ? r : 0;
}

int px_cli_life(struct px_cli *cli, px_life_fn work, struct px_error *err) {
    return work_on(cli, work, NULL, err);
}

int px_cli_life_or_boot(struct px_cli *cli, px_life_fn work, px_boot_fn boot,
                        struct px_error *err) {
    const bool at_boot = px_cli_flag(cli, "boot");
    if (at_boot == (cli->args.n_words > 0)) {
        if (at_boot)
            px_fail(err, -EINVAL, "--boot takes no names");
        else
            px_fail(err, -EINVAL, "NAME is missing after 'phoenix %s'", cli->args.verb->name);
        return px_cli_bad_input(cli, -EINVAL);
    }
    return work_on(cli, work, at_boot ? boot : NULL, err);
}

int px_cli_desktop_file(struct px_cli *cli, const char *path, struct px_desktop_file **ret,
                        struct px_error *err) {
    int r = px_desktop_file_load(path, ret, err);
    return r < 0 ? px_cli_bad_input(cli, r) : 0;
}

enum px_colour px_cli_state_colour(const struct px_status *s) {
    if (s->problem || !s->rec || s->rec->phase != PX_PHASE_READY)
        return PX_BAD;
    if (strcmp(s->state, "running") == 0)
        return PX_GOOD;
    return strcmp(s->state, "stopped") == 0 ? PX_DIM : PX_WARN;
}

void px_cli_note_renewal(const struct px_cli *cli, const struct px_status *list, size_t n) {
    const struct px_status *first = NULL;
    size_t n_old = 0;
    for (size_t i = 0; i < n; i++)
        if (list[i].renew && n_old++ == 0)
            first = &list[i];
    if (n_old == 1)
        px_cli_note(cli, "'%s' runs another phoenix-host than installed (hint: `%s`)", first->name,
                    first->renew);
    else if (n_old > 1)
        px_cli_note(cli,
                    "%zu desktops run another phoenix-host than installed (hint: `%s`, and so on)",
                    n_old, first->renew);
}

struct json_t *px_cli_status_json(const struct px_status *list, size_t n) {
    json_t *items = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(items, px_status_to_json(&list[i]));
    return json_pack("{s:o}", "desktops", items);
}
