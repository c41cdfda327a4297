/* src/gpu/test_cdi.c - CDI files, NVIDIA's and our own, as what desktops get */
#include "base/test.h"
#include "gpu/cdi.h"
#include "gpu/cdi_read.h"
#include "gpu/test_tree.h"

#define A "GPU-3fe65279-559c-3edc-36de-33c82b2e173b"
#define B "GPU-5d1f0c3a-0000-4444-8888-000000000002"
#define M "MIG-aaaaaaaa-0000-0000-0000-000000000001"
#define V "580.95.05"
#define LIB "/usr/lib/x86_64-linux-gnu"

/* As `nvidia-ctk cdi generate` 1.17 lays it out. */
static const char nvidia[] =
    "---\ncdiVersion: 0.5.0\nkind: nvidia.com/gpu\n"
    "containerEdits:\n"
    "  deviceNodes:\n  - path: /dev/nvidiactl\n  - path: /dev/nvidia-uvm\n"
    "  env:\n  - NVIDIA_VISIBLE_DEVICES=void\n"
    "  hooks:\n  - hookName: createContainer\n    path: /usr/bin/nvidia-cdi-hook\n"
    "    args: [nvidia-cdi-hook, update-ldcache]\n"
    "  mounts:\n"
    "  - hostPath: " LIB "/libcuda.so." V "\n    containerPath: " LIB "/libcuda.so." V "\n"
    "  - hostPath: " LIB "/libnvidia-ml.so." V "\n    containerPath: /x\n"
    "  - hostPath: /usr/bin/nvidia-smi\n    containerPath: /usr/bin/nvidia-smi\n"
    "  - hostPath: /run/nvidia-persistenced/socket\n    containerPath: /x\n"
    "  - hostPath: /usr/share/glvnd/egl_vendor.d/10_nvidia.json\n    containerPath: /x\n"
    "  - hostPath: /lib/firmware/nvidia/" V "/gsp_ga10x.bin\n    containerPath: /x\n"
    "devices:\n"
    "- name: \"0\"\n  containerEdits:\n    deviceNodes:\n    - path: /dev/nvidia0\n"
    "    - path: /dev/dri/card1\n    - path: /dev/dri/renderD128\n"
    "- name: \"1\"\n  containerEdits:\n    deviceNodes:\n    - path: /dev/nvidia1\n"
    "- name: \"1:0\"\n  containerEdits:\n    deviceNodes:\n    - path: /dev/nvidia1\n"
    "    - path: /dev/nvidia-caps/nvidia-cap12\n    - path: /dev/nvidia-caps/nvidia-cap13\n"
    "- name: all\n  containerEdits:\n    deviceNodes:\n    - path: /dev/nvidia0\n"
    "    - path: /dev/nvidia1\n";

static struct px_cdi *parse(const char *text) {
    struct px_cdi *cdi = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_cdi_parse("nvidia.yaml", text, strlen(text), &cdi, &err), &err);
    return cdi;
}

static struct px_gpu_host host;
static struct px_gpu_nodes nodes;

static void two_cards(void) {
    host = (struct px_gpu_host){.state = PX_GPU_READY, .n_cards = 2};
    host.cards[0] = (struct px_gpu_card){.uuid = A, .address = "0000:01:00.0", .minor = 0};
    host.cards[1] = (struct px_gpu_card){
        .uuid = B, .address = "0000:02:00.0", .minor = 1, .mig = true, .n_migs = 1};
    host.cards[1].migs[0] = (struct px_gpu_mig){.uuid = M, .gi_minor = 12, .ci_minor = 13};
}

static struct px_gpu_grants grant(const char *uuid) {
    struct px_gpu_grants g = {.n = 1};
    snprintf(g.items[0].uuid, sizeof(g.items[0].uuid), "%s", uuid);
    return g;
}

static char *names(void) {
    struct px_buf b = {0};
    for (size_t i = 0; i < nodes.n; i++)
        px_buf_printf(&b, "%s%s", i ? " " : "", nodes.items[i].path + strlen("/dev/"));
    return px_buf_take(&b);
}

static void a_card_gets_the_nodes_of_its_device(void **state) {
    px_cleanup(px_cdi_freep) struct px_cdi *cdi = parse(nvidia);
    static const struct {
        const char *uuid;
        bool dri;
        const char *nodes;
    } cases[] = {
        {A, false, "nvidia0 nvidiactl nvidia-uvm"},
        {A, true, "nvidia0 dri/renderD128 nvidiactl nvidia-uvm"}, /* card1 is the host's */
        {B, false, "nvidia1 nvidiactl nvidia-uvm"},
        {M, false,
         "nvidia1 nvidia-caps/nvidia-cap12 nvidia-caps/nvidia-cap13 nvidiactl "
         "nvidia-uvm"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        two_cards();
        const struct px_gpu_grants g = grant(cases[i].uuid);
        px_assert_ok(px_cdi_nodes(cdi, &host, &g, cases[i].dri, &nodes, NULL));
        px_cleanup_free char *found = names();
        assert_string_equal(found, cases[i].nodes);
    }
}

static void a_card_that_the_file_does_not_know_is_refused(void **state) {
    px_cleanup(px_cdi_freep) struct px_cdi *cdi = parse("cdiVersion: 0.6.0\ndevices: []\n");
    struct px_error err = {0};
    two_cards();
    const struct px_gpu_grants g = grant(A);
    assert_int_equal(px_cdi_nodes(cdi, &host, &g, false, &nodes, &err), -ENODEV);
    px_assert_contains(err.msg, "no device for " A);
    px_assert_contains(err.hint, "anew");
}

static struct tree new_tree(void) {
    struct tree t = tree_new();
    tree_put(&t, LIB "/libcuda.so." V, "");
    tree_link(&t, LIB "/libcuda.so.1", "libcuda.so." V);
    tree_put(&t, LIB "/libnvidia-ml.so." V, "");
    tree_put(&t, LIB "/libnvidia-ngx.so." V, ""); /* there, but not listed */
    tree_put(&t, "/usr/bin/nvidia-smi", "\177ELF...");
    tree_put(&t, "/run/nvidia-persistenced/socket", "");
    tree_put(&t, "/usr/share/glvnd/egl_vendor.d/10_nvidia.json", "{}");
    tree_put(&t, "/lib/firmware/nvidia/" V "/gsp_ga10x.bin", "x");
    return t;
}

static void the_driver_is_what_the_file_lists(void **state) {
    static const char *const wanted[] = {"bin/nvidia-smi", "firmware/gsp_ga10x.bin",
                                         "lib/libcuda.so." V, "lib/libnvidia-ml.so." V,
                                         "share/egl_vendor.d/10_nvidia.json"};
    px_cleanup(tree_free) struct tree t = new_tree();
    px_cleanup(px_cdi_freep) struct px_cdi *cdi = parse(nvidia);
    px_cleanup(px_driver_freep) struct px_driver *d = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_cdi_driver(cdi, t.path, V, &d, &err), &err);
    assert_int_equal(d->n_files, PX_N_ELEMENTS(wanted));
    for (size_t i = 0; i < d->n_files; i++)
        assert_string_equal(d->files[i].name, wanted[i]);
    assert_int_equal(d->n_links, 1);
    assert_string_equal(d->links[0].name, "lib/libcuda.so.1");
    assert_int_equal(d->n_outer, 2);
}

static void an_old_file_is_told(void **state) {
    px_cleanup(tree_free) struct tree t = new_tree();
    px_cleanup(px_cdi_freep) struct px_cdi *cdi = parse(nvidia);
    px_cleanup(px_driver_freep) struct px_driver *d = NULL;
    struct px_error err = {0};
    assert_int_equal(px_cdi_driver(cdi, t.path, "580.105.08", &d, &err), -ENOENT);
    px_assert_contains(err.msg, "does not list libcuda.so.580.105.08");
    px_cleanup_free char *gone = px_asprintf("%s" LIB "/libcuda.so." V, t.path);
    assert_int_equal(unlink(gone), 0);
    assert_int_equal(px_cdi_driver(cdi, t.path, V, &d, &err), -ENOENT);
    px_assert_contains(err.msg, "libcuda.so." V "' is not on this host");
    px_assert_contains(err.hint, "nvidia-ctk cdi generate");
    assert_null(d);
}

static void our_own_file_is_read_again(void **state) {
    px_cleanup(tree_free) struct tree t = new_tree();
    px_cleanup(px_driver_freep) struct px_driver *d = NULL;
    px_cleanup(px_cdi_freep) struct px_cdi *cdi = NULL;
    json_t *spec = NULL;
    two_cards();
    px_assert_ok(px_driver_find(t.path, V, &d, NULL));
    px_assert_ok(px_gpu_cdi(&host, d, &spec, NULL));
    px_cleanup_free char *text = json_dumps(spec, JSON_INDENT(2));
    json_decref(spec);
    px_assert_ok(px_cdi_parse("phoenix.json", text, strlen(text), &cdi, NULL));
    const struct px_gpu_grants g = grant(M);
    px_assert_ok(px_cdi_nodes(cdi, &host, &g, false, &nodes, NULL));
    px_cleanup_free char *found = names();
    px_assert_contains(found, "nvidia1 nvidia-caps/nvidia-cap12 nvidia-caps/nvidia-cap13");
    px_assert_contains(found, "nvidia-uvm");
    assert_int_equal(cdi->common.n_mounts, d->n_files);
}

/* A text that we add is not the host's to mount; who reads the file adds it again. */
static void a_text_of_ours_is_not_in_the_file_and_comes_back(void **state) {
    px_cleanup(tree_free) struct tree t = new_tree();
    px_cleanup(px_driver_freep) struct px_driver *d = NULL, *again = NULL;
    px_cleanup(px_cdi_freep) struct px_cdi *cdi = NULL;
    json_t *spec = NULL;
    two_cards();
    tree_put(&t, LIB "/libnvidia-opencl.so." V, "");
    px_assert_ok(px_driver_find(t.path, V, &d, NULL));
    px_assert_ok(px_gpu_cdi(&host, d, &spec, NULL));
    px_cleanup_free char *text = json_dumps(spec, JSON_INDENT(2));
    json_decref(spec);
    assert_null(strstr(text, "nvidia.icd"));
    px_assert_ok(px_cdi_parse("phoenix.json", text, strlen(text), &cdi, NULL));
    assert_int_equal(cdi->common.n_mounts, d->n_files - 1);
    const char *paths[32];
    size_t n = 0;
    for (size_t i = 0; i < d->n_files; i++) /* as below the root, which the tests' tree is */
        if (d->files[i].source)
            paths[n++] = d->files[i].source + strlen(t.path);
    px_assert_ok(px_driver_from(t.path, V, paths, n, &again, NULL));
    assert_int_equal(again->n_files, d->n_files);
    for (size_t i = 0; i < d->n_files; i++)
        assert_string_equal(again->files[i].name, d->files[i].name);
}

static void what_is_no_cdi_file_is_refused(void **state) {
    static const struct {
        const char *text, *msg;
    } cases[] = {
        {"devices: []\n", "x.yaml:1: no CDI file: it has no cdiVersion"},
        {"cdiVersion: 0.2.0\ndevices: []\n", "x.yaml:1: a cdiVersion that is not known"},
        {"cdiVersion: 2.0.0\ndevices: []\n", "x.yaml:1: a cdiVersion that is not known"},
        {"cdiVersion: 0.5.0\n", "no devices"},
        {"cdiVersion: 0.5.0\ndevices: x\n", "x.yaml:2: devices is no list"},
        {"cdiVersion: 0.5.0\ndevices: [{containerEdits: {}}]\n", "x.yaml:2: a device without"},
        {"cdiVersion: 0.5.0\ndevices: [{name: a, containerEdits: {deviceNodes: [{path: /etc/x}]}}]",
         "below /dev"},
        {"cdiVersion: 0.5.0\ndevices: [{name: a, containerEdits: "
         "{deviceNodes: [{path: /dev/../etc/x}]}}]",
         "below /dev"},
        {"cdiVersion: 0.5.0\ndevices: [{name: a, containerEdits: "
         "{deviceNodes: [{path: /dev/a, hostPath: /dev/b}]}}]",
         "another path on the host"},
        {"cdiVersion: 0.5.0\ndevices: []\ncontainerEdits: {mounts: [{hostPath: x}]}\n",
         "x.yaml:3: a mount without an absolute hostPath"},
        {"cdiVersion: 0.5.0\ndevices: []\ncontainerEdits: {mounts: [{hostPath: /a/../b}]}\n",
         "x.yaml:3: a mount without an absolute hostPath"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_cdi *cdi = NULL;
        struct px_error err = {0};
        assert_int_equal(px_cdi_parse("x.yaml", cases[i].text, strlen(cases[i].text), &cdi, &err),
                         -EINVAL);
        px_assert_contains(err.msg, cases[i].msg);
        assert_null(cdi);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_gets_the_nodes_of_its_device),
        cmocka_unit_test(a_card_that_the_file_does_not_know_is_refused),
        cmocka_unit_test(the_driver_is_what_the_file_lists),
        cmocka_unit_test(an_old_file_is_told),
        cmocka_unit_test(our_own_file_is_read_again),
        cmocka_unit_test(a_text_of_ours_is_not_in_the_file_and_comes_back),
        cmocka_unit_test(what_is_no_cdi_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
