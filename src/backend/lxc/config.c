/* src/backend/lxc/config.c - liblxc's configuration of a container, as text */
#include "backend/lxc/config.h"
#include "backend/lxc/nodes.h"
#include "backend/lxc/paths.h"
#include "backend/lxc/tree.h"
#include "base/alloc.h"
#include "base/buf.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

/* A path in a mount entry: the format of fstab, blanks as octal. */
static void put_escaped(struct px_buf *b, const char *path) {
    for (const char *p = path; *p; p++) {
        if (strchr(" \t\\#", *p))
            px_buf_printf(b, "\\%03o", (unsigned)(unsigned char)*p);
        else
            px_buf_putc(b, *p);
    }
}

static int check_path(const char *path, struct px_error *err) {
    if (path[0] != '/')
        return px_fail(err, -EINVAL, "'%s' is not an absolute path", path);
    for (const char *p = path; *p; p++)
        if (iscntrl((unsigned char)*p))
            return px_fail(err, -EINVAL, "'%s' holds a control character", path);
    return 0;
}

static void put_identity(struct px_buf *b, const struct px_container *c) {
    px_cleanup_free char *root = px_lxc_mnt_path(c, "root"), *lxc = px_lxc_mnt_path(c, "lxc");
    px_cleanup_free char *seccomp = px_lxc_path(c, "seccomp");
    px_cleanup_free char *log = px_lxc_path(c, "lxc.log");
    px_cleanup_free char *console = px_lxc_path(c, "console.log");
    px_buf_puts(b, "# Written by phoenix at each start; changes are overwritten.\n");
    px_buf_printf(b, "lxc.uts.name = %s\n", c->hostname);
    px_buf_printf(b, "lxc.rootfs.path = dir:%s\nlxc.rootfs.mount = %s\n", root, lxc);
    px_buf_printf(b, "lxc.idmap = u 0 %u %u\nlxc.idmap = g 0 %u %u\n", c->id_first, c->id_count,
                  c->id_first, c->id_count);
    px_buf_puts(b,
                "lxc.signal.halt = SIGRTMIN+3\nlxc.environment = NOTIFY_SOCKET=/run/host/notify\n");
    px_buf_printf(b, "lxc.log.file = %s\nlxc.log.level = ERROR\n", log);
    /* Bounded on disk and in memory: what a desktop writes to its console is its owner's choice. */
    px_buf_printf(b,
                  "lxc.console.logfile = %s\nlxc.console.size = 256KB\nlxc.console.rotate = 1\n"
                  "lxc.console.buffer.size = 64KB\n",
                  console);
    px_buf_puts(b, "lxc.tty.max = 0\nlxc.pty.max = 1024\nlxc.autodev = 1\n");
    px_buf_printf(b, "lxc.seccomp.profile = %s\n", seccomp);
    /* Most of these reach nothing from within a user namespace; dropped, they cannot even be tried.
     */
    px_buf_puts(b, "lxc.cap.drop = audit_control audit_read block_suspend mac_admin mac_override "
                   "sys_module sys_rawio sys_time syslog wake_alarm\n");
}

static void put_devices(struct px_buf *b, const struct px_container *c,
                        const struct px_lxc_host *host) {
    static const char *const always[] = {
        "c 1:3 rwm",               /* null */
        "c 1:5 rwm",               /* zero */
        "c 1:7 rwm",               /* full */
        "c 1:8 rwm", "c 1:9 rwm",  /* random, urandom */
        "c 5:0 rwm",               /* tty */
        "c 5:1 rwm",               /* console */
        "c 5:2 rwm", "c 136:* rwm" /* ptmx, pts */
    };
    if (!px_cg_has(&host->cgroups, PX_CG_DEVICES))
        return;
    const char *key =
        px_cg_is_v2(&host->cgroups, PX_CG_DEVICES) ? "lxc.cgroup2.devices" : "lxc.cgroup.devices";
    px_buf_printf(b, "%s.deny = a\n", key);
    for (size_t i = 0; i < PX_N_ELEMENTS(always); i++)
        px_buf_printf(b, "%s.allow = %s\n", key, always[i]);
    if (c->fuse)
        px_buf_printf(b, "%s.allow = c 10:229 rwm\n", key);
    for (size_t i = 0; i < c->n_devices; i++)
        px_buf_printf(b, "%s.allow = %c %u:%u rw\n", key, c->devices[i].block ? 'b' : 'c',
                      c->devices[i].major, c->devices[i].minor);
}

static void put_limits(struct px_buf *b, const struct px_container *c,
                       const struct px_lxc_host *host) {
    const struct px_cg_layout *l = &host->cgroups;
    px_cleanup_free char *group = px_lxc_cgroup(c->name), *monitor = px_lxc_cgroup_monitor(c->name);
    px_buf_printf(b,
                  "lxc.cgroup.dir.container = %s\nlxc.cgroup.dir.monitor = %s\n"
                  "lxc.cgroup.dir.monitor.pivot = " PX_LXC_CGROUP_PARENT "\n",
                  group, monitor);
    if (c->memory_bytes && px_cg_is_v2(l, PX_CG_MEMORY))
        px_buf_printf(b, "lxc.cgroup2.memory.max = %ju\nlxc.cgroup2.memory.swap.max = 0\n",
                      (uintmax_t)c->memory_bytes);
    else if (c->memory_bytes && px_cg_has(l, PX_CG_MEMORY))
        px_buf_printf(b, "lxc.cgroup.memory.limit_in_bytes = %ju\n", (uintmax_t)c->memory_bytes);
    if (c->memory_bytes && host->swap_limit && !px_cg_is_v2(l, PX_CG_MEMORY))
        px_buf_printf(b, "lxc.cgroup.memory.memsw.limit_in_bytes = %ju\n",
                      (uintmax_t)c->memory_bytes);
    if (c->pids && px_cg_has(l, PX_CG_PIDS))
        px_buf_printf(b, "lxc.cgroup%s.pids.max = %u\n", px_cg_is_v2(l, PX_CG_PIDS) ? "2" : "",
                      c->pids);
    if (host->cpus[0] && px_cg_has(l, PX_CG_CPUSET))
        px_buf_printf(b, "lxc.cgroup%s.cpuset.cpus = %s\n", px_cg_is_v2(l, PX_CG_CPUSET) ? "2" : "",
                      host->cpus);
    if (c->cores && !px_cg_has(l, PX_CG_CPUSET) && px_cg_is_v2(l, PX_CG_CPU))
        px_buf_printf(b, "lxc.cgroup2.cpu.max = %u 100000\n", c->cores * 100000);
    else if (c->cores && !px_cg_has(l, PX_CG_CPUSET) && px_cg_has(l, PX_CG_CPU))
        px_buf_printf(b, "lxc.cgroup.cpu.cfs_quota_us = %u\n", c->cores * 100000);
    if (host->memlock_unlimited)
        px_buf_puts(b, "lxc.prlimit.memlock = unlimited\n");
    if (host->oom_adjust)
        px_buf_puts(b, "lxc.proc.oom_score_adj = 0\n");
}

static void put_apparmor(struct px_buf *b, const struct px_lxc_host *host) {
    /* systemd inside sandboxes its services with mounts, which a profile refuses without
     * allow_nesting; containers in the container need more than this line (see put_mounts). Left
     * unsaid, liblxc would take a profile that stops journald and logind. */
    switch (host->apparmor) {
    case PX_LXC_APPARMOR_NONE:
        break;
    case PX_LXC_APPARMOR_GENERATED:
        px_buf_puts(b, "lxc.apparmor.profile = generated\nlxc.apparmor.allow_nesting = 1\n");
        if (host->apparmor_userns) /* liblxc does not know them; chromium's sandbox needs the first
                                    */
            px_buf_puts(b, "lxc.apparmor.raw = userns,\nlxc.apparmor.raw = mqueue,\n");
        break;
    case PX_LXC_APPARMOR_UNCONFINED:
        px_buf_puts(b, "lxc.apparmor.profile = unconfined\n");
        break;
    }
}

static void put_entry(struct px_buf *b, const char *source, const char *target, const char *rest) {
    px_buf_puts(b, "lxc.mount.entry = ");
    put_escaped(b, source);
    px_buf_putc(b, ' ');
    put_escaped(b, target + (target[0] == '/'));
    px_buf_printf(b, " %s 0 0\n", rest);
}

static void put_mounts(struct px_buf *b, const struct px_container *c,
                       const struct px_lxc_host *host) {
    px_cleanup_free char *notify = px_lxc_mnt_path(c, "notify");
    px_buf_puts(b, "lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed\n");
    /* Our own /run, before systemd would mount it, because the socket must lie in it. */
    put_entry(b, "tmpfs", "run",
              "tmpfs rw,nosuid,nodev,mode=755,size=20%,nr_inodes=800k,create=dir");
    put_entry(b, notify, "run/host/notify", "none bind,create=file");
    px_cleanup_free char *shm =
        c->shm_bytes ? px_asprintf("tmpfs rw,nosuid,nodev,mode=1777,size=%ju,create=dir",
                                   (uintmax_t)c->shm_bytes)
                     : px_strdup("tmpfs rw,nosuid,nodev,mode=1777,create=dir");
    put_entry(b, "tmpfs", "dev/shm", shm);
    if (px_cg_has(&host->cgroups, PX_CG_CPUSET)) {
        px_cleanup_free char *run = px_lxc_run_path(c);
        px_cleanup_free char *cpus = px_asprintf("%s/cpus", run);
        put_entry(b, cpus, "sys/devices/system/cpu/online", "none bind,ro,optional");
    }
    if (c->nesting) { /* uncovered, so that a container inside may mount its own */
        put_entry(b, "proc", "dev/.lxc/proc", "proc create=dir,optional");
        put_entry(b, "sys", "dev/.lxc/sys", "sysfs create=dir,optional");
    }
    if (c->fuse)
        put_entry(b, "/dev/fuse", "dev/fuse", "none bind,create=file");
    for (size_t i = 0; i < c->n_devices; i++) {
        char name[40];
        snprintf(name, sizeof(name), PX_LXC_NODES_DIR "/d%zu", i);
        px_cleanup_free char *own = px_lxc_mnt_path(c, name);
        put_entry(b, c->devices[i].copy ? own : c->devices[i].path, c->devices[i].path,
                  "none bind,create=file");
    }
}

static int put_extra_mounts(struct px_buf *b, const struct px_container *c, struct px_error *err) {
    for (size_t i = 0; i < c->n_mounts; i++) {
        const struct px_backend_mount *m = &c->mounts[i];
        int r = check_path(m->source, err);
        if (r == 0)
            r = check_path(m->target, err);
        if (r < 0)
            return px_wrap(err, r, "mount %zu", i);
        /* As a comment: tree.c makes the mount, but a change of it must show when texts are
         * compared. */
        px_buf_printf(b, "# mount %s%s %s -> %s\n", m->read_only ? "ro" : "rw",
                      m->idmap ? ",idmap" : "", m->source, m->target);
        if (!px_tree_mounts_late(m->target))
            continue;
        char name[24];
        snprintf(name, sizeof(name), "m%zu", i);
        px_cleanup_free char *source = px_lxc_mnt_path(c, name);
        struct stat st;
        const bool is_dir = stat(m->source, &st) < 0 || S_ISDIR(st.st_mode);
        /* Nothing can be made in /proc: where the kernel does not show the place, nothing is there
         * to be covered. */
        const bool in_proc = strncmp(m->target, "/proc/", 6) == 0;
        put_entry(b, source, m->target,
                  in_proc  ? "none rbind,optional"
                  : is_dir ? "none rbind,create=dir"
                           : "none bind,create=file");
    }
    return 0;
}

static void put_network(struct px_buf *b, const struct px_container *c) {
    if (!c->bridge) {
        px_buf_puts(b, "lxc.net.0.type = empty\n");
        return;
    }
    char address[INET_ADDRSTRLEN], gateway[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &c->address, address, sizeof(address));
    inet_ntop(AF_INET, &c->gateway, gateway, sizeof(gateway));
    px_buf_printf(b,
                  "lxc.net.0.type = veth\nlxc.net.0.link = %s\nlxc.net.0.veth.pair = %s\n"
                  "lxc.net.0.name = eth0\nlxc.net.0.flags = up\n"
                  "lxc.net.0.hwaddr = %02x:%02x:%02x:%02x:%02x:%02x\n"
                  "lxc.net.0.ipv4.address = %s/%u\nlxc.net.0.ipv4.gateway = %s\n",
                  c->bridge, c->veth, c->mac[0], c->mac[1], c->mac[2], c->mac[3], c->mac[4],
                  c->mac[5], address, c->prefix, gateway);
}

int px_lxc_config(const struct px_container *c, const struct px_lxc_host *host, char **ret,
                  struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    int r = check_path(c->dir, err);
    if (r == 0)
        r = check_path(c->run_dir, err);
    for (size_t i = 0; r == 0 && i < c->n_devices; i++)
        r = check_path(c->devices[i].path, err);
    if (r < 0)
        return px_wrap(err, r, "container '%s'", c->name);
    put_identity(&b, c);
    put_devices(&b, c, host);
    put_limits(&b, c, host);
    put_apparmor(&b, host);
    put_mounts(&b, c, host);
    r = put_extra_mounts(&b, c, err);
    if (r < 0)
        return px_wrap(err, r, "container '%s'", c->name);
    for (size_t i = 0; i < c->n_layers; i++)
        px_buf_printf(&b, "# layer %s\n", c->layers[i]);
    put_network(&b, c);
    *ret = px_buf_take(&b);
    return 0;
}

const char *px_lxc_seccomp(bool nesting) {
    /* A list of what is refused: everything else, chromium's own sandbox, systemd and CUDA
     * included, works. Refused is what reaches the whole host (modules, kexec, clocks, swap, the
     * kernel log), what has let programs out of containers (file handles, keyrings, bpf,
     * userfaultfd, io_uring), and what pushes input into a terminal (TIOCSTI 0x5412, TIOCLINUX
     * 0x541c). 38 is ENOSYS: callers know how to do without. */
#define COMMON                                                                                     \
    "2\ndenylist\nreject_force_umount\n[all]\n"                                                    \
    "kexec_load errno 1\nkexec_file_load errno 1\n"                                                \
    "init_module errno 1\nfinit_module errno 1\ndelete_module errno 1\n"                           \
    "open_by_handle_at errno 1\nperf_event_open errno 1\nuserfaultfd errno 1\nbpf errno 1\n"       \
    "swapon errno 1\nswapoff errno 1\nacct errno 1\nquotactl errno 1\nsyslog errno 1\n"            \
    "settimeofday errno 1\nclock_settime errno 1\n"                                                \
    "iopl errno 1\nioperm errno 1\nlookup_dcookie errno 38\n"                                      \
    "io_uring_setup errno 38\nio_uring_enter errno 38\nio_uring_register errno 38\n"               \
    "ioctl errno 1 [1,0x5412,SCMP_CMP_MASKED_EQ,0xffffffff]\n"                                     \
    "ioctl errno 1 [1,0x541c,SCMP_CMP_MASKED_EQ,0xffffffff]\n"
    return nesting ? COMMON : COMMON "keyctl errno 38\nadd_key errno 38\nrequest_key errno 38\n";
#undef COMMON
}

#define SHM_LINE "lxc.mount.entry = tmpfs dev/shm "

/* What px_limits_apply() changes at once. */
static bool is_live(const char *line) {
    static const char *const keys[] = {".memory.", ".pids.max", ".cpuset.cpus", ".cpu.max",
                                       ".cpu.cfs_quota_us"};
    if (strncmp(line, SHM_LINE, strlen(SHM_LINE)) == 0)
        return true;
    if (strncmp(line, "lxc.cgroup", strlen("lxc.cgroup")) != 0)
        return false;
    for (size_t i = 0; i < PX_N_ELEMENTS(keys); i++) {
        const char *dot = strchr(line + strlen("lxc."), '.');
        if (dot && strncmp(dot, keys[i], strlen(keys[i])) == 0)
            return true;
    }
    return false;
}

static char *without_live(const char *text) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    for (const char *p = text; *p;) {
        const size_t n = strcspn(p, "\n");
        if (!is_live(p))
            px_buf_add(&b, p, n + (p[n] == '\n'));
        p += n + (p[n] == '\n');
    }
    return px_buf_take(&b);
}

bool px_lxc_config_needs_restart(const char *running, const char *wanted) {
    px_cleanup_free char *a = without_live(running), *b = without_live(wanted);
    return strcmp(a, b) != 0;
}
