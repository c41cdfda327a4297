/* src/backend/lxc/device.c - a device node given to, or taken from, a running container */
#include "backend/lxc/device.h"
#include "backend/lxc/helper.h"
#include "backend/lxc/monitor.h"
#include "backend/lxc/nodes.h"
#include "backend/lxc/paths.h"
#include "backend/root.h"
#include "base/alloc.h"
#include "base/file.h"
#include <lxc/lxccontainer.h>
#include <sched.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct work {
    const struct px_container *c;
    const struct px_backend_device *device;
    bool give;
    int pidfd;   /* of init */
    int node_fd; /* detached copy of the host's node; -1: taking it away, or a node of its own */
};

static void container_put(struct lxc_container *lxc) {
    lxc_container_put(lxc);
}
PX_DEFINE_CLEANUP(struct lxc_container *, container_put)

static int set_rule(const struct work *w, struct px_error *err) {
    px_cleanup_free char *path = px_lxc_containers_path(w->c);
    px_cleanup(container_putp) struct lxc_container *lxc = lxc_container_new(w->c->name, path);
    char rule[64];
    snprintf(rule, sizeof(rule), "%c %u:%u rw", w->device->block ? 'b' : 'c', w->device->major,
             w->device->minor);
    if (!lxc || !lxc->set_cgroup_item(lxc, w->give ? "devices.allow" : "devices.deny", rule))
        return px_fail(err, -EIO, "liblxc does not change the cgroup's rule '%s'", rule);
    return 0;
}

/* Inside the container's mount namespace, as the host's root: every path is resolved below its root
 * without following what its owner may have put there. */
static int place(const struct work *w, int node_fd, int root_fd, struct px_error *err) {
    const uid_t id = w->c->id_first;
    /* /dev is a file system of the container's: only its own ids can make files there. */
    setfsuid(id);
    setfsgid(id);
    px_cleanup_close int target = px_root_touch(root_fd, w->device->path, 0666, id, id, err);
    setfsuid(0);
    setfsgid(0);
    if (target < 0)
        return target;
    if (syscall(SYS_move_mount, node_fd, "", target, "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return px_fail_sys(err, -errno, "cannot mount '%s' inside", w->device->path);
    return 0;
}

static int take_away(const struct work *w, int root_fd, struct px_error *err) {
    const char *slash = strrchr(w->device->path, '/');
    px_cleanup_free char *parent = px_strndup(w->device->path, (size_t)(slash - w->device->path));
    px_cleanup_close int dir = px_open_in_root(root_fd, parent, O_PATH | O_DIRECTORY, 0, NULL);
    if (dir < 0 || fchdir(dir) < 0)
        return 0; /* the owner took the directory away: nothing of ours is there */
    if (umount2(slash + 1, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
        return px_fail_sys(err, -errno, "cannot unmount '%s' inside", w->device->path);
    setfsuid(w->c->id_first);
    setfsgid(w->c->id_first);
    unlinkat(dir, slash + 1, 0); /* the empty file below it; a name there is no access */
    setfsuid(0);
    setfsgid(0);
    return 0;
}

static int child_work(const struct work *w, struct px_error *err) {
    px_cleanup_free char *dir = px_lxc_mnt_path(w->c, "");
    px_cleanup_close int own = -1;
    if (w->give && w->device->copy && (own = px_lxc_nodes_open(w->device, dir, err)) < 0)
        return own;
    if (setns(w->pidfd, CLONE_NEWNS) < 0)
        return px_fail_sys(err, -errno, "cannot enter the container's mounts");
    px_cleanup_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return px_fail_sys(err, -errno, "cannot open the container's root");
    return w->give ? place(w, own >= 0 ? own : w->node_fd, root_fd, err)
                   : take_away(w, root_fd, err);
}

static int run_child(const struct work *w, struct px_error *err) {
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return px_fail_sys(err, -errno, "cannot make a pipe");
    px_cleanup_close int in = pipe_fds[0], out = pipe_fds[1];
    pid_t pid = fork();
    if (pid < 0)
        return px_fail_sys(err, -errno, "cannot fork");
    if (pid == 0) {
        struct px_helper_status status = {0};
        status.err.code = child_work(w, &status.err);
        _exit(px_fd_write_all(out, &status, sizeof(status)) < 0 ? 2 : 0);
    }
    close(px_take_fd(&out));
    struct px_helper_status status;
    int r = px_helper_status_read(in, &status, err);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return r;
}

static int open_node(const struct px_backend_device *device, struct px_error *err) {
    int fd = (int)syscall(SYS_open_tree, AT_FDCWD, device->path,
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
    return fd < 0 ? px_fail_sys(err, -errno, "device node '%s'", device->path) : fd;
}

int px_lxc_device(const struct px_container *c, const struct px_backend_device *device, bool give,
                  struct px_error *err) {
    struct px_monitor m;
    px_cleanup_close int pidfd = px_monitor_open_init(c, &m, err);
    if (pidfd < 0)
        return pidfd;
    px_cleanup_close int node = give && !device->copy ? open_node(device, err) : -1;
    if (give && !device->copy && node < 0)
        return node;
    const struct work w = {c, device, give, pidfd, node};
    /* Given: first the rule, so that the node works from the moment it is seen. Taken: first the
     * rule, so that nothing can be opened any more. */
    int r = set_rule(&w, err);
    if (r == 0)
        r = run_child(&w, err);
    if (r < 0 && give) {
        const struct work back = {c, device, false, pidfd, -1};
        set_rule(&back, NULL);
    }
    return r < 0 ? px_wrap(err, r, "container '%s'", c->name) : 0;
}
