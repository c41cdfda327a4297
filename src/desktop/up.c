/* src/desktop/up.c - carrying a plan out */
#include "base/alloc.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/step.h"
#include "desktop/check.h"
#include "desktop/life.h"
#include "desktop/many.h"
#include "desktop/one.h"
#include "desktop/room.h"
#include "desktop/server.h"
#include <string.h>

#define UP_LOCK "up.lock"

struct up_arg {
    const struct px_plan *plan;
    const struct px_plan_item *item;
};

static void say(const struct px_events *events, const char *name, enum px_event_kind kind,
                const char *text) {
    const struct px_event event = {.kind = kind, .desktop = name, .text = text};
    px_event_send(events, &event);
}

/* One `up` at a time: the second sees what the first has made. */
int px_up_lock(const struct px_fleet *fleet, const struct px_events *events, struct px_error *err) {
    const int state_fd = px_fleet_state_fd(fleet);
    int fd = px_lock(state_fd, UP_LOCK, 0, err);
    if (fd != -EAGAIN)
        return fd;
    struct px_error holder = *err;
    px_cleanup_free char *text = px_asprintf("waiting: %s", holder.msg);
    say(events, "", PX_EVENT_NOTE, text);
    while ((fd = px_lock(state_fd, UP_LOCK, 500, err)) == -EAGAIN)
        if (px_interrupted())
            return px_interrupt_fail(err);
    return fd;
}

/* Ids and address of a desktop that has no record. */
static int allocate(const struct px_fleet *fleet, const struct px_plan *plan,
                    const struct px_plan_item *item, struct px_error *err) {
    px_cleanup_close int lock = px_desktop_lock(fleet, item->name, true, -1, err);
    if (lock < 0)
        return lock;
    if (px_check_has_record(fleet, item->name))
        return 0; /* another up was faster */
    int r = px_fleet_allocate(fleet, item->spec, item->image, plan->source, err);
    if (r < 0)
        return px_wrap(err, r, "desktop '%s'", item->name);
    return px_step("up.allocate", err);
}

static int finish(const struct px_task *t, const struct px_plan *plan,
                  const struct px_plan_item *item, const struct px_events *events,
                  struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_desktop_open(t->fleet, t->name, &d, err);
    if (r < 0)
        return r;
    if (d->rec->phase == PX_PHASE_REMOVING) {
        /* What its user had is given up already; the file wants a new one of that name. */
        r = px_one_remove(t->fleet, t->name, events, err);
        if (r < 0)
            return r;
        px_cleanup_close int lock = px_desktop_lock(t->fleet, t->name, true, -1, err);
        if (lock < 0)
            return lock;
        r = px_fleet_allocate(t->fleet, item->spec, item->image, plan->source, err);
        return r < 0 ? r : px_one_create(t->fleet, t->name, events, err);
    }
    if (strcmp(d->rec->image, item->image) != 0)
        return px_one_replace(t->fleet, t->name, item->spec, item->image, plan->source, t->opts,
                              events, err);
    return px_one_finish(t->fleet, t->name, item->spec, plan->source, events, err);
}

static int update(const struct px_task *t, const struct px_plan *plan,
                  const struct px_plan_item *item, const struct px_events *events,
                  struct px_error *err) {
    say(events, t->name, PX_EVENT_STEP, "updating");
    bool restart = false;
    int r = px_one_update(t->fleet, t->name, item->spec, plan->source, &restart, err);
    if (r < 0)
        return r;
    if (item->action != PX_PLAN_RESTART) {
        /* What was planned as harmless stays so: nobody's work is interrupted unannounced. */
        if (restart)
            say(events, t->name, PX_EVENT_NOTE, "a part of the change waits for the next start");
        return 0;
    }
    return px_one_stop(t->fleet, t->name, false, t->opts, NULL, err);
}

/* Without a change, but made by another file or by one that has moved: remember this one. */
static int adopt(const struct px_task *t, const struct px_plan *plan,
                 const struct px_plan_item *item, struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_desktop_open(t->fleet, t->name, &d, err);
    if (r < 0 || strcmp(d->rec->source, plan->source) == 0)
        return r;
    free(d->rec->source);
    d->rec->source = px_strdup(plan->source);
    return px_record_save(d->dir_fd, d->rec, err);
}

static int do_item(const struct px_task *t, const struct px_events *events, struct px_error *err) {
    const struct up_arg *arg = t->arg;
    const struct px_plan *plan = arg->plan;
    const struct px_plan_item *item = arg->item;
    int r = 0;
    switch (item->action) {
    case PX_PLAN_NOTHING:
    case PX_PLAN_START:
        r = adopt(t, plan, item, err);
        break;
    case PX_PLAN_CREATE:
        r = px_one_create(t->fleet, t->name, events, err);
        break;
    case PX_PLAN_FINISH:
        r = finish(t, plan, item, events, err);
        break;
    case PX_PLAN_UPDATE:
    case PX_PLAN_RESTART:
        r = update(t, plan, item, events, err);
        break;
    case PX_PLAN_REPLACE:
        r = px_one_replace(t->fleet, t->name, item->spec, item->image, plan->source, t->opts,
                           events, err);
        break;
    case PX_PLAN_EXTRA:
        return 0;
    case PX_PLAN_REMOVE:
        return px_one_remove(t->fleet, t->name, events, err);
    }
    return r < 0 ? r : px_one_start(t->fleet, t->name, t->opts, events, err);
}

/* The items that up acts on, as tasks; how many. NOTHING is one too: it must be up and reachable.
 */
static size_t make_tasks(const struct px_fleet *fleet, const struct px_plan *plan,
                         const struct px_life_opts *opts, struct up_arg *args,
                         struct px_task *tasks) {
    size_t n = 0;
    for (size_t i = 0; i < plan->n_items; i++) {
        const struct px_plan_item *item = &plan->items[i];
        if (item->action == PX_PLAN_EXTRA ||
            (item->action == PX_PLAN_REPLACE && !plan->opts.replace))
            continue;
        args[n] = (struct up_arg){plan, item};
        tasks[n] = (struct px_task){
            .fleet = fleet, .opts = opts, .name = item->name, .run = do_item, .arg = &args[n]};
        n++;
    }
    return n;
}

static int blocked(const struct px_plan *plan, struct px_error *err) {
    if (plan->n_blocked == 0)
        return 0;
    px_fail(err, -EPERM, "%zu desktop%s new root and %s left as %s", plan->n_blocked,
            plan->n_blocked == 1 ? " needs a" : "s need a", plan->n_blocked == 1 ? "was" : "were",
            plan->n_blocked == 1 ? "it is" : "they are");
    return px_hint(err, -EPERM,
                   "`phoenix up --replace` does it: /home is kept, all else inside is lost");
}

/* Desktops are of use without it, so a failure is kept for the end. */
static int start_server(const struct px_fleet *fleet, struct px_error *err) {
    /* One code: to the caller others mean that nothing was done. */
    return px_server_up(fleet, err) == 0 ? 0 : px_wrap(err, -EIO, "no remote access");
}

/* Before the one for which nothing is left. */
static void look_at_inotify(const struct px_plan *plan, const struct px_events *events) {
    px_cleanup_free char *text = NULL;
    if (px_file_read(AT_FDCWD, "/proc/sys/fs/inotify/max_user_instances", 64, &text, NULL, NULL) <
        0)
        return;
    const long limit = strtol(text, NULL, 10);
    if (limit <= 0 || plan->n_items * PX_INOTIFY_PER_DESKTOP <= (size_t)limit)
        return;
    px_cleanup_free char *note =
        px_asprintf("%ld inotify instances serve about %ld desktops (hint: %s)", limit,
                    limit / PX_INOTIFY_PER_DESKTOP, PX_INOTIFY_RAISE);
    say(events, "", PX_EVENT_NOTE, note);
}

static int carry_out(const struct px_fleet *fleet, const struct px_plan *plan,
                     const struct px_life_opts *opts, struct px_error *err) {
    /* Before the new ones have a port: then there is mostly nothing to do, while a changed rule set
     * costs the kernel 15 ms. Each new port is added by itself, in 1 ms, before its desktop starts.
     */
    int r = px_fleet_net_up(fleet, err);
    if (r < 0 || (r = px_step("up.net", err)) < 0)
        return r;
    for (size_t i = 0; i < plan->n_items && r >= 0; i++)
        if (plan->items[i].action == PX_PLAN_CREATE)
            r = allocate(fleet, plan, &plan->items[i], err);
    if (r < 0)
        return r;
    struct px_error server_err = {0};
    const int server = start_server(fleet, &server_err);
    for (size_t i = 0; i < plan->excess.n; i++)
        say(&opts->events, "", PX_EVENT_NOTE, plan->excess.lines[i]);
    look_at_inotify(plan, &opts->events);
    px_cleanup_free struct up_arg *args = px_new0(struct up_arg, plan->n_items);
    px_cleanup_free struct px_task *tasks = px_new0(struct px_task, plan->n_items);
    const size_t n = make_tasks(fleet, plan, opts, args, tasks);
    if ((r = px_many_run(tasks, n, opts, err)) < 0 || (r = blocked(plan, err)) < 0)
        return r;
    if (server < 0 && err)
        *err = server_err;
    return server;
}

int px_up(const struct px_fleet *fleet, const struct px_desktop_file *file,
          const struct px_plan_opts *plan_opts, const struct px_life_opts *opts,
          struct px_error *err) {
    px_cleanup_close int lock = px_up_lock(fleet, &opts->events, err);
    if (lock < 0)
        return lock;
    px_cleanup(px_plan_freep) struct px_plan *plan = NULL;
    int r = px_plan_make(fleet, file, plan_opts, &plan, err);
    if (r < 0 || (r = px_step("up.plan", err)) < 0)
        return r;
    return carry_out(fleet, plan, opts, err);
}
