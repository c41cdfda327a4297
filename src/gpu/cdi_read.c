/* src/gpu/cdi_read.c - a CDI file as what desktops get */
#include "gpu/cdi_read.h"
#include "base/alloc.h"
#include "base/file.h"
#include "spec/node.h"
#include <ctype.h>
#include <string.h>

struct reader {
    const char *name;
    struct px_error *err;
};

static int wrong(const struct reader *rd, const struct px_node *node, const char *what) {
    return px_fail(rd->err, -EINVAL, "%s:%u: %s", rd->name, node ? px_node_line(node) : 1, what);
}

/* Absolute, printable, and without a way up: what the host's root will bind. */
static bool is_path(const struct px_node *node) {
    if (!node || node->kind != PX_NODE_TEXT || node->text[0] != '/')
        return false;
    for (const char *p = node->text; *p; p++)
        if (iscntrl((unsigned char)*p))
            return false;
    const size_t n = strlen(node->text);
    return !strstr(node->text, "/../") && !strstr(node->text, "//") && node->text[n - 1] != '/' &&
           (n < 3 || strcmp(node->text + n - 3, "/..") != 0);
}

static int check_list(const struct reader *rd, const struct px_node *list, const char *what) {
    if (list->kind != PX_NODE_LIST)
        return wrong(rd, list, what);
    return list->n_children > PX_CDI_EDITS_MAX ? wrong(rd, list, "the list is too long") : 0;
}

static int read_nodes(const struct reader *rd, const struct px_node *list,
                      struct px_cdi_edits *ret) {
    int r = check_list(rd, list, "deviceNodes is no list");
    if (r < 0)
        return r;
    ret->nodes = px_new0(char *, list->n_children + 1);
    for (const struct px_node *e = list->child; e; e = e->next) {
        const struct px_node *path = px_node_get(e, "path"), *host = px_node_get(e, "hostPath");
        if (!is_path(path) || strncmp(path->text, "/dev/", 5) != 0)
            return wrong(rd, e, "a device node without a path below /dev");
        if (host && (host->kind != PX_NODE_TEXT || strcmp(host->text, path->text) != 0))
            return wrong(rd, e, "a device node that has another path on the host is not supported");
        ret->nodes[ret->n_nodes++] = px_strdup(path->text);
    }
    return 0;
}

static int read_mounts(const struct reader *rd, const struct px_node *list,
                       struct px_cdi_edits *ret) {
    int r = check_list(rd, list, "mounts is no list");
    if (r < 0)
        return r;
    ret->mounts = px_new0(char *, list->n_children + 1);
    for (const struct px_node *e = list->child; e; e = e->next) {
        const struct px_node *path = px_node_get(e, "hostPath");
        if (!is_path(path))
            return wrong(rd, e, "a mount without an absolute hostPath");
        ret->mounts[ret->n_mounts++] = px_strdup(path->text);
    }
    return 0;
}

static int read_edits(const struct reader *rd, const struct px_node *map,
                      struct px_cdi_edits *ret) {
    if (!map || px_node_is_null(map))
        return 0;
    if (map->kind != PX_NODE_MAP)
        return wrong(rd, map, "containerEdits is no mapping");
    const struct px_node *nodes = px_node_get(map, "deviceNodes");
    const struct px_node *mounts = px_node_get(map, "mounts");
    int r = nodes && !px_node_is_null(nodes) ? read_nodes(rd, nodes, ret) : 0;
    return r == 0 && mounts && !px_node_is_null(mounts) ? read_mounts(rd, mounts, ret) : r;
}

static int read_devices(const struct reader *rd, const struct px_node *list, struct px_cdi *cdi) {
    int r = list ? check_list(rd, list, "devices is no list") : wrong(rd, NULL, "no devices");
    if (r < 0)
        return r;
    cdi->devices = px_new0(struct px_cdi_device, list->n_children + 1);
    for (const struct px_node *e = list->child; e; e = e->next) {
        struct px_cdi_device *d = &cdi->devices[cdi->n_devices++];
        const struct px_node *name = px_node_get(e, "name");
        if (!name || name->kind != PX_NODE_TEXT || !name->text[0])
            return wrong(rd, e, "a device without a name");
        d->name = px_strdup(name->text);
        if ((r = read_edits(rd, px_node_get(e, "containerEdits"), &d->edits)) < 0)
            return r;
    }
    return 0;
}

static int check_version(const struct reader *rd, const struct px_node *root) {
    const struct px_node *version = px_node_get(root, "cdiVersion");
    unsigned major = 0, minor = 0;
    if (!version || version->kind != PX_NODE_TEXT)
        return wrong(rd, root, "no CDI file: it has no cdiVersion");
    if (sscanf(version->text, "%2u.%2u.", &major, &minor) != 2 || major > 1 ||
        (major == 0 && minor < 3))
        return wrong(rd, version, "a cdiVersion that is not known (0.3.0 to 1.x are)");
    return 0;
}

int px_cdi_parse(const char *name, const char *text, size_t size, struct px_cdi **ret,
                 struct px_error *err) {
    const struct reader rd = {name, err};
    px_cleanup(px_node_freep) struct px_node *root = NULL;
    px_cleanup(px_cdi_freep) struct px_cdi *cdi = px_new0(struct px_cdi, 1);
    int r = px_yaml_parse(name, text, size, false, &root, err);
    if (r < 0 || (r = check_version(&rd, root)) < 0 ||
        (r = read_edits(&rd, px_node_get(root, "containerEdits"), &cdi->common)) < 0 ||
        (r = read_devices(&rd, px_node_get(root, "devices"), cdi)) < 0)
        return r;
    *ret = px_take_ptr(cdi);
    return 0;
}

static void edits_fini(struct px_cdi_edits *e) {
    for (size_t i = 0; i < e->n_nodes; i++)
        free(e->nodes[i]);
    for (size_t i = 0; i < e->n_mounts; i++)
        free(e->mounts[i]);
    free(e->nodes);
    free(e->mounts);
}

struct px_cdi *px_cdi_free(struct px_cdi *cdi) {
    if (!cdi)
        return NULL;
    edits_fini(&cdi->common);
    for (size_t i = 0; i < cdi->n_devices; i++) {
        edits_fini(&cdi->devices[i].edits);
        free(cdi->devices[i].name);
    }
    free(cdi->devices);
    free(cdi);
    return NULL;
}

int px_cdi_load(const char *path, struct px_cdi **ret, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    int r = px_file_read(AT_FDCWD, path, PX_CDI_MAX_BYTES, &text, &size, err);
    if (r < 0) {
        px_wrap(err, r, "gpus.cdi of the host file");
        return px_hint(err, r, "nvidia-ctk cdi generate --output=%s", path);
    }
    return px_cdi_parse(path, text, size, ret, err);
}

int px_cdi_driver(const struct px_cdi *cdi, const char *root, const char *version,
                  struct px_driver **ret, struct px_error *err) {
    const struct px_cdi_edits *lists[1 + PX_GPU_CARDS_MAX * PX_GPU_MIGS_MAX];
    size_t n_lists = 0, n = 0;
    lists[n_lists++] = &cdi->common;
    for (size_t i = 0; i < cdi->n_devices && n_lists < PX_N_ELEMENTS(lists); i++)
        lists[n_lists++] = &cdi->devices[i].edits;
    for (size_t i = 0; i < n_lists; i++)
        n += lists[i]->n_mounts;
    px_cleanup_free const char **paths = px_new0(const char *, n + 1);
    n = 0;
    for (size_t i = 0; i < n_lists; i++)
        for (size_t k = 0; k < lists[i]->n_mounts; k++)
            paths[n++] = lists[i]->mounts[k];
    int r = px_driver_from(root, version, paths, n, ret, err);
    return r < 0 ? px_wrap(err, r, "CDI file") : 0;
}

static bool has_node(const struct px_cdi_edits *e, const char *path) {
    for (size_t i = 0; i < e->n_nodes; i++)
        if (strcmp(e->nodes[i], path) == 0)
            return true;
    return false;
}

static size_t n_cards(const struct px_cdi_edits *e) {
    size_t n = 0;
    for (size_t i = 0; i < e->n_nodes; i++)
        n += strncmp(e->nodes[i], "/dev/nvidia", 11) == 0 &&
             e->nodes[i][11 + strspn(e->nodes[i] + 11, "0123456789")] == '\0';
    return n;
}

/* Whether a device is that card, or that part of it, and nothing else. */
static bool is_device(const struct px_cdi_device *d, const struct px_gpu_card *c,
                      const struct px_gpu_mig *mig) {
    char card[32], gi[64], ci[64];
    snprintf(card, sizeof(card), "/dev/nvidia%d", c->minor);
    if (!has_node(&d->edits, card) || n_cards(&d->edits) != 1 || strcmp(d->name, "all") == 0)
        return false;
    if (!mig)
        return true;
    snprintf(gi, sizeof(gi), "/dev/nvidia-caps/nvidia-cap%d", mig->gi_minor);
    snprintf(ci, sizeof(ci), "/dev/nvidia-caps/nvidia-cap%d", mig->ci_minor);
    return has_node(&d->edits, gi) && has_node(&d->edits, ci);
}

static const struct px_cdi_device *find_device(const struct px_cdi *cdi, const char *uuid,
                                               const struct px_gpu_card *c,
                                               const struct px_gpu_mig *mig) {
    for (size_t i = 0; i < cdi->n_devices; i++)
        if (strcasecmp(cdi->devices[i].name, uuid) == 0)
            return &cdi->devices[i];
    for (size_t i = 0; i < cdi->n_devices; i++)
        if (is_device(&cdi->devices[i], c, mig))
            return &cdi->devices[i];
    return NULL;
}

static int add_nodes(const struct px_cdi_edits *e, bool needed, bool dri, struct px_gpu_nodes *ret,
                     struct px_error *err) {
    for (size_t i = 0; i < e->n_nodes; i++) {
        /* As where phoenix looks itself: render nodes when asked, never the one that sets modes. */
        const bool is_dri = strncmp(e->nodes[i], "/dev/dri/", 9) == 0;
        if (is_dri && (!dri || strncmp(e->nodes[i], "/dev/dri/renderD", 16) != 0))
            continue;
        int r = px_gpu_nodes_add(ret, needed, e->nodes[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

int px_cdi_nodes(const struct px_cdi *cdi, const struct px_gpu_host *host,
                 const struct px_gpu_grants *grants, bool dri, struct px_gpu_nodes *ret,
                 struct px_error *err) {
    px_cleanup_free struct px_gpu_nodes *nodes = px_new0(struct px_gpu_nodes, 1);
    /* First as without the file: whether each card is there and well. */
    int r = px_gpu_nodes(host, grants, false, nodes, err);
    if (r < 0)
        return r;
    nodes->n = 0;
    for (size_t i = 0; i < grants->n && r >= 0; i++) {
        const char *uuid = grants->items[i].uuid;
        const struct px_gpu_mig *mig = NULL;
        const struct px_gpu_card *c = px_gpu_by_uuid(host, uuid);
        c = c ? c : px_gpu_by_mig(host, uuid, &mig);
        const struct px_cdi_device *d = c ? find_device(cdi, uuid, c, mig) : NULL;
        if (!d) {
            px_fail(err, -ENODEV, "the CDI file has no device for %s", uuid);
            return px_hint(err, -ENODEV,
                           "write it anew (nvidia-ctk cdi generate, or phoenix gpu cdi)");
        }
        r = add_nodes(&d->edits, true, dri, nodes, err);
    }
    if (r >= 0 && grants->n > 0)
        r = add_nodes(&cdi->common, false, dri, nodes, err);
    if (r >= 0)
        *ret = *nodes;
    return r;
}

int px_gpu_source_driver(const char *path, const char *version, struct px_driver **ret,
                         struct px_error *err) {
    px_cleanup(px_cdi_freep) struct px_cdi *cdi = NULL;
    if (!path)
        return px_driver_find("/", version, ret, err);
    int r = px_cdi_load(path, &cdi, err);
    return r < 0 ? r : px_cdi_driver(cdi, "/", version, ret, err);
}

int px_gpu_source_nodes(const char *path, const struct px_gpu_host *host,
                        const struct px_gpu_grants *grants, bool dri, struct px_gpu_nodes *ret,
                        struct px_error *err) {
    px_cleanup(px_cdi_freep) struct px_cdi *cdi = NULL;
    if (!path)
        return px_gpu_nodes(host, grants, dri, ret, err);
    int r = px_cdi_load(path, &cdi, err);
    return r < 0 ? r : px_cdi_nodes(cdi, host, grants, dri, ret, err);
}
