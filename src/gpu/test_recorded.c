/* src/gpu/test_recorded.c - machines as they were: files and NVML's answers, recorded on them
 *
 * recorded/NAME was written by tests/gpu/record.sh, which says the form. The files are laid out as
 * a tree, the answers are given again by tests/gpu/nvml_replay.c, and what we make of both is
 * compared with what the machine is known to be. */
#include "base/buf.h"
#include "base/test.h"
#include "gpu/driver.h"
#include "gpu/inject.h"
#include "gpu/ldcache.h"
#include "gpu/nodes.h"
#include "gpu/test_tree.h"

#define A "GPU-00000000-0000-4000-8000-000000000001" /* the made UUIDs, in their order */
#define B "GPU-00000000-0000-4000-8000-000000000002"
#define V "580.159.04"
#define RECORD_MAX_BYTES (256 * 1024)
#define ABI_X86_64 0x0303 /* FLAG_ELF_LIBC6 | FLAG_X8664_LIB64 */

struct node {
    char path[64];
    unsigned major, minor, mode;
};
struct machine {
    struct tree tree;
    struct node nodes[32];
    size_t n_nodes;
    struct px_ldcache cache;
    char *text;          /* the record, cut into lines */
    char file[256];      /* being filled */
    struct px_buf lines; /* of it */
};
static struct px_nvml nvml;
static struct px_gpu_host host;

static void end_file(struct machine *m) {
    if (m->file[0])
        tree_put(&m->tree, m->file, m->lines.size ? px_buf_str(&m->lines) : "");
    m->file[0] = '\0';
    px_buf_fini(&m->lines);
    m->lines = (struct px_buf){0};
}

static void take_line(struct machine *m, char *line) {
    char path[256], target[256];
    struct node *n = &m->nodes[m->n_nodes];
    if (line[0] == '|') {
        px_buf_printf(&m->lines, "%s\n", line + 1);
        return;
    }
    end_file(m);
    if (sscanf(line, "file %255s", m->file) == 1) {
        if (strstr(m->file, "/bin/nvidia-")) /* such files have no line end behind them */
            px_buf_printf(&m->lines, "%s", "\177");
    } else if (sscanf(line, "dir %255s", path) == 1) {
        px_cleanup_free char *full = px_asprintf("%s%s", m->tree.path, path);
        px_assert_ok(px_mkdir_p(AT_FDCWD, full, 0755, NULL));
    } else if (sscanf(line, "link %255s %255s", path, target) == 2) {
        tree_link(&m->tree, path, target);
    } else if (sscanf(line, "node %63s c %u:%u %o", n->path, &n->major, &n->minor, &n->mode) == 4) {
        assert_true(++m->n_nodes < PX_N_ELEMENTS(m->nodes));
    } else if (strncmp(line, "cache ", 6) == 0) {
        char *value = strchr(line + 6, ' ');
        assert_non_null(value);
        *value++ = '\0';
        px_grow(m->cache.libs, &m->cache.cap, m->cache.n_libs + 1);
        m->cache.libs[m->cache.n_libs++] =
            (struct px_ldcache_lib){.flags = ABI_X86_64, .key = line + 6, .value = value};
    }
}

/* The record's files below a directory, its answers in nvml, and what we see in host. */
static void machine_open(const char *name, struct machine *m) {
    *m = (struct machine){.tree = tree_new()};
    px_cleanup_free char *path = px_asprintf(PX_RECORDED_DIR "/%s", name);
    px_assert_ok(px_file_read(AT_FDCWD, path, RECORD_MAX_BYTES, &m->text, NULL, NULL));
    for (char *line = m->text, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        take_line(m, line);
    }
    end_file(m);
    px_cleanup(px_buf_fini) struct px_buf cache = {0};
    px_cleanup_free char *at = px_asprintf("%s/etc/ld.so.cache", m->tree.path);
    tree_put(&m->tree, "/etc/ld.so.cache", "");
    px_ldcache_print(&m->cache, &cache);
    px_assert_ok(px_file_replace(AT_FDCWD, at, cache.data, cache.size, 0644, NULL));
    assert_int_equal(setenv("PX_NVML_RECORD", path, 1), 0);
    px_nvml_read(PX_NVML_REPLAY, &nvml);
    px_gpu_look(m->tree.path, &nvml, &host);
}

static void machine_close(struct machine *m) {
    px_ldcache_fini(&m->cache);
    tree_free(&m->tree);
    free(m->text);
}

static void check_h200(const struct px_gpu_card *c, const char *uuid, const char *address,
                       int minor) {
    assert_string_equal(c->uuid, uuid);
    assert_string_equal(c->address, address);
    assert_string_equal(c->name, "NVIDIA H200");
    assert_string_equal(c->driver, "nvidia");
    assert_int_equal(c->minor, minor);
    assert_int_equal(c->memory_bytes, 150754820096);
    assert_int_equal(c->cc_major, 9);
    assert_int_equal(c->cc_minor, 0);
    assert_int_equal(c->encoder, 0); /* NVML says capacity 100, the chip has none */
    assert_true(c->mig_capable);
    assert_false(c->mig);
    assert_int_equal(c->n_migs, 0);
    assert_int_equal(c->numa_node, -1); /* sysfs of a virtual machine does not say */
    assert_string_equal(c->render, ""); /* nvidia-drm is not loaded */
    assert_string_equal(c->trouble, "");
}

static void check_host(size_t n_cards) {
    assert_int_equal(nvml.code, 0);
    assert_string_equal(nvml.module, V);
    assert_int_equal(nvml.n_cards, n_cards);
    assert_int_equal(host.state, PX_GPU_READY);
    assert_string_equal(host.module, V);
    assert_true(host.open_module);
    assert_string_equal(host.libraries, V);
    assert_string_equal(host.nvml_why, "");
    assert_int_equal(host.cuda, 13000);
    assert_int_equal(host.uvm_major, 238);
    assert_int_equal(host.caps_major, 241);
    assert_int_equal(host.device_mode, 0666);
    assert_int_equal(host.n_cards, n_cards);
}

/* Idle cards, whose settings NVML tells all of. */
static void check_use(const struct px_nvml_card *c) {
    assert_int_equal(c->used_bytes, 644939776);
    assert_int_equal(c->gpu_percent, 0);
    assert_int_equal(c->encoder_percent, 0);
    assert_int_equal(c->decoder_percent, 0);
    assert_int_equal(c->encoder_sessions, 0);
    assert_true(c->temperature_c > 20 && c->temperature_c < 60);
    assert_true(c->power_mw > 50000 && c->power_mw < 100000);
    assert_int_equal(c->n_procs, 0);
}

static const struct node *node_of(const struct machine *m, const char *path) {
    for (size_t i = 0; i < m->n_nodes; i++)
        if (strcmp(m->nodes[i].path, path) == 0)
            return &m->nodes[i];
    return NULL;
}

/* What a desktop with the card would get is there on the machine, with the numbers we go by. */
static void check_nodes(const struct machine *m, const char *uuid, const char *node) {
    struct px_gpu_grants grants = {.n = 1};
    static struct px_gpu_nodes nodes;
    strcpy(grants.items[0].uuid, uuid);
    px_assert_ok(px_gpu_nodes(&host, &grants, false, &nodes, NULL));
    assert_string_equal(nodes.items[0].path, node);
    for (size_t i = 0; i < nodes.n; i++) {
        const struct node *real = node_of(m, nodes.items[i].path);
        if (!real) {
            assert_false(nodes.items[i].needed);
            continue;
        }
        assert_int_equal(real->mode, 0666);
        assert_true(real->major == PX_NVIDIA_MAJOR || real->major == host.uvm_major);
    }
    assert_int_equal(node_of(m, node)->major, PX_NVIDIA_MAJOR);
    assert_int_equal(node_of(m, "/dev/nvidiactl")->minor, PX_NVIDIACTL_MINOR);
    assert_int_equal(node_of(m, "/dev/nvidia-uvm")->major, host.uvm_major);
    assert_int_equal(node_of(m, "/dev/nvidia-caps/nvidia-cap1")->major, host.caps_major);
}

static const char *source_of(const struct px_driver *d, const char *name) {
    for (size_t i = 0; i < d->n_files; i++)
        if (strcmp(d->files[i].name, name) == 0 && d->files[i].source)
            return d->files[i].source;
    return "";
}

static void one_h200(void **state) {
    px_cleanup(machine_close) struct machine m;
    machine_open("h200-x1", &m);
    check_host(1);
    check_h200(&host.cards[0], A, "0000:00:06.0", 0);
    check_use(&nvml.cards[0]);
    check_nodes(&m, A, "/dev/nvidia0");
    assert_int_equal(px_nvml_persist(PX_NVML_REPLAY), 0); /* it is on already */
}

/* The same card while a program of the host and one of a desktop compute and a third only waits:
 * these three answers were recorded then. */
static void what_each_process_takes(void **state) {
    static const char busy[] =
        "nvmlDeviceGetComputeRunningProcesses_v3 0 = 0 3 942 746586112 951 746586112 954 "
        "641728512\n"
        "nvmlDeviceGetProcessUtilization 0 room = 7 72\n"
        "nvmlDeviceGetProcessUtilization 0 = 0 2 942 33 0 0 0 951 66 0 0 0\n";
    px_cleanup(machine_close) struct machine m;
    machine_open("h200-x1", &m);
    px_cleanup_free char *rest = NULL;
    px_assert_ok(
        px_file_read(AT_FDCWD, PX_RECORDED_DIR "/h200-x1", RECORD_MAX_BYTES, &rest, NULL, NULL));
    px_cleanup_free char *both = px_asprintf("%s%s", busy, rest);
    px_cleanup_free char *path = px_asprintf("%s/busy", m.tree.path);
    tree_put(&m.tree, "/busy", both);
    assert_int_equal(setenv("PX_NVML_RECORD", path, 1), 0);
    px_nvml_read(PX_NVML_REPLAY, &nvml);
    const struct px_nvml_card *c = &nvml.cards[0];
    assert_int_equal(c->n_procs, 3);
    assert_int_equal(c->procs[0].pid, 942);
    assert_int_equal(c->procs[0].gpu_percent, 33);
    assert_int_equal(c->procs[1].gpu_percent, 66);
    assert_int_equal(c->procs[1].encoder_percent, 0);
    assert_int_equal(c->procs[2].gpu_percent, 0);
    assert_int_equal(c->procs[2].memory_bytes, 641728512);
}

static void two_h200_with_nvlink(void **state) {
    px_cleanup(machine_close) struct machine m;
    machine_open("h200-x2", &m);
    check_host(2);
    check_h200(&host.cards[0], A, "0000:00:06.0", 0);
    check_h200(&host.cards[1], B, "0000:00:07.0", 1);
    check_use(&nvml.cards[1]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(host.links[i][1 - i], PX_GPU_LINK_HOST); /* nvidia-smi topo: over NVLink */
        assert_true(host.peer[i][1 - i]);
        assert_true(host.nvlink[i][1 - i]);
    }
    check_nodes(&m, B, "/dev/nvidia1");
}

/* Libraries on a read-only mount, links to them in /usr/lib, the toolkit beside them in the cache.
 */
static void the_driver_of_a_mounted_directory(void **state) {
    px_cleanup(machine_close) struct machine m;
    machine_open("h200-x2", &m);
    px_cleanup(px_driver_freep) struct px_driver *d = NULL;
    px_assert_ok(px_driver_find(m.tree.path, V, &d, NULL));
    px_cleanup_free char *cuda =
        px_asprintf("%s/usr/local/nvidia/lib64/libcuda.so." V, m.tree.path);
    px_cleanup_free char *ml = px_driver_library(m.tree.path, V, "libnvidia-ml.so.1");
    assert_string_equal(source_of(d, "lib/libcuda.so." V), cuda);
    px_assert_contains(ml, "/usr/local/nvidia/lib64/libnvidia-ml.so." V);
    px_assert_contains(source_of(d, "bin/nvidia-smi"), "/bin/nvidia-smi");
    px_assert_contains(source_of(d, "share/egl_vendor.d/10_nvidia.json"),
                       "/usr/local/nvidia/share");
    px_assert_contains(source_of(d, "share/icd.d/nvidia_icd.json"), "/usr/local/nvidia/share");
    assert_string_equal(source_of(d, "share/vendors/nvidia.icd"), ""); /* ours: there was none */
    for (size_t i = 0; i < d->n_files; i++) {
        assert_null(d->files[i].source ? strstr(d->files[i].source, "/cuda/") : NULL);
        assert_null(strstr(d->files[i].name, "persistenced"));
    }
    assert_int_equal(d->n_files, 35 + 1); /* as `phoenix gpu check` said there, and ours */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_h200),
        cmocka_unit_test(what_each_process_takes),
        cmocka_unit_test(two_h200_with_nvlink),
        cmocka_unit_test(the_driver_of_a_mounted_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
