/* src/gpu/inject.c - what of the host's /dev and /proc a desktop gets with its cards */
#include "gpu/inject.h"
#include "base/alloc.h"
#include <string.h>

int px_gpu_nodes_add(struct px_gpu_nodes *nodes, bool needed, const char *path,
                     struct px_error *err) {
    for (size_t i = 0; i < nodes->n; i++)
        if (strcmp(nodes->items[i].path, path) == 0)
            return 0; /* two MIG devices of one card */
    struct px_gpu_node *node = &nodes->items[nodes->n];
    if (nodes->n == PX_GPU_NODES_MAX || strlen(path) >= sizeof(node->path))
        return px_fail(err, -E2BIG, "device node '%s': one too many, or too long a name", path);
    *node = (struct px_gpu_node){.needed = needed};
    snprintf(node->path, sizeof(node->path), "%s", path);
    nodes->n++;
    return 0;
}

/* Ours are short, and no more than the grants allow. */
static void add(struct px_gpu_nodes *nodes, bool needed, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void add(struct px_gpu_nodes *nodes, bool needed, const char *fmt, ...) {
    char path[sizeof(nodes->items[0].path)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    (void)px_gpu_nodes_add(nodes, needed, path, NULL);
}

static const struct px_gpu_card *card_of(const struct px_gpu_host *host, const char *uuid,
                                         const struct px_gpu_mig **ret_mig) {
    *ret_mig = NULL;
    const struct px_gpu_card *c = px_gpu_by_uuid(host, uuid);
    return c ? c : px_gpu_by_mig(host, uuid, ret_mig);
}

static int gone(const struct px_gpu_host *host, const char *uuid, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    for (size_t i = 0; i < host->n_cards; i++)
        px_buf_printf(&b, "%s%s", i ? ", " : "",
                      host->cards[i].uuid[0] ? host->cards[i].uuid : host->cards[i].address);
    px_fail(err, -ENODEV, "its card %s is not on this host any more", uuid);
    return px_hint(err, -ENODEV, "there %s; change gpus in its desktop file and run up",
                   b.size ? px_buf_str(&b) : "is none");
}

static int add_card(const struct px_gpu_host *host, const char *uuid, bool dri,
                    struct px_gpu_nodes *nodes, struct px_error *err) {
    const struct px_gpu_mig *mig = NULL;
    const struct px_gpu_card *c = card_of(host, uuid, &mig);
    if (!c)
        return gone(host, uuid, err);
    if (c->trouble[0] || c->minor < 0) {
        px_fail(err, -ENODEV, "its card %s: %s", uuid, c->trouble[0] ? c->trouble : "has no node");
        return c->fix[0] ? px_hint(err, -ENODEV, "%s", c->fix) : -ENODEV;
    }
    add(nodes, true, "/dev/nvidia%d", c->minor);
    if (dri && !c->render[0]) {
        px_fail(err, -ENODEV, "its card %s has no render node in /dev/dri", uuid);
        return px_hint(err, -ENODEV, "modprobe nvidia-drm, or leave dri out of gpus");
    }
    if (dri)
        add(nodes, true, "/dev/dri/%s", c->render);
    if (!mig)
        return 0;
    if (mig->gi_minor < 0 || mig->ci_minor < 0)
        return px_fail(err, -ENODEV, "the driver has no capability node for %s", uuid);
    add(nodes, true, "/dev/nvidia-caps/nvidia-cap%d", mig->gi_minor);
    add(nodes, true, "/dev/nvidia-caps/nvidia-cap%d", mig->ci_minor);
    return 0;
}

int px_gpu_nodes(const struct px_gpu_host *host, const struct px_gpu_grants *grants, bool dri,
                 struct px_gpu_nodes *ret, struct px_error *err) {
    struct px_gpu_nodes nodes = {0};
    for (size_t i = 0; i < grants->n; i++) {
        int r = add_card(host, grants->items[i].uuid, dri, &nodes, err);
        if (r < 0)
            return r;
    }
    if (grants->n > 0) {
        add(&nodes, true, "/dev/nvidiactl");
        add(&nodes, true, "/dev/nvidia-uvm");
        add(&nodes, false, "/dev/nvidia-uvm-tools");
        add(&nodes, false, "/dev/nvidia-modeset");
    }
    *ret = nodes;
    return 0;
}

char **px_gpu_proc_files(const struct px_gpu_host *host, const struct px_gpu_grants *grants) {
    size_t n = 0;
    char **files = px_new0(char *, grants->n * 4 + 4);
    files[n++] = px_strdup("version");
    files[n++] = px_strdup("params");
    files[n++] = px_strdup("registry");
    for (size_t i = 0; i < grants->n; i++) {
        const struct px_gpu_mig *mig = NULL;
        const struct px_gpu_card *c = card_of(host, grants->items[i].uuid, &mig);
        if (!c)
            continue;
        files[n++] = px_asprintf("gpus/%s/information", c->address);
        if (!mig)
            continue;
        files[n++] = px_asprintf("capabilities/gpu%d/mig/gi%u/access", c->minor, mig->gi);
        files[n++] =
            px_asprintf("capabilities/gpu%d/mig/gi%u/ci%u/access", c->minor, mig->gi, mig->ci);
    }
    return files;
}

void px_gpu_proc_files_free(char **files) {
    for (size_t i = 0; files && files[i]; i++)
        free(files[i]);
    free(files);
}

void px_gpu_params_inside(const char *params, struct px_buf *out) {
    static const char key[] = "ModifyDeviceFiles:";
    for (const char *line = params; *line;) {
        const size_t n = strcspn(line, "\n") + (strchr(line, '\n') ? 1 : 0);
        if (strncmp(line, key, sizeof(key) - 1) == 0)
            px_buf_puts(out, "ModifyDeviceFiles: 0\n");
        else
            px_buf_add(out, line, n);
        line += n;
    }
}
