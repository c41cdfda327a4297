/* src/backend/lxc/overlay.h - the overlay that is a container's root
 *
 * Detached: an fd until px_idmount_place() puts it somewhere; closed before that, it is gone.
 * Source: overlayfs.rst of the kernel, fsconfig(2). */
#pragma once
#include "base/error.h"
#include <stddef.h>

/* Of the working directory's l0, l1 .. (the lowest first), @upper and @work: short names, free of
 * characters that need escaping. Returns the fd. -ENODEV: the kernel has no overlays. */
int px_overlay_open(size_t n_layers, const char *upper, const char *work, struct px_error *err);
