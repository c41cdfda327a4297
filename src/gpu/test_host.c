/* src/gpu/test_host.c - hosts as trees of files, with what NVML would answer */
#include "base/test.h"
#include "gpu/host.h"
#include "gpu/inject.h"
#include "gpu/test_tree.h"

#define A "GPU-3fe65279-559c-3edc-36de-33c82b2e173b"
#define B "GPU-5d1f0c3a-0000-4444-8888-000000000002"
#define OPEN_VERSION                                                                               \
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (x@y)  \n" \
    "GCC version:  gcc version 15.3.0 (GCC) \n"
#define DEVICES                                                                                    \
    "Character devices:\n  1 mem\n195 nvidia\n195 nvidiactl\n238 nvidia-uvm\n241 nvidia-caps\n\n"  \
    "Block devices:\n238 nvidia-uvm\n"

static void put_module(const struct tree *t) {
    tree_put(t, "/proc/driver/nvidia/version", OPEN_VERSION);
    tree_put(t, "/sys/module/nvidia/version", "580.95.05\n");
    tree_put(t, "/proc/devices", DEVICES);
    tree_put(t, "/proc/driver/nvidia/params", "ModifyDeviceFiles: 1\nDeviceFileMode: 438\n");
}

static void put_libraries(const struct tree *t, const char *version) {
    px_cleanup_free char *path = px_asprintf("/usr/lib/x86_64-linux-gnu/libcuda.so.%s", version);
    tree_put(t, path, "");
    tree_link(t, "/usr/lib/x86_64-linux-gnu/libcuda.so.1", strrchr(path, '/') + 1);
}

/* Two cards of the RTX 5060 Ti, and the sound function that one of them has. */
static struct tree two_5060(void) {
    struct tree t = tree_new();
    put_module(&t);
    put_libraries(&t, "580.95.05");
    tree_card(&t, "0000:02:00.0", "nvidia");
    tree_card(&t, "0000:01:00.0", "nvidia");
    tree_information(&t, "0000:01:00.0", "NVIDIA GeForce RTX 5060 Ti", A, 0);
    tree_information(&t, "0000:02:00.0", "NVIDIA GeForce RTX 5060 Ti", B, 1);
    tree_put(&t, "/sys/bus/pci/devices/0000:01:00.1/vendor", "0x10de\n");
    tree_put(&t, "/sys/bus/pci/devices/0000:01:00.1/class", "0x040300\n");
    tree_put(&t, "/sys/bus/pci/devices/0000:00:00.0/vendor", "0x8086\n");
    tree_put(&t, "/sys/bus/pci/devices/0000:01:00.0/drm/renderD128/uevent", "");
    return t;
}

static struct px_gpu_host host;

static void two_cards_are_found_without_nvml(void **state) {
    px_cleanup(tree_free) struct tree t = two_5060();
    px_gpu_look(t.path, NULL, &host);
    assert_int_equal(host.state, PX_GPU_READY);
    assert_string_equal(host.module, "580.95.05");
    assert_string_equal(host.libraries, "580.95.05");
    assert_true(host.open_module);
    assert_int_equal(host.uvm_major, 238);
    assert_int_equal(host.caps_major, 241);
    assert_int_equal(host.device_mode, 0666);
    assert_int_equal(host.n_cards, 2);
    assert_string_equal(host.cards[0].address, "0000:01:00.0"); /* by address */
    assert_string_equal(host.cards[0].uuid, A);
    assert_string_equal(host.cards[0].name, "NVIDIA GeForce RTX 5060 Ti");
    assert_string_equal(host.cards[0].render, "renderD128");
    assert_int_equal(host.cards[1].minor, 1);
    assert_string_equal(host.cards[1].trouble, "");
}

static void nvml_adds_what_files_do_not_tell(void **state) {
    px_cleanup(tree_free) struct tree t = two_5060();
    static struct px_nvml nvml;
    nvml = (struct px_nvml){.cuda = 13000, .n_cards = 2}; /* in another order than by address */
    nvml.cards[0] = (struct px_nvml_card){.uuid = B,
                                          .address = "0000:02:00.0",
                                          .minor = 1,
                                          .memory_bytes = 17094934528,
                                          .cc_major = 12,
                                          .encoder = 1};
    nvml.cards[1] = (struct px_nvml_card){.address = "0000:01:00.0", .minor = -1, .lost = true};
    nvml.links[0][1] = nvml.links[1][0] = PX_GPU_LINK_HOST;
    px_gpu_look(t.path, &nvml, &host);
    assert_int_equal(host.cards[1].memory_bytes, 17094934528);
    assert_int_equal(host.cards[1].cc_major, 12);
    assert_int_equal(host.links[0][1], PX_GPU_LINK_HOST);
    assert_false(host.peer[0][1]);
    assert_int_equal(host.cards[0].minor, 0); /* the file's word stays */
    px_assert_contains(host.cards[0].trouble, "fallen off the bus");
    px_assert_contains(host.cards[0].fix, "Xid");
}

static void a_card_that_nvml_has_no_handle_for_is_lost(void **state) {
    px_cleanup(tree_free) struct tree t = two_5060();
    static struct px_nvml nvml;
    nvml = (struct px_nvml){.n_cards = 2};
    nvml.cards[0] = (struct px_nvml_card){.uuid = A, .address = "0000:01:00.0", .minor = 0};
    nvml.cards[1] = (struct px_nvml_card){.minor = -1, .lost = true, .trouble = "GPU is lost"};
    px_gpu_look(t.path, &nvml, &host);
    assert_string_equal(host.cards[0].trouble, "");
    px_assert_contains(host.cards[1].trouble, "fallen off the bus");
    px_assert_contains(host.cards[1].trouble, "GPU is lost");
    nvml = (struct px_nvml){.code = -EIO, .why = "no answer"}; /* says nothing about any card */
    px_gpu_look(t.path, &nvml, &host);
    assert_string_equal(host.cards[1].trouble, "");
}

static void mig_devices_have_their_capability_nodes(void **state) {
    px_cleanup(tree_free) struct tree t = tree_new();
    put_module(&t);
    put_libraries(&t, "580.95.05");
    tree_card(&t, "0000:06:00.0", "nvidia");
    tree_information(&t, "0000:06:00.0", "NVIDIA H200", A, 0);
    tree_put(&t, "/proc/driver/nvidia-caps/mig-minors",
             "config 1\nmonitor 2\ngpu0/gi1/access 12\ngpu0/gi1/ci0/access 13\n"
             "gpu0/gi2/access 21\ngpu0/gi2/ci0/access 22\n");
    static struct px_nvml nvml;
    nvml = (struct px_nvml){.n_cards = 1};
    nvml.cards[0] = (struct px_nvml_card){.uuid = A,
                                          .address = "0000:06:00.0",
                                          .minor = 0,
                                          .mig = true,
                                          .mig_capable = true,
                                          .n_migs = 2};
    nvml.cards[0].migs[0] = (struct px_nvml_mig){.uuid = "MIG-1", .gi = 1};
    nvml.cards[0].migs[1] = (struct px_nvml_mig){.uuid = "MIG-2", .gi = 2};
    px_gpu_look(t.path, &nvml, &host);
    assert_int_equal(host.cards[0].n_migs, 2);
    assert_int_equal(host.cards[0].migs[1].gi_minor, 21);
    assert_int_equal(host.cards[0].migs[1].ci_minor, 22);

    struct px_gpu_grants grants = {.n = 1};
    static struct px_gpu_nodes nodes;
    strcpy(grants.items[0].uuid, "MIG-2");
    px_assert_ok(px_gpu_nodes(&host, &grants, false, &nodes, NULL));
    assert_string_equal(nodes.items[0].path, "/dev/nvidia0");
    assert_string_equal(nodes.items[1].path, "/dev/nvidia-caps/nvidia-cap21");
    assert_string_equal(nodes.items[2].path, "/dev/nvidia-caps/nvidia-cap22");
    char **files = px_gpu_proc_files(&host, &grants);
    assert_string_equal(files[3], "gpus/0000:06:00.0/information");
    assert_string_equal(files[4], "capabilities/gpu0/mig/gi2/access");
    px_gpu_proc_files_free(files);
}

static void a_desktop_gets_the_nodes_of_its_card_only(void **state) {
    px_cleanup(tree_free) struct tree t = two_5060();
    px_gpu_look(t.path, NULL, &host);
    struct px_gpu_grants grants = {.n = 1};
    static struct px_gpu_nodes nodes;
    struct px_error err = {0};
    strcpy(grants.items[0].uuid, B);
    px_assert_ok(px_gpu_nodes(&host, &grants, false, &nodes, NULL));
    assert_string_equal(nodes.items[0].path, "/dev/nvidia1");
    for (size_t i = 0; i < nodes.n; i++)
        assert_string_not_equal(nodes.items[i].path, "/dev/nvidia0");
    char **files = px_gpu_proc_files(&host, &grants);
    for (size_t i = 0; files[i]; i++)
        assert_null(strstr(files[i], "0000:01:00.0"));
    px_gpu_proc_files_free(files);
    strcpy(grants.items[0].uuid, "GPU-gone");
    assert_int_equal(px_gpu_nodes(&host, &grants, false, &nodes, &err), -ENODEV);
    px_assert_contains(err.msg, "is not on this host any more");
    px_assert_contains(err.hint, A);
}

static void each_ailment_is_named_with_what_to_do(void **state) {
    px_cleanup(tree_free) struct tree none = tree_new();
    px_gpu_look(none.path, NULL, &host);
    assert_int_equal(host.state, PX_GPU_NO_CARD);
    px_assert_contains(host.why, "no NVIDIA GPU");

    px_cleanup(tree_free) struct tree bare = tree_new(); /* a card, and nothing that drives it */
    tree_card(&bare, "0000:01:00.0", "");
    tree_card(&bare, "0000:02:00.0", "nouveau");
    tree_card(&bare, "0000:03:00.0", "vfio-pci");
    px_gpu_look(bare.path, NULL, &host);
    assert_int_equal(host.state, PX_GPU_NO_MODULE);
    px_assert_contains(host.fix, "install NVIDIA's driver");
    px_assert_contains(host.cards[0].trouble, "driven by nothing");
    px_assert_contains(host.cards[0].fix, "modprobe nvidia");
    px_assert_contains(host.cards[1].fix, "blacklists nouveau");
    px_assert_contains(host.cards[2].trouble, "virtual machines");
    px_assert_contains(host.cards[2].fix, "0000:03:00.0");

    px_cleanup(tree_free) struct tree old = tree_new(); /* upgraded without a reboot */
    put_module(&old);
    put_libraries(&old, "590.44.01");
    tree_card(&old, "0000:01:00.0", "nvidia");
    tree_information(&old, "0000:01:00.0", "NVIDIA H200", A, 0);
    px_gpu_look(old.path, NULL, &host);
    assert_int_equal(host.state, PX_GPU_MISMATCH);
    px_assert_contains(host.why, "module is 580.95.05, the installed libraries are 590.44.01");
    px_assert_contains(host.fix, "reboot");

    px_cleanup(tree_free) struct tree lone = tree_new();
    put_module(&lone);
    px_gpu_look(lone.path, NULL, &host);
    assert_int_equal(host.state, PX_GPU_NO_LIBRARIES);
    px_assert_contains(host.why, "libcuda.so.580.95.05");
}

static void texts_of_the_driver_are_read(void **state) {
    char v[32];
    bool is_open = true;
    px_gpu_parse_version("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22\n",
                         v, sizeof(v), &is_open);
    assert_string_equal(v, "550.54.14");
    assert_false(is_open);
    px_gpu_parse_version("rubbish", v, sizeof(v), &is_open);
    assert_string_equal(v, "");
    px_gpu_parse_version("Kernel Module  \n", v, sizeof(v), &is_open);
    assert_string_equal(v, "");
    assert_int_equal(px_gpu_parse_major(DEVICES, "nvidia-uvm"), 238);
    assert_int_equal(px_gpu_parse_major("Block devices:\n238 nvidia-uvm\n", "nvidia-uvm"), 0);
    assert_int_equal(px_gpu_parse_mig_minor("gpu0/gi1/access 12", "gpu0/gi1/access"), 12);
    assert_int_equal(px_gpu_parse_mig_minor("gpu0/gi1/access 12", "gpu0/gi1"), -1);
    char a[PX_GPU_ADDRESS_MAX];
    px_assert_ok(px_gpu_address("00000000:0A:00.0", a));
    assert_string_equal(a, "0000:0a:00.0");
    assert_int_equal(px_gpu_address("0a:00", a), -EINVAL);
    assert_int_equal(px_gpu_address("0000:0a:00.0x", a), -EINVAL);
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_gpu_params_inside("A: 1\nModifyDeviceFiles: 1\nB: 2\n", &out);
    assert_string_equal(px_buf_str(&out), "A: 1\nModifyDeviceFiles: 0\nB: 2\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_cards_are_found_without_nvml),
        cmocka_unit_test(nvml_adds_what_files_do_not_tell),
        cmocka_unit_test(a_card_that_nvml_has_no_handle_for_is_lost),
        cmocka_unit_test(mig_devices_have_their_capability_nodes),
        cmocka_unit_test(a_desktop_gets_the_nodes_of_its_card_only),
        cmocka_unit_test(each_ailment_is_named_with_what_to_do),
        cmocka_unit_test(texts_of_the_driver_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
