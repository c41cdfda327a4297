/* src/desktop/fleet.c - the desktops of this host, as files in STATE/desktops */
#include "desktop/fleet.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "desktop/alloc_ids.h"
#include "desktop/container.h"
#include "desktop/ledger.h"
#include <arpa/inet.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LOCK_FILE "lock"

struct px_fleet {
    const struct px_host_spec *host; /* lent */
    const struct px_backend_ops *backend;
    int state_fd, desktops_fd;
    struct images *images;
};

/* Images looked up so far: they never change, a manifest takes a millisecond to read, and a hundred
 * desktops share one. */
struct images {
    struct px_image **items;
    size_t n, cap;
};

static int find_image(const struct px_fleet *fleet, const char *digest, struct px_image **ret,
                      struct px_error *err) {
    struct images *known = fleet->images;
    for (size_t i = 0; i < known->n; i++)
        if (strcmp(known->items[i]->digest, digest) == 0) {
            *ret = known->items[i];
            return 0;
        }
    int r = px_image_find(fleet->host->state_dir, digest, ret, err);
    if (r < 0)
        return r;
    px_grow(known->items, &known->cap, known->n + 1);
    known->items[known->n++] = *ret;
    return 0;
}

static void free_images(struct images *known) {
    for (size_t i = 0; known && i < known->n; i++)
        px_image_free(known->items[i]);
    free(known ? known->items : NULL);
    free(known);
}

static int make_dirs(const struct px_host_spec *host, struct px_error *err) {
    px_cleanup_free char *desktops = px_asprintf("%s/desktops", host->state_dir);
    /* 0711: root of a container must pass through to what is its own, and list nothing. */
    const char *const dirs[] = {host->state_dir, desktops, host->run_dir};
    for (size_t i = 0; i < PX_N_ELEMENTS(dirs); i++) {
        int r = px_mkdir_p(AT_FDCWD, dirs[i], 0711, err);
        if (r == -EACCES || r == -EPERM)
            return px_hint(err, r, "run it as root");
        if (r < 0)
            return r;
    }
    return 0;
}

int px_fleet_open(const struct px_host_spec *host, struct px_fleet **ret, struct px_error *err) {
    int r = make_dirs(host, err);
    if (r < 0)
        return r;
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = px_new0(struct px_fleet, 1);
    *fleet = (struct px_fleet){
        .host = host, .state_fd = -1, .desktops_fd = -1, .images = px_new0(struct images, 1)};
    r = px_backend_get(NULL, &fleet->backend, err);
    if (r < 0)
        return r;
    /* Following symlinks: a person may have put the state on another disk that way. */
    fleet->state_fd = open(host->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fleet->state_fd < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", host->state_dir);
    fleet->desktops_fd = px_dir_open(fleet->state_fd, "desktops", err);
    if (fleet->desktops_fd < 0)
        return fleet->desktops_fd;
    *ret = px_take_ptr(fleet);
    return 0;
}

struct px_fleet *px_fleet_free(struct px_fleet *fleet) {
    if (!fleet)
        return NULL;
    px_closep(&fleet->state_fd);
    px_closep(&fleet->desktops_fd);
    free_images(fleet->images);
    free(fleet);
    return NULL;
}

const struct px_host_spec *px_fleet_host(const struct px_fleet *fleet) {
    return fleet->host;
}

const struct px_backend_ops *px_fleet_backend(const struct px_fleet *fleet) {
    return fleet->backend;
}

int px_fleet_state_fd(const struct px_fleet *fleet) {
    return fleet->state_fd;
}

static int compare_names(const void *a, const void *b) {
    return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

/* All names there are, sorted. */
static int list_names(const struct px_fleet *fleet, char ***ret, size_t *ret_n,
                      struct px_error *err) {
    int fd = openat(fleet->desktops_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    px_cleanup_closedir DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir)
        return px_fail_sys(err, -errno, "cannot list '%s/desktops'", fleet->host->state_dir);
    char **names = NULL;
    size_t n = 0, cap = 0;
    const struct dirent *e;
    while ((e = readdir(dir)))
        if (px_hostname_check(e->d_name, NULL) == 0) { /* leaves out ".", "..", editors' leavings */
            px_grow(names, &cap, n + 1);
            names[n++] = px_strdup(e->d_name);
        }
    if (n > 0)
        qsort(names, n, sizeof(*names), compare_names);
    *ret = names;
    *ret_n = n;
    return 0;
}

void px_names_free(char **names, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static int no_such(const char *name, char *const *names, size_t n, struct px_error *err) {
    px_fail(err, -ENOENT, "no desktop '%s'", name);
    const char *near = px_suggest(name, (const char *const *)names, n);
    if (near)
        return px_hint(err, -ENOENT, "did you mean '%s'?", near);
    return px_hint(err, -ENOENT, "`phoenix ls` lists them");
}

static int not_there(const struct px_fleet *fleet, const char *name, struct px_error *err) {
    char **names = NULL;
    size_t n = 0;
    int r = list_names(fleet, &names, &n, err);
    r = r < 0 ? r : no_such(name, names, n, err);
    px_names_free(names, n);
    return r;
}

/* Moves the names that match a glob to the front; returns how many. */
static size_t keep_matching(char **names, size_t n, const char *const *globs, size_t n_globs) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool hit = n_globs == 0;
        for (size_t g = 0; g < n_globs && !hit; g++)
            hit = px_glob_match(globs[g], names[i]);
        if (hit) {
            char *name = names[i];
            memmove(&names[kept + 1], &names[kept], (i - kept) * sizeof(*names));
            names[kept++] = name;
        }
    }
    return kept;
}

int px_fleet_names(const struct px_fleet *fleet, const char *const *globs, size_t n_globs,
                   char ***ret, size_t *ret_n, struct px_error *err) {
    char **names = NULL;
    size_t n = 0;
    int r = list_names(fleet, &names, &n, err);
    if (r < 0)
        return r;
    for (size_t g = 0; g < n_globs; g++) {
        bool hit = strpbrk(globs[g], "*?[") != NULL;
        for (size_t i = 0; i < n && !hit; i++)
            hit = px_glob_match(globs[g], names[i]);
        if (!hit) {
            r = no_such(globs[g], names, n, err);
            px_names_free(names, n);
            return r;
        }
    }
    const size_t kept = keep_matching(names, n, globs, n_globs);
    for (size_t i = kept; i < n; i++)
        free(names[i]);
    *ret = names;
    *ret_n = kept;
    return 0;
}

int px_desktop_open(const struct px_fleet *fleet, const char *name, struct px_desktop **ret,
                    struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = px_new0(struct px_desktop, 1);
    d->dir_fd = -1;
    int r =
        px_hostname_check(name, err); /* a name is a path below desktops/: nothing else passes */
    if (r < 0)
        return r;
    d->dir = px_asprintf("%s/desktops/%s", fleet->host->state_dir, name);
    d->dir_fd = px_dir_open(fleet->desktops_fd, name, NULL);
    if (d->dir_fd == -ENOENT)
        return not_there(fleet, name, err);
    if (d->dir_fd < 0)
        return px_dir_open(fleet->desktops_fd, name, err);
    r = px_record_load(d->dir_fd, &d->rec, err);
    if (r < 0)
        return px_wrap(err, r == -ENOENT ? -EBADMSG : r, "desktop '%s'", name);
    if (strcmp(d->rec->spec.name, name) != 0)
        return px_fail(err, -EBADMSG, "desktop '%s': its record is that of '%s'", name,
                       d->rec->spec.name);
    r = find_image(fleet, d->rec->image, &d->image, err);
    if (r < 0 && r != -ENOENT)
        return px_wrap(err, r, "desktop '%s'", name);
    px_desktop_describe(fleet->host, d);
    *ret = px_take_ptr(d);
    return 0;
}

struct px_desktop *px_desktop_free(struct px_desktop *d) {
    if (!d)
        return NULL;
    px_record_free(d->rec);
    px_closep(&d->dir_fd);
    free(d->dir);
    free(d->mounts);
    free(d->devices);
    px_names_free(d->owned, d->n_owned);
    free(d);
    return NULL;
}

int px_desktop_lock(const struct px_fleet *fleet, const char *name, bool make, int wait_ms,
                    struct px_error *err) {
    int r = px_hostname_check(name, err);
    if (r < 0)
        return r;
    if (make && mkdirat(fleet->desktops_fd, name, 0711) < 0 && errno != EEXIST)
        return px_fail_sys(err, -errno, "cannot make '%s/desktops/%s'", fleet->host->state_dir,
                           name);
    px_cleanup_close int dir_fd = px_dir_open(fleet->desktops_fd, name, err);
    if (dir_fd == -ENOENT)
        return not_there(fleet, name, err);
    if (dir_fd < 0)
        return dir_fd;
    return px_lock(dir_fd, LOCK_FILE, wait_ms, err);
}

int px_fleet_ports(const struct px_fleet *fleet, struct px_net_port **ret, size_t *ret_n,
                   struct px_error *err) {
    char **names = NULL;
    size_t n = 0, n_ports = 0;
    int r = list_names(fleet, &names, &n, err);
    if (r < 0)
        return r;
    struct px_net_port *ports = px_new0(struct px_net_port, n);
    for (size_t i = 0; i < n; i++) {
        px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
        /* A damaged record or one being made has no port: its traffic is dropped by default. */
        if (px_desktop_open(fleet, names[i], &d, NULL) == 0 && d->rec->phase != PX_PHASE_REMOVING)
            ports[n_ports++] = d->port;
    }
    px_names_free(names, n);
    *ret = ports;
    *ret_n = n_ports;
    return 0;
}

int px_fleet_net_up(const struct px_fleet *fleet, struct px_error *err) {
    px_cleanup_free struct px_net_port *ports = NULL;
    size_t n = 0;
    int r = px_fleet_ports(fleet, &ports, &n, err);
    return r < 0 ? r : px_net_up(fleet->host, ports, n, err);
}

/* What other desktops hold. */
struct taken {
    struct px_ids *ids;
    struct in_addr *addresses;
    size_t n;
};

static void taken_fini(struct taken *t) {
    free(t->ids);
    free(t->addresses);
}

static int collect_taken(const struct px_fleet *fleet, const char *but, struct taken *ret,
                         struct px_error *err) {
    char **names = NULL;
    size_t n = 0;
    int r = list_names(fleet, &names, &n, err);
    if (r < 0)
        return r;
    *ret = (struct taken){px_new0(struct px_ids, n), px_new0(struct in_addr, n), 0};
    for (size_t i = 0; i < n && r >= 0; i++) {
        px_cleanup_close int fd = px_dir_open(fleet->desktops_fd, names[i], NULL);
        px_cleanup(px_record_freep) struct px_record *rec = NULL;
        int found = fd < 0 ? fd : px_record_load(fd, &rec, err);
        if (found == 0 && strcmp(names[i], but) != 0) {
            ret->ids[ret->n] = (struct px_ids){rec->id_first, rec->id_count};
            ret->addresses[ret->n++] = rec->address;
        } else if (found < 0 && found != -ENOENT)
            /* Its ids may be in use by a running container: handing out blindly could share them.
             */
            r = px_wrap(err, found, "desktop '%s'", names[i]);
    }
    px_names_free(names, n);
    return r;
}

static int choose_address(const struct px_fleet *fleet, const struct px_desktop_spec *spec,
                          const struct taken *taken, struct in_addr *ret, struct px_error *err) {
    const struct in_addr want = spec->network.address;
    if (want.s_addr == 0)
        return px_net_address_alloc(fleet->host, taken->addresses, taken->n, ret, err);
    for (size_t i = 0; i < taken->n; i++)
        if (taken->addresses[i].s_addr == want.s_addr)
            return px_fail(err, -EADDRINUSE, "address %s is another desktop's", inet_ntoa(want));
    int r = px_net_address_check(fleet->host, want, err);
    if (r == 0)
        *ret = want;
    return r;
}

int px_fleet_allocate(const struct px_fleet *fleet, const struct px_desktop_spec *spec,
                      const char *image_digest, const char *source, struct px_error *err) {
    px_cleanup_close int lock = px_lock(fleet->state_fd, "alloc.lock", -1, err);
    if (lock < 0)
        return lock;
    struct px_ids span, ids;
    int r = px_alloc_ids_span(fleet->host, fleet->state_fd, &span, err);
    if (r < 0)
        return r;
    px_cleanup(taken_fini) struct taken taken = {0};
    r = collect_taken(fleet, spec->name, &taken, err);
    if (r < 0 || (r = px_idmap_alloc(span, taken.ids, taken.n, PX_RECORD_IDS, &ids, err)) < 0)
        return r;
    px_cleanup(px_record_freep) struct px_record *rec = px_new0(struct px_record, 1);
    r = choose_address(fleet, spec, &taken, &rec->address, err);
    if (r < 0)
        return r;
    px_desktop_spec_copy(spec, &rec->spec);
    snprintf(rec->image, sizeof(rec->image), "%s", image_digest);
    rec->phase = PX_PHASE_NEW;
    rec->want_running = true;
    rec->id_first = ids.first;
    rec->id_count = ids.count;
    rec->source = px_strdup(source);
    rec->created_s = time(NULL);
    char why[PX_GPU_WHY_MAX];
    px_cleanup(px_ledger_freep) struct px_ledger *ledger = NULL;
    if ((r = px_ledger_open(fleet, &ledger, err)) < 0 ||
        (r = px_ledger_place(ledger, spec, &rec->gpus, why, err)) < 0)
        return r;
    px_cleanup_close int dir_fd = px_dir_open(fleet->desktops_fd, spec->name, err);
    return dir_fd < 0 ? dir_fd : px_record_save(dir_fd, rec, err);
}
