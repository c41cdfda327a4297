/* src/desktop/life.c - start, stop, restart, rm: one operation on many desktops */
#include "desktop/life.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "desktop/many.h"
#include "desktop/one.h"
#include "desktop/server.h"
#include <string.h>

static int do_start(const struct px_task *t, const struct px_events *events, struct px_error *err) {
    return px_one_start(t->fleet, t->name, t->opts, events, err);
}

static int do_stop(const struct px_task *t, const struct px_events *events, struct px_error *err) {
    return px_one_stop(t->fleet, t->name, true, t->opts, events, err);
}

static int do_stop_boot(const struct px_task *t, const struct px_events *events,
                        struct px_error *err) {
    return px_one_stop(t->fleet, t->name, false, t->opts, events, err);
}

static int do_restart(const struct px_task *t, const struct px_events *events,
                      struct px_error *err) {
    int r = px_one_stop(t->fleet, t->name, false, t->opts, NULL, err);
    return r < 0 ? r : px_one_start(t->fleet, t->name, t->opts, events, err);
}

static int do_remove(const struct px_task *t, const struct px_events *events,
                     struct px_error *err) {
    return px_one_remove(t->fleet, t->name, events, err);
}

static int on_names(const struct px_fleet *fleet, char *const *names, size_t n_names,
                    const struct px_life_opts *opts, px_task_fn run, struct px_error *err) {
    px_cleanup_free struct px_task *tasks = px_new0(struct px_task, n_names);
    for (size_t i = 0; i < n_names; i++)
        tasks[i] = (struct px_task){.fleet = fleet, .opts = opts, .name = names[i], .run = run};
    return px_many_run(tasks, n_names, opts, err);
}

/* What all desktops need of this host: once, before the first starts. The rules may be gone after a
 * reboot, and the server with them; without the latter desktops are of use, so that is only told.
 */
static int prepare_host(const struct px_fleet *fleet, struct px_error *err) {
    struct px_error why = {0};
    int r = px_fleet_net_up(fleet, err);
    if (r >= 0 && px_server_up(fleet, &why) < 0)
        px_warning("no remote access: %s%s%s%s", why.msg, why.hint[0] ? " (hint: " : "", why.hint,
                   why.hint[0] ? ")" : "");
    return r;
}

int px_start(const struct px_fleet *fleet, char *const *names, size_t n_names,
             const struct px_life_opts *opts, struct px_error *err) {
    int r = n_names > 0 ? prepare_host(fleet, err) : 0;
    return r < 0 ? r : on_names(fleet, names, n_names, opts, do_start, err);
}

int px_stop(const struct px_fleet *fleet, char *const *names, size_t n_names,
            const struct px_life_opts *opts, struct px_error *err) {
    return on_names(fleet, names, n_names, opts, do_stop, err);
}

int px_restart(const struct px_fleet *fleet, char *const *names, size_t n_names,
               const struct px_life_opts *opts, struct px_error *err) {
    int r = n_names > 0 ? prepare_host(fleet, err) : 0;
    return r < 0 ? r : on_names(fleet, names, n_names, opts, do_restart, err);
}

int px_rm(const struct px_fleet *fleet, char *const *names, size_t n_names,
          const struct px_life_opts *opts, struct px_error *err) {
    return on_names(fleet, names, n_names, opts, do_remove, err);
}

/* Moves the desktops that boot is to start to the front; returns how many. */
static size_t keep_for_boot(const struct px_fleet *fleet, char **names, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
        if (px_desktop_open(fleet, names[i], &d, NULL) < 0 || d->rec->phase != PX_PHASE_READY ||
            !d->rec->spec.autostart || !d->rec->want_running)
            continue;
        char *name = names[i];
        names[i] = names[kept];
        names[kept++] = name;
    }
    return kept;
}

int px_start_boot(const struct px_fleet *fleet, const struct px_life_opts *opts,
                  struct px_error *err) {
    char **names = NULL;
    size_t n = 0;
    int r = px_fleet_names(fleet, NULL, 0, &names, &n, err);
    if (r < 0)
        return r;
    /* Also where no desktop is to be started: who starts one by hand has it already. */
    const size_t kept = keep_for_boot(fleet, names, n);
    r = n > 0 && kept == 0 ? prepare_host(fleet, err) : px_start(fleet, names, kept, opts, err);
    px_names_free(names, n);
    return r;
}

int px_stop_boot(const struct px_fleet *fleet, const struct px_life_opts *opts,
                 struct px_error *err) {
    char **names = NULL;
    size_t n = 0;
    int r = px_fleet_names(fleet, NULL, 0, &names, &n, err);
    if (r < 0)
        return r;
    r = on_names(fleet, names, n, opts, do_stop_boot, err);
    px_names_free(names, n);
    return r;
}
