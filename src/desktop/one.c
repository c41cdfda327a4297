/* src/desktop/one.c - what is done to one desktop, step by step */
#include "desktop/one.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/step.h"
#include "desktop/files.h"
#include "desktop/gpus.h"
#include "desktop/ledger.h"
#include "desktop/ready.h"
#include "desktop/room.h"
#include "desktop/seed.h"
#include "image/warm.h"
#include <string.h>

#define STOP_TIMEOUT_MS 30000
#define UNWATCHED_START_MS                                                                         \
    20000 /* by then a start that nobody waits for has read what it reads                          \
           */

static void say(const struct px_events *events, const char *name, enum px_event_kind kind,
                const char *text) {
    const struct px_event event = {.kind = kind, .desktop = name, .text = text};
    px_event_send(events, &event);
}

static int need_image(const struct px_desktop *d, struct px_error *err) {
    if (d->image)
        return 0;
    px_fail(err, -ENOENT, "its image %.19s... is gone", d->rec->image);
    return px_hint(err, -ENOENT,
                   "build it again (`phoenix image build %s`), or use `phoenix up --replace`",
                   d->rec->spec.image);
}

int px_one_create(const struct px_fleet *fleet, const char *name, const struct px_events *events,
                  struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_desktop_open(fleet, name, &d, err);
    if (r < 0 || d->rec->phase == PX_PHASE_READY)
        return r;
    if (d->rec->phase == PX_PHASE_REMOVING)
        return px_fail(err, -EBUSY, "it is half removed");
    say(events, name, PX_EVENT_STEP, "creating");
    r = need_image(d, err);
    if (r < 0 || (r = px_files_write(fleet, d, err)) < 0 || (r = px_step("up.files", err)) < 0)
        return r;
    struct px_seed seed = {.desktop = d};
    d->c.seed = px_seed_root;
    d->c.seed_data = &seed;
    r = px_fleet_backend(fleet)->create(&d->c, err);
    if (r < 0 || (r = px_step("up.create", err)) < 0)
        return r;
    d->rec->phase = PX_PHASE_READY;
    r = px_record_save(d->dir_fd, d->rec, err);
    return r < 0 ? r : px_step("up.record", err);
}

static int remember(struct px_desktop *d, bool running, struct px_error *err) {
    if (d->rec->want_running == running)
        return 0;
    d->rec->want_running = running;
    return px_record_save(d->dir_fd, d->rec, err);
}

/* Its interface is gone, or all of it, as soon as it was started. */
static int init_ended(const struct px_desktop *d, struct px_error *err) {
    px_fail(err, -EIO, "its init ended while it was starting");
    if (px_inotify_left(PX_INOTIFY_PER_DESKTOP) < PX_INOTIFY_PER_DESKTOP)
        return px_hint(err, -EIO,
                       "`phoenix logs %s` shows its console; this host's inotify instances are "
                       "used up: %s",
                       d->rec->spec.name, PX_INOTIFY_RAISE);
    return px_hint(err, -EIO, "`phoenix logs %s` shows its console", d->rec->spec.name);
}

/* From stopped to running init, with its network walls up first. */
static int run(const struct px_fleet *fleet, struct px_desktop *d, struct px_error *err) {
    const struct px_host_spec *host = px_fleet_host(fleet);
    const struct px_backend_ops *backend = px_fleet_backend(fleet);
    px_cleanup(px_gpus_freep) struct px_gpus *gpus = NULL;
    int r = px_gpus_open(fleet, d, &gpus, err);
    if (r < 0 || (r = px_gpus_write(gpus, err)) < 0 || (r = px_step("start.gpus", err)) < 0 ||
        (r = px_files_write(fleet, d, err)) < 0 || (r = px_net_port_add(host, &d->port, err)) < 0 ||
        (r = px_step("start.net", err)) < 0)
        return r;
    px_warm_read(host->state_dir, d->image);
    r = backend->start(&d->c, err);
    if (r < 0 || (r = px_step("start.run", err)) < 0)
        return r;
    r = px_net_port_isolate(host, d->port.ifname, err);
    if (r < 0) { /* one of two walls is missing: do not run without it */
        backend->stop(&d->c, 0, NULL);
        return r == -ENODEV ? init_ended(d, err) : r;
    }
    return px_step("start.isolate", err);
}

int px_one_start(const struct px_fleet *fleet, const char *name, const struct px_life_opts *opts,
                 const struct px_events *events, struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_desktop_open(fleet, name, &d, err);
    if (r < 0)
        return r;
    if (d->rec->phase != PX_PHASE_READY) {
        px_fail(err, -EBUSY, "it is half %s", d->rec->phase == PX_PHASE_NEW ? "made" : "removed");
        return px_hint(err, -EBUSY, "`phoenix up` finishes it, `phoenix rm %s` removes it", name);
    }
    struct px_container_info info = {0};
    r = px_fleet_backend(fleet)->info(&d->c, false, &info, err);
    if (r < 0 || (r = remember(d, true, err)) < 0)
        return r;
    const bool runs = info.state == PX_CONTAINER_RUNNING || info.state == PX_CONTAINER_STARTING;
    if (!runs) {
        r = need_image(d, err);
        if (r < 0)
            return r;
        say(events, name, PX_EVENT_STEP, "starting");
        r = run(fleet, d, err);
        if (r < 0)
            return r;
    }
    r = px_ready_wait(fleet, d, opts->wait, opts->timeout_us, events, err);
    if (r < 0)
        return r == -ESRCH && !runs ? init_ended(d, err) : r;
    if (!runs)
        px_warm_note(px_fleet_host(fleet)->state_dir, px_fleet_host(fleet)->run_dir, d->image,
                     opts->wait == PX_WAIT_DESKTOP ? 0 : UNWATCHED_START_MS);
    say(events, name, PX_EVENT_DONE, runs ? "already running" : "running");
    return 0;
}

static bool is_full(int code) {
    return code == -ENOSPC || code == -EDQUOT;
}

int px_one_stop(const struct px_fleet *fleet, const char *name, bool keep,
                const struct px_life_opts *opts, const struct px_events *events,
                struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_desktop_open(fleet, name, &d, err);
    if (r < 0)
        return r;
    /* On a full disk it is stopped all the same: that is a way to get room. */
    const int kept = keep ? remember(d, false, err) : 0;
    if (kept < 0 && !is_full(kept))
        return kept;
    say(events, name, PX_EVENT_STEP, "stopping");
    const int timeout_ms = opts->stop_timeout_ms < 0 ? STOP_TIMEOUT_MS : opts->stop_timeout_ms;
    r = px_fleet_backend(fleet)->stop(&d->c, timeout_ms, err);
    if (r < 0 || (r = px_step("stop.run", err)) < 0)
        return r;
    if (kept < 0)
        return px_wrap(err, kept, "it is stopped, but will start at boot");
    say(events, name, PX_EVENT_DONE, "stopped");
    return 0;
}

/* Its directory, once nothing is left that the backend or the network know of. */
static int remove_dir(const struct px_fleet *fleet, const char *name, struct px_error *err) {
    px_cleanup_close int desktops = px_dir_open(px_fleet_state_fd(fleet), "desktops", err);
    return desktops < 0 ? desktops : px_rm_rf(desktops, name, err);
}

/* A desktop without a readable record: its container may still be there under the usual name. */
static int remove_damaged(const struct px_fleet *fleet, const char *name, struct px_error *err) {
    const struct px_host_spec *host = px_fleet_host(fleet);
    px_cleanup_free char *full = px_asprintf("%s-%s", host->network.bridge, name);
    px_cleanup_free char *dir = px_asprintf("%s/desktops/%s", host->state_dir, name);
    const struct px_container c = {.name = full, .dir = dir, .run_dir = host->run_dir};
    int r = px_fleet_backend(fleet)->stop(&c, 0, err);
    if (r < 0 || (r = px_fleet_backend(fleet)->destroy(&c, err)) < 0)
        return r;
    r = remove_dir(fleet, name, err);
    return r < 0 ? r : px_fleet_net_up(fleet, err); /* drops whatever port it had */
}

/* By this mark a rm that was killed is known. Where there is no room for it, rm is what makes room:
 * it goes on without. */
static int mark_removing(struct px_desktop *d, struct px_error *err) {
    d->rec->phase = PX_PHASE_REMOVING;
    d->rec->want_running = false;
    const int r = px_record_save(d->dir_fd, d->rec, err);
    return is_full(r) ? 0 : r;
}

int px_one_remove(const struct px_fleet *fleet, const char *name, const struct px_events *events,
                  struct px_error *err) {
    const struct px_backend_ops *backend = px_fleet_backend(fleet);
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_desktop_open(fleet, name, &d, err);
    say(events, name, PX_EVENT_STEP, "removing");
    if (r == -EBADMSG)
        r = remove_damaged(fleet, name, err);
    else if (r == 0) {
        if ((r = mark_removing(d, err)) < 0 || (r = px_step("rm.record", err)) < 0 ||
            (r = backend->stop(&d->c, 0, err)) < 0 || (r = px_step("rm.stop", err)) < 0 ||
            (r = px_net_port_remove(px_fleet_host(fleet), &d->port, err)) < 0 ||
            (r = px_step("rm.net", err)) < 0 || (r = backend->destroy(&d->c, err)) < 0 ||
            (r = px_step("rm.destroy", err)) < 0)
            return r;
        r = remove_dir(fleet, name, err);
    }
    if (r < 0)
        return r;
    say(events, name, PX_EVENT_DONE, "removed");
    return px_step("rm.dir", err);
}

static void set_spec(struct px_record *rec, const struct px_desktop_spec *spec,
                     const char *source) {
    px_desktop_spec_fini(&rec->spec);
    px_desktop_spec_copy(spec, &rec->spec);
    free(rec->source);
    rec->source = px_strdup(source);
}

/* Writes @spec into the record; the address, where the file names another one. */
static int save_spec(const struct px_fleet *fleet, const char *name,
                     const struct px_desktop_spec *spec, const char *source, struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_desktop_open(fleet, name, &d, err);
    if (r < 0)
        return r;
    set_spec(d->rec, spec, source);
    const struct in_addr want = spec->network.address;
    if (want.s_addr != 0 && want.s_addr != d->rec->address.s_addr) {
        r = px_net_port_remove(px_fleet_host(fleet), &d->port, err);
        if (r < 0)
            return r;
        d->rec->address = want;
    }
    return px_ledger_save(fleet, d->dir_fd, d->rec, err);
}

int px_one_finish(const struct px_fleet *fleet, const char *name,
                  const struct px_desktop_spec *spec, const char *source,
                  const struct px_events *events, struct px_error *err) {
    int r = save_spec(fleet, name, spec, source, err);
    return r < 0 ? r : px_one_create(fleet, name, events, err);
}

int px_one_update(const struct px_fleet *fleet, const char *name,
                  const struct px_desktop_spec *spec, const char *source, bool *ret_restart_needed,
                  struct px_error *err) {
    px_cleanup(px_gpus_freep) struct px_gpus *gpus = NULL;
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = save_spec(fleet, name, spec, source, err);
    if (r < 0 || (r = px_desktop_open(fleet, name, &d, err)) < 0 ||
        (r = px_gpus_open(fleet, d, &gpus, err)) < 0 || (r = px_files_write(fleet, d, err)) < 0)
        return r;
    return px_fleet_backend(fleet)->update(&d->c, ret_restart_needed, err);
}

int px_one_replace(const struct px_fleet *fleet, const char *name,
                   const struct px_desktop_spec *spec, const char *image, const char *source,
                   const struct px_life_opts *opts, const struct px_events *events,
                   struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_one_stop(fleet, name, false, opts, NULL, err);
    if (r < 0 || (r = px_desktop_open(fleet, name, &d, err)) < 0)
        return r;
    say(events, name, PX_EVENT_STEP, "replacing the root, keeping the home");
    /* NEW first: whoever finds it killed half way makes it again. */
    d->rec->phase = PX_PHASE_NEW;
    set_spec(d->rec, spec, source);
    snprintf(d->rec->image, sizeof(d->rec->image), "%s", image);
    if ((r = px_ledger_save(fleet, d->dir_fd, d->rec, err)) < 0 ||
        (r = px_step("up.replace", err)) < 0 ||
        (r = px_fleet_backend(fleet)->reset(&d->c, err)) < 0)
        return r;
    return px_one_create(fleet, name, events, err);
}
