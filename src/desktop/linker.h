/* src/desktop/linker.h - the driver made known to the linker and the loaders inside a desktop
 *
 * Nothing of the image is run: the linker's cache is read, changed and written as bytes, symlinks
 * are made and removed through directory fds, and every path is resolved below the desktop's root
 * (the escapes from NVIDIA's own toolkit, CVE-2024-0132, CVE-2025-23266, CVE-2025-23359, came from
 * running and following what images hold). Idempotent; with no driver it takes away what an earlier
 * one left. */
#pragma once
#include "base/error.h"
#include "gpu/driver.h"
#include <sys/types.h>

/* @root_fd: the desktop's root; @id: host id of its root; @driver NULL: none. Any file of the image
 * that is in the way stays, and is not followed. */
int px_linker_prepare(int root_fd, uid_t id, const struct px_driver *driver, struct px_error *err);
