/* src/phoenix/main.c */
#include "phoenix/cli.h"
#include <linux/close_range.h>
#include <locale.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* What the caller has must not go on to what we start, some of which stays: a lock that a script
 * holds open, and a real-time policy, with which cgroup v1 lets nobody into a desktop's groups. */
static void keep_from_children(void) {
    struct sched_param param;
    const int policy = sched_getscheduler(0);
    syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
    if (policy >= 0 && sched_getparam(0, &param) == 0)
        sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &param);
}

int main(int argc, char **argv) {
    keep_from_children();
    /* Modes are chosen file by file; a stricter umask of root's would lock containers out of their
     * own. */
    umask(022);
    /* For the widths of characters only: the program's words and numbers are the same everywhere.
     */
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "");
    return px_cli_main(&px_program, argc, argv);
}
