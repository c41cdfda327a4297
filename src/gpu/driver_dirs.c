/* src/gpu/driver_dirs.c - where on a host the driver's libraries are looked for */
#include "gpu/driver_dirs.h"
#include "base/alloc.h"
#include "base/file.h"
#include "gpu/driver.h"
#include "gpu/ldcache.h"
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static const char *const lib_dirs[] = {
    "/usr/lib/x86_64-linux-gnu/nvidia/current", /* Debian */
    "/usr/lib/x86_64-linux-gnu",                /* the runfile, Ubuntu, Proxmox */
    "/usr/lib/aarch64-linux-gnu/nvidia/current",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",              /* Fedora, SUSE */
    "/usr/local/nvidia/lib64", /* container hosts, cloud images */
    "/usr/local/nvidia/lib",
    "/usr/lib64/nvidia",
    "/usr/lib/nvidia",
    "/opt/nvidia/lib64",
    "/run/opengl-driver/lib", /* NixOS */
    "/usr/lib",               /* Arch */
};

void px_driver_dirs_fini(struct px_driver_dirs *d) {
    for (size_t i = 0; i < d->n; i++)
        free(d->paths[i]);
}

void px_driver_dirs_add(struct px_driver_dirs *d, const char *path, size_t size) {
    for (size_t i = 0; i < d->n; i++)
        if (strlen(d->paths[i]) == size && strncmp(d->paths[i], path, size) == 0)
            return;
    if (d->n < PX_DRIVER_DIRS_MAX)
        d->paths[d->n++] = px_strndup(path, size);
}

void px_driver_dirs_find(int root_fd, struct px_driver_dirs *ret) {
    static const char *const known[] = {"libcuda.so.1", "libnvidia-ml.so.1"};
    px_cleanup_free char *data = NULL;
    size_t size = 0;
    px_cleanup(px_ldcache_fini) struct px_ldcache cache = {0};
    px_cleanup_close int fd = px_open_in_root(root_fd, "/etc/ld.so.cache", O_RDONLY, 0, NULL);
    if (fd >= 0 && px_fd_read_all(fd, PX_LDCACHE_MAX_BYTES, &data, &size, NULL) == 0 &&
        px_ldcache_parse(data, size, &cache, NULL) == 0)
        for (size_t i = 0; i < PX_N_ELEMENTS(known); i++) {
            const char *path = px_ldcache_find(&cache, known[i]);
            const char *slash = path ? strrchr(path, '/') : NULL;
            if (slash)
                px_driver_dirs_add(ret, path, (size_t)(slash - path));
        }
    for (size_t i = 0; i < PX_N_ELEMENTS(lib_dirs); i++)
        px_driver_dirs_add(ret, lib_dirs[i], strlen(lib_dirs[i]));
}

char *px_driver_resolve(int root_fd, const char *path) {
    px_cleanup_close int fd = px_open_in_root(root_fd, path, O_PATH, 0, NULL);
    struct stat st;
    char real[PATH_MAX];
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    px_cleanup_free char *self = px_asprintf("/proc/self/fd/%d", fd);
    ssize_t n = readlink(self, real, sizeof(real) - 1);
    return n > 0 ? px_strndup(real, (size_t)n) : NULL;
}

const char *px_driver_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void px_driver_version(int root_fd, const char *module, char *ret, size_t size) {
    static const char *const sonames[] = {"libcuda.so.1", "libnvidia-ml.so.1"};
    px_cleanup(px_driver_dirs_fini) struct px_driver_dirs dirs = {0};
    px_driver_dirs_find(root_fd, &dirs);
    snprintf(ret, size, "%s", "");
    for (size_t i = 0; i < dirs.n && module[0]; i++) {
        px_cleanup_free char *path = px_asprintf("%s/libcuda.so.%s", dirs.paths[i], module);
        px_cleanup_free char *real = px_driver_resolve(root_fd, path);
        if (real) {
            snprintf(ret, size, "%s", module);
            return;
        }
    }
    for (size_t i = 0; i < dirs.n; i++)
        for (size_t k = 0; k < PX_N_ELEMENTS(sonames); k++) {
            px_cleanup_free char *path = px_asprintf("%s/%s", dirs.paths[i], sonames[k]);
            px_cleanup_free char *real = px_driver_resolve(root_fd, path);
            const char *so = real ? strstr(px_driver_base(real), ".so.") : NULL;
            if (so && strchr(so + 4, '.')) {
                snprintf(ret, size, "%.31s", so + 4);
                return;
            }
        }
}

char *px_driver_library(const char *root, const char *version, const char *soname) {
    px_cleanup_close int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    px_cleanup(px_driver_dirs_fini) struct px_driver_dirs dirs = {0};
    px_driver_dirs_find(root_fd, &dirs);
    const char *so = strstr(soname, ".so");
    for (size_t i = 0; so && i < dirs.n; i++) {
        px_cleanup_free char *path =
            px_asprintf("%s/%.*s.so.%s", dirs.paths[i], (int)(so - soname), soname, version);
        char *real = px_driver_resolve(root_fd, path);
        if (real)
            return real;
    }
    return NULL;
}
