/* src/desktop/linker.c - the driver made known to the linker and the loaders inside a desktop */
#include "desktop/linker.h"
#include "backend/root.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "gpu/ldcache.h"
#include <limits.h>
#include <string.h>

#define CACHE "/etc/ld.so.cache"
#define CONF "/etc/ld.so.conf.d/00-phoenix-nvidia.conf"
#define LIB_DIR PX_DRIVER_DIR "/lib"

/* Directories in which our symlinks may be: see driver.c. */
static const char *const link_dirs[] = {
    "/usr/local/bin",      "/etc/glvnd/egl_vendor.d",
    "/etc/vulkan/icd.d",   "/etc/vulkan/implicit_layer.d",
    "/etc/OpenCL/vendors", "/usr/share/egl/egl_external_platform.d",
};

/* Whether @name in @dir_fd is a symlink into the driver's directory. */
static bool is_ours(int dir_fd, const char *name) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir_fd, name, target, sizeof(target) - 1);
    target[n > 0 ? n : 0] = '\0';
    return strncmp(target, PX_DRIVER_DIR "/", strlen(PX_DRIVER_DIR "/")) == 0;
}

static bool is_wanted(const struct px_driver *driver, const char *dir, const char *name) {
    px_cleanup_free char *path = px_asprintf("%s/%s", dir, name);
    for (size_t i = 0; driver && i < driver->n_outer; i++)
        if (strcmp(driver->outer[i].path, path) == 0)
            return true;
    return false;
}

/* Links of a driver that is gone, or that had more. */
static void remove_stale(int root_fd, const struct px_driver *driver) {
    for (size_t i = 0; i < PX_N_ELEMENTS(link_dirs); i++) {
        int fd = px_open_in_root(root_fd, link_dirs[i], O_RDONLY | O_DIRECTORY, 0, NULL);
        px_cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *e;
        while (dir && (e = readdir(dir)))
            if (is_ours(dirfd(dir), e->d_name) && !is_wanted(driver, link_dirs[i], e->d_name))
                unlinkat(dirfd(dir), e->d_name, 0);
    }
}

static int make_link(int root_fd, uid_t id, const struct px_driver_outer *link,
                     struct px_error *err) {
    const char *slash = strrchr(link->path, '/');
    px_cleanup_free char *parent = px_strndup(link->path, (size_t)(slash - link->path));
    px_cleanup_close int dir = px_root_mkdir_p(root_fd, parent, 0755, id, id, NULL);
    if (dir < 0)
        return 0; /* the owner has a file where the directory would be: it goes without */
    if (symlinkat(link->target, dir, slash + 1) < 0) {
        if (errno != EEXIST || !is_ours(dir, slash + 1))
            return 0; /* the image's own: stays */
        px_cleanup_free char *tmp = px_asprintf(".%s.phoenix", slash + 1);
        unlinkat(dir, tmp, 0);
        if (symlinkat(link->target, dir, tmp) < 0 || renameat(dir, tmp, dir, slash + 1) < 0)
            return px_fail_sys(err, -errno, "cannot make '%s'", link->path);
    }
    if (fchownat(dir, slash + 1, id, id, AT_SYMLINK_NOFOLLOW) < 0)
        return px_fail_sys(err, -errno, "cannot give '%s' away", link->path);
    return 0;
}

static int remove_file(int root_fd, const char *path) {
    const char *slash = strrchr(path, '/');
    px_cleanup_free char *parent = px_strndup(path, (size_t)(slash - path));
    px_cleanup_close int dir = px_open_in_root(root_fd, parent, O_PATH | O_DIRECTORY, 0, NULL);
    return dir < 0 || unlinkat(dir, slash + 1, 0) < 0 ? 0 : 1;
}

/* For the ldconfig that package installations inside run. */
static int write_conf(int root_fd, uid_t id, const struct px_driver *driver, struct px_error *err) {
    static const char text[] =
        "# the host's NVIDIA driver; made by phoenix at each start\n" LIB_DIR "\n";
    if (!driver) {
        remove_file(root_fd, CONF);
        return 0;
    }
    return px_root_write(root_fd, CONF, text, strlen(text), 0644, id, id, err);
}

static void add_libraries(const struct px_driver *driver, struct px_ldcache *cache, char **values) {
    size_t n = 0;
    for (size_t i = 0; i < driver->n_files; i++)
        if (strncmp(driver->files[i].name, "lib/", 4) == 0) {
            values[n] = px_asprintf(PX_DRIVER_DIR "/%s", driver->files[i].name);
            px_ldcache_add(cache, driver->files[i].name + 4, values[n++]);
        }
    for (size_t i = 0; i < driver->n_links; i++) {
        values[n] = px_asprintf(PX_DRIVER_DIR "/%s", driver->links[i].name);
        px_ldcache_add(cache, driver->links[i].name + 4, values[n++]);
    }
}

static void free_values(char **values) {
    for (size_t i = 0; values[i]; i++)
        free(values[i]);
    free(values);
}

static int write_cache(int root_fd, uid_t id, const struct px_driver *driver,
                       struct px_error *err) {
    px_cleanup_free char *old = NULL;
    size_t size = 0;
    px_cleanup(px_ldcache_fini) struct px_ldcache cache = {0};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    /* An image without one, or with one of its own making: the linker then finds its own libraries
     * in its default directories, and ours through the cache. */
    const int r = px_root_read(root_fd, CACHE, PX_LDCACHE_MAX_BYTES, &old, &size, NULL);
    if (r == -EINVAL) /* a pipe there would hold up every program, the first one too */
        remove_file(root_fd, CACHE);
    const bool have = r == 0 && px_ldcache_parse(old, size, &cache, NULL) == 0;
    const size_t dropped = px_ldcache_drop_dir(&cache, LIB_DIR);
    if (!driver && (!have || dropped == 0))
        return 0;
    char **values = px_new0(char *, driver ? driver->n_files + driver->n_links + 1 : 1);
    if (driver)
        add_libraries(driver, &cache, values);
    px_ldcache_print(&cache, &out);
    free_values(values);
    if (have && out.size == size && memcmp(out.data, old, size) == 0)
        return 0;
    return px_root_write(root_fd, CACHE, out.data, out.size, 0644, id, id, err);
}

int px_linker_prepare(int root_fd, uid_t id, const struct px_driver *driver, struct px_error *err) {
    remove_stale(root_fd, driver);
    for (size_t i = 0; driver && i < driver->n_outer; i++) {
        int r = make_link(root_fd, id, &driver->outer[i], err);
        if (r < 0)
            return r;
    }
    int r = write_conf(root_fd, id, driver, err);
    return r < 0 ? r : write_cache(root_fd, id, driver, err);
}
