/* src/spec/remote.h - the remote key of the desktop file
 *
 * For spec/desktop_fields.c only. */
#pragma once
#include "spec/schema.h"

extern const struct px_field px_remote_fields[]; /* of struct px_desktop_entry */
