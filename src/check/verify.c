/* src/check/verify.c - the table of checks, and its way over the desktops */
#include "check/verify.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "check/verify_desk.h"
#include "desktop/ready.h"
#include <jansson.h>
#include <string.h>
#include <sys/sysinfo.h>

#define S PX_US_PER_S

const struct px_check px_verify_checks[] = {
    {"running", "its container runs", 10 * S, px_verify_running},
    {"systemd", "systemd is up and no unit has failed", 20 * S, px_verify_systemd},
    {"limits", "memory, cores and processes are bounded as its file says", 10 * S,
     px_verify_limits},
    {"disk", "there is room to write", 10 * S, px_verify_disk},
    {"isolation", "namespaces, ids, capabilities and system calls are walled", 10 * S,
     px_verify_isolation},
    {"dns", "its name servers answer from inside", 30 * S, px_verify_dns},
    {"internet", "the outside is reached, or is not, as its file says", 40 * S, px_verify_internet},
    {"screen", "the X session has painted, and shows a picture", 30 * S, px_verify_screen},
    {"jupyter", "JupyterLab answers who has its token, and nobody else", 15 * S, px_verify_jupyter},
    {"remote", "a RustDesk client gets its picture, by ID", 45 * S, px_verify_remote},
    {"relay", "and through the relay", 45 * S, px_verify_relay},
    {"latency", "a click soon shows in the decoded picture", 60 * S, px_verify_latency},
    {"files", "a file goes there and back", 45 * S, px_verify_files},
    {"tunnel", "JupyterLab answers through a tunnel", 45 * S, px_verify_tunnel},
    {"python", "Python computes, with NumPy where it is", 70 * S, px_verify_python},
    {"notebook", "a kernel of JupyterLab computes", 180 * S, px_verify_notebook},
    {"pytorch", "PyTorch multiplies and differentiates, on its card where it has one", 180 * S,
     px_verify_torch},
    {"tensorflow", "and so does TensorFlow", 180 * S, px_verify_tensorflow},
    {"gpu", "its cards compute, encode and decode, as fast as on the host", 600 * S, px_verify_gpu},
    {NULL, NULL, 0, NULL},
};

static int check_names(const struct px_verify_opts *opts, struct px_error *err) {
    const char *names[64];
    size_t n = 0;
    while (px_verify_checks[n].name && n < PX_N_ELEMENTS(names)) {
        names[n] = px_verify_checks[n].name;
        n++;
    }
    for (size_t i = 0; i < opts->n_only; i++) {
        bool known = false;
        for (size_t k = 0; k < n && !known; k++)
            known = strcmp(opts->only[i], names[k]) == 0;
        if (known)
            continue;
        const char *near = px_suggest(opts->only[i], names, n);
        px_fail(err, -EINVAL, "there is no check '%s'", opts->only[i]);
        return near ? px_hint(err, -EINVAL, "did you mean '%s'?", near)
                    : px_hint(err, -EINVAL, "`phoenix verify --list` lists them");
    }
    return 0;
}

static bool wanted(const struct px_verify_opts *opts, const char *name) {
    bool hit = opts->n_only == 0;
    for (size_t i = 0; i < opts->n_only && !hit; i++)
        hit = strcmp(opts->only[i], name) == 0;
    return hit;
}

/* What one desktop's checks share. A desktop that cannot be opened is a finding, not an error. */
static void look(const struct px_fleet *fleet, const char *name, const struct px_verify_opts *opts,
                 struct px_verify_desk *desk) {
    *desk = (struct px_verify_desk){.fleet = fleet, .stopped_fails = opts->stopped_fails};
    if (px_desktop_open(fleet, name, &desk->d, &desk->open_err) < 0 ||
        px_fleet_backend(fleet)->info(&desk->d->c, false, &desk->info, &desk->open_err) < 0)
        return;
    const struct px_desktop *d = desk->d;
    desk->user = d->rec->spec.user                               ? d->rec->spec.user
                 : d->image && d->image->user && *d->image->user ? d->image->user
                                                                 : "root";
    desk->has_session = px_ready_has_session(fleet, d);
}

/* Only the first check where nothing runs: it says so, and the others could say no more. */
static void choose(const struct px_verify_desk *desk, const struct px_verify_opts *opts,
                   struct px_verify_result *result) {
    const bool runs = desk->d && desk->info.state == PX_CONTAINER_RUNNING;
    size_t n = 0;
    while (px_verify_checks[n].name)
        n++;
    result->outcomes = px_new0(struct px_check_outcome, n);
    for (size_t i = 0; i < (runs ? n : 1); i++)
        if (!runs || wanted(opts, px_verify_checks[i].name))
            result->outcomes[result->n++] = (struct px_check_outcome){
                .check = &px_verify_checks[i], .timeout_us = opts->timeout_us};
}

static unsigned how_many(const struct px_fleet *fleet, const struct px_verify_opts *opts) {
    const unsigned host = px_fleet_host(fleet)->parallel;
    return opts->parallel ? opts->parallel : host ? host : (unsigned)get_nprocs();
}

int px_verify(const struct px_fleet *fleet, char *const *names, size_t n,
              const struct px_verify_opts *opts, struct px_verify_result **ret,
              struct px_error *err) {
    int r = check_names(opts, err);
    if (r < 0)
        return r;
    struct px_verify_result *results = px_new0(struct px_verify_result, n);
    px_cleanup_free struct px_verify_desk *desks = px_new0(struct px_verify_desk, n);
    px_cleanup_free struct px_check_line *lines = px_new0(struct px_check_line, n);
    for (size_t i = 0; i < n; i++) {
        results[i].name = px_strdup(names[i]);
        look(fleet, names[i], opts, &desks[i]);
        choose(&desks[i], opts, &results[i]);
        lines[i] =
            (struct px_check_line){results[i].name, &desks[i], results[i].outcomes, results[i].n};
    }
    r = px_checks_run(lines, n, how_many(fleet, opts), opts->watch, err);
    for (size_t i = 0; i < n; i++)
        px_desktop_free(desks[i].d);
    if (r < 0)
        px_verify_free(results, n);
    else
        *ret = results;
    return r;
}

void px_verify_free(struct px_verify_result *results, size_t n) {
    for (size_t i = 0; results && i < n; i++) {
        for (size_t k = 0; k < results[i].n; k++)
            px_findings_fini(&results[i].outcomes[k].findings);
        free(results[i].outcomes);
        free(results[i].name);
    }
    free(results);
}

static size_t count_one(const struct px_verify_result *r, enum px_verdict verdict) {
    size_t n = 0;
    for (size_t k = 0; k < r->n; k++)
        n += px_findings_count(&r->outcomes[k].findings, verdict);
    return n;
}

size_t px_verify_count(const struct px_verify_result *results, size_t n, enum px_verdict verdict) {
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += count_one(&results[i], verdict);
    return sum;
}

static json_t *one_to_json(const struct px_verify_result *r) {
    json_t *checks = json_array();
    for (size_t k = 0; k < r->n; k++) {
        const struct px_check_outcome *o = &r->outcomes[k];
        json_t *found = px_findings_to_json(&o->findings);
        json_array_append_new(checks, json_pack("{ss sf sO}", "check", o->check->name, "elapsed_ms",
                                                (double)o->elapsed_us / 1e3, "findings",
                                                json_object_get(found, "findings")));
        json_decref(found);
    }
    return json_pack("{ss sb so}", "name", r->name, "ok", count_one(r, PX_VERDICT_FAIL) == 0,
                     "checks", checks);
}

json_t *px_verify_to_json(const struct px_verify_result *results, size_t n) {
    json_t *desktops = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(desktops, one_to_json(&results[i]));
    return json_pack("{sb so}", "ok", px_verify_count(results, n, PX_VERDICT_FAIL) == 0, "desktops",
                     desktops);
}
