/* src/gpu/cdi_read.h - a CDI file, such as `nvidia-ctk cdi generate` writes, as what desktops get
 *
 * What is used: device nodes and mounts. What is not, and is left out on purpose: hooks, which
 * would run programs (the driver's links and the linker's cache are made by phoenix itself), and
 * environment variables. Source: SPEC.md of the Container Device Interface, versions 0.3.0 to 1. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "gpu/driver.h"
#include "gpu/inject.h"

#define PX_CDI_MAX_BYTES (1024 * 1024)
#define PX_CDI_EDITS_MAX 4096 /* nodes, mounts or devices of a list */

struct px_cdi_edits { /* absolute paths without "..", on the host and inside alike */
    char **nodes;     /* below /dev */
    char **mounts;    /* of the host */
    size_t n_nodes, n_mounts;
};

struct px_cdi_device {
    char *name; /* "0", "GPU-...", "all", "0:1" */
    struct px_cdi_edits edits;
};

struct px_cdi { /* px_cdi_parse() .. px_cdi_free() */
    struct px_cdi_edits common;
    struct px_cdi_device *devices;
    size_t n_devices;
};

/* Pure. JSON is read as the YAML that it is. -EINVAL with the line. */
int px_cdi_parse(const char *name, const char *text, size_t size, struct px_cdi **ret,
                 struct px_error *err);
struct px_cdi *px_cdi_free(struct px_cdi *cdi);
PX_DEFINE_CLEANUP(struct px_cdi *, px_cdi_free)

/* Reads the file @path. */
int px_cdi_load(const char *path, struct px_cdi **ret, struct px_error *err);

/* The driver's files among the mounts of all devices, below @root, with the links beside them.
 * -ENOENT: one is not there, or it is the driver of another version than @version. */
int px_cdi_driver(const struct px_cdi *cdi, const char *root, const char *version,
                  struct px_driver **ret, struct px_error *err);

/* The nodes of @grants: of the device by that UUID, or else of the one with just that card's node
 * (and capabilities); with those that all share. Pure. -ENODEV: a card that the file does not
 * know. */
int px_cdi_nodes(const struct px_cdi *cdi, const struct px_gpu_host *host,
                 const struct px_gpu_grants *grants, bool dri, struct px_gpu_nodes *ret,
                 struct px_error *err);

/* The same from the file at @cdi, or, where that is NULL, as found on the host (gpu/driver.h,
 * gpu/inject.h). */
int px_gpu_source_driver(const char *cdi, const char *version, struct px_driver **ret,
                         struct px_error *err);
int px_gpu_source_nodes(const char *cdi, const struct px_gpu_host *host,
                        const struct px_gpu_grants *grants, bool dri, struct px_gpu_nodes *ret,
                        struct px_error *err);
