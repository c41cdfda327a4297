/* src/gpu/nodes.c - the driver's modules are loaded and its device nodes exist */
#include "gpu/nodes.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define MODPROBE_TIMEOUT_US (60 * PX_US_PER_S)
#define DEFAULT_MODE 0666

static int load_module(const char *name, struct px_error *err) {
    const char *const argv[] = {"modprobe", name, NULL};
    const struct px_proc_opts opts = {.argv = argv, .timeout_us = MODPROBE_TIMEOUT_US};
    int r = px_proc_check(&opts, err);
    if (r < 0) {
        px_wrap(err, -ENODEV, "cannot load the kernel module %s", name);
        return px_hint(err, -ENODEV, "install NVIDIA's driver for this kernel (dkms status)");
    }
    return 1;
}

static bool is_loaded(const char *name) {
    px_cleanup_free char *path = px_asprintf("/sys/module/%s", name);
    return px_exists(AT_FDCWD, path);
}

int px_gpu_make_node(const char *path, unsigned major, unsigned minor, unsigned mode,
                     struct px_error *err) {
    struct stat st;
    const dev_t want = makedev(major, minor);
    if (lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == want)
        return 0;
    /* A regular file, or a node with the numbers of another boot, is of no use and is replaced. By
     * rename: desktops that start at once all make nodes, and none may see one without its mode. */
    px_cleanup_free char *fresh = px_asprintf("%s.%d", path, (int)getpid());
    unlink(fresh);
    if (mknod(fresh, S_IFCHR | 0600, want) < 0 || chmod(fresh, mode) < 0 ||
        rename(fresh, path) < 0) {
        const int e = errno;
        unlink(fresh);
        return px_fail_sys(err, -e, "cannot make '%s'", path);
    }
    return 1;
}

struct maker {
    const struct px_gpu_host *host;
    struct px_gpu_ready *done;
    unsigned mode;
};

static int make(const struct maker *m, const char *path, unsigned major, unsigned minor,
                struct px_error *err) {
    const bool was_there = px_exists(AT_FDCWD, path);
    int r = px_gpu_make_node(path, major, minor, m->mode, err);
    if (r > 0 && was_there)
        m->done->n_mended++;
    else if (r > 0)
        m->done->n_made++;
    return r < 0 ? r : 0;
}

static int make_caps(const struct maker *m, const struct px_gpu_card *c, struct px_error *err) {
    if (c->n_migs == 0)
        return 0;
    if (m->host->caps_major == 0)
        return px_fail(err, -ENXIO, "the driver has registered no number for nvidia-caps");
    int r = px_mkdir_p(AT_FDCWD, "/dev/nvidia-caps", 0755, err);
    for (size_t i = 0; i < c->n_migs && r >= 0; i++) {
        const int minors[] = {c->migs[i].gi_minor, c->migs[i].ci_minor};
        for (size_t k = 0; k < 2 && r >= 0; k++) {
            char path[64];
            snprintf(path, sizeof(path), "/dev/nvidia-caps/nvidia-cap%d", minors[k]);
            if (minors[k] >= 0)
                r = make(m, path, m->host->caps_major, (unsigned)minors[k], err);
        }
    }
    return r;
}

static int make_all(const struct maker *m, struct px_error *err) {
    int r = make(m, "/dev/nvidiactl", PX_NVIDIA_MAJOR, PX_NVIDIACTL_MINOR, err);
    for (size_t i = 0; i < m->host->n_cards && r >= 0; i++) {
        const struct px_gpu_card *c = &m->host->cards[i];
        char path[32];
        snprintf(path, sizeof(path), "/dev/nvidia%d", c->minor);
        if (c->minor >= 0 && (r = make(m, path, PX_NVIDIA_MAJOR, (unsigned)c->minor, err)) >= 0)
            r = make_caps(m, c, err);
    }
    if (r >= 0 && is_loaded("nvidia_modeset"))
        r = make(m, "/dev/nvidia-modeset", PX_NVIDIA_MAJOR, PX_NVIDIA_MODESET_MINOR, err);
    if (r < 0)
        return r;
    if (m->host->uvm_major == 0)
        return px_fail(err, -ENXIO, "the driver has registered no number for nvidia-uvm");
    r = make(m, "/dev/nvidia-uvm", m->host->uvm_major, 0, err);
    return r < 0 ? r : make(m, "/dev/nvidia-uvm-tools", m->host->uvm_major, 1, err);
}

int px_gpu_make_ready(struct px_gpu_host *host, bool dri, struct px_gpu_ready *ret,
                      struct px_error *err) {
    static const char *const modules[][2] = {{"nvidia", "nvidia"},
                                             {"nvidia_uvm", "nvidia-uvm"},
                                             {"nvidia_modeset", "nvidia-modeset"},
                                             {"nvidia_drm", "nvidia-drm"}};
    *ret = (struct px_gpu_ready){0};
    bool any = host->module[0] != '\0';
    for (size_t i = 0; i < host->n_cards; i++)
        any |= strcmp(host->cards[i].driver, "vfio-pci") != 0;
    if (!any)
        return 0;
    for (size_t i = 0; i < (dri ? PX_N_ELEMENTS(modules) : 2); i++) {
        int r = is_loaded(modules[i][0]) ? 0 : load_module(modules[i][1], err);
        if (r < 0)
            return r;
        ret->n_loaded += (size_t)r;
    }
    if (ret->n_loaded > 0)
        px_gpu_look("/", NULL, host);
    const struct maker m = {
        host, ret, host->device_mode > 0 ? (unsigned)host->device_mode & 0777 : DEFAULT_MODE};
    return make_all(&m, err);
}
