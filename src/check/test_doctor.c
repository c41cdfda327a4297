/* src/check/test_doctor.c */
#include "base/test.h"
#include "check/doctor.h"
#include "check/doctor_parse.h"

#define GIB (UINT64_C(1) << 30)

/* A Debian 13 machine where all is well. */
static struct px_host_facts good_host(void) {
    return (struct px_host_facts){
        .root = true,
        .systemd = true,
        .boot_unit = PX_BOOT_UNIT_ON,
        .release = "6.12.41-amd64",
        .kernel_major = 6,
        .kernel_minor = 12,
        .openat2 = true,
        .pidfd = true,
        .seccomp = true,
        .max_user_namespaces = 127000,
        .apparmor = PX_APPARMOR_ON,
        .cgroup = PX_CGROUP_V2,
        .cg_cpu = true,
        .cg_cpuset = true,
        .cg_memory = true,
        .cg_pids = true,
        .lxc_version = "6.0.4",
        .id_first = 1879048192,
        .id_count = 65536 * 1024,
        .inotify_instances = 8192,
        .inotify_left = 13,
        .inotify_watches = 1048576,
        .pid_max = 4194304,
        .max_map_count = 1048576,
        .state_dir = "/var/lib/phoenix",
        .state_fs = "ext4",
        .disk_free_bytes = 100 * GIB,
        .inodes_free = 10000000,
        .memory_bytes = 32 * GIB,
        .memory_free_bytes = 30 * GIB,
        .cores = 16,
        .net = {.uplink = "eth0"},
        .bridge = "phoenix0",
        .has_mmdebstrap = true,
        .has_mkfs = true,
    };
}

/* The finding about @subject that is worst; NULL: none. */
static const struct px_finding *worst(const struct px_findings *l, const char *subject) {
    const struct px_finding *found = NULL;
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->items[i].subject, subject) == 0 &&
            (!found || l->items[i].verdict > found->verdict))
            found = &l->items[i];
    return found;
}

static void a_good_host_has_nothing_to_fix(void **state) {
    px_cleanup(px_findings_fini) struct px_findings l = {0};
    struct px_host_facts f = good_host();
    px_doctor_judge(&f, &l);
    assert_int_equal(px_findings_count(&l, PX_VERDICT_WARN), 0);
    assert_int_equal(px_findings_count(&l, PX_VERDICT_FAIL), 0);
    for (size_t i = 0; i < l.n; i++)
        assert_null(l.items[i].fix);
}

struct spoilt {
    void (*spoil)(struct px_host_facts *f);
    enum px_verdict verdict;
    const char *subject, *text, *fix;
};

static void old_kernel(struct px_host_facts *f) {
    f->kernel_major = 5;
    f->kernel_minor = 10;
    strcpy(f->release, "5.10.0-30-amd64");
}
static void unit_off(struct px_host_facts *f) {
    f->boot_unit = PX_BOOT_UNIT_OFF;
}
static void unit_absent(struct px_host_facts *f) {
    f->boot_unit = PX_BOOT_UNIT_ABSENT;
}
static void one_outdated(struct px_host_facts *f) {
    f->n_outdated = 1;
    strcpy(f->outdated, "desk");
    strcpy(f->renew, "phoenix restart desk");
}
static void three_outdated(struct px_host_facts *f) {
    one_outdated(f);
    f->n_outdated = 3;
}
static void no_openat2(struct px_host_facts *f) {
    f->openat2 = false;
}
static void no_userns(struct px_host_facts *f) {
    f->max_user_namespaces = 0;
}
static void zfs(struct px_host_facts *f) {
    f->overlay = (struct px_trial){.code = -EINVAL,
                                   .why = "mount_setattr(MOUNT_ATTR_IDMAP): Invalid argument"};
    strcpy(f->state_fs, "zfs");
}
static void no_overlay_module(struct px_host_facts *f) {
    f->overlay = (struct px_trial){.code = -ENODEV, .why = "mounting an overlay: No such device"};
}
static void no_memory_controller(struct px_host_facts *f) {
    f->cg_memory = false;
}
static void hybrid_without_systemd(struct px_host_facts *f) {
    f->cgroup = PX_CGROUP_HYBRID;
    f->cg_devices = true;
}
static void hybrid(struct px_host_facts *f) {
    hybrid_without_systemd(f);
    f->cg_named_systemd = true;
}
static void v1_without_devices(struct px_host_facts *f) {
    f->cgroup = PX_CGROUP_V1;
    f->cg_named_systemd = true;
}
static void no_apparmor(struct px_host_facts *f) {
    f->apparmor = PX_APPARMOR_ABSENT;
}
static void old_lxc(struct px_host_facts *f) {
    strcpy(f->lxc_version, "4.0.6");
}
static void no_lxc(struct px_host_facts *f) {
    f->lxc_version[0] = '\0';
}
static void taken_ids(struct px_host_facts *f) {
    f->ids = (struct px_trial){-EEXIST, "ids 100000..165535 are alice's", "choose another span"};
}
static void default_inotify(struct px_host_facts *f) {
    f->inotify_instances = 128;
}
static void used_up_inotify(struct px_host_facts *f) {
    f->inotify_instances = 128;
    f->inotify_left = 4;
}
static void small_pid_max(struct px_host_facts *f) {
    f->pid_max = 32768;
}
static void full_disk(struct px_host_facts *f) {
    f->disk_free_bytes = 5 * GIB;
}
static void narrow_disk(struct px_host_facts *f) {
    f->disk_free_bytes = 12 * GIB;
}
static void few_inodes(struct px_host_facts *f) {
    f->inodes_free = 1000;
}
static void foreign_bridge(struct px_host_facts *f) {
    f->net.bridge_exists = true;
    strcpy(f->net.owner, "Docker's");
}
static void flushed_rules(struct px_host_facts *f) {
    f->net.bridge_exists = f->net.bridge_ours = true;
}
static void used_range(struct px_host_facts *f) {
    strcpy(f->net.range_used_by, "10.88.1.0/24 on podman0");
}
static void docker(struct px_host_facts *f) {
    strcpy(f->net.blocked_by, "Docker (table ip filter, chain FORWARD)");
    strcpy(f->net.blocked_fix, "iptables -I DOCKER-USER -i phoenix0 -j ACCEPT");
}
static void offline(struct px_host_facts *f) {
    f->net.uplink[0] = '\0';
}
static void port_taken(struct px_host_facts *f) {
    f->port_taken = 21117;
}
static void no_nft(struct px_host_facts *f) {
    f->net_asked = (struct px_trial){.code = -EOPNOTSUPP, .why = "the kernel has no nf_tables"};
}
static void no_mmdebstrap(struct px_host_facts *f) {
    f->has_mmdebstrap = false;
}
static void no_mkfs(struct px_host_facts *f) {
    f->has_mkfs = false;
}
static void one_card(struct px_host_facts *f) {
    f->gpus.n_cards = 1;
    f->gpus.state = PX_GPU_READY;
    f->nvidia_uvm_node = true;
    strcpy(f->gpus.module, "580.95.05");
    strcpy(f->gpus.libraries, "580.95.05");
    f->gpus.cards[0] = (struct px_gpu_card){.address = "0000:01:00.0",
                                            .name = "NVIDIA GeForce RTX 5060 Ti",
                                            .memory_bytes = 17094934528,
                                            .encoder = 1};
}
static void lost_card(struct px_host_facts *f) {
    one_card(f);
    strcpy(f->gpus.cards[0].trouble, "it has fallen off the bus, or needs a reset");
    strcpy(f->gpus.cards[0].fix, "look for 'NVRM: Xid' in the kernel log (dmesg)");
}
static void mismatch(struct px_host_facts *f) {
    one_card(f);
    f->gpus.state = PX_GPU_MISMATCH;
    strcpy(f->gpus.why, "the loaded kernel module is 580.95.05, the installed libraries are new");
    strcpy(f->gpus.fix, "reboot");
}
static void silent_nvml(struct px_host_facts *f) {
    one_card(f);
    strcpy(f->gpus.nvml_why, "Unknown Error");
}
static void no_uvm(struct px_host_facts *f) {
    one_card(f);
    f->nvidia_uvm_node = false;
}
static void not_root(struct px_host_facts *f) {
    f->root = false;
    f->overlay.code = f->net_asked.code = -EPERM;
}

static void each_trouble_is_named_with_its_fix(void **state) {
    static const struct spoilt cases[] = {
        {old_kernel, PX_VERDICT_FAIL, "kernel", "5.19 or later", "linux-image-amd64"},
        {no_openat2, PX_VERDICT_FAIL, "kernel", "openat2 is refused", "seccomp"},
        {no_userns, PX_VERDICT_FAIL, "user namespaces", "none are allowed", "sysctl -w"},
        {zfs, PX_VERDICT_FAIL, "root trees", "mount_setattr", "state_dir"},
        {no_overlay_module, PX_VERDICT_FAIL, "root trees", "No such device", "modprobe overlay"},
        {no_memory_controller, PX_VERDICT_FAIL, "cgroups", "without memory", "cgroup_enable"},
        {unit_off, PX_VERDICT_WARN, "boot", "is not enabled", "systemctl enable --now"},
        {unit_absent, PX_VERDICT_WARN, "boot", "is not installed", "make install"},
        {hybrid_without_systemd, PX_VERDICT_FAIL, "cgroups", "named systemd", "name=systemd"},
        {hybrid, PX_VERDICT_WARN, "cgroups", "hybrid works", "unified_cgroup_hierarchy"},
        {v1_without_devices, PX_VERDICT_FAIL, "cgroups", "v1 without devices", "controllers"},
        {no_apparmor, PX_VERDICT_WARN, "AppArmor", "this kernel has none", NULL},
        {old_lxc, PX_VERDICT_FAIL, "LXC", "4.0.6; 5.0 or later", "apt-get install lxc"},
        {no_lxc, PX_VERDICT_FAIL, "LXC", "not found", "apt-get install lxc"},
        {taken_ids, PX_VERDICT_FAIL, "ids", "alice's", "choose another span"},
        {default_inotify, PX_VERDICT_WARN, "inotify", "about 9 desktops",
         "sysctl -w fs.inotify.max_user_instances=8192"},
        {used_up_inotify, PX_VERDICT_FAIL, "inotify", "4 of 128 instances are left",
         "sysctl -w fs.inotify.max_user_instances=8192"},
        {small_pid_max, PX_VERDICT_WARN, "processes", "32768", "sysctl -w kernel.pid_max"},
        {full_disk, PX_VERDICT_FAIL, "disk", "5.0 GiB free", "image gc"},
        {narrow_disk, PX_VERDICT_WARN, "disk", "12.0 GiB free", "image gc"},
        {few_inodes, PX_VERDICT_WARN, "inodes", "1000 free", "image gc"},
        {foreign_bridge, PX_VERDICT_FAIL, "bridge", "not ours: Docker's", "network.bridge"},
        {flushed_rules, PX_VERDICT_FAIL, "firewall", "our rules are gone", "phoenix net up"},
        {used_range, PX_VERDICT_FAIL, "addresses", "podman0", "network.range"},
        {docker, PX_VERDICT_WARN, "firewall", "Docker", "DOCKER-USER"},
        {offline, PX_VERDICT_WARN, "internet", "no default route", "ip route add"},
        {port_taken, PX_VERDICT_FAIL, "ID server", "TCP port 21117 is taken", "server.port"},
        {no_nft, PX_VERDICT_FAIL, "network", "nf_tables", "modprobe"},
        {one_outdated, PX_VERDICT_WARN, "desktops", "'desk' runs another phoenix-host",
         "phoenix restart desk"},
        {three_outdated, PX_VERDICT_WARN, "desktops", "3 run another phoenix-host", "restart desk"},
        {no_mkfs, PX_VERDICT_WARN, "mkfs.ext4", "cannot be limited", "e2fsprogs"},
        {no_mmdebstrap, PX_VERDICT_FAIL, "mmdebstrap", "not installed", "apt-get install"},
        {one_card, PX_VERDICT_OK, "GPUs",
         "0000:01:00.0: NVIDIA GeForce RTX 5060 Ti, 15.9 GiB, driver 580.95.05, NVENC", NULL},
        {lost_card, PX_VERDICT_WARN, "GPUs", "fallen off the bus", "Xid"},
        {mismatch, PX_VERDICT_WARN, "GPUs", "libraries are new", "reboot"},
        {silent_nvml, PX_VERDICT_WARN, "GPUs", "NVML does not answer: Unknown Error", "dmesg"},
        {no_uvm, PX_VERDICT_WARN, "GPUs", "/dev/nvidia-uvm is missing", "phoenix gpu ready"},
        {not_root, PX_VERDICT_WARN, "root trees", "needs root", "sudo phoenix doctor"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        px_cleanup(px_findings_fini) struct px_findings l = {0};
        struct px_host_facts f = good_host();
        cases[i].spoil(&f);
        px_doctor_judge(&f, &l);
        const struct px_finding *found = worst(&l, cases[i].subject);
        if (!found || found->verdict != cases[i].verdict)
            fail_msg("case %zu (%s): verdict %d", i, cases[i].subject,
                     found ? (int)found->verdict : -1);
        px_assert_contains(found->text, cases[i].text);
        if (cases[i].fix)
            px_assert_contains(found->fix, cases[i].fix);
        else
            assert_null(found->fix);
    }
}

static const char hybrid_mounts[] =
    "22 1 0:21 / /proc rw - proc proc rw\n"
    "30 22 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    "34 30 0:30 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n";

static void layouts_are_told_apart(void **state) {
    struct px_host_facts f = {0};
    px_doctor_parse_cgroups(hybrid_mounts, "", &f);
    assert_int_equal(f.cgroup, PX_CGROUP_HYBRID);
    assert_true(f.cg_cpu && f.cg_memory && f.cg_named_systemd);
    assert_false(f.cg_cpuset || f.cg_pids || f.cg_devices);
    f = (struct px_host_facts){0};
    px_doctor_parse_cgroups(
        "25 1 0:22 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
        "cpuset cpu io memory hugetlb pids rdma misc\n", &f);
    assert_int_equal(f.cgroup, PX_CGROUP_V2);
    assert_true(f.cg_cpuset && f.cg_cpu && f.cg_memory && f.cg_pids);
    assert_false(f.cg_devices);
    f = (struct px_host_facts){0};
    px_doctor_parse_cgroups("", "", &f);
    assert_int_equal(f.cgroup, PX_CGROUP_NONE);
    px_doctor_parse_cgroups("rubbish\n - \n1 2 - cgroup\n", "", &f);
    assert_int_equal(f.cgroup, PX_CGROUP_NONE);
}

static void the_deepest_mount_holds_the_path(void **state) {
    static const char mounts[] = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
                                 "2 1 0:5 / /var/lib rw - zfs tank/lib rw\n"
                                 "3 1 0:6 / /var/library rw - xfs /dev/sdb rw\n";
    char fs[16];
    px_doctor_parse_fs(mounts, "/var/lib/phoenix", fs, sizeof(fs));
    assert_string_equal(fs, "zfs");
    px_doctor_parse_fs(mounts, "/home", fs, sizeof(fs));
    assert_string_equal(fs, "ext4");
    px_doctor_parse_fs("", "/home", fs, sizeof(fs));
    assert_string_equal(fs, "?");
}

static void fields_of_proc_are_found(void **state) {
    static const char meminfo[] =
        "MemTotal:       24689932 kB\nMemFree: 1 kB\nMemAvailable:  100 kB\n";
    assert_int_equal(px_doctor_parse_meminfo(meminfo, "MemTotal"), UINT64_C(24689932) * 1024);
    assert_int_equal(px_doctor_parse_meminfo(meminfo, "MemAvailable"), 100 * 1024);
    assert_int_equal(px_doctor_parse_meminfo(meminfo, "Mem"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_host_has_nothing_to_fix),
        cmocka_unit_test(each_trouble_is_named_with_its_fix),
        cmocka_unit_test(layouts_are_told_apart),
        cmocka_unit_test(the_deepest_mount_holds_the_path),
        cmocka_unit_test(fields_of_proc_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
