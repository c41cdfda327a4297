/* src/gpu/driver.c - the files of NVIDIA's driver that belong into a desktop */
#include "gpu/driver.h"
#include "base/alloc.h"
#include "base/file.h"
#include "gpu/driver_dirs.h"
#include <string.h>

static const char *const lib_prefixes[] = {
    "libcuda.so",          "libcudadebugger.so", "libnv",
    "libGLX_nvidia.so",    "libEGL_nvidia.so",   "libGLESv1_CM_nvidia.so",
    "libGLESv2_nvidia.so", "libvdpau_nvidia.so",
};
/* Of versions of their own. */
static const char *const unversioned[] = {"libnvidia-egl-gbm.so.",      "libnvidia-egl-wayland.so.",
                                          "libnvidia-egl-wayland2.so.", "libnvidia-egl-xcb.so.",
                                          "libnvidia-egl-xlib.so.",     "libnvidia-api.so.1"};

static const char *const bin_dirs[] = {
    "/usr/bin",       "/usr/local/nvidia/bin", "/usr/lib/nvidia/current",
    "/usr/local/bin", "/opt/nvidia/bin",       "/run/current-system/sw/bin"};
static const char *const programs[] = {"nvidia-smi", "nvidia-debugdump", "nvidia-cuda-mps-control",
                                       "nvidia-cuda-mps-server"};

/* Texts that tell a loader about the driver: where they are looked for below each prefix, their
 * names, and where the loader inside looks. */
static const struct {
    const char *dir, *glob_begin, *inside;
} vendor[] = {
    {"glvnd/egl_vendor.d", "10_nvidia", "/etc/glvnd/egl_vendor.d"},
    {"vulkan/icd.d", "nvidia_icd", "/etc/vulkan/icd.d"},
    {"vulkan/implicit_layer.d", "nvidia_layers", "/etc/vulkan/implicit_layer.d"},
    {"egl/egl_external_platform.d", "", "/usr/share/egl/egl_external_platform.d"},
    {"OpenCL/vendors", "nvidia", "/etc/OpenCL/vendors"},
};
static const char *const vendor_prefixes[] = {"/usr/share", "/etc", "/usr/local/nvidia/share",
                                              "/usr/share/nvidia/current"};

static bool has_prefix(const char *name, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strncmp(name, list[i], strlen(list[i])) == 0)
            return true;
    return false;
}

/* Whether @name is a library file (not a link) of that version of the driver. */
static bool is_ours(const char *name, const char *version) {
    const char *so = strstr(name, ".so.");
    if (!so || !has_prefix(name, lib_prefixes, PX_N_ELEMENTS(lib_prefixes)))
        return false;
    return strcmp(so + 4, version) == 0 ||
           has_prefix(name, unversioned, PX_N_ELEMENTS(unversioned));
}

static bool have_file(const struct px_driver *d, const char *name) {
    for (size_t i = 0; i < d->n_files; i++)
        if (strcmp(d->files[i].name, name) == 0)
            return true;
    return false;
}

/* Takes both strings. */
static void add_file(struct px_driver *d, char *source, char *name) {
    if (have_file(d, name)) {
        free(source);
        free(name);
        return;
    }
    px_grow(d->files, &d->cap_files, d->n_files + 1);
    d->files[d->n_files++] = (struct px_driver_file){.source = source, .name = name};
}

static void add_link(struct px_driver *d, const char *name, const char *target) {
    px_cleanup_free char *full = px_asprintf("lib/%s", name);
    if (have_file(d, full))
        return;
    for (size_t i = 0; i < d->n_links; i++)
        if (strcmp(d->links[i].name, full) == 0)
            return;
    px_grow(d->links, &d->cap_links, d->n_links + 1);
    d->links[d->n_links++] = (struct px_driver_link){px_take_ptr(full), px_strdup(target)};
}

static DIR *open_dir(int root_fd, const char *path) {
    int fd = px_open_in_root(root_fd, path, O_RDONLY | O_DIRECTORY, 0, NULL);
    return fd < 0 ? NULL : fdopendir(fd);
}

/* Files in a first pass, then the links to them: a directory is in no order. */
static void take_libraries(int root_fd, const char *dir_path, bool links, struct px_driver *d) {
    px_cleanup_closedir DIR *dir = open_dir(root_fd, dir_path);
    const struct dirent *e;
    while (dir && (e = readdir(dir))) {
        if (!has_prefix(e->d_name, lib_prefixes, PX_N_ELEMENTS(lib_prefixes)) ||
            !strstr(e->d_name, ".so"))
            continue;
        px_cleanup_free char *path = px_asprintf("%s/%s", dir_path, e->d_name);
        px_cleanup_free char *real = px_driver_resolve(root_fd, path);
        if (!real || !is_ours(px_driver_base(real), d->version))
            continue;
        px_cleanup_free char *name = px_asprintf("lib/%s", px_driver_base(real));
        if (!links)
            add_file(d, px_take_ptr(real), px_take_ptr(name));
        else if (have_file(d, name))
            add_link(d, e->d_name, px_driver_base(real));
    }
}

static void add_outer(struct px_driver *d, const char *inside, const char *base, const char *name) {
    px_grow(d->outer, &d->cap_outer, d->n_outer + 1);
    d->outer[d->n_outer++] = (struct px_driver_outer){px_asprintf("%s/%s", inside, base),
                                                      px_asprintf(PX_DRIVER_DIR "/%s", name)};
}

/* Some hosts wrap the driver's programs in scripts that know only the host's paths. */
static bool is_elf(const char *path) {
    char magic[4] = "";
    px_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) &&
           memcmp(magic, "\177ELF", sizeof(magic)) == 0;
}

static void take_programs(int root_fd, struct px_driver *d) {
    for (size_t i = 0; i < PX_N_ELEMENTS(programs); i++)
        for (size_t k = 0; k < PX_N_ELEMENTS(bin_dirs); k++) {
            px_cleanup_free char *path = px_asprintf("%s/%s", bin_dirs[k], programs[i]);
            px_cleanup_free char *real = px_driver_resolve(root_fd, path);
            if (!real || !is_elf(real))
                continue;
            px_cleanup_free char *name = px_asprintf("bin/%s", programs[i]);
            add_outer(d, "/usr/local/bin", programs[i], name);
            add_file(d, px_take_ptr(real), px_take_ptr(name));
            break;
        }
}

static bool has_outer(const struct px_driver *d, const char *path) {
    for (size_t i = 0; i < d->n_outer; i++)
        if (strcmp(d->outer[i].path, path) == 0)
            return true;
    return false;
}

static void take_vendor_dir(int root_fd, const char *prefix, size_t which, struct px_driver *d) {
    px_cleanup_free char *dir_path = px_asprintf("%s/%s", prefix, vendor[which].dir);
    px_cleanup_closedir DIR *dir = open_dir(root_fd, dir_path);
    const struct dirent *e;
    while (dir && (e = readdir(dir))) {
        if (!strstr(e->d_name, "nvidia") ||
            strncmp(e->d_name, vendor[which].glob_begin, strlen(vendor[which].glob_begin)) != 0)
            continue;
        px_cleanup_free char *inside = px_asprintf("%s/%s", vendor[which].inside, e->d_name);
        px_cleanup_free char *path = px_asprintf("%s/%s", dir_path, e->d_name);
        char *real = has_outer(d, inside) ? NULL : px_driver_resolve(root_fd, path);
        if (!real)
            continue;
        px_cleanup_free char *name =
            px_asprintf("share/%s/%s", px_driver_base(vendor[which].dir), e->d_name);
        add_outer(d, vendor[which].inside, e->d_name, name);
        add_file(d, real, px_take_ptr(name));
    }
}

static bool has_outer_in(const struct px_driver *d, const char *dir) {
    const size_t n = strlen(dir);
    for (size_t i = 0; i < d->n_outer; i++)
        if (strncmp(d->outer[i].path, dir, n) == 0 && d->outer[i].path[n] == '/')
            return true;
    return false;
}

/* What the host's packages leave out is said for them. */
static void add_texts(struct px_driver *d) {
    static const struct {
        const char *library, *inside, *base, *name, *text;
    } texts[] = {
        {"libnvidia-opencl.so", "/etc/OpenCL/vendors", "nvidia.icd", "share/vendors/nvidia.icd",
         "libnvidia-opencl.so.1\n"},
        {"libEGL_nvidia.so", "/etc/glvnd/egl_vendor.d", "10_nvidia.json",
         "share/egl_vendor.d/10_nvidia.json",
         "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": "
         "\"libEGL_nvidia.so.0\"}}\n"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(texts); i++) {
        px_cleanup_free char *library = px_asprintf("lib/%s.%s", texts[i].library, d->version);
        if (!have_file(d, library) || has_outer_in(d, texts[i].inside))
            continue;
        add_outer(d, texts[i].inside, texts[i].base, texts[i].name);
        add_file(d, NULL, px_strdup(texts[i].name));
        d->files[d->n_files - 1].text = texts[i].text;
    }
}

static void take_firmware(int root_fd, struct px_driver *d) {
    static const char *const places[] = {"/usr/lib/firmware/nvidia", "/lib/firmware/nvidia",
                                         "/usr/local/nvidia/firmware/nvidia"};
    for (size_t i = 0; i < PX_N_ELEMENTS(places); i++) {
        px_cleanup_free char *dir_path = px_asprintf("%s/%s", places[i], d->version);
        px_cleanup_closedir DIR *dir = open_dir(root_fd, dir_path);
        const struct dirent *e;
        while (dir && (e = readdir(dir))) {
            px_cleanup_free char *path = px_asprintf("%s/%s", dir_path, e->d_name);
            char *real = px_driver_resolve(root_fd, path);
            if (real)
                add_file(d, real, px_asprintf("firmware/%s", e->d_name));
        }
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct px_driver_file *)a)->name,
                  ((const struct px_driver_file *)b)->name);
}

static int by_link(const void *a, const void *b) {
    return strcmp(((const struct px_driver_link *)a)->name,
                  ((const struct px_driver_link *)b)->name);
}

/* The same files in the same order at every start: texts made of them can be compared. */
static void sort_all(struct px_driver *d) {
    qsort(d->files, d->n_files, sizeof(*d->files), by_name);
    if (d->n_links > 0)
        qsort(d->links, d->n_links, sizeof(*d->links), by_link);
}

static void fill(int root_fd, struct px_driver *d) {
    px_cleanup(px_driver_dirs_fini) struct px_driver_dirs dirs = {0};
    px_driver_dirs_find(root_fd, &dirs);
    for (size_t i = 0; i < dirs.n; i++)
        take_libraries(root_fd, dirs.paths[i], false, d);
    for (size_t i = 0; i < dirs.n; i++)
        take_libraries(root_fd, dirs.paths[i], true, d);
    if (d->n_files == 0)
        return;
    take_programs(root_fd, d);
    for (size_t p = 0; p < PX_N_ELEMENTS(vendor_prefixes); p++)
        for (size_t i = 0; i < PX_N_ELEMENTS(vendor); i++)
            take_vendor_dir(root_fd, vendor_prefixes[p], i, d);
    add_texts(d);
    take_firmware(root_fd, d);
    sort_all(d);
}

int px_driver_find(const char *root, const char *version, struct px_driver **ret,
                   struct px_error *err) {
    px_cleanup_close int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", root);
    px_cleanup(px_driver_freep) struct px_driver *d = px_new0(struct px_driver, 1);
    snprintf(d->version, sizeof(d->version), "%s", version);
    fill(root_fd, d);
    px_cleanup_free char *cuda = px_asprintf("lib/libcuda.so.%s", version);
    if (!have_file(d, cuda)) {
        px_fail(err, -ENOENT, "the driver's libcuda.so.%s is not on this host", version);
        return px_hint(err, -ENOENT,
                       "install the libraries of the loaded module's version, or "
                       "reboot when the driver was upgraded");
    }
    *ret = px_take_ptr(d);
    return 0;
}

/* What @path's place says it is; false: nothing of the driver's. */
static bool take_path(const char *path, const char *real, struct px_driver *d) {
    const char *base = px_driver_base(path);
    if (strstr(base, ".so") && is_ours(px_driver_base(real), d->version)) {
        add_file(d, px_strdup(real), px_asprintf("lib/%s", px_driver_base(real)));
        return true;
    }
    for (size_t i = 0; i < PX_N_ELEMENTS(programs); i++)
        if (strcmp(base, programs[i]) == 0 && is_elf(real)) {
            px_cleanup_free char *name = px_asprintf("bin/%s", base);
            add_outer(d, "/usr/local/bin", base, name);
            add_file(d, px_strdup(real), px_take_ptr(name));
            return true;
        }
    for (size_t i = 0; i < PX_N_ELEMENTS(vendor); i++) {
        px_cleanup_free char *dir = px_asprintf("/%s/", vendor[i].dir);
        px_cleanup_free char *inside = px_asprintf("%s/%s", vendor[i].inside, base);
        if (!strstr(path, dir) || has_outer(d, inside))
            continue;
        px_cleanup_free char *name =
            px_asprintf("share/%s/%s", px_driver_base(vendor[i].dir), base);
        add_outer(d, vendor[i].inside, base, name);
        add_file(d, px_strdup(real), px_take_ptr(name));
        return true;
    }
    if (!strstr(path, "/firmware/nvidia/"))
        return false;
    add_file(d, px_strdup(real), px_asprintf("firmware/%s", base));
    return true;
}

/* The directories of @paths that hold libraries: where the links to them are. */
static void take_links(int root_fd, const char *const *paths, size_t n, struct px_driver *d) {
    px_cleanup(px_driver_dirs_fini) struct px_driver_dirs dirs = {0};
    for (size_t i = 0; i < n; i++)
        if (strstr(px_driver_base(paths[i]), ".so"))
            px_driver_dirs_add(&dirs, paths[i], (size_t)(px_driver_base(paths[i]) - paths[i] - 1));
    for (size_t i = 0; i < dirs.n; i++)
        take_libraries(root_fd, dirs.paths[i], true, d);
}

int px_driver_from(const char *root, const char *version, const char *const *paths, size_t n,
                   struct px_driver **ret, struct px_error *err) {
    px_cleanup_close int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", root);
    px_cleanup(px_driver_freep) struct px_driver *d = px_new0(struct px_driver, 1);
    snprintf(d->version, sizeof(d->version), "%s", version);
    for (size_t i = 0; i < n; i++) {
        px_cleanup_free char *real = px_driver_resolve(root_fd, paths[i]);
        px_cleanup_close int there = px_open_in_root(root_fd, paths[i], O_PATH, 0, NULL);
        if (there < 0) {
            px_fail(err, -ENOENT, "'%s' is not on this host", paths[i]);
            return px_hint(err, -ENOENT, "write the file anew: nvidia-ctk cdi generate");
        }
        if (real)
            take_path(paths[i], real, d);
    }
    take_links(root_fd, paths, n, d);
    add_texts(d);
    px_cleanup_free char *cuda = px_asprintf("lib/libcuda.so.%s", version);
    if (!have_file(d, cuda)) {
        px_fail(err, -ENOENT, "it does not list libcuda.so.%s, the driver that is loaded", version);
        return px_hint(err, -ENOENT, "write the file anew: nvidia-ctk cdi generate");
    }
    sort_all(d);
    *ret = px_take_ptr(d);
    return 0;
}

void px_driver_add(struct px_driver *d, const char *source, const char *name) {
    add_file(d, px_strdup(source), px_strdup(name));
}

struct px_driver *px_driver_free(struct px_driver *d) {
    if (!d)
        return NULL;
    for (size_t i = 0; i < d->n_files; i++) {
        free(d->files[i].source);
        free(d->files[i].name);
    }
    for (size_t i = 0; i < d->n_links; i++) {
        free(d->links[i].name);
        free(d->links[i].target);
    }
    for (size_t i = 0; i < d->n_outer; i++) {
        free(d->outer[i].path);
        free(d->outer[i].target);
    }
    free(d->files);
    free(d->links);
    free(d->outer);
    free(d);
    return NULL;
}
