/* src/desktop/gpus.h - a desktop's cards, as mounts, devices and files of its container
 *
 *     STATE/desktops/NAME/gpu/driver/   skeleton of PX_DRIVER_DIR: empty files, symlinks
 *     STATE/desktops/NAME/gpu/proc/     what is /proc/driver/nvidia inside: the granted cards only
 *
 * Made anew at each start, so that the driver inside is always the host's. One thread, under the
 * desktop's lock. */
#pragma once
#include "desktop/fleet.h"
#include "gpu/driver.h"
#include "gpu/inject.h"

#define PX_GPUS_DIR "gpu"
#define PX_GPUS_PROBE PX_DRIVER_DIR "/bin/phoenix-gpu-probe" /* inside */

/* Path of our probe on this host, the caller's: beside this program, in a build tree, or where it
 * is installed; NULL: not there. */
char *px_gpus_probe_path(void);

/* The device node @path of this host as it is given to desktops; ret->path is @path, lent. -ENOENT:
 * it is not there; -ENODEV: it is no device. */
int px_gpus_device(const char *path, struct px_backend_device *ret, struct px_error *err);

struct px_gpus {                  /* px_gpus_open() .. px_gpus_free() */
    const struct px_fleet *fleet; /* lent, as is the desktop */
    struct px_desktop *desktop;
    struct px_gpu_host *host;
    struct px_driver *driver; /* NULL: the desktop has no cards */
};

/* Finds its cards and the driver's files, and adds them to d->c (devices, mounts, prepare); the
 * result must live as long as d->c is used. A desktop without cards gets only the prepare step that
 * takes away what an earlier grant left. -ENODEV: a card is gone, or the driver does not work;
 * the message says what to do. */
int px_gpus_open(const struct px_fleet *fleet, struct px_desktop *d, struct px_gpus **ret,
                 struct px_error *err);
struct px_gpus *px_gpus_free(struct px_gpus *gpus);
PX_DEFINE_CLEANUP(struct px_gpus *, px_gpus_free)

/* Writes the desktop's gpu directory anew. Only while it does not run: what it has mounted is in
 * there. */
int px_gpus_write(const struct px_gpus *gpus, struct px_error *err);
