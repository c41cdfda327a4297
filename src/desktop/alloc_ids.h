/* src/desktop/alloc_ids.h - the host's span of ids: chosen once, kept in STATE/ids.json
 *
 * Desktops' files carry these ids, so the span must not move while one exists. */
#pragma once
#include "desktop/idmap.h"
#include "spec/host.h"

/* The span; chooses and reserves it (subid.h) on the first call. Under STATE/alloc.lock.
 * -EEXIST: it is somebody else's in /etc/subuid; -EINVAL: the host file names another one than
 * before. */
int px_alloc_ids_span(const struct px_host_spec *host, int state_fd, struct px_ids *ret,
                      struct px_error *err);
