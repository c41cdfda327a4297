/* src/desktop/ledger.c - who has which card, while cards are handed out */
#include "desktop/ledger.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include <string.h>

struct account {
    char *name;
    struct px_gpu_grants grants;
};

struct px_ledger {
    const struct px_host_spec *host; /* lent */
    struct px_gpu_host *gpus;        /* NULL until somebody wants a card */
    struct account *accounts;
    size_t n, cap;
    char damaged[64]; /* a desktop whose record cannot be read; "": none */
};

static struct account *find(struct px_ledger *l, const char *name) {
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->accounts[i].name, name) == 0)
            return &l->accounts[i];
    px_grow(l->accounts, &l->cap, l->n + 1);
    l->accounts[l->n] = (struct account){.name = px_strdup(name)};
    return &l->accounts[l->n++];
}

static void read_record(const struct px_fleet *fleet, const char *name, struct px_ledger *l) {
    px_cleanup_free char *path = px_asprintf("desktops/%s", name);
    px_cleanup_close int fd = px_dir_open(px_fleet_state_fd(fleet), path, NULL);
    px_cleanup(px_record_freep) struct px_record *rec = NULL;
    int r = fd < 0 ? fd : px_record_load(fd, &rec, NULL);
    if (r == 0)
        find(l, name)->grants = rec->gpus;
    else if (r != -ENOENT)
        snprintf(l->damaged, sizeof(l->damaged), "%s", name);
}

int px_ledger_open(const struct px_fleet *fleet, struct px_ledger **ret, struct px_error *err) {
    char **names = NULL;
    size_t n = 0;
    int r = px_fleet_names(fleet, NULL, 0, &names, &n, err);
    if (r < 0)
        return r;
    struct px_ledger *l = px_new0(struct px_ledger, 1);
    l->host = px_fleet_host(fleet);
    for (size_t i = 0; i < n; i++)
        read_record(fleet, names[i], l);
    px_names_free(names, n);
    *ret = l;
    return 0;
}

struct px_ledger *px_ledger_free(struct px_ledger *l) {
    if (!l)
        return NULL;
    for (size_t i = 0; i < l->n; i++)
        free(l->accounts[i].name);
    free(l->accounts);
    free(l->gpus);
    free(l);
    return NULL;
}

/* What all but @name hold; the caller's array. */
static struct px_gpu_hold *holds_of_others(const struct px_ledger *l, const char *name,
                                           size_t *ret_n) {
    struct px_gpu_hold *holds = px_new0(struct px_gpu_hold, l->n * PX_GPU_GRANTS_MAX + 1);
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; strcmp(l->accounts[i].name, name) != 0 && k < l->accounts[i].grants.n;
             k++)
            holds[n++] = (struct px_gpu_hold){l->accounts[i].grants.items[k], l->accounts[i].name};
    *ret_n = n;
    return holds;
}

int px_ledger_place(struct px_ledger *l, const struct px_desktop_spec *spec,
                    struct px_gpu_grants *ret, char *ret_why, struct px_error *err) {
    struct account *own = find(l, spec->name);
    if (spec->gpus.want != PX_GPU_NONE && l->damaged[0]) {
        px_fail(err, -EBADMSG,
                "the record of desktop '%s' is damaged: which GPUs it has is unknown", l->damaged);
        return px_hint(err, -EBADMSG, "phoenix rm %s", l->damaged);
    }
    if (spec->gpus.want != PX_GPU_NONE && !l->gpus)
        l->gpus = px_gpu_look_here();
    size_t n_holds = 0;
    px_cleanup_free struct px_gpu_hold *holds = holds_of_others(l, spec->name, &n_holds);
    const struct px_gpu_place_opts opts = {.host = l->gpus,
                                           .policy = l->host->gpus.policy,
                                           .max_shared = l->host->gpus.max_shared,
                                           .holds = holds,
                                           .n_holds = n_holds,
                                           .before = &own->grants};
    int r = px_gpu_place(&opts, &spec->gpus, ret, ret_why, err);
    if (r < 0)
        return px_wrap(err, r, "gpus");
    own->grants = *ret;
    return 0;
}

int px_ledger_save(const struct px_fleet *fleet, int dir_fd, struct px_record *rec,
                   struct px_error *err) {
    char why[PX_GPU_WHY_MAX];
    px_cleanup_close int lock = px_lock(px_fleet_state_fd(fleet), "alloc.lock", -1, err);
    if (lock < 0)
        return lock;
    px_cleanup(px_ledger_freep) struct px_ledger *l = NULL;
    int r = px_ledger_open(fleet, &l, err);
    if (r < 0 || (r = px_ledger_place(l, &rec->spec, &rec->gpus, why, err)) < 0)
        return r;
    return px_record_save(dir_fd, rec, err);
}

bool px_grants_equal(const struct px_gpu_grants *a, const struct px_gpu_grants *b) {
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->items[i].uuid, b->items[i].uuid) != 0 ||
            a->items[i].mode != b->items[i].mode ||
            a->items[i].memory_bytes != b->items[i].memory_bytes)
            return false;
    return true;
}

char *px_grants_text(const struct px_gpu_grants *grants) {
    struct px_buf b = {0};
    for (size_t i = 0; i < grants->n; i++)
        px_buf_printf(&b, "%s%s", i ? ", " : "", grants->items[i].uuid);
    if (grants->n == 0)
        px_buf_puts(&b, "none");
    return px_buf_take(&b);
}
