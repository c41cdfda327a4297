/* src/gpu/driver.h - the files of NVIDIA's driver that belong into a desktop
 *
 * Libraries, programs and vendor files of the version of the loaded kernel module, wherever they
 * are: found through the linker's cache and in the directories where Debian, the runfile, Proxmox
 * and container hosts put them. All paths are resolved below @root, so that a tree that looks like
 * a host serves tests. Inside, all of it lies in one directory, PX_DRIVER_DIR, which is a skeleton
 * of empty files and symlinks made by the host; the real files are bound onto it, read-only:
 *
 *     lib/libcuda.so.580.95.05        bound        lib/libcuda.so.1 -> libcuda.so.580.95.05
 *     bin/nvidia-smi                  bound
 *     share/egl_vendor.d/10_nvidia.json            bound; /etc/glvnd/egl_vendor.d/10_nvidia.json
 *                                                  inside is a symlink to it
 *
 * A host that has a library without the text by which loaders find it (OpenCL's and EGL's, on
 * machines where the driver is a mounted directory) gets that text from us. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <stddef.h>

#define PX_DRIVER_DIR "/usr/lib/phoenix/nvidia"

struct px_driver_file {
    char *source;     /* on the host, absolute, symlinks resolved; NULL: not from there */
    char *name;       /* below PX_DRIVER_DIR: "lib/libcuda.so.580.95.05" */
    const char *text; /* what it says where @source is NULL; static */
};
struct px_driver_link {
    char *name;   /* below PX_DRIVER_DIR: "lib/libcuda.so.1" */
    char *target; /* beside it: "libcuda.so.580.95.05" */
};
struct px_driver_outer { /* a symlink elsewhere in the desktop, into PX_DRIVER_DIR */
    char *path;          /* "/usr/local/bin/nvidia-smi" */
    char *target;        /* "/usr/lib/phoenix/nvidia/bin/nvidia-smi" */
};

struct px_driver {
    char version[32];
    struct px_driver_file *files;
    struct px_driver_link *links;
    struct px_driver_outer *outer;
    size_t n_files, n_links, n_outer, cap_files, cap_links, cap_outer;
};

/* -ENOENT: no libcuda of that version below @root. */
int px_driver_find(const char *root, const char *version, struct px_driver **ret,
                   struct px_error *err);
/* The driver's files among @paths, absolute below @root, as a CDI file lists them; the links beside
 * them. What is no file of the driver (configuration of its services, sockets) is left out.
 * -ENOENT: a path is not there, or no libcuda of that version among them. */
int px_driver_from(const char *root, const char *version, const char *const *paths, size_t n,
                   struct px_driver **ret, struct px_error *err);
/* Adds a file that is not the driver's; copies both strings. */
void px_driver_add(struct px_driver *driver, const char *source, const char *name);
struct px_driver *px_driver_free(struct px_driver *driver);
PX_DEFINE_CLEANUP(struct px_driver *, px_driver_free)

/* Version of the libraries on the host: @module's where it is there, else that of what is there;
 * "": none. @root_fd is lent. */
void px_driver_version(int root_fd, const char *module, char *ret, size_t size);
/* Path of library @soname of @version (on the host: with @root in front); NULL: not there. */
char *px_driver_library(const char *root, const char *version, const char *soname);
