#include "backend/root.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/test.h"
#include <sys/stat.h>

struct fixture {
    char dir[64];
    int out_fd, root_fd; /* the directory, and "root" in it */
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/px-test-root-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    f->out_fd = px_dir_open(AT_FDCWD, f->dir, NULL);
    mkdirat(f->out_fd, "root", 0755);
    mkdirat(f->out_fd, "outside", 0755);
    f->root_fd = px_dir_open(f->out_fd, "root", NULL);
    *state = f;
    return f->root_fd < 0 ? -1 : 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    close(f->root_fd);
    close(f->out_fd);
    px_rm_rf(AT_FDCWD, f->dir, NULL);
    free(f);
    return 0;
}

static int put(const struct fixture *f, const char *path, const char *text) {
    return px_root_write(f->root_fd, path, text, strlen(text), 0640, getuid(), getgid(), NULL);
}

static void write_makes_parents_and_sets_the_mode(void **state) {
    const struct fixture *f = *state;
    struct stat st;
    px_assert_ok(put(f, "/etc/a/b", "text"));
    assert_int_equal(fstatat(f->root_fd, "etc/a/b", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(fstatat(f->root_fd, "etc/a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    px_assert_ok(put(f, "etc/a/b", "other"));
    px_cleanup_free char *text = NULL;
    px_assert_ok(px_root_read(f->root_fd, "/etc/a/b", 100, &text, NULL, NULL));
    assert_string_equal(text, "other");
}

static void write_never_leaves_the_root(void **state) {
    const struct fixture *f = *state;
    assert_int_equal(symlinkat("../outside", f->root_fd, "up"), 0);
    px_cleanup_free char *absolute = NULL;
    assert_true(asprintf(&absolute, "%s/outside", f->dir) > 0);
    assert_int_equal(symlinkat(absolute, f->root_fd, "abs"), 0);
    assert_true(put(f, "/up/file", "x") < 0); /* dangles, below the root */
    assert_true(put(f, "/abs/file", "x") < 0);
    put(f, "/../outside/file", "x");
    assert_false(px_exists(f->out_fd, "outside/file"));
}

static void write_replaces_a_symlink_and_not_what_it_names(void **state) {
    const struct fixture *f = *state;
    struct stat st;
    px_assert_ok(put(f, "/victim", "keep"));
    assert_int_equal(symlinkat("victim", f->root_fd, "link"), 0);
    assert_int_equal(symlinkat("victim", f->root_fd, ".link.phoenix"),
                     0); /* the name it writes to first */
    px_assert_ok(put(f, "/link", "new"));
    assert_int_equal(fstatat(f->root_fd, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISREG(st.st_mode));
    px_cleanup_free char *text = NULL;
    px_assert_ok(px_root_read(f->root_fd, "victim", 100, &text, NULL, NULL));
    assert_string_equal(text, "keep");
}

static void write_refuses_names_that_are_none(void **state) {
    static const char *const paths[] = {"", "/", "/etc/", "/etc/..", "."};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_int_equal(put(*state, paths[i], "x"), -EINVAL);
}

static void mkdir_goes_through_links_below_the_root(void **state) {
    const struct fixture *f = *state;
    mkdirat(f->root_fd, "run", 0755);
    mkdirat(f->root_fd, "var", 0755);
    assert_int_equal(symlinkat("/run", f->root_fd, "var/run"), 0);
    px_cleanup_close int fd =
        px_root_mkdir_p(f->root_fd, "/var/run/a/b", 0711, getuid(), getgid(), NULL);
    assert_true(fd >= 0);
    assert_true(px_exists(f->root_fd, "run/a/b"));
    assert_true(put(f, "/file", "x") >= 0);
    assert_int_equal(px_root_mkdir_p(f->root_fd, "/file/a", 0755, getuid(), getgid(), NULL),
                     -ENOTDIR);
}

static void read_does_not_wait_for_a_fifo(void **state) {
    const struct fixture *f = *state;
    char *text = NULL;
    assert_int_equal(mkfifoat(f->root_fd, "fifo", 0600), 0);
    assert_int_equal(px_root_read(f->root_fd, "/fifo", 100, &text, NULL, NULL), -EINVAL);
    px_assert_ok(put(f, "/big", "0123456789"));
    assert_int_equal(px_root_read(f->root_fd, "/big", 5, &text, NULL, NULL), -EFBIG);
    assert_int_equal(px_root_read(f->root_fd, "/none", 5, &text, NULL, NULL), -ENOENT);
    assert_null(text);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(write_makes_parents_and_sets_the_mode),
        test(write_never_leaves_the_root),
        test(write_replaces_a_symlink_and_not_what_it_names),
        test(write_refuses_names_that_are_none),
        test(mkdir_goes_through_links_below_the_root),
        test(read_does_not_wait_for_a_fifo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
