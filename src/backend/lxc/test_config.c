#include "backend/lxc/config.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/test.h"
#include <arpa/inet.h>

static const char v2_mounts[] = "35 25 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
static const char v1_mounts[] = "31 30 0:27 / /cg/memory rw - cgroup cgroup rw,memory\n"
                                "32 30 0:28 / /cg/pids rw - cgroup cgroup rw,pids\n"
                                "33 30 0:29 / /cg/devices rw - cgroup cgroup rw,devices\n"
                                "34 30 0:30 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";

struct fixture {
    struct px_container c;
    struct px_lxc_host host;
};

static void use_v2(struct px_lxc_host *host) {
    px_cg_parse(v2_mounts, &host->cgroups);
    px_cg_parse_controllers("cpuset cpu memory pids", &host->cgroups);
}

static struct fixture simple(void) {
    struct fixture f = {.c = {.name = "px-a",
                              .hostname = "a",
                              .dir = "/state/a",
                              .run_dir = "/run/px",
                              .id_first = 1000000,
                              .id_count = 65536,
                              .cores = 2,
                              .memory_bytes = 1 << 30,
                              .pids = 100,
                              .shm_bytes = 4096}};
    use_v2(&f.host);
    strcpy(f.host.cpus, "0-1");
    return f;
}

static char *text_of(const struct fixture *f) {
    char *text = NULL;
    px_assert_ok(px_lxc_config(&f->c, &f->host, &text, NULL));
    return text;
}

static void config_puts_limits_where_the_controllers_are(void **state) {
    struct fixture f = simple();
    px_cleanup_free char *v2 = text_of(&f);
    px_assert_contains(v2,
                       "\nlxc.cgroup2.memory.max = 1073741824\nlxc.cgroup2.memory.swap.max = 0\n");
    px_assert_contains(v2, "\nlxc.cgroup2.pids.max = 100\nlxc.cgroup2.cpuset.cpus = 0-1\n");
    px_assert_contains(v2, "\nlxc.cgroup2.devices.deny = a\n");
    assert_null(strstr(v2, "lxc.cgroup.memory"));
    px_cg_parse(v1_mounts, &f.host.cgroups);
    f.host.swap_limit = true;
    px_cleanup_free char *v1 = text_of(&f);
    px_assert_contains(v1, "\nlxc.cgroup.memory.limit_in_bytes = 1073741824\n");
    px_assert_contains(v1, "\nlxc.cgroup.memory.memsw.limit_in_bytes = 1073741824\n");
    px_assert_contains(v1, "\nlxc.cgroup.cpu.cfs_quota_us = 200000\n"); /* no cpuset there */
    assert_null(strstr(v1, "cgroup2"));
}

static void config_without_limits_sets_none(void **state) {
    struct fixture f = simple();
    f.c.memory_bytes = f.c.cores = f.c.pids = 0;
    f.host.cpus[0] = '\0';
    px_cleanup_free char *text = text_of(&f);
    static const char *const none[] = {"memory", "pids", "cpuset.cpus", "cpu.max"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_null(strstr(text, none[i]));
}

static void config_escapes_paths(void **state) {
    struct fixture f = simple();
    const struct px_backend_mount mount = {.source = "/a b\\c", .target = "/run/x y#z"};
    f.c.mounts = &mount;
    f.c.n_mounts = 1;
    f.c.run_dir = "/run/p x";
    px_cleanup_free char *text = text_of(&f);
    px_assert_contains(text, "lxc.mount.entry = /run/p\\040x/mnt/m0 run/x\\040y\\043z none rbind");
}

static void config_refuses_what_would_end_a_line(void **state) {
    static const char *const paths[] = {"/a\nlxc.cap.keep = sys_admin", "relative", "/tab\there"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct fixture f = simple();
        const struct px_backend_mount mount = {.source = "/a", .target = paths[i]};
        const struct px_backend_device device = {.path = paths[i], .major = 1, .minor = 2};
        char *text = NULL;
        struct px_error err = {0};
        f.c.mounts = &mount;
        f.c.n_mounts = 1;
        assert_int_equal(px_lxc_config(&f.c, &f.host, &text, &err), -EINVAL);
        px_assert_contains(err.msg, "container 'px-a'");
        f.c.n_mounts = 0;
        f.c.devices = &device;
        f.c.n_devices = 1;
        assert_int_equal(px_lxc_config(&f.c, &f.host, &text, NULL), -EINVAL);
        assert_null(text);
    }
}

static void config_names_exact_devices(void **state) {
    struct fixture f = simple();
    const struct px_backend_device devices[] = {{.path = "/dev/nvidia0", .major = 195, .minor = 0},
                                                {.path = "/dev/vdz", 254, 9, .block = true}};
    f.c.devices = devices;
    f.c.n_devices = 2;
    px_cleanup_free char *text = text_of(&f);
    px_assert_contains(text, "devices.allow = c 195:0 rw\n");
    px_assert_contains(text, "devices.allow = b 254:9 rw\n");
    px_assert_contains(text,
                       "lxc.mount.entry = /dev/nvidia0 dev/nvidia0 none bind,create=file 0 0\n");
    assert_null(strstr(text, "10:229")); /* fuse was not asked for */
}

static void a_node_of_its_own_comes_from_its_own_place(void **state) {
    struct fixture f = simple();
    const struct px_backend_device devices[] = {
        {.path = "/dev/nvidia0", .major = 195},
        {.path = "/dev/dri/renderD128", .major = 226, .minor = 128, .copy = true}};
    f.c.devices = devices;
    f.c.n_devices = 2;
    px_cleanup_free char *text = text_of(&f);
    px_assert_contains(text, "lxc.mount.entry = /dev/nvidia0 dev/nvidia0 none bind,create=file");
    px_assert_contains(text, "/mnt/dev/d1 dev/dri/renderD128 none bind,create=file 0 0\n");
    px_assert_contains(text, "devices.allow = c 226:128 rw\n");
}

static void config_without_a_bridge_has_no_network(void **state) {
    struct fixture f = simple();
    px_cleanup_free char *none = text_of(&f);
    px_assert_contains(none, "lxc.net.0.type = empty\n");
    f.c.bridge = "phoenix0";
    f.c.prefix = 16;
    inet_pton(AF_INET, "10.88.0.7", &f.c.address);
    inet_pton(AF_INET, "10.88.0.1", &f.c.gateway);
    px_cleanup_free char *some = text_of(&f);
    px_assert_contains(some, "lxc.net.0.ipv4.address = 10.88.0.7/16\n");
    px_assert_contains(some, "lxc.net.0.ipv4.gateway = 10.88.0.1\n");
}

static void needs_restart_tells_live_limits_from_the_rest(void **state) {
    struct fixture f = simple();
    px_cleanup_free char *before = text_of(&f);
    f.c.memory_bytes = 2 << 20;
    f.c.pids = 7;
    f.c.shm_bytes = 8192;
    strcpy(f.host.cpus, "3");
    px_cleanup_free char *limits = text_of(&f);
    assert_string_not_equal(before, limits);
    assert_false(px_lxc_config_needs_restart(before, limits));
    f.c.memory_bytes = 0; /* lifting a limit, too */
    px_cleanup_free char *lifted = text_of(&f);
    assert_false(px_lxc_config_needs_restart(before, lifted));
    f.c.fuse = true;
    px_cleanup_free char *fuse = text_of(&f);
    assert_true(px_lxc_config_needs_restart(before, fuse));
    const struct px_backend_mount mount = {.source = "/a", .target = "/srv"};
    f = simple();
    f.c.mounts = &mount;
    f.c.n_mounts = 1;
    px_cleanup_free char *mounts = text_of(&f);
    assert_true(px_lxc_config_needs_restart(before, mounts));
}

static void config_has_apparmor_as_the_host_does(void **state) {
    struct fixture f = simple();
    px_cleanup_free char *none = text_of(&f);
    assert_null(strstr(none, "apparmor"));
    f.host.apparmor = PX_LXC_APPARMOR_GENERATED;
    px_cleanup_free char *old = text_of(&f);
    px_assert_contains(old, "lxc.apparmor.profile = generated\nlxc.apparmor.allow_nesting = 1\n");
    assert_null(strstr(old, "userns")); /* an old parser does not know the word */
    f.host.apparmor_userns = true;
    px_cleanup_free char *new = text_of(&f);
    px_assert_contains(new, "lxc.apparmor.raw = userns,\n");
    f.host.apparmor = PX_LXC_APPARMOR_UNCONFINED;
    px_cleanup_free char *bare = text_of(&f);
    px_assert_contains(bare, "lxc.apparmor.profile = unconfined\n");
    assert_null(strstr(bare, "apparmor.raw"));
}

static void seccomp_keeps_keyrings_for_nesting_only(void **state) {
    assert_non_null(strstr(px_lxc_seccomp(false), "\nkeyctl errno 38\n"));
    assert_null(strstr(px_lxc_seccomp(true), "keyctl"));
    assert_non_null(strstr(px_lxc_seccomp(true), "\nbpf errno 1\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_puts_limits_where_the_controllers_are),
        cmocka_unit_test(config_without_limits_sets_none),
        cmocka_unit_test(config_escapes_paths),
        cmocka_unit_test(config_refuses_what_would_end_a_line),
        cmocka_unit_test(config_names_exact_devices),
        cmocka_unit_test(a_node_of_its_own_comes_from_its_own_place),
        cmocka_unit_test(config_without_a_bridge_has_no_network),
        cmocka_unit_test(needs_restart_tells_live_limits_from_the_rest),
        cmocka_unit_test(config_has_apparmor_as_the_host_does),
        cmocka_unit_test(seccomp_keeps_keyrings_for_nesting_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
