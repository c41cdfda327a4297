/* src/check/doctor.c - facts about a host become findings */
#include "check/doctor.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"
#include "desktop/room.h"
#include <string.h>

#define INOTIFY_WANTED 1024
#define PIDS_LEAST 32768
#define MAP_COUNT_WANTED 262144
#define DISK_LEAST_GIB 8 /* the image of the desktop and room to build it */
#define DISK_WANTED_GIB 20
#define GIB (UINT64_C(1) << 30)

#define ok(list, subject, ...) px_findings_add(list, PX_VERDICT_OK, subject, NULL, __VA_ARGS__)
#define warn(list, subject, fix, ...)                                                              \
    px_findings_add(list, PX_VERDICT_WARN, subject, fix, __VA_ARGS__)
#define bad(list, subject, fix, ...)                                                               \
    px_findings_add(list, PX_VERDICT_FAIL, subject, fix, __VA_ARGS__)

/* What the one who tried it advises, else @fallback. */
static const char *fix_of(const struct px_trial *trial, const char *fallback) {
    return trial->hint[0] ? trial->hint : fallback;
}

static bool kernel_at_least(const struct px_host_facts *f, unsigned major, unsigned minor) {
    return f->kernel_major > major || (f->kernel_major == major && f->kernel_minor >= minor);
}

static void judge_kernel(const struct px_host_facts *f, struct px_findings *l) {
    if (!kernel_at_least(f, 5, 19))
        bad(l, "kernel", "apt-get install linux-image-amd64, then reboot",
            "%s; overlays on idmapped layers need 5.19 or later", f->release);
    else if (!f->openat2 || !f->pidfd)
        bad(l, "kernel",
            "use a kernel that is built with it, or lift the seccomp filter in the way",
            "%s, but %s is refused", f->release, !f->openat2 ? "openat2" : "pidfd_open");
    else
        ok(l, "kernel", "%s", f->release);
}

static void judge_namespaces(const struct px_host_facts *f, struct px_findings *l) {
    if (f->max_user_namespaces == 0)
        bad(l, "user namespaces", "sysctl -w user.max_user_namespaces=65536",
            "none are allowed (user.max_user_namespaces is 0)");
    else if (f->max_user_namespaces < 1000)
        warn(l, "user namespaces", "sysctl -w user.max_user_namespaces=65536",
             "only %ju are allowed", (uintmax_t)f->max_user_namespaces);
    else
        ok(l, "user namespaces", "up to %ju", (uintmax_t)f->max_user_namespaces);
}

static void judge_overlay(const struct px_host_facts *f, struct px_findings *l) {
    px_cleanup_free char *move = NULL;
    if (f->overlay.code == 0) {
        ok(l, "root trees", "idmapped overlay works on %s (%s)", f->state_dir, f->state_fs);
        return;
    }
    if (!f->root) {
        warn(l, "root trees", "sudo phoenix doctor", "not tried: that needs root");
        return;
    }
    move = px_asprintf("set state_dir in the host file to a directory on ext4, xfs or btrfs "
                       "(%s is %s)",
                       f->state_dir, f->state_fs);
    bad(l, "root trees", f->overlay.code == -ENODEV ? "modprobe overlay" : move, "%s",
        f->overlay.why);
}

static void judge_cgroups(const struct px_host_facts *f, struct px_findings *l) {
    static const char *const names[] = {[PX_CGROUP_NONE] = "none",
                                        [PX_CGROUP_V1] = "v1",
                                        [PX_CGROUP_HYBRID] = "hybrid",
                                        [PX_CGROUP_V2] = "v2"};
    const struct {
        bool there;
        const char *name;
    } needed[] = {
        {f->cg_cpu, "cpu"},
        {f->cg_cpuset, "cpuset"},
        {f->cg_memory, "memory"},
        {f->cg_pids, "pids"},
        {f->cg_devices || f->cgroup == PX_CGROUP_V2, "devices"}, /* v2: a BPF program */
    };
    if (f->cgroup == PX_CGROUP_NONE) {
        bad(l, "cgroups", "mount -t cgroup2 cgroup2 /sys/fs/cgroup", "none are mounted");
        return;
    }
    px_cleanup(px_buf_fini) struct px_buf lacking = {0};
    for (size_t i = 0; i < PX_N_ELEMENTS(needed); i++)
        if (!needed[i].there)
            px_buf_printf(&lacking, "%s%s", lacking.size ? ", " : "", needed[i].name);
    const bool v1 = f->cgroup != PX_CGROUP_V2;
    if (lacking.size > 0)
        bad(l, "cgroups",
            strstr(px_buf_str(&lacking), "memory")
                ? "add 'cgroup_enable=memory' to the kernel's command line"
                : "enable the controllers in /sys/fs/cgroup/cgroup.subtree_control",
            "%s without %s: limits would not hold", names[f->cgroup], px_buf_str(&lacking));
    else if (v1 && !f->cg_named_systemd)
        bad(l, "cgroups",
            "mkdir -p /sys/fs/cgroup/systemd && mount -t cgroup -o none,name=systemd cgroup "
            "/sys/fs/cgroup/systemd",
            "%s without the named systemd hierarchy: systemd inside cannot start",
            names[f->cgroup]);
    else if (v1)
        warn(l, "cgroups", "boot with systemd.unified_cgroup_hierarchy=1 where you can",
             "%s works, but is on its way out of systemd", names[f->cgroup]);
    else
        ok(l, "cgroups", "v2 with cpu, cpuset, memory, pids");
}

static void judge_guards(const struct px_host_facts *f, struct px_findings *l) {
    if (f->seccomp)
        ok(l, "seccomp", "system calls are filtered");
    else
        bad(l, "seccomp", "use a kernel with CONFIG_SECCOMP_FILTER", "the kernel has none");
    switch (f->apparmor) {
    case PX_APPARMOR_ON:
        ok(l, "AppArmor", "on: desktops are confined by a profile as well");
        break;
    case PX_APPARMOR_OFF:
        warn(l, "AppArmor", "boot with 'apparmor=1 security=apparmor'",
             "the kernel has it, but it is off: desktops run without this extra wall");
        break;
    case PX_APPARMOR_ABSENT:
        warn(l, "AppArmor", NULL,
             "this kernel has none: user namespace, seccomp and capabilities are the walls");
        break;
    }
}

static void judge_backend(const struct px_host_facts *f, struct px_findings *l) {
    unsigned major = 0;
    const bool known = sscanf(f->lxc_version, "%u", &major) == 1;
    if (!known || major < 5)
        bad(l, "LXC", "apt-get install lxc", "%s; 5.0 or later is needed",
            f->lxc_version[0] ? f->lxc_version : "not found");
    else if (f->backend.code < 0)
        bad(l, "LXC", fix_of(&f->backend, "apt-get install --reinstall lxc"), "%s: %s",
            f->lxc_version, f->backend.why);
    else
        ok(l, "LXC", "%s", f->lxc_version);
}

static void judge_ids(const struct px_host_facts *f, struct px_findings *l) {
    if (f->ids.code < 0)
        bad(l, "ids",
            fix_of(&f->ids, "set ids.first and ids.count in the host file to a free span"), "%s",
            f->ids.why);
    else if (f->id_first == 0)
        ok(l, "ids", "%u desktops' worth, chosen at the first 'phoenix up'", f->id_count / 65536);
    else
        ok(l, "ids", "%u..%u for %u desktops, nobody else's in /etc/subuid and /etc/subgid",
           f->id_first, f->id_first + (f->id_count - 1), f->id_count / 65536);
}

static void judge_limits(const struct px_host_facts *f, struct px_findings *l) {
    const uintmax_t n = f->inotify_instances;
    if (f->inotify_left < PX_INOTIFY_PER_DESKTOP)
        bad(l, "inotify", PX_INOTIFY_RAISE,
            "%zu of %ju instances are left: too few for one more desktop", f->inotify_left, n);
    else if (n < INOTIFY_WANTED)
        warn(l, "inotify", PX_INOTIFY_RAISE, "%ju instances are used up by about %ju desktops", n,
             n / PX_INOTIFY_PER_DESKTOP);
    else
        ok(l, "inotify", "%ju instances", n);
    if (f->inotify_watches < 65536)
        warn(l, "inotify watches", "sysctl -w fs.inotify.max_user_watches=1048576",
             "%ju: file managers and editors will run out", (uintmax_t)f->inotify_watches);
    if (f->pid_max <= PIDS_LEAST)
        warn(l, "processes", "sysctl -w kernel.pid_max=4194304",
             "%ju at most on the whole host: about %ju busy desktops", (uintmax_t)f->pid_max,
             (uintmax_t)f->pid_max / 2000);
    else
        ok(l, "processes", "up to %ju", (uintmax_t)f->pid_max);
    if (f->max_map_count < MAP_COUNT_WANTED)
        warn(l, "memory maps", "sysctl -w vm.max_map_count=1048576",
             "%ju per process: data loaders and browsers may run out", (uintmax_t)f->max_map_count);
}

static void judge_room(const struct px_host_facts *f, struct px_findings *l) {
    char free_text[PX_SIZE_TEXT_MAX], total[PX_SIZE_TEXT_MAX];
    px_size_human(f->disk_free_bytes, free_text);
    px_cleanup_free char *fix =
        px_asprintf("phoenix image gc; or set state_dir to a larger disk (df -h %s)", f->state_dir);
    if (f->disk_free_bytes < DISK_LEAST_GIB * GIB)
        bad(l, "disk", fix, "%s free in %s; the desktop image needs %d GiB", free_text,
            f->state_dir, DISK_LEAST_GIB);
    else if (f->disk_free_bytes < DISK_WANTED_GIB * GIB)
        warn(l, "disk", fix, "%s free in %s leaves little for the desktops' own files", free_text,
             f->state_dir);
    else
        ok(l, "disk", "%s free in %s (%s)", free_text, f->state_dir, f->state_fs);
    if (f->inodes_free > 0 && f->inodes_free < 300000)
        warn(l, "inodes", fix, "%ju free in %s; the desktop image holds about 150000 files",
             (uintmax_t)f->inodes_free, f->state_dir);
    px_size_human(f->memory_free_bytes, free_text);
    px_size_human(f->memory_bytes, total);
    if (f->memory_free_bytes < GIB)
        warn(l, "memory", "stop what is not needed, or add memory",
             "%s of %s free; an idle desktop takes about 0.3 GiB", free_text, total);
    else
        ok(l, "memory", "%s of %s free, %u cores", free_text, total, f->cores);
}

static void judge_net(const struct px_host_facts *f, struct px_findings *l) {
    const struct px_net_state *n = &f->net;
    if (f->net_asked.code < 0) {
        if (f->root)
            bad(l, "network", fix_of(&f->net_asked, "modprobe nf_tables"), "%s", f->net_asked.why);
        else
            warn(l, "network", "sudo phoenix doctor", "not looked at: that needs root");
        return;
    }
    ok(l, "nftables", "the kernel answers");
    if (n->bridge_exists && !n->bridge_ours)
        bad(l, "bridge", "set network.bridge in the host file to another name",
            "'%s' exists and is not ours%s%s", f->bridge, n->owner[0] ? ": " : "", n->owner);
    else if (n->bridge_exists)
        ok(l, "bridge", "%s, %zu desktop%s attached%s", f->bridge, n->n_ports,
           n->n_ports == 1 ? "" : "s", n->rules_loaded ? "" : ", rules not loaded");
    else
        ok(l, "bridge", "%s is free", f->bridge);
    if (n->bridge_ours && !n->rules_loaded)
        bad(l, "firewall", "phoenix net up", "our rules are gone: somebody flushed nftables");
    if (n->range_used_by[0])
        bad(l, "addresses", "set network.range in the host file, such as 10.213.0.0/16",
            "the range is in use: %s", n->range_used_by);
    if (n->blocked_by[0])
        warn(l, "firewall", n->blocked_fix, "%s drops what desktops send to the outside",
             n->blocked_by);
    if (!n->uplink[0])
        warn(l, "internet", "ip route add default via GATEWAY",
             "no default route: desktops will not reach the outside");
    else
        ok(l, "internet", "by %s", n->uplink);
    if (f->port_taken > 0)
        bad(l, "ID server",
            "end that program (ss -tlnp shows it), or set server.port in the host file",
            "TCP port %u is taken by another program: RustDesk clients would not get in",
            f->port_taken);
    if (f->dns.code < 0)
        warn(l, "DNS", fix_of(&f->dns, "set network.dns in the host file, such as [9.9.9.9]"), "%s",
             f->dns.why);
}

static void judge_programs(const struct px_host_facts *f, struct px_findings *l) {
    if (!f->has_mmdebstrap)
        bad(l, "mmdebstrap", "apt-get install mmdebstrap", "not installed: images cannot be built");
    else
        ok(l, "mmdebstrap", "installed");
    if (!f->has_mkfs)
        warn(l, "mkfs.ext4", "apt-get install e2fsprogs",
             "not installed: `disk` cannot be limited by a file with a file system in it");
    if (!f->systemd)
        warn(l, "boot", "run 'phoenix start --boot' from your init's scripts",
             "systemd does not run this host: desktops are not started at boot");
    else if (f->boot_unit == PX_BOOT_UNIT_ON)
        ok(l, "boot", "desktops start with the host");
    else
        warn(l, "boot",
             f->boot_unit == PX_BOOT_UNIT_OFF
                 ? "systemctl enable --now phoenix-desktops.service"
                 : "make install, then systemctl enable --now phoenix-desktops.service",
             "phoenix-desktops.service is not %s: desktops do not start with the host, and "
             "switching it off waits for them in vain",
             f->boot_unit == PX_BOOT_UNIT_OFF ? "enabled" : "installed");
}

static void judge_desktops(const struct px_host_facts *f, struct px_findings *l) {
    if (f->n_outdated == 1)
        warn(l, "desktops", f->renew, "'%s' runs another phoenix-host than installed", f->outdated);
    else if (f->n_outdated > 1)
        warn(l, "desktops", f->renew,
             "%u run another phoenix-host than installed, '%s' and others that `phoenix ls` shows",
             f->n_outdated, f->outdated);
}

static void judge_card(const struct px_gpu_host *host, const struct px_gpu_card *c,
                       struct px_findings *l) {
    char memory[PX_SIZE_TEXT_MAX] = "";
    if (c->trouble[0]) {
        warn(l, "GPUs", c->fix[0] ? c->fix : NULL, "%s%s%s: %s", c->address, c->name[0] ? " " : "",
             c->name, c->trouble);
        return;
    }
    if (c->memory_bytes > 0)
        px_size_human(c->memory_bytes, memory);
    ok(l, "GPUs", "%s: %s%s%s, driver %s%s%s", c->address, c->name[0] ? c->name : "NVIDIA card",
       memory[0] ? ", " : "", memory, host->module[0] ? host->module : "of unknown version",
       c->encoder == 1   ? ", NVENC"
       : c->encoder == 0 ? ", no NVENC"
                         : "",
       c->mig ? ", in MIG mode" : "");
}

/* What is wrong with the driver as a whole, then each card. */
static void judge_gpus(const struct px_host_facts *f, struct px_findings *l) {
    const struct px_gpu_host *host = &f->gpus;
    if (host->n_cards == 0 && host->state == PX_GPU_NO_CARD)
        ok(l, "GPUs", "no NVIDIA card: desktops run without");
    else if (host->state != PX_GPU_READY)
        warn(l, "GPUs", host->fix[0] ? host->fix : NULL, "%s", host->why);
    else if (host->nvml_why[0])
        warn(l, "GPUs", "look for 'NVRM: Xid' in the kernel log (dmesg)",
             "NVML does not answer: %s", host->nvml_why);
    for (size_t i = 0; i < host->n_cards; i++)
        judge_card(host, &host->cards[i], l);
    if (host->module[0] && !f->nvidia_uvm_node)
        warn(l, "GPUs", "phoenix gpu ready", "/dev/nvidia-uvm is missing: CUDA will not start");
}

void px_doctor_judge(const struct px_host_facts *f, struct px_findings *ret) {
    if (!f->root)
        warn(ret, "privilege", "sudo phoenix doctor", "not root: some things cannot be tried");
    judge_kernel(f, ret);
    judge_namespaces(f, ret);
    judge_overlay(f, ret);
    judge_cgroups(f, ret);
    judge_guards(f, ret);
    judge_backend(f, ret);
    judge_ids(f, ret);
    judge_limits(f, ret);
    judge_room(f, ret);
    judge_net(f, ret);
    judge_programs(f, ret);
    judge_desktops(f, ret);
    judge_gpus(f, ret);
}
