/* src/gpu/test_driver.c - the driver where the distributions put it, and the linker's cache */
#include "base/test.h"
#include "gpu/driver.h"
#include "gpu/ldcache.h"
#include "gpu/test_tree.h"

#define V "580.95.05"
#define MULTI "/usr/lib/x86_64-linux-gnu"

static const char *source_of(const struct px_driver *d, const char *name) {
    for (size_t i = 0; i < d->n_files; i++)
        if (strcmp(d->files[i].name, name) == 0)
            return d->files[i].source;
    return "";
}

static const char *target_of(const struct px_driver *d, const char *name) {
    for (size_t i = 0; i < d->n_links; i++)
        if (strcmp(d->links[i].name, name) == 0)
            return d->links[i].target;
    return "";
}

/* libcuda, NVML, a library whose soname is its file name, one of another version, one not ours. */
static void put_libraries(const struct tree *t, const char *dir) {
    static const char *const files[] = {"libcuda.so." V,
                                        "libnvidia-ml.so." V,
                                        "libnvidia-glcore.so." V,
                                        "libnvidia-ml.so.550.54.14",
                                        "libnvidia-egl-gbm.so.1.1.2",
                                        "libnvrtc.so.12.4.127",
                                        "libcudart.so.12"};
    for (size_t i = 0; i < PX_N_ELEMENTS(files); i++) {
        px_cleanup_free char *path = px_asprintf("%s/%s", dir, files[i]);
        tree_put(t, path, "");
    }
    px_cleanup_free char *one = px_asprintf("%s/libcuda.so.1", dir);
    px_cleanup_free char *ml = px_asprintf("%s/libnvidia-ml.so.1", dir);
    tree_link(t, one, "libcuda.so." V);
    tree_link(t, ml, "libnvidia-ml.so." V);
}

static void check_libraries(const struct tree *t, const char *real_dir) {
    px_cleanup(px_driver_freep) struct px_driver *d = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_driver_find(t->path, V, &d, &err), &err);
    px_cleanup_free char *want = px_asprintf("%s%s/libcuda.so." V, t->path, real_dir);
    assert_string_equal(source_of(d, "lib/libcuda.so." V), want);
    assert_string_equal(target_of(d, "lib/libcuda.so.1"), "libcuda.so." V);
    assert_string_equal(target_of(d, "lib/libnvidia-ml.so.1"), "libnvidia-ml.so." V);
    px_assert_contains(source_of(d, "lib/libnvidia-glcore.so." V), "glcore");
    px_assert_contains(source_of(d, "lib/libnvidia-egl-gbm.so.1.1.2"), "gbm");
    assert_string_equal(source_of(d, "lib/libnvidia-ml.so.550.54.14"), "");
    assert_string_equal(source_of(d, "lib/libnvrtc.so.12.4.127"), ""); /* the toolkit's */
    assert_string_equal(source_of(d, "lib/libcudart.so.12"), "");
}

static void the_runfile_puts_it_beside_the_rest(void **state) {
    px_cleanup(tree_free) struct tree t = tree_new();
    put_libraries(&t, MULTI);
    tree_put(&t, "/usr/bin/nvidia-smi", "\177ELF...");
    tree_put(&t, "/usr/share/glvnd/egl_vendor.d/10_nvidia.json", "{}");
    tree_put(&t, "/usr/share/glvnd/egl_vendor.d/50_mesa.json", "{}");
    tree_put(&t, "/etc/OpenCL/vendors/nvidia.icd", "libnvidia-opencl.so.1\n");
    tree_put(&t, "/lib/firmware/nvidia/" V "/gsp_ga10x.bin", "x");
    check_libraries(&t, MULTI);
    px_cleanup(px_driver_freep) struct px_driver *d = NULL;
    px_assert_ok(px_driver_find(t.path, V, &d, NULL));
    px_assert_contains(source_of(d, "bin/nvidia-smi"), "/usr/bin/nvidia-smi");
    px_assert_contains(source_of(d, "share/egl_vendor.d/10_nvidia.json"), "10_nvidia");
    px_assert_contains(source_of(d, "share/vendors/nvidia.icd"), "nvidia.icd");
    px_assert_contains(source_of(d, "firmware/gsp_ga10x.bin"), "gsp");
    bool smi = false;
    for (size_t i = 0; i < d->n_outer; i++) {
        smi |= strcmp(d->outer[i].path, "/usr/local/bin/nvidia-smi") == 0 &&
               strcmp(d->outer[i].target, PX_DRIVER_DIR "/bin/nvidia-smi") == 0;
        assert_null(strstr(d->outer[i].path, "mesa"));
    }
    assert_true(smi);
}

static void debian_goes_through_alternatives(void **state) {
    px_cleanup(tree_free) struct tree t = tree_new();
    put_libraries(&t, MULTI "/nvidia/current");
    tree_link(&t, MULTI "/libcuda.so.1", "/etc/alternatives/glx--libcuda.so.1-x86_64-linux-gnu");
    tree_link(&t, "/etc/alternatives/glx--libcuda.so.1-x86_64-linux-gnu",
              MULTI "/nvidia/current/libcuda.so.1");
    tree_put(&t, "/usr/lib/nvidia/current/nvidia-smi", "\177ELF...");
    tree_link(&t, "/usr/bin/nvidia-smi", "/etc/alternatives/nvidia--nvidia-smi");
    tree_link(&t, "/etc/alternatives/nvidia--nvidia-smi", "/usr/lib/nvidia/current/nvidia-smi");
    check_libraries(&t, MULTI "/nvidia/current");
    px_cleanup(px_driver_freep) struct px_driver *d = NULL;
    px_assert_ok(px_driver_find(t.path, V, &d, NULL));
    px_cleanup_free char *smi = px_asprintf("%s/usr/lib/nvidia/current/nvidia-smi", t.path);
    assert_string_equal(source_of(d, "bin/nvidia-smi"), smi);
}

static void a_mounted_driver_is_found_and_wrappers_are_not_taken(void **state) {
    px_cleanup(tree_free) struct tree t = tree_new();
    put_libraries(&t, "/usr/local/nvidia/lib64");
    tree_put(&t, "/usr/local/nvidia/bin/nvidia-smi", "\177ELF...");
    tree_put(&t, "/usr/bin/nvidia-smi", "#!/bin/sh\nexec /usr/local/nvidia/bin/nvidia-smi\n");
    check_libraries(&t, "/usr/local/nvidia/lib64");
    px_cleanup(px_driver_freep) struct px_driver *d = NULL;
    px_assert_ok(px_driver_find(t.path, V, &d, NULL));
    px_assert_contains(source_of(d, "bin/nvidia-smi"), "/usr/local/nvidia/bin/nvidia-smi");
    px_cleanup_free char *ml = px_driver_library(t.path, V, "libnvidia-ml.so.1");
    px_assert_contains(ml, "/usr/local/nvidia/lib64/libnvidia-ml.so." V);
}

static const struct px_driver_file *file_of(const struct px_driver *d, const char *name) {
    for (size_t i = 0; i < d->n_files; i++)
        if (strcmp(d->files[i].name, name) == 0)
            return &d->files[i];
    return NULL;
}

static const char *outer_of(const struct px_driver *d, const char *path) {
    for (size_t i = 0; i < d->n_outer; i++)
        if (strcmp(d->outer[i].path, path) == 0)
            return d->outer[i].target;
    return "";
}

static void loaders_are_told_what_the_host_does_not_tell(void **state) {
    px_cleanup(tree_free) struct tree t = tree_new();
    px_cleanup(px_driver_freep) struct px_driver *bare = NULL, *told = NULL, *without = NULL;
    put_libraries(&t, "/usr/local/nvidia/lib64");
    px_assert_ok(px_driver_find(t.path, V, &without, NULL)); /* no library that needs a word */
    assert_null(file_of(without, "share/vendors/nvidia.icd"));
    assert_null(file_of(without, "share/egl_vendor.d/10_nvidia.json"));
    tree_put(&t, "/usr/local/nvidia/lib64/libnvidia-opencl.so." V, "");
    tree_put(&t, "/usr/local/nvidia/lib64/libEGL_nvidia.so." V, "");
    px_assert_ok(px_driver_find(t.path, V, &bare, NULL));
    const struct px_driver_file *icd = file_of(bare, "share/vendors/nvidia.icd");
    const struct px_driver_file *egl = file_of(bare, "share/egl_vendor.d/10_nvidia.json");
    assert_non_null(icd);
    assert_null(icd->source);
    assert_string_equal(icd->text, "libnvidia-opencl.so.1\n");
    assert_string_equal(outer_of(bare, "/etc/OpenCL/vendors/nvidia.icd"),
                        PX_DRIVER_DIR "/share/vendors/nvidia.icd");
    assert_non_null(egl);
    px_assert_contains(egl->text, "\"library_path\": \"libEGL_nvidia.so.0\"");
    tree_put(&t, "/etc/OpenCL/vendors/nvidia.icd", "libnvidia-opencl.so.1\n");
    px_assert_ok(px_driver_find(t.path, V, &told, NULL)); /* the host's own word goes first */
    icd = file_of(told, "share/vendors/nvidia.icd");
    px_assert_contains(icd->source, "/etc/OpenCL/vendors/nvidia.icd");
    assert_null(icd->text);
}

static void the_linkers_cache_shows_any_other_place(void **state) {
    px_cleanup(tree_free) struct tree t = tree_new();
    px_cleanup(px_ldcache_fini) struct px_ldcache cache = {0};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    put_libraries(&t, "/srv/odd/place");
    px_ldcache_add(&cache, "libcuda.so.1", "/srv/odd/place/libcuda.so.1");
    px_ldcache_print(&cache, &out);
    px_cleanup_free char *path = px_asprintf("%s/etc/ld.so.cache", t.path);
    tree_put(&t, "/etc/other", "");
    px_assert_ok(px_file_replace(AT_FDCWD, path, out.data, out.size, 0644, NULL));
    check_libraries(&t, "/srv/odd/place");
}

static void libraries_of_another_version_are_no_driver(void **state) {
    px_cleanup(tree_free) struct tree t = tree_new();
    px_cleanup(px_driver_freep) struct px_driver *d = NULL;
    struct px_error err = {0};
    char version[32];
    put_libraries(&t, MULTI);
    assert_int_equal(px_driver_find(t.path, "590.44.01", &d, &err), -ENOENT);
    px_assert_contains(err.msg, "libcuda.so.590.44.01");
    px_assert_contains(err.hint, "reboot");
    px_cleanup_close int fd = open(t.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    px_driver_version(fd, "590.44.01", version, sizeof(version));
    assert_string_equal(version, V);
}

static void a_cache_is_written_as_it_was_read(void **state) {
    px_cleanup_free char *data = NULL;
    size_t size = 0;
    px_cleanup(px_ldcache_fini) struct px_ldcache cache = {0}, again = {0};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    if (px_file_read(AT_FDCWD, "/etc/ld.so.cache", PX_LDCACHE_MAX_BYTES, &data, &size, NULL) < 0)
        skip(); /* a machine without glibc's ldconfig */
    px_assert_ok(px_ldcache_parse(data, size, &cache, NULL));
    px_ldcache_add(&cache, "libcuda.so.1", "/x/libcuda.so.1");
    px_ldcache_print(&cache, &out);
    px_assert_ok(px_ldcache_parse(out.data, out.size, &again, NULL));
    assert_int_equal(again.n_libs, cache.n_libs);
    assert_string_equal(px_ldcache_find(&again, "libcuda.so.1"), "/x/libcuda.so.1");
    assert_non_null(px_ldcache_find(&again, "libc.so.6"));
    assert_int_equal(px_ldcache_drop_dir(&again, "/x"), 1);
    assert_null(px_ldcache_find(&again, "libcuda.so.1"));
    assert_int_equal(px_ldcache_drop_dir(&again, "/usr/li"), 0); /* a directory, not a prefix */
}

static void names_are_in_the_linkers_order(void **state) {
    px_cleanup(px_ldcache_fini) struct px_ldcache cache = {0}, again = {0};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    static const char *const names[] = {"liba.so.1", "libz.so.1", "liba.so.10", "liba.so.9",
                                        "libcuda.so"};
    for (size_t i = 0; i < PX_N_ELEMENTS(names); i++)
        px_ldcache_add(&cache, names[i], "/x");
    px_ldcache_print(&cache, &out);
    px_assert_ok(px_ldcache_parse(out.data, out.size, &again, NULL));
    static const char *const want[] = {"libz.so.1", "libcuda.so", "liba.so.10", "liba.so.9",
                                       "liba.so.1"};
    for (size_t i = 0; i < PX_N_ELEMENTS(want); i++)
        assert_string_equal(again.libs[i].key, want[i]);
}

static void rubbish_is_no_cache(void **state) {
    px_cleanup(px_ldcache_fini) struct px_ldcache cache = {0};
    char bytes[64] = "glibc-ld.so.cache1.1";
    struct px_error err = {0};
    assert_int_equal(px_ldcache_parse("", 0, &cache, &err), -EINVAL);
    memset(bytes + 20, 0xff, 8); /* more entries than there are bytes */
    assert_int_equal(px_ldcache_parse(bytes, sizeof(bytes), &cache, &err), -EINVAL);
    assert_null(cache.libs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_runfile_puts_it_beside_the_rest),
        cmocka_unit_test(debian_goes_through_alternatives),
        cmocka_unit_test(a_mounted_driver_is_found_and_wrappers_are_not_taken),
        cmocka_unit_test(loaders_are_told_what_the_host_does_not_tell),
        cmocka_unit_test(the_linkers_cache_shows_any_other_place),
        cmocka_unit_test(libraries_of_another_version_are_no_driver),
        cmocka_unit_test(a_cache_is_written_as_it_was_read),
        cmocka_unit_test(names_are_in_the_linkers_order),
        cmocka_unit_test(rubbish_is_no_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
