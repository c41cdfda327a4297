/* src/desktop/fleet.h - the desktops of this host, as files in STATE/desktops
 *
 *     STATE/up.lock               held by `up` for its whole run
 *     STATE/alloc.lock            held while ids and addresses are handed out
 *     STATE/ids.json              the span of host ids, once chosen
 *     STATE/desktops/NAME/        lock, desktop.json (record.h), etc/ (files.h),
 *                                 data/, lxc/ (backend)
 *
 * A fleet is a handle on all of it: host file, backend, open directories. Images, which
 * never change, are kept once read; all else is read anew by every call. One thread. */
#pragma once
#include "backend/backend.h"
#include "desktop/record.h"
#include "net/net.h"
#include "spec/host.h"

struct px_fleet; /* px_fleet_open() .. px_fleet_free() */

/* @host is lent and must outlive the fleet. Makes missing directories (STATE 0711, RUN 0711). */
int px_fleet_open(const struct px_host_spec *host, struct px_fleet **ret, struct px_error *err);
struct px_fleet *px_fleet_free(struct px_fleet *fleet);
PX_DEFINE_CLEANUP(struct px_fleet *, px_fleet_free)

const struct px_host_spec *px_fleet_host(const struct px_fleet *fleet);
const struct px_backend_ops *px_fleet_backend(const struct px_fleet *fleet);
int px_fleet_state_fd(const struct px_fleet *fleet); /* lent */

/* Names in alphabetical order (digits by value: lab-2 before lab-10) that match one of @globs
 * (n_globs 0: all). -ENOENT: a glob without a wildcard names no desktop; the hint has a near one.
 */
int px_fleet_names(const struct px_fleet *fleet, const char *const *globs, size_t n_globs,
                   char ***ret, size_t *ret_n, struct px_error *err);
void px_names_free(char **names, size_t n);

/* One desktop: its record and everything that follows from record and host file. */
struct px_desktop {
    struct px_record *rec;
    struct px_image *image;  /* lent by the fleet; NULL: it is gone (or has never been found) */
    struct px_net_port port; /* address 0.0.0.0: none */
    int dir_fd;
    char *dir;             /* STATE/desktops/NAME */
    struct px_container c; /* for the backend; points into this struct */
    struct px_backend_mount *mounts;
    struct px_backend_device *devices;
    char **owned; /* strings that c and mounts point at */
    size_t n_owned, cap_owned;
};

/* -ENOENT: no such desktop (hint: a near name); -EBADMSG: damaged record. */
int px_desktop_open(const struct px_fleet *fleet, const char *name, struct px_desktop **ret,
                    struct px_error *err);
struct px_desktop *px_desktop_free(struct px_desktop *d);
PX_DEFINE_CLEANUP(struct px_desktop *, px_desktop_free)

/* Takes the desktop's lock; makes its directory where @make. -EAGAIN: somebody has it for longer
 * than @wait_ms (less than 0: waits for ever). Returns the fd. -ENOENT: no such desktop. */
int px_desktop_lock(const struct px_fleet *fleet, const char *name, bool make, int wait_ms,
                    struct px_error *err);

/* Ports of all desktops that have an address; the caller's array. */
int px_fleet_ports(const struct px_fleet *fleet, struct px_net_port **ret, size_t *ret_n,
                   struct px_error *err);
/* Makes the host's network right for all desktops there are (px_net_up). */
int px_fleet_net_up(const struct px_fleet *fleet, struct px_error *err);

/* Hands out ids, an address (unless spec.network names one) and GPUs (desktop/ledger.h) and writes
 * the record of a new desktop in phase NEW, under the allocation lock. The caller holds the
 * desktop's lock. -ENOSPC: no ids or addresses left; -EADDRINUSE: the wanted address is another
 * desktop's. */
int px_fleet_allocate(const struct px_fleet *fleet, const struct px_desktop_spec *spec,
                      const char *image_digest, const char *source, struct px_error *err);
