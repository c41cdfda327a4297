/* src/gpu/cdi.c - the cards as a CDI specification */
#include "gpu/cdi.h"
#include "base/alloc.h"
#include <ctype.h>
#include <string.h>

#define KIND "phoenix.local/gpu"

/* The nodes of @grants: the card's own, or those that all share. */
static int nodes_of(const struct px_gpu_host *host, const struct px_gpu_grants *grants, bool own,
                    json_t *ret, struct px_error *err) {
    px_cleanup_free struct px_gpu_nodes *nodes = px_new0(struct px_gpu_nodes, 1);
    int r = px_gpu_nodes(host, grants, false, nodes, err);
    for (size_t i = 0; r == 0 && i < nodes->n; i++) {
        const char *path = nodes->items[i].path;
        if (own == (isdigit((unsigned char)path[strlen(path) - 1]) != 0))
            json_array_append_new(ret, json_pack("{ss}", "path", path));
    }
    return r;
}

static int add_device(const struct px_gpu_host *host, const char *name,
                      const struct px_gpu_grants *grants, json_t *devices, struct px_error *err) {
    json_t *nodes = json_array();
    int r = nodes_of(host, grants, true, nodes, err);
    json_array_append_new(
        devices, json_pack("{ss s{so}}", "name", name, "containerEdits", "deviceNodes", nodes));
    return r;
}

static void add_grant(struct px_gpu_grants *all, struct px_gpu_grants *one, const char *uuid) {
    *one = (struct px_gpu_grants){.n = 1};
    snprintf(one->items[0].uuid, sizeof(one->items[0].uuid), "%s", uuid);
    if (all->n < PX_GPU_GRANTS_MAX)
        all->items[all->n++] = one->items[0];
}

static int add_devices(const struct px_gpu_host *host, json_t *devices, struct px_gpu_grants *all,
                       struct px_error *err) {
    px_cleanup_free struct px_gpu_grants *one = px_new0(struct px_gpu_grants, 1);
    int r = 0;
    for (size_t i = 0; i < host->n_cards && r == 0; i++) {
        const struct px_gpu_card *c = &host->cards[i];
        if (c->trouble[0])
            continue;
        if (!c->mig) {
            add_grant(all, one, c->uuid);
            r = add_device(host, c->uuid, one, devices, err);
        }
        for (size_t k = 0; k < c->n_migs && r == 0; k++) {
            add_grant(all, one, c->migs[k].uuid);
            r = add_device(host, c->migs[k].uuid, one, devices, err);
        }
    }
    return r == 0 && all->n > 0 ? add_device(host, "all", all, devices, err) : r;
}

static json_t *mounts_of(const struct px_driver *driver) {
    json_t *mounts = json_array();
    for (size_t i = 0; i < driver->n_files; i++) {
        const char *path = driver->files[i].source;
        if (!path)
            continue; /* a text of ours: nothing to mount */
        json_array_append_new(mounts,
                              json_pack("{ss ss s[ssss]}", "hostPath", path, "containerPath", path,
                                        "options", "ro", "nosuid", "nodev", "bind"));
    }
    return mounts;
}

int px_gpu_cdi(const struct px_gpu_host *host, const struct px_driver *driver, json_t **ret,
               struct px_error *err) {
    px_cleanup_free struct px_gpu_grants *all = px_new0(struct px_gpu_grants, 1);
    json_t *devices = json_array(), *nodes = json_array();
    int r = add_devices(host, devices, all, err);
    if (r == 0 && all->n > 0)
        r = nodes_of(host, all, false, nodes, err);
    if (r == 0 && all->n == 0)
        r = px_fail(err, -ENODEV, "no NVIDIA GPU of this host can be used");
    json_t *spec =
        json_pack("{ss ss so s{so so}}", "cdiVersion", "0.3.0", "kind", KIND, "devices", devices,
                  "containerEdits", "deviceNodes", nodes, "mounts", mounts_of(driver));
    if (r < 0)
        json_decref(spec);
    else
        *ret = spec;
    return r;
}
