/* src/backend/lxc/overlay.c - the overlay that is a container's root */
#include "backend/lxc/overlay.h"
#include "base/cleanup.h"
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The kernel's own words about a failed fsconfig(2) or fsmount(2), "" without. */
static void fs_message(int fs_fd, char *out, size_t size) {
    ssize_t n = read(fs_fd, out, size - 1);
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '.'))
        n--;
    out[n > 0 ? n : 0] = '\0';
}

static int fs_set(int fs_fd, const char *key, const char *value) {
    return syscall(SYS_fsconfig, fs_fd, value ? FSCONFIG_SET_STRING : FSCONFIG_CMD_CREATE, key,
                   value, 0) < 0
               ? -errno
               : 0;
}

/* All layers in one string, which every kernel takes; its 255 bytes hold some sixty of our short
 * names. More of them go one by one ("lowerdir+", Linux 6.7). Not the other way round: before 6.5
 * an option that the kernel does not know is refused only when all is set. The top layer comes
 * first. */
static int set_layers(int fs_fd, size_t n_layers) {
    char all[256] = "", name[24];
    size_t used = 0;
    for (size_t i = n_layers; used < sizeof(all) && i-- > 0;)
        used += (size_t)snprintf(all + used, sizeof(all) - used, "%sl%zu", used ? ":" : "", i);
    if (used < sizeof(all))
        return fs_set(fs_fd, "lowerdir", all);
    int r = 0;
    for (size_t i = n_layers; r == 0 && i-- > 0;) {
        snprintf(name, sizeof(name), "l%zu", i);
        r = fs_set(fs_fd, "lowerdir+", name);
    }
    return r;
}

static int configure(int fs_fd, size_t n_layers, const char *upper, const char *work) {
    /* redirect_dir: without it, renaming a directory of the image fails with EXDEV. Root inside
     * cannot forge the attributes (trusted.*). metacopy and index stay off so that upper/ is
     * complete by itself and may be copied and restored by any tool. */
    const char *const options[][2] = {{"source", "phoenix"}, {"upperdir", upper},
                                      {"workdir", work},     {"redirect_dir", "on"},
                                      {"metacopy", "off"},   {"index", "off"}};
    int r = set_layers(fs_fd, n_layers);
    for (size_t i = 0; r == 0 && i < PX_N_ELEMENTS(options); i++)
        r = fs_set(fs_fd, options[i][0], options[i][1]);
    return r < 0 ? r : fs_set(fs_fd, NULL, NULL);
}

int px_overlay_open(size_t n_layers, const char *upper, const char *work, struct px_error *err) {
    px_cleanup_close int fs_fd = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
    if (fs_fd < 0) {
        const int r = px_fail_sys(err, -errno, "cannot open the overlay file system");
        return px_hint(err, r, "modprobe overlay");
    }
    int r = configure(fs_fd, n_layers, upper, work);
    const int fd = r < 0 ? -1 : (int)syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV);
    if (fd < 0) {
        char why[256];
        r = r < 0 ? r : -errno;
        fs_message(fs_fd, why, sizeof(why));
        px_fail_sys(err, r, "cannot mount the overlay%s%s", why[0] ? ": " : "", why);
        return r;
    }
    return fd;
}
