/* src/image/sandbox.h - running a build step apart from the host
 *
 * A step runs in mount, pid, uts and ipc namespaces of its own, without network unless asked for,
 * and either inside the tree that is being built (its root pivoted there, fresh /proc, /dev, /run,
 * /tmp) or, for programs of the host that build a tree, with the host's root. The tree is an
 * overlay mount that exists in the step's namespace only. When the step ends, or we die in any way
 * (SIGKILL too), the kernel ends every process and mount of it.
 *
 * Not a wall against a hostile recipe: steps run as root, with some capabilities taken away.
 * Root only. Any thread; the step dies with the calling thread. Source: unshare(2),
 * pid_namespaces(7), pivot_root(2), PR_SET_PDEATHSIG in prctl(2), the kernel's
 * filesystems/overlayfs. */
#pragma once
#include "base/proc.h"

struct px_sandbox_bind {
    const char *source; /* on the host */
    const char *target; /* inside, absolute; made where missing below /run, elsewhere skipped where
                           the tree has nothing of that kind there */
    bool read_only;
};

struct px_sandbox {           /* all lent */
    const char *dir;          /* absolute; the paths below are relative to it and have no ':' */
    const char *const *lower; /* trees, the lowest first, at least one */
    size_t n_lower;
    const char *upper, *work; /* empty directories; the step's changes end up in upper */
    const char *root;         /* mount point */
    bool host_root;           /* run a program of the host; the tree is at @root */
    bool network;
    const struct px_sandbox_bind *binds; /* only without host_root */
    size_t n_binds;
};

/* Runs a program as px_proc_run does; opts->prepare, cwd and die_with_parent are ours. The program
 * is looked up inside by its absolute path, on the host by its name. */
int px_sandbox_run(const struct px_sandbox *sb, const struct px_proc_opts *opts,
                   struct px_error *err);
/* The same, and any status but 0 is -EIO with the last line of its output. */
int px_sandbox_check(const struct px_sandbox *sb, const struct px_proc_opts *opts,
                     struct px_error *err);
/* Calls @fn(data, err) inside, in a forked process: memory that it changes is lost, open fds stay.
 */
int px_sandbox_call(const struct px_sandbox *sb, int (*fn)(void *data, struct px_error *err),
                    void *data, struct px_error *err);
