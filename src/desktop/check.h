/* src/desktop/check.h - a desktop file's wishes against this host, before anything is touched
 *
 * Messages begin with FILE:LINE, as the parser's do. */
#pragma once
#include "desktop/ledger.h"

/* Image, keyboard and time zone in it, GPUs, address, mounts. @ret_image: digest of the image,
 * PX_DIGEST_TEXT_MAX bytes.
 * @ret_gpus: what it would be given, of what @ledger has left, and why (px_ledger_place). -EINVAL:
 * something that the person has to change, or an image to be built first. */
int px_check_spec(const struct px_fleet *fleet, const struct px_desktop_file *file,
                  const struct px_desktop_spec *spec, struct px_ledger *ledger, char *ret_image,
                  struct px_gpu_grants *ret_gpus, char *ret_why, struct px_error *err);

/* Whether STATE/desktops/@name holds a record at all, good or damaged. */
bool px_check_has_record(const struct px_fleet *fleet, const char *name);
