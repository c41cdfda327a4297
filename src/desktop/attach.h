/* src/desktop/attach.h - cards given to, and taken from, a running desktop
 *
 * What is attached is granted like any other card (nobody else gets it), until the desktop file is
 * carried out again: `up` makes the grants as the file says. */
#pragma once
#include "desktop/fleet.h"

/* @card: UUID, PCI address or index. Writes the UUID to @ret_uuid (PX_GPU_UUID_MAX bytes).
 * -EALREADY: it has it; -ESRCH: it does not run; -ENOTSUP: it was started without any card, so that
 * the driver is not inside; and the codes of px_gpu_place(). */
int px_gpu_attach(const struct px_fleet *fleet, const char *name, const char *card, char *ret_uuid,
                  struct px_error *err);
/* -ENOENT: it does not have that card. -EBUSY: processes of it hold the card open; the message
 * names them. @force: takes it all the same; what is open stays open until those processes end. */
int px_gpu_detach(const struct px_fleet *fleet, const char *name, const char *card, bool force,
                  char *ret_uuid, struct px_error *err);
