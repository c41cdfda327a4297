/* src/desktop/gpus.c - a desktop's cards, as mounts, devices and files of its container */
#include "desktop/gpus.h"
#include "backend/root.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "desktop/linker.h"
#include "gpu/cdi_read.h"
#include "gpu/nodes.h"
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PROC_MAX_BYTES (256 * 1024)

static char *own(struct px_desktop *d, char *text) {
    px_grow(d->owned, &d->cap_owned, d->n_owned + 1);
    return d->owned[d->n_owned++] = text;
}

/* Cards that have not been used since boot tell their UUID only to NVML, and MIG devices only NVML
 * knows; asking it takes longer than a start. */
static bool needs_nvml(const struct px_gpu_host *host, const struct px_gpu_grants *grants) {
    for (size_t i = 0; i < grants->n; i++)
        if (!px_gpu_by_uuid(host, grants->items[i].uuid))
            return true;
    return false;
}

static int look(struct px_gpus *g, struct px_error *err) {
    struct px_gpu_ready done;
    g->host = px_new0(struct px_gpu_host, 1);
    const bool dri = g->desktop->rec->spec.gpus.dri;
    px_gpu_look("/", NULL, g->host);
    int r = px_gpu_make_ready(g->host, dri, &done, err);
    if (r < 0)
        return r;
    if (needs_nvml(g->host, &g->desktop->rec->gpus)) {
        free(g->host);
        g->host = px_gpu_look_here();
        if ((r = px_gpu_make_ready(g->host, dri, &done, err)) < 0)
            return r;
    }
    if (g->host->state == PX_GPU_READY)
        return 0;
    px_fail(err, -ENODEV, "%s", g->host->why);
    return px_hint(err, -ENODEV, "%s", g->host->fix);
}

char *px_gpus_probe_path(void) {
    static const char *const places[] = {"phoenix-gpu-probe", "../gpu/phoenix-gpu-probe",
                                         "../src/gpu/phoenix-gpu-probe",
                                         "../libexec/phoenix/phoenix-gpu-probe"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    const char *slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < PX_N_ELEMENTS(places); i++) {
        px_cleanup_free char *path = px_asprintf("%.*s/%s", (int)(slash - self), self, places[i]);
        if (access(path, X_OK) == 0)
            return realpath(path, NULL);
    }
    return access(PX_LIBEXECDIR "/phoenix-gpu-probe", X_OK) == 0
               ? px_strdup(PX_LIBEXECDIR "/phoenix-gpu-probe")
               : NULL;
}

int px_gpus_device(const char *path, struct px_backend_device *ret, struct px_error *err) {
    struct stat st;
    if (stat(path, &st) < 0) {
        int r = px_fail_sys(err, -errno, "device node '%s'", path);
        return px_hint(err, r, "phoenix gpu ready");
    }
    if (!S_ISCHR(st.st_mode))
        return px_fail(err, -ENODEV, "'%s' is no device node", path);
    /* Groups of the host are nobody inside: only what others may do counts. Where that is not
     * enough (render nodes are the group render's), the desktop gets a node of its own; who reaches
     * the card is the cgroup's business. */
    *ret = (struct px_backend_device){.path = path,
                                      .major = major(st.st_rdev),
                                      .minor = minor(st.st_rdev),
                                      .copy = (st.st_mode & 0006) != 0006};
    return 0;
}

static int add_device(struct px_desktop *d, const struct px_gpu_node *node, struct px_error *err) {
    struct px_backend_device device;
    int r = px_gpus_device(node->path, &device, err);
    if (r == -ENOENT && !node->needed)
        return 0;
    if (r < 0)
        return r;
    device.path = own(d, px_strdup(node->path));
    d->devices[d->c.n_devices++] = device;
    return 0;
}

static int add_devices(const struct px_gpus *g, struct px_error *err) {
    struct px_desktop *d = g->desktop;
    px_cleanup_free struct px_gpu_nodes *nodes = px_new0(struct px_gpu_nodes, 1);
    int r = px_gpu_source_nodes(px_fleet_host(g->fleet)->gpus.cdi, g->host, &d->rec->gpus,
                                d->rec->spec.gpus.dri, nodes, err);
    d->devices = px_realloc_array(d->devices, d->c.n_devices + nodes->n + 1, sizeof(*d->devices));
    d->c.devices = d->devices;
    for (size_t i = 0; i < nodes->n && r >= 0; i++)
        r = add_device(d, &nodes->items[i], err);
    return r;
}

static void add_mount(struct px_desktop *d, char *source, char *target) {
    d->mounts[d->c.n_mounts++] =
        (struct px_backend_mount){.source = source, .target = target, .read_only = true};
}

static void add_mounts(const struct px_gpus *g) {
    struct px_desktop *d = g->desktop;
    d->mounts =
        px_realloc_array(d->mounts, d->c.n_mounts + g->driver->n_files + 2, sizeof(*d->mounts));
    d->c.mounts = d->mounts;
    /* The skeleton first: the files go onto places in it, not into the image. */
    add_mount(d, own(d, px_asprintf("%s/" PX_GPUS_DIR "/driver", d->dir)),
              own(d, px_strdup(PX_DRIVER_DIR)));
    for (size_t i = 0; i < g->driver->n_files; i++)
        if (g->driver->files[i].source)
            add_mount(d, own(d, px_strdup(g->driver->files[i].source)),
                      own(d, px_asprintf(PX_DRIVER_DIR "/%s", g->driver->files[i].name)));
    add_mount(d, own(d, px_asprintf("%s/" PX_GPUS_DIR "/proc", d->dir)),
              own(d, px_strdup(PX_GPU_PROC_DIR)));
}

static int prepare(void *data, int root_fd, int home_fd, struct px_error *err) {
    const struct px_gpus *g = data;
    return px_linker_prepare(root_fd, g->desktop->c.id_first, g->driver, err);
}

int px_gpus_open(const struct px_fleet *fleet, struct px_desktop *d, struct px_gpus **ret,
                 struct px_error *err) {
    px_cleanup(px_gpus_freep) struct px_gpus *g = px_new0(struct px_gpus, 1);
    g->fleet = fleet;
    g->desktop = d;
    if (d->rec->gpus.n > 0) {
        int r = look(g, err);
        if (r < 0 ||
            (r = px_gpu_source_driver(px_fleet_host(fleet)->gpus.cdi, g->host->module, &g->driver,
                                      err)) < 0 ||
            (r = add_devices(g, err)) < 0)
            return px_wrap(err, r, "GPUs");
        px_cleanup_free char *probe = px_gpus_probe_path();
        if (probe)
            px_driver_add(g->driver, probe, "bin/phoenix-gpu-probe");
        add_mounts(g);
    }
    d->c.prepare = prepare;
    d->c.prepare_data = g;
    *ret = px_take_ptr(g);
    return 0;
}

struct px_gpus *px_gpus_free(struct px_gpus *g) {
    if (!g)
        return NULL;
    px_driver_free(g->driver);
    free(g->host);
    free(g);
    return NULL;
}

/* A file with its parent directories below @dir_fd. */
static int put(int dir_fd, const char *path, const char *text, size_t size, struct px_error *err) {
    const char *slash = strrchr(path, '/');
    px_cleanup_free char *parent = px_strndup(path, slash ? (size_t)(slash - path) : 0);
    int r = slash ? px_mkdir_p(dir_fd, parent, 0755, err) : 0;
    if (r < 0)
        return r;
    px_cleanup_close int fd =
        openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot write '%s'", path);
    r = px_fd_write_all(fd, text, size);
    return r < 0 ? px_fail_sys(err, r, "cannot write '%s'", path) : 0;
}

static int write_driver(int dir_fd, const struct px_driver *driver, struct px_error *err) {
    int r = px_mkdir_p(dir_fd, "driver/lib", 0755, err);
    for (size_t i = 0; i < driver->n_files && r >= 0; i++) {
        px_cleanup_free char *path = px_asprintf("driver/%s", driver->files[i].name);
        const char *text = driver->files[i].text ? driver->files[i].text : "";
        r = put(dir_fd, path, text, strlen(text), err);
    }
    for (size_t i = 0; i < driver->n_links && r >= 0; i++) {
        px_cleanup_free char *path = px_asprintf("driver/%s", driver->links[i].name);
        if (symlinkat(driver->links[i].target, dir_fd, path) < 0)
            r = px_fail_sys(err, -errno, "cannot make '%s'", path);
    }
    return r;
}

static int write_proc(int dir_fd, const struct px_gpus *g, struct px_error *err) {
    char **files = px_gpu_proc_files(g->host, &g->desktop->rec->gpus);
    int r = px_mkdir_p(dir_fd, "proc/gpus", 0755, err);
    for (size_t i = 0; files[i] && r >= 0; i++) {
        px_cleanup_free char *source = px_asprintf(PX_GPU_PROC_DIR "/%s", files[i]);
        px_cleanup_free char *path = px_asprintf("proc/%s", files[i]), *text = NULL;
        px_cleanup(px_buf_fini) struct px_buf out = {0};
        size_t size = 0;
        if (px_file_read(AT_FDCWD, source, PROC_MAX_BYTES, &text, &size, NULL) < 0)
            continue; /* not every driver has every file */
        if (strcmp(files[i], "params") == 0) {
            px_gpu_params_inside(text, &out);
            r = put(dir_fd, path, px_buf_str(&out), out.size, err);
        } else {
            r = put(dir_fd, path, text, size, err);
        }
    }
    px_gpu_proc_files_free(files);
    return r;
}

int px_gpus_write(const struct px_gpus *g, struct px_error *err) {
    const int dir_fd = g->desktop->dir_fd;
    int r = px_rm_rf(dir_fd, PX_GPUS_DIR, err);
    if (r < 0 || !g->driver)
        return r;
    r = px_mkdir_p(dir_fd, PX_GPUS_DIR, 0755, err);
    px_cleanup_close int fd = r < 0 ? r : px_dir_open(dir_fd, PX_GPUS_DIR, err);
    if (fd < 0)
        return fd;
    mode_t old = umask(022); /* others must read it, whatever the caller's umask */
    r = write_driver(fd, g->driver, err);
    if (r >= 0)
        r = write_proc(fd, g, err);
    umask(old);
    return r;
}
