/* src/check/doctor_look.c - gathers the facts that the doctor judges */
#include "backend/backend.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/proc.h"
#include "check/doctor.h"
#include "check/doctor_parse.h"
#include "desktop/alloc_ids.h"
#include "desktop/room.h"
#include "desktop/server.h"
#include "desktop/status.h"
#include "desktop/subid.h"
#include <linux/openat2.h>
#include <lxc/lxccontainer.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#define BOOT_UNIT "phoenix-desktops.service"
#define PROC_MAX_BYTES (4 * 1024 * 1024)

/* "" where it cannot be read; the caller's. */
static char *text_of(const char *path) {
    char *text = NULL;
    return px_file_read(AT_FDCWD, path, PROC_MAX_BYTES, &text, NULL, NULL) < 0 ? px_strdup("")
                                                                               : text;
}

static uint64_t number_of(const char *path) {
    px_cleanup_free char *text = text_of(path);
    return strtoull(text, NULL, 10);
}

static void note_trial(struct px_trial *trial, int r, const struct px_error *err) {
    trial->code = r < 0 ? r : 0;
    snprintf(trial->why, sizeof(trial->why), "%.*s", (int)sizeof(trial->why) - 1,
             r < 0 ? err->msg : "");
    snprintf(trial->hint, sizeof(trial->hint), "%.*s", (int)sizeof(trial->hint) - 1,
             r < 0 ? err->hint : "");
}

static void look_at_kernel(struct px_host_facts *f) {
    struct utsname u;
    if (uname(&u) == 0) {
        snprintf(f->release, sizeof(f->release), "%s", u.release);
        sscanf(u.release, "%u.%u", &f->kernel_major, &f->kernel_minor);
    }
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    px_cleanup_close int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));
    f->openat2 = fd >= 0;
    px_cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    f->pidfd = pidfd >= 0;
    f->seccomp = px_exists(AT_FDCWD, "/proc/sys/kernel/seccomp/actions_avail");
    f->max_user_namespaces = number_of("/proc/sys/user/max_user_namespaces");
    px_cleanup_free char *apparmor = text_of("/sys/module/apparmor/parameters/enabled");
    f->apparmor = apparmor[0] == 'Y'    ? PX_APPARMOR_ON
                  : apparmor[0] != '\0' ? PX_APPARMOR_OFF
                                        : PX_APPARMOR_ABSENT;
    f->systemd = px_exists(AT_FDCWD, "/run/systemd/system");
    if (px_exists(AT_FDCWD, "/etc/systemd/system/multi-user.target.wants/" BOOT_UNIT))
        f->boot_unit = PX_BOOT_UNIT_ON;
    else if (px_exists(AT_FDCWD, "/usr/lib/systemd/system/" BOOT_UNIT) ||
             px_exists(AT_FDCWD, "/etc/systemd/system/" BOOT_UNIT))
        f->boot_unit = PX_BOOT_UNIT_OFF;
    f->inotify_instances = number_of("/proc/sys/fs/inotify/max_user_instances");
    /* Desktops take root's: what anybody else has left says nothing. */
    f->inotify_left = f->root ? px_inotify_left(PX_INOTIFY_PER_DESKTOP) : PX_INOTIFY_PER_DESKTOP;
    f->inotify_watches = number_of("/proc/sys/fs/inotify/max_user_watches");
    f->pid_max = number_of("/proc/sys/kernel/pid_max");
    f->max_map_count = number_of("/proc/sys/vm/max_map_count");
}

static void look_at_cgroups(struct px_host_facts *f) {
    px_cleanup_free char *mounts = text_of("/proc/self/mountinfo");
    px_cleanup_free char *controllers = text_of("/sys/fs/cgroup/cgroup.controllers");
    px_doctor_parse_cgroups(mounts, controllers, f);
}

static void look_at_room(const struct px_host_spec *host, struct px_host_facts *f) {
    f->state_dir = host->state_dir;
    /* Not there yet: the nearest parent that is. */
    px_cleanup_free char *dir = px_strdup(host->state_dir);
    while (dir[0] && strcmp(dir, "/") != 0 && !px_exists(AT_FDCWD, dir)) {
        char *slash = strrchr(dir, '/');
        if (!slash)
            break;
        slash[slash == dir] = '\0';
    }
    struct statvfs v;
    if (statvfs(dir, &v) == 0) {
        f->disk_free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
        f->inodes_free = v.f_favail; /* 0 on btrfs: it makes them as needed */
    }
    px_cleanup_free char *mounts = text_of("/proc/self/mountinfo");
    px_cleanup_free char *real = realpath(dir, NULL);
    px_doctor_parse_fs(mounts, real ? real : dir, f->state_fs, sizeof(f->state_fs));
    px_cleanup_free char *memory = text_of("/proc/meminfo");
    f->memory_bytes = px_doctor_parse_meminfo(memory, "MemTotal");
    f->memory_free_bytes = px_doctor_parse_meminfo(memory, "MemAvailable");
    f->cores = (unsigned)get_nprocs();
}

static void look_at_ids(const struct px_host_spec *host, struct px_host_facts *f) {
    struct px_error err = {0};
    struct px_subid_line *lines = NULL;
    size_t n = 0;
    int r = px_subid_load("/etc", &lines, &n, &err);
    f->id_first = host->ids.first;
    f->id_count = host->ids.count;
    struct px_ids span = {host->ids.first, host->ids.count};
    if (r >= 0 && host->ids.first == 0)
        r = px_subid_choose(lines, n, host->ids.count, &span, &err);
    else if (r >= 0)
        r = px_subid_check(lines, n, span, &err);
    note_trial(&f->ids, r, &err);
    free(lines);
}

static void look_at_net(const struct px_host_spec *host, struct px_host_facts *f) {
    struct px_error err = {0};
    memcpy(f->bridge, host->network.bridge, sizeof(f->bridge));
    if (f->root)
        note_trial(&f->net_asked, px_net_state(host, &f->net, &err), &err);
    else
        f->net_asked.code = -EPERM;
    f->port_taken = px_server_port_taken(host);
    px_cleanup_free char *resolv = NULL;
    note_trial(&f->dns, px_net_resolv_conf(host, &resolv, &err), &err);
}

static void look_at_backend(struct px_host_facts *f) {
    struct px_error err = {0};
    const struct px_backend_ops *backend = NULL;
    snprintf(f->lxc_version, sizeof(f->lxc_version), "%s", lxc_get_version());
    int r = px_backend_get("lxc", &backend, &err);
    note_trial(&f->backend, r < 0 ? r : backend->probe(&err), &err);
}

static void look_at_overlay(const struct px_host_spec *host, struct px_host_facts *f) {
    struct px_error err = {0};
    if (!f->root) {
        f->overlay.code = -EPERM;
        return;
    }
    const bool was_there = px_exists(AT_FDCWD, host->state_dir);
    int r = px_mkdir_p(AT_FDCWD, host->state_dir, 0711, &err);
    if (r >= 0)
        r = px_doctor_try_overlay(host->state_dir, &err);
    note_trial(&f->overlay, r, &err);
    if (!was_there)
        rmdir(host->state_dir);
}

static void look_at_desktops(const struct px_host_spec *host, struct px_host_facts *f) {
    px_cleanup_free char *dir = px_asprintf("%s/desktops", host->state_dir);
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    struct px_status *list = NULL;
    size_t n = 0;
    /* Opening a fleet makes what is missing. */
    if (!f->root || !px_exists(AT_FDCWD, dir) || px_fleet_open(host, &fleet, NULL) < 0 ||
        px_status_list(fleet, NULL, 0, NULL, &list, &n, NULL) < 0)
        return;
    for (size_t i = 0; i < n; i++)
        if (list[i].renew && f->n_outdated++ == 0) {
            snprintf(f->outdated, sizeof(f->outdated), "%s", list[i].name);
            snprintf(f->renew, sizeof(f->renew), "%s", list[i].renew);
        }
    px_status_list_free(list, n);
}

static void look_at_gpus(struct px_host_facts *f) {
    px_cleanup_free struct px_gpu_host *host = px_gpu_look_here();
    f->gpus = *host;
    f->nvidia_uvm_node = px_exists(AT_FDCWD, "/dev/nvidia-uvm");
}

static bool has_program(const char *name) {
    px_cleanup_free char *path = px_proc_find(name);
    return path != NULL;
}

void px_doctor_look(const struct px_host_spec *host, struct px_host_facts *ret) {
    *ret = (struct px_host_facts){.root = geteuid() == 0};
    look_at_kernel(ret);
    look_at_cgroups(ret);
    look_at_room(host, ret);
    look_at_overlay(host, ret);
    look_at_backend(ret);
    look_at_ids(host, ret);
    look_at_net(host, ret);
    look_at_desktops(host, ret);
    look_at_gpus(ret);
    ret->has_mmdebstrap = has_program("mmdebstrap");
    ret->has_mkfs = has_program("mkfs.ext4") && has_program("e2fsck");
}
