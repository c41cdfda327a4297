/* src/desktop/attach.c - cards given to, and taken from, a running desktop */
#include "desktop/attach.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "desktop/gpus.h"
#include "desktop/ledger.h"
#include "gpu/cdi_read.h"
#include "gpu/nodes.h"
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define LOCK_WAIT_MS 30000
#define CGROUP_MAX_BYTES 65536

/* One desktop, locked, with the host's cards. */
struct job {
    const struct px_fleet *fleet;
    int lock, alloc_lock;
    struct px_desktop *d;
    struct px_gpu_host *host;
};

static void job_fini(struct job *j) {
    px_desktop_free(j->d);
    free(j->host);
    px_closep(&j->alloc_lock);
    px_closep(&j->lock);
}

static int job_open(struct job *j, const char *name, struct px_error *err) {
    struct px_gpu_ready done;
    struct px_container_info info = {0};
    j->lock = px_desktop_lock(j->fleet, name, false, LOCK_WAIT_MS, err);
    if (j->lock < 0)
        return j->lock;
    j->alloc_lock = px_lock(px_fleet_state_fd(j->fleet), "alloc.lock", -1, err);
    int r = j->alloc_lock < 0 ? j->alloc_lock : px_desktop_open(j->fleet, name, &j->d, err);
    if (r < 0 || (r = px_fleet_backend(j->fleet)->info(&j->d->c, false, &info, err)) < 0)
        return r;
    if (info.state != PX_CONTAINER_RUNNING) {
        px_fail(err, -ESRCH, "desktop '%s' does not run", name);
        return px_hint(err, -ESRCH, "change gpus in its desktop file and run up");
    }
    j->host = px_gpu_look_here();
    return px_gpu_make_ready(j->host, j->d->rec->spec.gpus.dri, &done, err);
}

static int nodes_of(const struct job *j, const struct px_gpu_grants *grants,
                    struct px_gpu_nodes *ret, struct px_error *err) {
    return px_gpu_source_nodes(px_fleet_host(j->fleet)->gpus.cdi, j->host, grants,
                               j->d->rec->spec.gpus.dri, ret, err);
}

/* The nodes that only the unit @uuid has: not those that all cards share. */
static int own_nodes(const struct job *j, const char *uuid, struct px_gpu_nodes *ret,
                     struct px_error *err) {
    px_cleanup_free struct px_gpu_grants *one = px_new0(struct px_gpu_grants, 1);
    one->n = 1;
    snprintf(one->items[0].uuid, sizeof(one->items[0].uuid), "%s", uuid);
    int r = nodes_of(j, one, ret, err);
    size_t kept = 0;
    for (size_t i = 0; r == 0 && i < ret->n; i++)
        if (isdigit((unsigned char)ret->items[i].path[strlen(ret->items[i].path) - 1]))
            ret->items[kept++] = ret->items[i];
    ret->n = r == 0 ? kept : 0;
    return r;
}

/* Whether another unit that the desktop keeps needs this node: two MIG devices of one card. */
static bool still_needed(const struct job *j, const char *path) {
    px_cleanup_free struct px_gpu_nodes *nodes = px_new0(struct px_gpu_nodes, 1);
    if (nodes_of(j, &j->d->rec->gpus, nodes, NULL) < 0)
        return false;
    for (size_t i = 0; i < nodes->n; i++)
        if (strcmp(nodes->items[i].path, path) == 0)
            return true;
    return false;
}

/* Drops from @nodes what the desktop keeps. */
static void keep_unneeded(const struct job *j, struct px_gpu_nodes *nodes) {
    size_t kept = 0;
    for (size_t i = 0; i < nodes->n; i++)
        if (!still_needed(j, nodes->items[i].path))
            nodes->items[kept++] = nodes->items[i];
    nodes->n = kept;
}

static int set_node(const struct job *j, const char *path, bool give, struct px_error *err) {
    struct px_backend_device device;
    int r = px_gpus_device(path, &device, err);
    if (r < 0)
        return r;
    return px_fleet_backend(j->fleet)->device(&j->d->c, &device, give, err);
}

/* What the desktop sees below /proc/driver/nvidia: its gpu/proc directory, which it has mounted. */
static void show_in_proc(const struct job *j, const char *uuid, bool shown) {
    const struct px_gpu_card *c = px_gpu_by_uuid(j->host, uuid);
    if (!c)
        return;
    px_cleanup_free char *dir = px_asprintf(PX_GPUS_DIR "/proc/gpus/%s", c->address);
    px_cleanup_free char *file = px_asprintf("%s/information", dir);
    px_cleanup_free char *source = px_asprintf(PX_GPU_PROC_DIR "/gpus/%s/information", c->address);
    px_cleanup_free char *text = NULL;
    if (!shown)
        px_rm_rf(j->d->dir_fd, dir, NULL);
    else if (px_mkdir_p(j->d->dir_fd, dir, 0755, NULL) >= 0 &&
             px_file_read(AT_FDCWD, source, CGROUP_MAX_BYTES, &text, NULL, NULL) == 0)
        px_file_replace(j->d->dir_fd, file, text, strlen(text), 0644, NULL);
}

static int find_new(const struct job *j, const char *card, struct px_gpu_grants *ret,
                    struct px_error *err) {
    char *ids[] = {(char *)card};
    char why[PX_GPU_WHY_MAX];
    px_cleanup(px_ledger_freep) struct px_ledger *ledger = NULL;
    struct px_desktop_spec wish = {
        .name = (char *)"",
        .gpus = {.want = PX_GPU_LIST, .ids = ids, .n_ids = 1, .mode = PX_GPU_EXCLUSIVE}};
    int r = px_ledger_open(j->fleet, &ledger, err);
    /* Under no name: what the desktop itself has counts like any other's. */
    return r < 0 ? r : px_ledger_place(ledger, &wish, ret, why, err);
}

/* The index in the desktop's grants of the unit that @card names; -ENOENT. */
static int find_granted(const struct job *j, const char *card, struct px_error *err) {
    const struct px_gpu_grants *gpus = &j->d->rec->gpus;
    char address[PX_GPU_ADDRESS_MAX] = "", index[24];
    if (strchr(card, '.'))
        (void)px_gpu_address(card, address);
    for (size_t i = 0; i < gpus->n; i++) {
        const struct px_gpu_card *c = px_gpu_by_uuid(j->host, gpus->items[i].uuid);
        snprintf(index, sizeof(index), "%td", c ? c - j->host->cards : -1);
        if (strcasecmp(gpus->items[i].uuid, card) == 0 ||
            (c && (strcmp(c->address, address) == 0 || strcmp(index, card) == 0)))
            return (int)i;
    }
    px_cleanup_free char *has = px_grants_text(gpus);
    px_fail(err, -ENOENT, "desktop '%s' has no card '%s'", j->d->rec->spec.name, card);
    return px_hint(err, -ENOENT, "it has %s", has);
}

static int attach(struct job *j, const char *card, char *ret_uuid, struct px_error *err) {
    px_cleanup_free struct px_gpu_grants *found = px_new0(struct px_gpu_grants, 1);
    px_cleanup_free struct px_gpu_nodes *nodes = px_new0(struct px_gpu_nodes, 1);
    struct px_gpu_grants *gpus = &j->d->rec->gpus;
    if (!px_exists(j->d->dir_fd, PX_GPUS_DIR "/driver")) {
        px_fail(err, -ENOTSUP, "it was started without a card, and so without the driver");
        return px_hint(err, -ENOTSUP, "change gpus in its desktop file and run up");
    }
    if (find_granted(j, card, NULL) >= 0)
        return px_fail(err, -EALREADY, "it has card '%s' already", card);
    int r = find_new(j, card, found, err);
    if (r < 0 || (r = own_nodes(j, found->items[0].uuid, nodes, err)) < 0)
        return r;
    if (gpus->n == PX_GPU_GRANTS_MAX)
        return px_fail(err, -ENOSPC, "it has %zu cards, which is all it can have", gpus->n);
    gpus->items[gpus->n++] = found->items[0];
    /* The record first: after a crash the card is nobody else's, and the next start gives it. */
    if ((r = px_record_save(j->d->dir_fd, j->d->rec, err)) < 0)
        return r;
    for (size_t i = 0; i < nodes->n && r >= 0; i++)
        r = set_node(j, nodes->items[i].path, true, err);
    if (r < 0) {
        gpus->n--;
        px_record_save(j->d->dir_fd, j->d->rec, NULL);
        return r;
    }
    show_in_proc(j, found->items[0].uuid, true);
    memcpy(ret_uuid, found->items[0].uuid, PX_GPU_UUID_MAX);
    return 0;
}

/* Whether process @pid is one of the container's and has device @dev open. */
static bool holds(const struct job *j, const char *pid, dev_t dev) {
    px_cleanup_free char *cgroup_path = px_asprintf("/proc/%s/cgroup", pid);
    px_cleanup_free char *fds_path = px_asprintf("/proc/%s/fd", pid);
    px_cleanup_free char *cgroup = NULL, *ours = px_asprintf("/%s", j->d->c.name);
    if (px_file_read(AT_FDCWD, cgroup_path, CGROUP_MAX_BYTES, &cgroup, NULL, NULL) < 0 ||
        !strstr(cgroup, ours))
        return false;
    px_cleanup_closedir DIR *dir = opendir(fds_path);
    const struct dirent *e;
    struct stat st;
    while (dir && (e = readdir(dir)))
        if (fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == dev)
            return true;
    return false;
}

static void name_holders(const struct job *j, const char *path, struct px_buf *out) {
    struct stat st;
    px_cleanup_closedir DIR *dir = opendir("/proc");
    const struct dirent *e;
    while (stat(path, &st) == 0 && dir && (e = readdir(dir))) {
        if (!isdigit((unsigned char)e->d_name[0]) || !holds(j, e->d_name, st.st_rdev))
            continue;
        px_cleanup_free char *comm_path = px_asprintf("/proc/%s/comm", e->d_name);
        px_cleanup_free char *comm = NULL;
        if (px_file_read(AT_FDCWD, comm_path, 256, &comm, NULL, NULL) == 0)
            comm[strcspn(comm, "\n")] = '\0';
        px_buf_printf(out, "%s%s (%s)", out->size ? ", " : "", comm ? comm : "?", e->d_name);
    }
}

static int detach(struct job *j, const char *card, bool force, char *ret_uuid,
                  struct px_error *err) {
    struct px_gpu_grants *gpus = &j->d->rec->gpus;
    px_cleanup_free struct px_gpu_nodes *nodes = px_new0(struct px_gpu_nodes, 1);
    px_cleanup(px_buf_fini) struct px_buf who = {0};
    const int at = find_granted(j, card, err);
    if (at < 0)
        return at;
    memcpy(ret_uuid, gpus->items[at].uuid, PX_GPU_UUID_MAX);
    int r = own_nodes(j, ret_uuid, nodes, err);
    if (r < 0)
        return r;
    memmove(&gpus->items[at], &gpus->items[at + 1],
            (gpus->n - (size_t)at - 1) * sizeof(gpus->items[0]));
    gpus->n--;
    keep_unneeded(j, nodes);
    for (size_t i = 0; i < nodes->n && !force; i++)
        name_holders(j, nodes->items[i].path, &who);
    if (who.size > 0) {
        px_fail(err, -EBUSY, "processes of it hold the card: %s", px_buf_str(&who));
        return px_hint(err, -EBUSY, "end them first, or --force: what they have open stays open");
    }
    for (size_t i = 0; i < nodes->n && r >= 0; i++)
        r = set_node(j, nodes->items[i].path, false, err);
    if (r < 0)
        return r;
    show_in_proc(j, ret_uuid, false);
    /* Last: nobody else gets the card before this one has lost it. */
    return px_record_save(j->d->dir_fd, j->d->rec, err);
}

int px_gpu_attach(const struct px_fleet *fleet, const char *name, const char *card, char *ret_uuid,
                  struct px_error *err) {
    px_cleanup(job_fini) struct job j = {.fleet = fleet, .lock = -1, .alloc_lock = -1};
    int r = job_open(&j, name, err);
    if (r >= 0)
        r = attach(&j, card, ret_uuid, err);
    return r < 0 ? px_wrap(err, r, "desktop '%s'", name) : 0;
}

int px_gpu_detach(const struct px_fleet *fleet, const char *name, const char *card, bool force,
                  char *ret_uuid, struct px_error *err) {
    px_cleanup(job_fini) struct job j = {.fleet = fleet, .lock = -1, .alloc_lock = -1};
    int r = job_open(&j, name, err);
    if (r >= 0)
        r = detach(&j, card, force, ret_uuid, err);
    return r < 0 ? px_wrap(err, r, "desktop '%s'", name) : 0;
}
