/* src/base/test_file.c */
#include "base/alloc.h"
#include "base/file.h"
#include "base/test.h"
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct fixture {
    char path[64];
    int fd;
};

static int setup(void **state) {
    struct fixture *f = px_new0(struct fixture, 1);
    strcpy(f->path, "/tmp/px-test-file-XXXXXX");
    if (!mkdtemp(f->path))
        return -1;
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    close(f->fd);
    px_rm_rf(AT_FDCWD, f->path, NULL);
    free(f);
    return 0;
}

static void put(int fd, const char *name, const char *text) {
    px_assert_ok(px_file_write_atomic(fd, name, text, strlen(text), 0600, NULL));
}

static void write_atomic_replaces_and_leaves_nothing_else(void **state) {
    const struct fixture *f = *state;
    put(f->fd, "a", "one");
    put(f->fd, "a", "two!");
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    px_assert_ok(px_file_read(f->fd, "a", 100, &text, &size, NULL));
    assert_string_equal(text, "two!");
    assert_int_equal(size, 4);
    struct stat st;
    assert_int_equal(fstatat(f->fd, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unlinkat(f->fd, "a", 0), 0);
    assert_int_equal(rmdir(f->path), 0); /* was empty */
    assert_int_equal(mkdir(f->path, 0700), 0);
}

static void read_says_what_it_met_instead_of_a_file(void **state) {
    const struct fixture *f = *state;
    struct px_error err = {0};
    char *text = NULL;
    assert_int_equal(px_file_read(f->fd, "none", 10, &text, NULL, &err), -ENOENT);
    assert_int_equal(px_file_read(f->fd, ".", 10, &text, NULL, &err), -EISDIR);
    px_assert_contains(err.msg, "directory");
    put(f->fd, "b", "0123456789A");
    assert_int_equal(px_file_read(f->fd, "b", 10, &text, NULL, &err), -EFBIG);
    assert_null(text);
}

static void open_in_root_stays_below_the_root(void **state) {
    const struct fixture *f = *state;
    px_assert_ok(px_mkdir_p(f->fd, "root/etc", 0755, NULL));
    put(f->fd, "secret", "no");
    put(f->fd, "root/etc/passwd", "inside");
    assert_int_equal(symlinkat("../../secret", f->fd, "root/etc/up"), 0);
    assert_int_equal(symlinkat("/etc/passwd", f->fd, "root/abs"), 0);
    px_cleanup_close int root = px_dir_open(f->fd, "root", NULL);
    assert_true(root >= 0);
    assert_int_equal(px_open_in_root(root, "etc/up", O_RDONLY, 0, NULL), -ENOENT);
    assert_int_equal(px_open_in_root(root, "../secret", O_RDONLY, 0, NULL), -ENOENT);
    px_cleanup_close int fd = px_open_in_root(root, "abs", O_RDONLY, 0, NULL);
    assert_true(fd >= 0);
    px_cleanup_free char *text = NULL;
    px_assert_ok(px_fd_read_all(fd, 100, &text, NULL, NULL));
    assert_string_equal(text, "inside");
}

static void rm_rf_follows_no_symlink(void **state) {
    const struct fixture *f = *state;
    px_assert_ok(px_mkdir_p(f->fd, "keep", 0755, NULL));
    put(f->fd, "keep/file", "x");
    px_assert_ok(px_mkdir_p(f->fd, "tree/a/b", 0755, NULL));
    put(f->fd, "tree/a/b/c", "x");
    assert_int_equal(symlinkat("../keep", f->fd, "tree/link"), 0);
    px_assert_ok(px_rm_rf(f->fd, "tree", NULL));
    assert_false(px_exists(f->fd, "tree"));
    assert_true(px_exists(f->fd, "keep/file"));
    px_assert_ok(px_rm_rf(f->fd, "tree", NULL));
}

static void rm_rf_removes_a_tree_deeper_than_any_path(void **state) {
    const struct fixture *f = *state;
    px_assert_ok(px_mkdir_p(f->fd, "deep", 0755, NULL));
    px_cleanup_close int at = openat(f->fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 3000; i++) { /* above the soft limit of descriptors, and PATH_MAX */
        assert_int_equal(mkdirat(at, "d", 0755), 0);
        put(at, "file", "x");
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    px_assert_ok(px_rm_rf(f->fd, "deep", NULL));
    assert_false(px_exists(f->fd, "deep"));
}

static void lock_names_the_holder(void **state) {
    const struct fixture *f = *state;
    px_cleanup_close int mine = px_lock(f->fd, "lock", 0, NULL);
    assert_true(mine >= 0);
    struct px_error err = {0};
    assert_int_equal(px_lock(f->fd, "lock", 30, &err), -EAGAIN);
    px_cleanup_free char *pid = px_asprintf("(%d ", getpid());
    px_assert_contains(err.msg, pid);
    close(px_take_fd(&mine));
    px_cleanup_close int again = px_lock(f->fd, "lock", 0, NULL);
    assert_true(again >= 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(write_atomic_replaces_and_leaves_nothing_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(read_says_what_it_met_instead_of_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(open_in_root_stays_below_the_root, setup, teardown),
        cmocka_unit_test_setup_teardown(rm_rf_follows_no_symlink, setup, teardown),
        cmocka_unit_test_setup_teardown(rm_rf_removes_a_tree_deeper_than_any_path, setup, teardown),
        cmocka_unit_test_setup_teardown(lock_names_the_holder, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
