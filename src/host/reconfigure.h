/* src/host/reconfigure.h - a changed configuration, while sessions go on
 *
 * Permissions, allowed addresses, the banner, the second factor, trusted devices, tunnel targets,
 * punching and lan are taken over as they are: new logins meet them, and viewers are told what they
 * may do from now on. A session whose purpose or address is not allowed any more ends. All else
 * needs a new start. Loop thread. */
#pragma once
#include "host/host.h"

/* Whether @fresh differs from the host's configuration in nothing that needs a new start. */
bool px_host_can_take(const struct px_host *h, const struct px_host_config *fresh);
/* Takes it over; only if px_host_can_take(). @fresh stays the caller's. */
void px_host_take(struct px_host *h, const struct px_host_config *fresh);
