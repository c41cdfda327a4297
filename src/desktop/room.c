/* src/desktop/room.c - what the kernel has left for one more desktop */
#include "desktop/room.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <sys/inotify.h>
#include <unistd.h>

size_t px_inotify_left(size_t wanted) {
    px_cleanup_free int *fds = px_new0(int, wanted);
    size_t n = 0;
    while (n < wanted && (fds[n] = inotify_init1(IN_CLOEXEC)) >= 0)
        n++;
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    return n;
}
