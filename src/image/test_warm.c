/* src/image/test_warm.c */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/test.h"
#include "image/warm.h"
#include <sys/mman.h>

#define FILE_BYTES (256 * 1024)

struct world { /* an image of one layer with two files, below a directory of its own */
    char *dir, *tree, *list;
    struct px_image image;
};

static void put_file(const struct world *w, const char *name) {
    px_cleanup_free char *path = px_asprintf("%s/%s", w->tree, name);
    px_cleanup_free char *data = px_new0(char, FILE_BYTES);
    memset(data, 'x', FILE_BYTES);
    px_assert_ok(px_file_write_atomic(AT_FDCWD, path, data, FILE_BYTES, 0644, NULL));
}

/* On a disk: a tmpfs has no cache to leave. */
static int make_world(void **state) {
    char dir[] = "/var/tmp/pxt-warm-XXXXXX";
    struct world *w = px_new0(struct world, 1);
    assert_non_null(mkdtemp(dir));
    w->dir = px_strdup(dir);
    w->tree = px_asprintf("%s/images/layers/x/tree", dir);
    w->list = px_asprintf("%s/images/warm/sha256-0123456789abcdef", dir);
    px_cleanup_free char *sub = px_asprintf("%s/sub dir", w->tree);
    px_assert_ok(px_mkdir_p(AT_FDCWD, sub, 0755, NULL));
    strcpy(w->image.digest, "sha256:0123456789abcdef");
    w->image.layers = px_new0(char *, 1);
    w->image.layers[0] = w->tree;
    w->image.n_layers = 1;
    w->image.size_bytes = (uint64_t)FILE_BYTES * 100;
    put_file(w, "sub dir/a");
    put_file(w, "b");
    *state = w;
    return 0;
}

static int drop_world(void **state) {
    struct world *w = *state;
    px_rm_rf(AT_FDCWD, w->dir, NULL);
    free(w->image.layers);
    free(w->dir);
    free(w->tree);
    free(w->list);
    free(w);
    return 0;
}

static size_t n_resident(const struct world *w, const char *name) {
    px_cleanup_free char *path = px_asprintf("%s/%s", w->tree, name);
    px_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    unsigned char pages[FILE_BYTES / 4096];
    size_t n = 0;
    void *map = mmap(NULL, FILE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mincore(map, FILE_BYTES, pages), 0);
    munmap(map, FILE_BYTES);
    for (size_t i = 0; i < sizeof(pages); i++)
        n += pages[i] & 1;
    return n;
}

static bool forget(const struct world *w, const char *name) {
    px_cleanup_free char *path = px_asprintf("%s/%s", w->tree, name);
    px_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    return n_resident(w, name) == 0;
}

static void what_was_in_the_cache_is_read_again(void **state) {
    const struct world *w = *state;
    px_cleanup_free char *text = NULL;
    uint64_t bytes = 0;
    if (!forget(w, "b")) {
        print_message("this file system cannot forget\n");
        skip();
    }
    px_assert_ok(px_warm_write(w->dir, &w->image, &bytes, NULL));
    assert_int_equal(bytes, FILE_BYTES);
    px_assert_ok(px_file_read(AT_FDCWD, w->list, 4096, &text, NULL, NULL));
    assert_string_equal(text, "0 0 64 sub dir/a\n");
    assert_false(px_warm_read(w->dir, &w->image)); /* all is there */
    assert_true(forget(w, "sub dir/a"));
    assert_true(px_warm_read(w->dir, &w->image));
    for (int i = 0; i < 1000 && n_resident(w, "sub dir/a") < 64; i++)
        px_sleep_us(10 * PX_US_PER_MS);
    assert_int_equal(n_resident(w, "sub dir/a"), 64);
    assert_int_equal(n_resident(w, "b"), 0);
}

static void a_cache_full_of_the_image_tells_nothing(void **state) {
    struct world *w = *state;
    uint64_t bytes = 0;
    w->image.size_bytes = 2 * FILE_BYTES;
    px_assert_ok(px_warm_write(w->dir, &w->image, &bytes, NULL));
    assert_false(px_exists(AT_FDCWD, w->list));
}

static void a_broken_list_is_passed_over(void **state) {
    const struct world *w = *state;
    static const char text[] = "7 0 1 b\n0 0 1 /etc/passwd\nx\n0 99999 9 b\n0 0 1\n\n0 0 1 gone\n";
    px_cleanup_free char *dir = px_asprintf("%s/images/warm", w->dir);
    px_assert_ok(px_mkdir_p(AT_FDCWD, dir, 0700, NULL));
    px_assert_ok(px_file_write_atomic(AT_FDCWD, w->list, text, strlen(text), 0600, NULL));
    px_warm_read(w->dir, &w->image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_in_the_cache_is_read_again, make_world,
                                        drop_world),
        cmocka_unit_test_setup_teardown(a_cache_full_of_the_image_tells_nothing, make_world,
                                        drop_world),
        cmocka_unit_test_setup_teardown(a_broken_list_is_passed_over, make_world, drop_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
