/* src/desktop/status.c - what is true of a desktop now */
#include "desktop/status.h"
#include "base/alloc.h"
#include "desktop/programs.h"
#include "desktop/ready.h"
#include "desktop/remote.h"
#include <arpa/inet.h>
#include <jansson.h>
#include <string.h>

static const char *state_word(const struct px_record *rec, enum px_container_state state) {
    if (rec->phase != PX_PHASE_READY)
        return rec->phase == PX_PHASE_NEW ? "half made" : "half removed";
    return px_container_state_word(state);
}

static char *gpu_text(const struct px_gpu_request *gpus) {
    switch (gpus->want) {
    case PX_GPU_NONE:
        break;
    case PX_GPU_COUNT:
        return px_asprintf("%u", gpus->count);
    case PX_GPU_ALL:
        return px_strdup("all");
    case PX_GPU_LIST:
        return px_asprintf("%zu", gpus->n_ids);
    }
    return px_strdup("none");
}

static char *rustdesk_id(const struct px_fleet *fleet, const struct px_desktop *d,
                         const struct px_status *s) {
    px_cleanup(px_remote_fini) struct px_remote remote = {0};
    return s->has_session && px_remote_load(fleet, d, &remote, NULL) == 0 ? px_take_ptr(remote.id)
                                                                          : NULL;
}

/* Restarting the unit ends remote sessions and leaves all else; it helps where the new program is
 * in the folder that the desktop has bound. */
static char *how_to_renew(const struct px_fleet *fleet, const struct px_desktop *d,
                          const struct px_programs *programs, const struct px_status *s) {
    const char *name = d->rec->spec.name;
    if (s->info.init_pid <= 0 ||
        !px_programs_differ(programs, px_programs_pid_ns(s->info.init_pid)))
        return NULL;
    px_cleanup_free char *path = px_asprintf(PX_REMOTE_TARGET "/lib-%s", programs->installed);
    return px_ready_is_inside(fleet, d, path)
               ? px_asprintf("phoenix exec -u root %s -- systemctl restart phoenix-host", name)
               : px_asprintf("phoenix restart %s", name);
}

static void fill(const struct px_fleet *fleet, struct px_desktop *d,
                 const struct px_status_opts *opts, const struct px_programs *programs,
                 struct px_status *s) {
    struct px_error err = {0};
    if (px_fleet_backend(fleet)->info(&d->c, opts && opts->disk, &s->info, &err) < 0)
        s->problem = px_strdup(err.msg);
    s->state = px_strdup(state_word(d->rec, s->info.state));
    s->user = px_strdup(d->rec->spec.user            ? d->rec->spec.user
                        : d->image && d->image->user ? d->image->user
                                                     : "root");
    s->image = px_strdup(d->rec->spec.image);
    if (d->rec->address.s_addr != 0)
        inet_ntop(AF_INET, &d->rec->address, s->address, sizeof(s->address));
    s->gpus = gpu_text(&d->rec->spec.gpus);
    s->has_session = px_ready_has_session(fleet, d);
    if (px_ready_has_jupyter(fleet, d))
        s->jupyter_url = px_ready_jupyter_url(d);
    s->rustdesk_id = rustdesk_id(fleet, d, s);
    s->renew = how_to_renew(fleet, d, programs, s);
    if (!d->image && !s->problem)
        s->problem = px_asprintf("its image %.19s... is gone", d->rec->image);
    s->rec = px_take_ptr(d->rec);
}

static void one_status(const struct px_fleet *fleet, const char *name,
                       const struct px_status_opts *opts, const struct px_programs *programs,
                       struct px_status *s) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    struct px_error err = {0};
    s->name = px_strdup(name);
    if (px_desktop_open(fleet, name, &d, &err) == 0) {
        fill(fleet, d, opts, programs, s);
        return;
    }
    s->state = px_strdup("damaged");
    s->problem = px_strdup(err.msg);
    s->user = px_strdup("");
    s->image = px_strdup("");
    s->gpus = px_strdup("");
}

int px_status_list(const struct px_fleet *fleet, const char *const *globs, size_t n_globs,
                   const struct px_status_opts *opts, struct px_status **ret, size_t *ret_n,
                   struct px_error *err) {
    char **names = NULL;
    size_t n = 0;
    int r = px_fleet_names(fleet, globs, n_globs, &names, &n, err);
    if (r < 0)
        return r;
    struct px_status *list = px_new0(struct px_status, n);
    px_cleanup_free char *bundle = px_remote_bundle();
    px_cleanup(px_programs_freep) struct px_programs *programs = px_programs_look(bundle);
    for (size_t i = 0; i < n; i++)
        one_status(fleet, names[i], opts, programs, &list[i]);
    px_names_free(names, n);
    *ret = list;
    *ret_n = n;
    return 0;
}

void px_status_list_free(struct px_status *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct px_status *s = &list[i];
        free(s->name);
        free(s->state);
        free(s->problem);
        free(s->user);
        free(s->image);
        free(s->gpus);
        free(s->jupyter_url);
        free(s->rustdesk_id);
        free(s->renew);
        px_record_free(s->rec);
    }
    free(list);
}

json_t *px_status_to_json(const struct px_status *s) {
    json_t *o =
        json_pack("{ss ss ss* ss ss ss* ss ss* ss* ss*}", "name", s->name, "state", s->state,
                  "problem", s->problem, "user", s->user, "image", s->image, "address",
                  s->address[0] ? s->address : NULL, "gpus", s->gpus, "jupyter_url", s->jupyter_url,
                  "rustdesk_id", s->rustdesk_id, "renew", s->renew);
    json_object_set_new(o, "screen", json_boolean(s->has_session));
    if (s->info.init_pid > 0) {
        json_object_set_new(o, "init_pid", json_integer(s->info.init_pid));
        json_object_set_new(o, "memory_bytes", json_integer((json_int_t)s->info.memory_bytes));
        json_object_set_new(o, "cpu_us", json_integer((json_int_t)s->info.cpu_us));
        json_object_set_new(o, "pids", json_integer(s->info.pids));
    }
    if (s->info.disk_bytes > 0)
        json_object_set_new(o, "disk_bytes", json_integer((json_int_t)s->info.disk_bytes));
    if (!s->rec)
        return o;
    json_object_set_new(o, "image_digest", json_string(s->rec->image));
    json_object_set_new(o, "ids",
                        json_pack("{sI sI}", "first", (json_int_t)s->rec->id_first, "count",
                                  (json_int_t)s->rec->id_count));
    json_object_set_new(o, "source", json_string(s->rec->source));
    json_object_set_new(o, "wanted", json_string(s->rec->want_running ? "running" : "stopped"));
    json_object_set_new(o, "created", json_integer(s->rec->created_s));
    json_object_set_new(o, "spec", px_desktop_spec_to_json(&s->rec->spec));
    return o;
}
