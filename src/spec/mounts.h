/* src/spec/mounts.h - what of the host a desktop sees: the key `mounts` of the desktop file
 *
 * For spec/desktop_fields.c only. */
#pragma once
#include "spec/schema.h"

/* An item of the list, a struct px_mount_spec. */
extern const struct px_field px_mount_item;
/* Of the whole list, in a struct px_desktop_entry: no two have one target. */
int px_mounts_finish(const struct px_at *at, const struct px_node *node, void *obj,
                     struct px_error *err);
