/* src/desktop/files.h - what a desktop is told by its host: STATE/desktops/NAME/etc
 *
 * The directory is seen inside, read-only, as /etc/phoenix/desktop; the units of the image read it.
 *
 *     desktop.env     PHOENIX_* settings, KEY=VALUE, for EnvironmentFile=     root, 0644
 *     jupyter-token   48 hex digits, 192 bits of getrandom(2)                uid of the user, 0400
 *     machine-id      32 hex digits and newline, machine-id(5)               root, 0444
 *     resolv.conf     seen as /etc/resolv.conf too                           root, 0644
 *
 * Secrets are made once and stay. One thread, under the desktop's lock. */
#pragma once
#include "desktop/fleet.h"

#define PX_FILES_DIR "etc"
#define PX_FILES_TARGET "/etc/phoenix/desktop"

/* Writes what is missing or has changed; @uid: the ordinary user's inside. */
int px_files_write(const struct px_fleet *fleet, const struct px_desktop *d, struct px_error *err);
/* The Jupyter token, the caller's. -ENOENT: none yet. */
int px_files_jupyter_token(const struct px_desktop *d, char **ret, struct px_error *err);
/* The machine-id without newline, the caller's. */
int px_files_machine_id(const struct px_desktop *d, char **ret, struct px_error *err);

/* desktop.env's text; pure, the caller's. */
char *px_files_env(const struct px_desktop_spec *spec, const char *user);
