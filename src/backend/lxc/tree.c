/* src/backend/lxc/tree.c - a container's whole root, mounted where only it is seen */
#include "backend/lxc/tree.h"
#include "backend/lxc/disk.h"
#include "backend/lxc/idmount.h"
#include "backend/lxc/nodes.h"
#include "backend/lxc/overlay.h"
#include "backend/lxc/paths.h"
#include "backend/root.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/step.h"
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

struct tree {
    const struct px_container *c;
    int mnt_fd;    /* the tmpfs at RUN/mnt */
    int userns_fd; /* the block's ids */
    int root_fd;   /* the overlay */
};

static void fini(struct tree *t) {
    px_closep(&t->root_fd);
    px_closep(&t->userns_fd);
    px_closep(&t->mnt_fd);
}

int px_tree_unshare(struct px_error *err) {
    if (unshare(CLONE_NEWNS) < 0)
        return px_fail_sys(err, -errno, "cannot make a mount namespace");
    /* Slave, not private: a file system that the host unmounts must not stay busy because of us. */
    if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return px_fail_sys(err, -errno, "cannot detach the mount namespace");
    return 0;
}

/* Others must be able to search the way to RUN/mnt: inside, root has no rights over the host's
 * directories. */
static int check_searchable(const char *path, struct px_error *err) {
    px_cleanup_free char *part = px_strdup(path);
    struct stat root;
    if (stat("/", &root) == 0 && !(root.st_mode & S_IXOTH)) {
        px_fail(err, -EACCES, "'/' cannot be entered by the container's root");
        return px_hint(err, -EACCES, "chmod o+x /");
    }
    for (char *slash = part + strlen(part); slash && slash > part; slash = strrchr(part, '/')) {
        *slash = '\0';
        struct stat st;
        if (part[0] && stat(part, &st) == 0 && !(st.st_mode & S_IXOTH)) {
            px_fail(err, -EACCES, "'%s' cannot be entered by the container's root", part);
            return px_hint(err, -EACCES, "chmod o+x '%s'", part);
        }
    }
    return 0;
}

static int make_dir(const struct tree *t, const char *name, struct px_error *err) {
    if (mkdirat(t->mnt_fd, name, 0711) < 0 && errno != EEXIST)
        return px_fail_sys(err, -errno, "cannot make '%s'", name);
    int fd = openat(t->mnt_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? px_fail_sys(err, -errno, "cannot open '%s'", name) : fd;
}

static int place_at(const struct tree *t, int mount_fd, const char *name, struct px_error *err) {
    px_cleanup_close int target = make_dir(t, name, err);
    return target < 0 ? target : px_idmount_place(mount_fd, target, err);
}

static int mount_tmpfs(struct tree *t, struct px_error *err) {
    px_cleanup_free char *mnt = px_lxc_mnt_path(t->c, "");
    int r = px_mkdir_p(AT_FDCWD, mnt, 0711, err);
    if (r == 0)
        r = check_searchable(mnt, err);
    if (r < 0)
        return r;
    if (mount("phoenix", mnt, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0711,size=1m") < 0)
        return px_fail_sys(err, -errno, "cannot mount a tmpfs on '%s'", mnt);
    t->mnt_fd = px_dir_open(AT_FDCWD, mnt, err);
    return t->mnt_fd < 0 ? t->mnt_fd : 0;
}

static int mount_layers(const struct tree *t, struct px_error *err) {
    const struct px_idmount_opts opts = {
        .userns_fd = t->userns_fd, .read_only = true, .trusted = true};
    for (size_t i = 0; i < t->c->n_layers; i++) {
        char name[24];
        snprintf(name, sizeof(name), "l%zu", i);
        px_cleanup_close int fd = px_idmount_open(AT_FDCWD, t->c->layers[i], &opts, err);
        if (fd < 0)
            return px_wrap(err, fd, "image layer");
        int r = place_at(t, fd, name, err);
        if (r < 0)
            return px_wrap(err, r, "image layer '%s'", t->c->layers[i]);
    }
    return 0;
}

/* The writable directories: made here as well, because a data image is empty when it is new. */
static int make_data_dirs(const struct tree *t, struct px_error *err) {
    static const struct {
        const char *name;
        mode_t mode;
    } dirs[] = {{"upper", 0755}, {"work", 0700}, {"home", 0755}};
    px_cleanup_close int data = px_dir_open(t->mnt_fd, "data", err);
    if (data < 0)
        return data;
    for (size_t i = 0; i < PX_N_ELEMENTS(dirs); i++) {
        if (mkdirat(data, dirs[i].name, 0700) < 0 && errno != EEXIST)
            return px_fail_sys(err, -errno, "cannot make '%s'", dirs[i].name);
        px_cleanup_close int fd = px_dir_open(data, dirs[i].name, err);
        if (fd < 0)
            return fd;
        struct stat st;
        if (fstat(fd, &st) < 0)
            return px_fail_sys(err, -errno, "cannot stat '%s'", dirs[i].name);
        /* Only while it is still the host root's, as just made: later its mode is the owner's. */
        if (st.st_uid == 0 &&
            (fchown(fd, t->c->id_first, t->c->id_first) < 0 || fchmod(fd, dirs[i].mode) < 0))
            return px_fail_sys(err, -errno, "cannot give '%s' to the block", dirs[i].name);
    }
    return 0;
}

static int mount_data(const struct tree *t, struct px_error *err) {
    px_cleanup_close int fd = px_disk_mount(t->c, err);
    if (fd < 0)
        return fd;
    int r = place_at(t, fd, "data", err);
    return r < 0 ? px_wrap(err, r, "data directory") : make_data_dirs(t, err);
}

static int mount_overlay(struct tree *t, struct px_error *err) {
    /* Layers are named relative to RUN/mnt: short, and free of characters that need escaping. */
    if (fchdir(t->mnt_fd) < 0)
        return px_fail_sys(err, -errno, "cannot enter the mount directory");
    px_cleanup_close int fd = px_overlay_open(t->c->n_layers, "data/upper", "data/work", err);
    if (fd < 0)
        return fd;
    int r = place_at(t, fd, "root", err);
    if (r < 0)
        return r;
    /* The overlay holds its own copies: the mount table stays short. */
    for (size_t i = 0; i < t->c->n_layers; i++) {
        char name[24];
        snprintf(name, sizeof(name), "l%zu", i);
        umount2(name, MNT_DETACH);
    }
    t->root_fd = px_dir_open(t->mnt_fd, "root", err);
    if (chdir("/") < 0)
        return px_fail_sys(err, -errno, "cannot leave the mount directory");
    return t->root_fd < 0 ? t->root_fd : 0;
}

static int mount_home(const struct tree *t, struct px_error *err) {
    const struct px_idmount_opts opts = {.userns_fd = -1, .trusted = true};
    px_cleanup_close int fd = px_idmount_open(t->mnt_fd, "data/home", &opts, err);
    if (fd < 0)
        return fd;
    px_cleanup_close int target =
        px_root_mkdir_p(t->root_fd, "/home", 0755, t->c->id_first, t->c->id_first, err);
    return target < 0 ? target : px_idmount_place(fd, target, err);
}

bool px_tree_mounts_late(const char *target) {
    static const char *const late[] = {"/dev", "/proc", "/run", "/sys"};
    for (size_t i = 0; i < PX_N_ELEMENTS(late); i++) {
        size_t n = strlen(late[i]);
        if (strncmp(target, late[i], n) == 0 && (target[n] == '/' || target[n] == '\0'))
            return true;
    }
    return false;
}

static int mount_idmap_fd(const struct tree *t, const struct px_backend_mount *m,
                          struct px_error *err) {
    if (!m->idmap)
        return -1;
    /* A directory of the host that root inside may write to leaves out id 0: a setuid program made
     * there would otherwise be the host root's own. */
    if (!m->read_only)
        return px_userns_open(1, t->c->id_first + 1, t->c->id_count - 1, err);
    int fd = fcntl(t->userns_fd, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? px_fail_sys(err, -errno, "cannot duplicate a descriptor") : fd;
}

static int mount_target(const struct tree *t, const struct px_backend_mount *m, bool is_dir,
                        struct px_error *err) {
    const uid_t id = t->c->id_first;
    return is_dir ? px_root_mkdir_p(t->root_fd, m->target, 0755, id, id, err)
                  : px_root_touch(t->root_fd, m->target, 0644, id, id, err);
}

static int mount_extra(const struct tree *t, size_t i, struct px_error *err) {
    const struct px_backend_mount *m = &t->c->mounts[i];
    struct stat st;
    if (stat(m->source, &st) < 0) {
        px_fail_sys(err, -errno, "mount source '%s'", m->source);
        return px_hint(err, -errno, "make it, or take the mount out of the desktop file");
    }
    px_cleanup_close int userns = mount_idmap_fd(t, m, err);
    if (m->idmap && userns < 0)
        return userns;
    const struct px_idmount_opts opts = {
        .userns_fd = userns, .read_only = m->read_only, .recursive = true};
    px_cleanup_close int fd = px_idmount_open(AT_FDCWD, m->source, &opts, err);
    if (fd < 0)
        return fd;
    px_cleanup_close int target = -1;
    if (px_tree_mounts_late(m->target)) {
        px_cleanup_free char *name = px_asprintf("m%zu", i);
        if (!S_ISDIR(st.st_mode))
            close(openat(t->mnt_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        else if (mkdirat(t->mnt_fd, name, 0700) < 0)
            return px_fail_sys(err, -errno, "cannot make '%s'", name);
        target = openat(t->mnt_fd, name, O_PATH | O_CLOEXEC);
        if (target < 0)
            return px_fail_sys(err, -errno, "cannot open '%s'", name);
    } else {
        target = mount_target(t, m, S_ISDIR(st.st_mode), err);
        if (target < 0)
            return target;
    }
    return px_idmount_place(fd, target, err);
}

static int mount_nodes(const struct tree *t, struct px_error *err) {
    if (!px_lxc_nodes_wanted(t->c->devices, t->c->n_devices))
        return 0;
    px_cleanup_close int fd = px_lxc_nodes_new(t->c->devices, t->c->n_devices, err);
    return fd < 0 ? fd : place_at(t, fd, PX_LXC_NODES_DIR, err);
}

static int mount_all(struct tree *t, bool extra, struct px_error *err) {
    int r = mount_tmpfs(t, err);
    if (r < 0)
        return r;
    t->userns_fd = px_userns_open(0, t->c->id_first, t->c->id_count, err);
    if (t->userns_fd < 0)
        return t->userns_fd;
    if ((r = mount_layers(t, err)) < 0 || (r = mount_data(t, err)) < 0 ||
        (r = mount_overlay(t, err)) < 0)
        return r;
    if ((r = px_step("lxc.tree.overlay", err)) < 0 || (r = mount_home(t, err)) < 0)
        return r;
    for (size_t i = 0; extra && i < t->c->n_mounts; i++) {
        r = mount_extra(t, i, err);
        if (r < 0)
            return px_wrap(err, r, "mount at '%s'", t->c->mounts[i].target);
    }
    if (extra && (r = mount_nodes(t, err)) < 0)
        return r;
    px_cleanup_close int lxc = make_dir(t, "lxc", err); /* liblxc's own mount point */
    return lxc < 0 ? lxc : px_step("lxc.tree.mounted", err);
}

void px_tree_close(struct px_tree *tree) {
    px_closep(&tree->home_fd);
    px_closep(&tree->root_fd);
    *tree = (struct px_tree)PX_TREE_INIT;
}

int px_tree_mount(const struct px_container *c, bool extra, struct px_tree *ret,
                  struct px_error *err) {
    px_cleanup(fini) struct tree t = {.c = c, .mnt_fd = -1, .userns_fd = -1, .root_fd = -1};
    int r = mount_all(&t, extra, err);
    if (r < 0)
        return r;
    px_cleanup_close int home = px_dir_open(t.mnt_fd, "data/home", err);
    if (home < 0)
        return home;
    *ret = (struct px_tree){.root_fd = px_take_fd(&t.root_fd), .home_fd = px_take_fd(&home)};
    return 0;
}

int px_tree_mount_data(const struct px_container *c, struct px_error *err) {
    px_cleanup(fini) struct tree t = {.c = c, .mnt_fd = -1, .userns_fd = -1, .root_fd = -1};
    int r = mount_tmpfs(&t, err);
    if (r == 0)
        r = mount_data(&t, err);
    return r < 0 ? r : px_dir_open(t.mnt_fd, "data", err);
}
