#include "backend/lxc/cgroup.h"
#include "base/test.h"

static const char v2[] =
    "24 29 0:22 / /proc rw - proc proc rw\n"
    "35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char hybrid[] =
    "30 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
    "31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    "32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
    "33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "34 30 0:30 /lxc/a /mnt/part rw - cgroup cgroup rw,memory\n"
    "35 30 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

static void parse_finds_the_unified_hierarchy(void **state) {
    struct px_cg_layout l;
    px_cg_parse(v2, &l);
    px_cg_parse_controllers("cpuset cpu io memory pids\n", &l);
    assert_int_equal(l.n_mounts, 1);
    assert_string_equal(l.mounts[l.unified], "/sys/fs/cgroup");
    assert_true(px_cg_is_v2(&l, PX_CG_MEMORY));
    assert_true(px_cg_is_v2(&l, PX_CG_CPUSET));
    assert_true(px_cg_is_v2(&l, PX_CG_DEVICES));
}

static void parse_finds_each_controller_of_a_hybrid(void **state) {
    struct px_cg_layout l;
    px_cg_parse(hybrid, &l);
    px_cg_parse_controllers("pids\n", &l);
    assert_string_equal(l.mounts[l.controller[PX_CG_CPU]], "/sys/fs/cgroup/cpu,cpuacct");
    assert_string_equal(l.mounts[l.controller[PX_CG_MEMORY]],
                        "/sys/fs/cgroup/memory"); /* no part */
    assert_false(px_cg_is_v2(&l, PX_CG_MEMORY));
    assert_true(px_cg_is_v2(&l, PX_CG_PIDS));
    assert_false(px_cg_has(&l, PX_CG_CPUSET));
    assert_int_equal(l.n_mounts, 4); /* the named one too: our cgroups are in it */
}

static void parse_stands_nonsense(void **state) {
    static const char *const texts[] = {
        "", "\n\n", "a b c\n", " - cgroup2\n", "1 2 3 / /x - cgroup2", "1 2 3 / /x - ext4 y rw"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct px_cg_layout l;
        px_cg_parse(texts[i], &l);
        assert_int_equal(l.n_mounts, 0);
        px_cg_parse_controllers("memory", &l);
        assert_false(px_cg_has(&l, PX_CG_MEMORY));
    }
}

static void stat_value_takes_whole_keys_only(void **state) {
    static const char text[] = "anon_thp 5\nanon 42\nfile 7\nslab 9";
    assert_int_equal(px_cg_stat_value(text, "anon"), 42);
    assert_int_equal(px_cg_stat_value(text, "slab"), 9);
    assert_int_equal(px_cg_stat_value(text, "thp"), 0);
    assert_int_equal(px_cg_stat_value("", "anon"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_finds_the_unified_hierarchy),
        cmocka_unit_test(parse_finds_each_controller_of_a_hybrid),
        cmocka_unit_test(parse_stands_nonsense),
        cmocka_unit_test(stat_value_takes_whole_keys_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
