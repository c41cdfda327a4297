/* src/desktop/test_linker.c - the driver made known inside, also in trees that set traps
 *
 * Each trap is a symlink that an image could hold where the host writes; "outside" is a directory
 * of the host beside the desktop's root, and must stay empty. See CVE-2024-0132, CVE-2025-23266 and
 * CVE-2025-23359 of NVIDIA's container toolkit. */
#include "base/test.h"
#include "desktop/linker.h"
#include "gpu/ldcache.h"
#include "gpu/test_tree.h"
#include <limits.h>
#include <sys/stat.h>

static struct px_driver driver = {
    .files = (struct px_driver_file[]){{(char *)"/x", (char *)"lib/libcuda.so.580.95.05"},
                                       {(char *)"/y", (char *)"bin/nvidia-smi"}},
    .n_files = 2,
    .links =
        (struct px_driver_link[]){{(char *)"lib/libcuda.so.1", (char *)"libcuda.so.580.95.05"}},
    .n_links = 1,
    .outer = (struct px_driver_outer[]){{(char *)"/usr/local/bin/nvidia-smi",
                                         (char *)PX_DRIVER_DIR "/bin/nvidia-smi"},
                                        {(char *)"/etc/vulkan/icd.d/nvidia_icd.json",
                                         (char *)PX_DRIVER_DIR "/share/icd.d/nvidia_icd.json"}},
    .n_outer = 2,
};

static int prepare(const struct tree *t, const struct px_driver *d) {
    px_cleanup_free char *root = px_asprintf("%s/root", t->path);
    px_cleanup_close int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct px_error err = {0};
    return px_linker_prepare(fd, getuid(), d, &err);
}

static struct tree new_desktop(void) {
    struct tree t = tree_new();
    tree_put(&t, "/root/etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n");
    tree_put(&t, "/root/etc/ld.so.conf.d/libc.conf", "/usr/local/lib\n");
    tree_put(&t, "/root/usr/local/bin/mine", "");
    tree_put(&t, "/outside/keep", "");
    return t;
}

static char *target_at(const struct tree *t, const char *path) {
    px_cleanup_free char *full = px_asprintf("%s%s", t->path, path);
    char target[PATH_MAX] = "";
    ssize_t n = readlink(full, target, sizeof(target) - 1);
    return px_strndup(target, n > 0 ? (size_t)n : 0);
}

static bool there(const struct tree *t, const char *path) {
    px_cleanup_free char *full = px_asprintf("%s%s", t->path, path);
    return access(full, F_OK) == 0;
}

static size_t n_outside(const struct tree *t) {
    px_cleanup_free char *path = px_asprintf("%s/outside", t->path);
    px_cleanup_closedir DIR *dir = opendir(path);
    size_t n = 0;
    while (readdir(dir))
        n++;
    return n - 2; /* "." and ".." */
}

static char *cached(const struct tree *t, const char *key) {
    px_cleanup_free char *path = px_asprintf("%s/root/etc/ld.so.cache", t->path), *data = NULL;
    size_t size = 0;
    px_cleanup(px_ldcache_fini) struct px_ldcache cache = {0};
    px_assert_ok(px_file_read(AT_FDCWD, path, PX_LDCACHE_MAX_BYTES, &data, &size, NULL));
    px_assert_ok(px_ldcache_parse(data, size, &cache, NULL));
    return px_strdup_null(px_ldcache_find(&cache, key));
}

static void the_driver_is_known_and_forgotten(void **state) {
    px_cleanup(tree_free) struct tree t = new_desktop();
    px_assert_ok(prepare(&t, &driver));
    px_cleanup_free char *smi = target_at(&t, "/root/usr/local/bin/nvidia-smi");
    assert_string_equal(smi, PX_DRIVER_DIR "/bin/nvidia-smi");
    assert_true(there(&t, "/root/etc/ld.so.conf.d/00-phoenix-nvidia.conf"));
    px_cleanup_free char *cuda = cached(&t, "libcuda.so.1");
    assert_string_equal(cuda, PX_DRIVER_DIR "/lib/libcuda.so.1");
    px_assert_ok(prepare(&t, &driver)); /* again: nothing new */
    px_assert_ok(prepare(&t, NULL));
    px_cleanup_free char *gone = target_at(&t, "/root/usr/local/bin/nvidia-smi");
    px_cleanup_free char *vulkan = target_at(&t, "/root/etc/vulkan/icd.d/nvidia_icd.json");
    px_cleanup_free char *none = cached(&t, "libcuda.so.1");
    assert_string_equal(gone, "");
    assert_string_equal(vulkan, "");
    assert_null(none);
    assert_false(there(&t, "/root/etc/ld.so.conf.d/00-phoenix-nvidia.conf"));
    assert_true(there(&t, "/root/usr/local/bin/mine"));
}

static void files_of_the_image_stay(void **state) {
    px_cleanup(tree_free) struct tree t = new_desktop();
    tree_put(&t, "/root/usr/local/bin/nvidia-smi", "mine");
    tree_put(&t, "/root/etc/vulkan", "a file where a directory would be");
    px_assert_ok(prepare(&t, &driver));
    px_assert_ok(prepare(&t, NULL));
    px_cleanup_free char *path = px_asprintf("%s/root/usr/local/bin/nvidia-smi", t.path);
    px_cleanup_free char *text = NULL;
    px_assert_ok(px_file_read(AT_FDCWD, path, 100, &text, NULL, NULL));
    assert_string_equal(text, "mine");
}

static void a_cache_that_would_hold_up_every_program_goes(void **state) {
    px_cleanup(tree_free) struct tree t = new_desktop();
    px_cleanup_free char *path = px_asprintf("%s/root/etc/ld.so.cache", t.path);
    assert_int_equal(mkfifo(path, 0644), 0);
    px_assert_ok(prepare(&t, NULL));
    assert_false(there(&t, "/root/etc/ld.so.cache"));
    assert_int_equal(mkfifo(path, 0644), 0);
    px_assert_ok(prepare(&t, &driver));
    px_cleanup_free char *cuda = cached(&t, "libcuda.so.1");
    assert_string_equal(cuda, PX_DRIVER_DIR "/lib/libcuda.so.1");
}

static void nothing_is_written_outside(void **state) {
    /* Where the trap is, relative to the desktop's root, and whether it is the last name. */
    static const char *const traps[] = {
        "/etc",
        "/etc/ld.so.conf.d",
        "/etc/ld.so.cache",
        "/etc/ld.so.conf.d/00-phoenix-nvidia.conf",
        "/etc/vulkan",
        "/etc/vulkan/icd.d",
        "/etc/vulkan/icd.d/nvidia_icd.json",
        "/usr/local/bin",
        "/usr/local/bin/nvidia-smi",
        "/usr",
    };
    static const char *const ways[] = {"%s/outside", "../../../../../../../../../..%s/outside",
                                       "/proc/self/root%s/outside", "/proc/1/root%s/outside"};
    for (size_t i = 0; i < PX_N_ELEMENTS(traps); i++)
        for (size_t k = 0; k < PX_N_ELEMENTS(ways); k++)
            for (int made = 0; made < 2; made++) {
                px_cleanup(tree_free) struct tree t = tree_new();
                tree_put(&t, "/outside/keep", "");
                tree_put(&t, "/root/README", "");
                /* "%s" stands for this tree's own path on the host. */
                const char *at = strstr(ways[k], "%s");
                px_cleanup_free char *target =
                    px_asprintf("%.*s%s%s", (int)(at - ways[k]), ways[k], t.path, at + 2);
                px_cleanup_free char *trap = px_asprintf("/root%s", traps[i]);
                if (made) /* the trap's way exists inside as well: it is followed there only */
                    tree_put(&t, "/root/tmp/x", "");
                tree_link(&t, trap, target);
                (void)prepare(&t, &driver); /* may fail, must not escape */
                (void)prepare(&t, NULL);
                (void)prepare(&t, &driver);
                if (n_outside(&t) != 1)
                    fail_msg("trap at %s to %s: something was written outside", traps[i], target);
                assert_true(there(&t, "/outside/keep"));
            }
}

static void links_out_of_the_way_are_not_followed_when_removed(void **state) {
    px_cleanup(tree_free) struct tree t = new_desktop();
    px_cleanup_free char *outside = px_asprintf("%s/outside", t.path);
    /* A directory of links that is itself a link to the host's, where a link of ours lies. */
    tree_link(&t, "/outside/nvidia-smi", PX_DRIVER_DIR "/bin/nvidia-smi");
    tree_link(&t, "/root/etc/OpenCL/vendors", outside);
    px_assert_ok(prepare(&t, NULL));
    px_cleanup_free char *kept = target_at(&t, "/outside/nvidia-smi");
    assert_string_equal(kept, PX_DRIVER_DIR "/bin/nvidia-smi");
}

static void a_cache_of_rubbish_is_replaced(void **state) {
    px_cleanup(tree_free) struct tree t = new_desktop();
    tree_put(&t, "/root/etc/ld.so.cache", "rubbish");
    px_assert_ok(prepare(&t, NULL)); /* without a driver it is the owner's business */
    px_assert_ok(prepare(&t, &driver));
    px_cleanup_free char *cuda = cached(&t, "libcuda.so.580.95.05");
    assert_string_equal(cuda, PX_DRIVER_DIR "/lib/libcuda.so.580.95.05");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_driver_is_known_and_forgotten),
        cmocka_unit_test(files_of_the_image_stay),
        cmocka_unit_test(a_cache_that_would_hold_up_every_program_goes),
        cmocka_unit_test(nothing_is_written_outside),
        cmocka_unit_test(links_out_of_the_way_are_not_followed_when_removed),
        cmocka_unit_test(a_cache_of_rubbish_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
