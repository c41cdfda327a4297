/* src/desktop/room.h - what the kernel has left for one more desktop
 *
 * A desktop's systemd and session hold about 13 inotify instances, and all count against one user
 * of the host (user namespaces do not help: root made them). Past the limit PID 1 gives up inside,
 * or the session does. Any thread. Source: ucounts in user_namespaces(7), inotify(7). */
#pragma once
#include <stddef.h>

#define PX_INOTIFY_PER_DESKTOP 13
#define PX_INOTIFY_RAISE "sysctl -w fs.inotify.max_user_instances=8192"

/* How many of @wanted inotify instances could be had now. The kernel shows no count: they are
 * made, and given back at once. */
size_t px_inotify_left(size_t wanted);
