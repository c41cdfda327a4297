/* src/check/doctor_trial.c - an overlay on an idmapped layer, tried as the backend makes it */
#include "backend/lxc/idmount.h"
#include "backend/lxc/overlay.h"
#include "backend/lxc/tree.h"
#include "base/alloc.h"
#include "base/file.h"
#include "check/doctor.h"
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TRIAL_ID 1234567 /* what root inside would be outside; nobody else sees it */

static int place(int mount_fd, const char *name, struct px_error *err) {
    px_cleanup_close int at = px_dir_open(AT_FDCWD, name, err);
    return at < 0 ? at : px_idmount_place(mount_fd, at, err);
}

/* In the working directory: l0, upper, work, root. */
static int idmapped_overlay(struct px_error *err) {
    px_cleanup_close int userns = px_userns_open(0, TRIAL_ID, 65536, err);
    if (userns < 0)
        return userns;
    const struct px_idmount_opts opts = {.userns_fd = userns, .read_only = true, .trusted = true};
    px_cleanup_close int layer = px_idmount_open(AT_FDCWD, "l0", &opts, err);
    int r = layer < 0 ? layer : place(layer, "l0", err);
    if (r < 0)
        return r;
    px_cleanup_close int root = px_overlay_open(1, "upper", "work", err);
    return root < 0 ? root : place(root, "root", err);
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
    static const char *const dirs[] = {"l0", "upper", "work", "root"};
    if (chdir(dir) < 0)
        return px_fail_sys(err, -errno, "cannot enter '%s'", dir);
    for (size_t i = 0; i < PX_N_ELEMENTS(dirs); i++)
        if (mkdir(dirs[i], 0755) < 0)
            return px_fail_sys(err, -errno, "cannot make a directory in '%s'", dir);
    if (chown("upper", TRIAL_ID, TRIAL_ID) < 0)
        return px_fail_sys(err, -errno, "chown to id %u", TRIAL_ID);
    px_cleanup_close int fd = open("l0/file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? px_fail_sys(err, -errno, "cannot write in '%s'", dir) : 0;
}

/* In a child with a mount namespace of its own: what it mounts is gone when it ends. */
static int trial(const char *dir, struct px_error *err) {
    int r = prepare(dir, err);
    if (r < 0)
        return r;
    if ((r = px_tree_unshare(err)) < 0 || (r = idmapped_overlay(err)) < 0)
        return r;
    return use_it(err);
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
