/* src/check/doctor_trial.c - an overlay on an idmapped layer, tried for real */
#include "base/alloc.h"
#include "base/file.h"
#include "check/doctor.h"
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define TRIAL_ID 1234567 /* what root inside would be outside; nobody else sees it */

/* glibc's wrappers came with 2.36; the numbers are older. */
static int open_tree_fd(const char *path) {
    return (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static int move_mount_to(int fd, const char *path) {
    return (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

static int put(const char *path, const char *text) {
    return px_file_put(AT_FDCWD, path, text, NULL);
}

/* fd of a user namespace that maps ids 0..65535 to TRIAL_ID..; the process that made it is gone. */
static int make_userns(struct px_error *err) {
    int ready[2], go[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return px_fail_sys(err, -errno, "pipe");
    if (pipe2(go, O_CLOEXEC) < 0) {
        int r = px_fail_sys(err, -errno, "pipe");
        close(ready[0]);
        close(ready[1]);
        return r;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        char c = unshare(CLONE_NEWUSER) < 0 ? (char)errno : 0;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(go[1]);
        if (write(ready[1], &c, 1) == 1 && read(go[0], &c, 1) >= 0)
            _exit(0);
        _exit(1);
    }
    close(ready[1]);
    close(go[0]);
    char why = 0;
    int r = pid < 0 ? px_fail_sys(err, -errno, "fork") : 0, fd = -1;
    if (r == 0 && (read(ready[0], &why, 1) != 1 || why != 0))
        r = px_fail_sys(err, why ? -why : -EIO, "unshare(CLONE_NEWUSER)");
    if (r == 0) {
        px_cleanup_free char *uid_map = px_asprintf("/proc/%d/uid_map", pid);
        px_cleanup_free char *gid_map = px_asprintf("/proc/%d/gid_map", pid);
        px_cleanup_free char *ns = px_asprintf("/proc/%d/ns/user", pid);
        px_cleanup_free char *map = px_asprintf("0 %d 65536", TRIAL_ID);
        if ((r = put(uid_map, map)) < 0 || (r = put(gid_map, map)) < 0)
            px_fail_sys(err, r, "writing an id map");
        else if ((fd = open(ns, O_RDONLY | O_CLOEXEC)) < 0)
            r = px_fail_sys(err, -errno, "opening a user namespace");
    }
    close(go[1]);
    close(ready[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return r < 0 ? r : fd;
}

/* In the working directory: lower, upper, work, root. */
static int idmapped_overlay(int userns_fd, struct px_error *err) {
    px_cleanup_close int tree = open_tree_fd("lower");
    if (tree < 0)
        return px_fail_sys(err, -errno, "open_tree");
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd};
    if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
        return px_fail_sys(err, -errno, "mount_setattr(MOUNT_ATTR_IDMAP) on this file system");
    if (move_mount_to(tree, "lower") < 0)
        return px_fail_sys(err, -errno, "move_mount");
    if (mount("overlay", "root", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work") < 0)
        return px_fail_sys(err, -errno, "mounting an overlay on an idmapped directory");
    return 0;
}

static int use_it(struct px_error *err) {
    struct stat st;
    if (stat("root/file", &st) < 0)
        return px_fail_sys(err, -errno, "reading through the overlay");
    if (st.st_uid != TRIAL_ID)
        return px_fail(err, -EIO, "the overlay shows owner %u instead of %u", st.st_uid, TRIAL_ID);
    px_cleanup_close int fd = open("root/file", O_RDWR | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, "x", 1) != 1)
        return px_fail_sys(err, -errno, "writing through the overlay");
    return 0;
}

static int prepare(const char *dir, struct px_error *err) {
    static const char *const dirs[] = {"lower", "upper", "work", "root"};
    if (chdir(dir) < 0)
        return px_fail_sys(err, -errno, "cannot enter '%s'", dir);
    for (size_t i = 0; i < PX_N_ELEMENTS(dirs); i++)
        if (mkdir(dirs[i], 0755) < 0)
            return px_fail_sys(err, -errno, "cannot make a directory in '%s'", dir);
    if (chown("upper", TRIAL_ID, TRIAL_ID) < 0)
        return px_fail_sys(err, -errno, "chown to id %u", TRIAL_ID);
    px_cleanup_close int fd = open("lower/file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? px_fail_sys(err, -errno, "cannot write in '%s'", dir) : 0;
}

/* In a child with a mount namespace of its own: what it mounts is gone when it ends. */
static int trial(const char *dir, struct px_error *err) {
    int r = prepare(dir, err);
    if (r < 0)
        return r;
    px_cleanup_close int userns = make_userns(err);
    if (userns < 0)
        return userns;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return px_fail_sys(err, -errno, "unshare(CLONE_NEWNS)");
    r = idmapped_overlay(userns, err);
    return r < 0 ? r : use_it(err);
}

/* Runs trial() in a child and brings its error back. */
static int trial_in_child(const char *dir, struct px_error *err) {
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return px_fail_sys(err, -errno, "pipe");
    const pid_t pid = fork();
    if (pid == 0) {
        struct px_error mine = {0};
        trial(dir, &mine);
        _exit(px_fd_write_all(p[1], &mine, sizeof(mine)) < 0);
    }
    close(p[1]);
    struct px_error theirs = {0};
    ssize_t n = 0;
    if (pid > 0) {
        for (size_t at = 0; at < sizeof(theirs) &&
                            (n = read(p[0], (char *)&theirs + at, sizeof(theirs) - at)) > 0;)
            at += (size_t)n;
        waitpid(pid, NULL, 0);
    }
    close(p[0]);
    if (pid < 0 || n <= 0)
        return px_fail(err, -EIO, "the trial's process died");
    theirs.msg[sizeof(theirs.msg) - 1] = '\0';
    return theirs.code < 0 ? px_fail(err, theirs.code, "%s", theirs.msg) : 0;
}

int px_doctor_try_overlay(const char *dir, struct px_error *err) {
    px_cleanup_free char *own = px_asprintf("%s/doctor-XXXXXX", dir);
    if (!mkdtemp(own))
        return px_fail_sys(err, -errno, "cannot make a directory in '%s'", dir);
    int r = trial_in_child(own, err);
    px_rm_rf(AT_FDCWD, own, NULL);
    return r;
}
