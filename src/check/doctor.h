/* src/check/doctor.h - whether this host can run desktops, and what to do where it cannot
 *
 * Two halves: px_doctor_look() gathers facts from the host (doctor_look.c), px_doctor_judge() turns
 * facts into findings and looks at nothing else, so that it is tested with hosts we do not have. */
#pragma once
#include "check/findings.h"
#include "gpu/host.h"
#include "net/net.h"
#include "spec/desktop.h"
#include "spec/host.h"
#include <stdbool.h>
#include <stdint.h>

enum px_cgroup_layout { PX_CGROUP_NONE, PX_CGROUP_V1, PX_CGROUP_HYBRID, PX_CGROUP_V2 };
enum px_boot_unit { PX_BOOT_UNIT_ABSENT, PX_BOOT_UNIT_OFF, PX_BOOT_UNIT_ON };
enum px_apparmor { PX_APPARMOR_ABSENT, PX_APPARMOR_OFF, PX_APPARMOR_ON };

/* Whether something that was tried worked. */
struct px_trial {
    int code;       /* 0: it did; else a negative errno */
    char why[256];  /* what went wrong */
    char hint[256]; /* what to do about it; "": nobody knows */
};

struct px_host_facts {
    bool root;
    bool systemd;                /* systemd is PID 1 here */
    enum px_boot_unit boot_unit; /* phoenix-desktops.service: installed, enabled */

    char release[65]; /* uname -r */
    unsigned kernel_major, kernel_minor;
    bool openat2, pidfd, seccomp;
    uint64_t max_user_namespaces;
    enum px_apparmor apparmor;
    struct px_trial overlay; /* an idmapped lower layer below an overlay, on the state directory */

    enum px_cgroup_layout cgroup;
    bool cg_cpu, cg_cpuset, cg_memory, cg_pids, cg_devices, cg_freezer;
    bool cg_named_systemd; /* v1, hybrid: the named hierarchy for systemd inside is mounted */

    char lxc_version[32];
    struct px_trial backend; /* what the backend says of itself */

    struct px_trial ids; /* the span of host ids against /etc/subuid and /etc/subgid */
    uint32_t id_first, id_count;

    uint64_t inotify_instances, inotify_watches, pid_max, max_map_count;
    size_t inotify_left; /* of the instances that one desktop takes; all, where we are not root */

    const char *state_dir; /* lent */
    char state_fs[32];     /* "ext4" */
    uint64_t disk_free_bytes, inodes_free, memory_bytes, memory_free_bytes;
    unsigned cores;

    struct px_trial net_asked; /* whether net could be looked at at all (nftables, rtnetlink) */
    struct px_net_state net;
    char bridge[IFNAMSIZ];
    struct px_trial dns; /* resolv.conf for desktops */

    unsigned port_taken; /* of those that phoenix-server needs, by another program; 0: none */

    unsigned n_outdated; /* desktops that run another phoenix-host than installed */
    char outdated[PX_DESKTOP_NAME_MAX + 1]; /* the first of them */
    char renew[160];                        /* what starts the installed one in it */

    bool has_mmdebstrap, has_mkfs; /* mkfs.ext4 and e2fsck, for disks with a limit */

    struct px_gpu_host gpus;
    bool nvidia_uvm_node; /* /dev/nvidia-uvm is there */
};

/* Never fails: what cannot be found out is a fact, too. Tries mounts in a mount namespace of its
 * own below the state directory (made where missing) and leaves nothing. */
void px_doctor_look(const struct px_host_spec *host, struct px_host_facts *ret);

/* Adds a finding per subject. Pure. */
void px_doctor_judge(const struct px_host_facts *facts, struct px_findings *ret);

/* The trial itself (doctor_trial.c), by the backend's own code: makes a user namespace, an idmapped
 * clone of a directory below
 * @dir and an overlay on it; checks the owner seen through it and that a file can be written.
 * -ENOSYS, -EINVAL, -EPERM and others of the system calls; the message names the call. */
int px_doctor_try_overlay(const char *dir, struct px_error *err);
