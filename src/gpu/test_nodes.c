/* src/gpu/test_nodes.c - device nodes that many starts make at the same time */
#include "base/test.h"
#include "gpu/nodes.h"
#include "gpu/test_tree.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define MAKERS 4
#define ROUNDS 20

struct round {
    int at_mknod, done;     /* makers that have found no node; makers that are through */
    int made, failed;       /* makers that say so */
    int closed, odd;        /* looks at a node without its mode; looks at something else */
    char first_failure[96]; /* the words of one of them */
};

/* Of the maker that this process is; NULL outside of the race. */
static struct round *racing;
static const char *racing_path;

static int add(int *count) {
    return __atomic_fetch_add(count, 1, __ATOMIC_ACQ_REL);
}
static int now(const int *count) {
    return __atomic_load_n(count, __ATOMIC_ACQUIRE);
}

/* In place of libc's, for what is linked in here. Nobody makes a node before all have found none.
 */
int mknod(const char *path, mode_t mode, dev_t numbers) {
    if (racing) {
        add(&racing->at_mknod);
        while (now(&racing->at_mknod) + now(&racing->done) < MAKERS)
            sched_yield();
    }
    return mknodat(AT_FDCWD, path, mode, numbers);
}

/* In place of libc's: what others would see before a node has its mode. */
int chmod(const char *path, mode_t mode) {
    struct stat st;
    if (racing && stat(racing_path, &st) == 0 && (st.st_mode & 0777) != mode)
        add(&racing->closed);
    return fchmodat(AT_FDCWD, path, mode, 0);
}

static void make_in(const char *dir, struct round *rounds) {
    for (int i = 0; i < ROUNDS; i++) {
        struct px_error err = {0};
        struct stat st = {0};
        px_cleanup_free char *path = px_asprintf("%s/nvidia%d", dir, i);
        racing = &rounds[i];
        racing_path = path;
        int r = px_gpu_make_node(path, PX_NVIDIA_MAJOR, 0, 0666, &err);
        if (r < 0 && add(&racing->failed) == 0)
            snprintf(racing->first_failure, sizeof(racing->first_failure), "%.95s", err.msg);
        if (r > 0)
            add(&racing->made);
        if (stat(path, &st) < 0 || !S_ISCHR(st.st_mode) ||
            st.st_rdev != makedev(PX_NVIDIA_MAJOR, 0))
            add(&racing->odd);
        add(&racing->done);
    }
}

static size_t n_entries(const char *path) {
    px_cleanup_closedir DIR *dir = opendir(path);
    size_t n = 0;
    while (dir && readdir(dir))
        n++;
    return n - 2; /* "." and ".." */
}

static bool can_make_nodes(const struct tree *t) {
    px_cleanup_free char *path = px_asprintf("%s/try", t->path);
    const bool can = mknod(path, S_IFCHR | 0600, makedev(PX_NVIDIA_MAJOR, 0)) == 0;
    unlink(path);
    return can;
}

static void starts_at_once_all_find_the_node_made(void **state) {
    px_cleanup(tree_free) struct tree t = tree_new();
    if (!can_make_nodes(&t)) {
        print_message("SKIP: device nodes cannot be made here\n");
        skip();
    }
    struct round *rounds = mmap(NULL, sizeof(*rounds) * ROUNDS, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(rounds, MAP_FAILED);
    pid_t makers[MAKERS];
    for (int i = 0; i < MAKERS; i++) {
        makers[i] = fork();
        assert_true(makers[i] >= 0);
        if (makers[i] == 0) {
            make_in(t.path, rounds);
            _exit(0);
        }
    }
    for (int i = 0; i < MAKERS; i++) {
        int status = -1;
        assert_int_equal(waitpid(makers[i], &status, 0), makers[i]);
        assert_int_equal(status, 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        assert_string_equal(rounds[i].first_failure, "");
        assert_int_equal(rounds[i].made, MAKERS); /* all found none, as the test saw to */
        assert_int_equal(rounds[i].failed, 0);
        assert_int_equal(rounds[i].odd, 0);
        assert_int_equal(rounds[i].closed, 0);
    }
    assert_int_equal(n_entries(t.path), ROUNDS); /* nothing was left beside them */
    munmap(rounds, sizeof(*rounds) * ROUNDS);
}

static void what_is_wrong_is_replaced_and_what_is_right_stays(void **state) {
    px_cleanup(tree_free) struct tree t = tree_new();
    struct px_error err = {0};
    struct stat st;
    if (!can_make_nodes(&t)) {
        print_message("SKIP: device nodes cannot be made here\n");
        skip();
    }
    px_cleanup_free char *path = px_asprintf("%s/nvidia0", t.path);
    tree_put(&t, "/nvidia0", "a file"); /* of a program that wrote where there was no node */
    assert_int_equal(px_gpu_make_node(path, 195, 0, 0660, &err), 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFCHR | 0660);
    assert_int_equal(px_gpu_make_node(path, 195, 0, 0666, &err), 0); /* the host's own mode */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode, S_IFCHR | 0660);
    assert_int_equal(px_gpu_make_node(path, 238, 0, 0666, &err), 1); /* numbers of another boot */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_rdev, makedev(238, 0));
    px_cleanup_free char *nowhere = px_asprintf("%s/none/nvidia0", t.path);
    assert_int_equal(px_gpu_make_node(nowhere, 195, 0, 0666, &err), -ENOENT);
    px_assert_contains(err.msg, "cannot make");
    assert_int_equal(n_entries(t.path), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_at_once_all_find_the_node_made),
        cmocka_unit_test(what_is_wrong_is_replaced_and_what_is_right_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
