/* src/gpu/test_tree.h - trees that look like hosts, in a temporary directory, for tests */
#pragma once
#include "base/alloc.h"
#include "base/file.h"
#include "base/test.h"

struct tree {
    char path[64];
};

static inline void tree_put(const struct tree *t, const char *path, const char *text) {
    px_cleanup_free char *full = px_asprintf("%s%s", t->path, path);
    px_cleanup_free char *dir = px_strndup(full, (size_t)(strrchr(full, '/') - full));
    px_assert_ok(px_mkdir_p(AT_FDCWD, dir, 0755, NULL));
    px_assert_ok(px_file_replace(AT_FDCWD, full, text, strlen(text), 0644, NULL));
}

static inline void tree_link(const struct tree *t, const char *path, const char *target) {
    px_cleanup_free char *full = px_asprintf("%s%s", t->path, path);
    px_cleanup_free char *dir = px_strndup(full, (size_t)(strrchr(full, '/') - full));
    px_assert_ok(px_mkdir_p(AT_FDCWD, dir, 0755, NULL));
    assert_int_equal(symlink(target, full), 0);
}

static inline struct tree tree_new(void) {
    struct tree t = {.path = "/tmp/px-test-gpu-XXXXXX"};
    assert_non_null(mkdtemp(t.path));
    return t;
}

static inline void tree_free(struct tree *t) {
    px_assert_ok(px_rm_rf(AT_FDCWD, t->path, NULL));
}

static inline void tree_card(const struct tree *t, const char *address, const char *driver) {
    px_cleanup_free char *dir = px_asprintf("/sys/bus/pci/devices/%s", address);
    px_cleanup_free char *vendor = px_asprintf("%s/vendor", dir);
    px_cleanup_free char *class = px_asprintf("%s/class", dir);
    px_cleanup_free char *node = px_asprintf("%s/numa_node", dir);
    px_cleanup_free char *link = px_asprintf("%s/driver", dir);
    px_cleanup_free char *target = px_asprintf("../../../bus/pci/drivers/%s", driver);
    tree_put(t, vendor, "0x10de\n");
    tree_put(t, class, "0x030000\n");
    tree_put(t, node, "0\n");
    if (driver[0])
        tree_link(t, link, target);
}

static inline void tree_information(const struct tree *t, const char *address, const char *name,
                                    const char *uuid, int minor) {
    px_cleanup_free char *path = px_asprintf("/proc/driver/nvidia/gpus/%s/information", address);
    px_cleanup_free char *text =
        px_asprintf("Model: \t\t %s\nIRQ:   \t\t 41\nGPU UUID: \t %s\nBus Location: \t %s\n"
                    "Device Minor: \t %d\nGPU Firmware: \t 580.95.05\nGPU Excluded:\t No\n",
                    name, uuid, address, minor);
    tree_put(t, path, text);
}
