/* src/image/sandbox.c - running a build step apart from the host */
#include "image/sandbox.h"
#include "base/alloc.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define HOSTNAME "phoenix"
#define DATA_MAX 4096 /* mount(2) takes a page of options */

struct job {
    const struct px_sandbox *sb;
    bool drop_caps;
    char *overlay;           /* mount options */
    struct px_error *shared; /* seen by us and by the step's processes */
};

/* Portable layers: what these features write into xattrs holds on this one file system only.
 * volatile: the layer is flushed once, when it is whole, not at each of dpkg's fsyncs. */
#define OVERLAY_OPTIONS "redirect_dir=off,metacopy=off,index=off,xino=off,volatile"

static int make_overlay_options(const struct px_sandbox *sb, char **ret, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    px_buf_printf(&b, OVERLAY_OPTIONS ",upperdir=%s,workdir=%s,lowerdir=", sb->upper, sb->work);
    for (size_t i = sb->n_lower; i > 0; i--) /* the kernel wants the highest first */
        px_buf_printf(&b, "%s%s", sb->lower[i - 1], i > 1 ? ":" : "");
    if (b.size >= DATA_MAX)
        return px_fail(err, -E2BIG, "%zu layers are too many to mount", sb->n_lower);
    *ret = px_buf_take(&b);
    return 0;
}

/* From here to px_sandbox_run everything runs in a child. It returns a positive errno, as
 * px_proc_opts.prepare does, and leaves the words in shared memory. */
static int lost(const struct job *job, const char *what) {
    int e = errno;
    px_fail_sys(job->shared, -e, "%s", what);
    if (e == EINVAL && strstr(what, "overlay"))
        px_hint(job->shared, -e,
                "the state directory must lie on a file system that can be an "
                "overlay's upper layer (ext4, xfs, btrfs, tmpfs), not on an overlay");
    return e ? e : EIO;
}

static int touch(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    return close(fd);
}

static int bind_path(const char *source, const char *target, unsigned long flags) {
    if (mount(source, target, NULL, MS_BIND, NULL) < 0)
        return -1;
    return flags ? mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | flags, NULL) : 0;
}

/* The current directory is the tree's root in all of these. */
static int mount_dev(const struct job *job) {
    static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"},
                                           {"pts/ptmx", "dev/ptmx"}};
    if (mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=1m") < 0)
        return lost(job, "cannot mount /dev");
    for (size_t i = 0; i < PX_N_ELEMENTS(nodes); i++) {
        char from[32], to[32];
        snprintf(from, sizeof(from), "/dev/%s", nodes[i]);
        snprintf(to, sizeof(to), "dev/%s", nodes[i]);
        if (touch(to) < 0 || bind_path(from, to, 0) < 0)
            return lost(job, "cannot bind a device node");
    }
    for (size_t i = 0; i < PX_N_ELEMENTS(links); i++)
        if (symlink(links[i][0], links[i][1]) < 0)
            return lost(job, "cannot fill /dev");
    if (mkdir("dev/pts", 0755) < 0 || mkdir("dev/shm", 01777) < 0 ||
        mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
              "newinstance,ptmxmode=0666,mode=620,gid=5") < 0 ||
        mount("tmpfs", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)
        return lost(job, "cannot fill /dev");
    return 0;
}

/* Makes the mount point @path (relative), its parents too. */
static int make_target(char *path, bool is_dir) {
    for (char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        mkdir(path, 0755);
        *p = '/';
    }
    return is_dir ? mkdir(path, 0755) : touch(path);
}

static int mount_binds(const struct job *job) {
    for (size_t i = 0; i < job->sb->n_binds; i++) {
        const struct px_sandbox_bind *b = &job->sb->binds[i];
        char target[512];
        struct stat st;
        snprintf(target, sizeof(target), "%s", b->target + 1);
        if (stat(b->source, &st) < 0)
            return lost(job, b->source);
        /* Over a file of the tree, where it is one: a link would lead out of the tree from here. */
        struct stat there;
        if (strncmp(target, "run/", 4) != 0 &&
            (lstat(target, &there) < 0 || (there.st_mode & S_IFMT) != (st.st_mode & S_IFMT)))
            continue;
        if (strncmp(target, "run/", 4) == 0 && make_target(target, S_ISDIR(st.st_mode)) < 0 &&
            errno != EEXIST)
            return lost(job, "cannot make a mount point below /run");
        if (bind_path(b->source, target, b->read_only ? MS_RDONLY : 0) < 0)
            return lost(job, b->source);
    }
    return 0;
}

static int mount_inside(const struct job *job) {
    if (mount("proc", "proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL) < 0)
        return lost(job, "cannot mount /proc");
    if (mount("tmpfs", "run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0 ||
        mkdir("run/lock", 01777) < 0 ||
        mount("tmpfs", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)
        return lost(job, "cannot mount /run and /tmp");
    chmod("run/lock", 01777);
    int r = mount_dev(job);
    if (r == 0)
        r = mount_binds(job);
    if (r != 0)
        return r;
    /* The old root is stacked below the new one and detached, see NOTES of pivot_root(2). */
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return lost(job, "cannot change the root to the tree");
    return 0;
}

static int loopback_up(void) {
    struct ifreq req = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int r = ioctl(fd, SIOCSIFFLAGS, &req);
    close(fd);
    return r;
}

/* What no maintainer script needs, and would reach the host with. */
static int drop_caps(const struct job *job) {
    static const int caps[] = {
        CAP_SYS_ADMIN,    CAP_SYS_MODULE, CAP_SYS_RAWIO,      CAP_SYS_BOOT,   CAP_SYS_TIME,
        CAP_SYS_PTRACE,   CAP_SYS_PACCT,  CAP_SYS_TTY_CONFIG, CAP_SYSLOG,     CAP_MAC_ADMIN,
        CAP_MAC_OVERRIDE, CAP_MKNOD,      CAP_NET_ADMIN,      CAP_WAKE_ALARM, CAP_LINUX_IMMUTABLE};
    for (size_t i = 0; i < PX_N_ELEMENTS(caps); i++)
        if (prctl(PR_CAPBSET_DROP, caps[i], 0, 0, 0) < 0)
            return lost(job, "cannot drop capabilities");
    return 0;
}

static int set_up(const struct job *job) {
    const struct px_sandbox *sb = job->sb;
    umask(022);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return lost(job, "cannot make the mounts private");
    if (sethostname(HOSTNAME, strlen(HOSTNAME)) < 0)
        return lost(job, "cannot set the hostname");
    if (!sb->network && loopback_up() < 0)
        return lost(job, "cannot bring up the loopback interface");
    if (chdir(sb->dir) < 0)
        return lost(job, sb->dir);
    if (mount("overlay", sb->root, "overlay", 0, job->overlay) < 0)
        return lost(job, "cannot mount the tree as an overlay");
    if (sb->host_root) {
        if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL) < 0)
            return lost(job, "cannot mount /proc");
        return 0;
    }
    if (chdir(sb->root) < 0)
        return lost(job, sb->root);
    int r = mount_inside(job);
    return r == 0 && job->drop_caps ? drop_caps(job) : r;
}

static int status_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* pid 1 of the new namespace: reaps; when it ends, the kernel ends whatever the step left running.
 */
static _Noreturn void be_init(pid_t step) {
    int status = 0;
    pid_t pid;
    do
        pid = wait(&status);
    while (pid != step && (pid > 0 || errno == EINTR));
    _exit(pid == step ? status_of(status) : 126);
}

/* Waits outside; its death (die_with_parent) is what ends the namespace's pid 1. */
static _Noreturn void be_outside(pid_t init) {
    int status = 0;
    while (waitpid(init, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(status_of(status));
}

/* In a forked child. Returns 0 in the process that is to run the step, else a positive errno. */
static int enter(const struct job *job) {
    int alive[2];
    int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC;
    if (unshare(flags | (job->sb->network ? 0 : CLONE_NEWNET)) < 0)
        return lost(job, "cannot make namespaces");
    if (pipe2(alive, O_CLOEXEC) < 0)
        return lost(job, "cannot make a pipe");
    pid_t init = fork();
    if (init < 0)
        return lost(job, "cannot fork");
    if (init > 0) {
        /* Holds the write end of @alive and nothing else: whoever reads our output or waits for our
         * report must see the step's end, not ours. */
        dup2(alive[1], 0);
        close_range(1, ~0U, 0);
        be_outside(init);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(alive[1]);
    struct pollfd p = {.fd = alive[0], .events = POLLIN};
    if (poll(&p, 1, 0) > 0) /* the other end died before the line above */
        _exit(126);
    close(alive[0]);
    int r = set_up(job);
    if (r != 0)
        return r;
    pid_t step = fork();
    if (step < 0)
        return lost(job, "cannot fork");
    if (step > 0) {
        close_range(0, ~0U, 0);
        be_init(step);
    }
    return 0;
}

static void *map_shared(void) {
    void *p = mmap(NULL, sizeof(struct px_error), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void end_job(struct job *job) {
    free(job->overlay);
    if (job->shared)
        munmap(job->shared, sizeof(*job->shared));
}

static int begin_job(const struct px_sandbox *sb, struct job *job, struct px_error *err) {
    job->sb = sb;
    job->shared = map_shared();
    if (!job->shared)
        return px_fail_sys(err, -errno, "cannot map memory");
    return make_overlay_options(sb, &job->overlay, err);
}

static int pass_on(const struct job *job, struct px_error *err) {
    if (err)
        *err = *job->shared;
    return job->shared->code;
}

/* px_proc_opts has one data pointer for its callbacks; the caller's is kept here. */
struct wrapped {
    const struct job *job;
    const struct px_proc_opts *opts;
};

static int prepare(void *data) {
    const struct wrapped *w = data;
    return enter(w->job);
}

static void on_line(void *data, const char *line) {
    const struct wrapped *w = data;
    w->opts->on_line(w->opts->data, line);
}

static int run_with(const struct px_sandbox *sb, const struct px_proc_opts *opts,
                    int (*run)(const struct px_proc_opts *, struct px_error *),
                    struct px_error *err) {
    px_cleanup(end_job) struct job job = {.drop_caps = !sb->host_root};
    int r = begin_job(sb, &job, err);
    if (r < 0)
        return r;
    struct wrapped w = {.job = &job, .opts = opts};
    struct px_proc_opts own = *opts;
    own.data = &w;
    own.on_line = opts->on_line ? on_line : NULL;
    own.prepare = prepare;
    own.die_with_parent = true;
    r = run(&own, err);
    return job.shared->code < 0 ? pass_on(&job, err) : r;
}

int px_sandbox_run(const struct px_sandbox *sb, const struct px_proc_opts *opts,
                   struct px_error *err) {
    return run_with(sb, opts, px_proc_run, err);
}

int px_sandbox_check(const struct px_sandbox *sb, const struct px_proc_opts *opts,
                     struct px_error *err) {
    return run_with(sb, opts, px_proc_check, err);
}

static _Noreturn void call_child(const struct job *job, int (*fn)(void *, struct px_error *),
                                 void *data, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    setpgid(0, 0); /* Ctrl-C on the terminal is for our parent, which ends us */
    if (enter(job) != 0)
        _exit(1);
    int r = fn(data, job->shared);
    _exit(r < 0 ? 1 : 0);
}

int px_sandbox_call(const struct px_sandbox *sb, int (*fn)(void *data, struct px_error *err),
                    void *data, struct px_error *err) {
    px_cleanup(end_job) struct job job = {0};
    int r = begin_job(sb, &job, err);
    if (r < 0)
        return r;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        return px_fail_sys(err, -errno, "cannot fork");
    if (pid == 0)
        call_child(&job, fn, data, parent);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (job.shared->code < 0)
        return pass_on(&job, err);
    if (status != 0)
        return px_fail(err, -EIO, "a build step was ended by signal %d", status_of(status) - 128);
    return 0;
}
