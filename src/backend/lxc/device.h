/* src/backend/lxc/device.h - a device node given to, or taken from, a running container
 *
 * The node is a bind mount of the host's; the cgroup's rule is changed through liblxc, which knows
 * both the v1 lists and the v2 program. Source: setns(2), open_tree(2), move_mount(2). */
#pragma once
#include "backend/backend.h"

/* See px_backend_ops.device. */
int px_lxc_device(const struct px_container *c, const struct px_backend_device *device, bool give,
                  struct px_error *err);
