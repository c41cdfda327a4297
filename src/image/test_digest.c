/* src/image/test_digest.c */
#include "base/alloc.h"
#include "base/file.h"
#include "base/test.h"
#include "image/digest.h"
#include "image/tidy.h"
#include <sys/stat.h>

struct tree {
    char dir[64];
    int fd;
};

static int make_tree(void **state) {
    struct tree *t = px_new0(struct tree, 1);
    strcpy(t->dir, "/tmp/pxt-digest-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    t->fd = px_dir_open(AT_FDCWD, t->dir, NULL);
    *state = t;
    return 0;
}

static int drop_tree(void **state) {
    struct tree *t = *state;
    close(t->fd);
    px_rm_rf(AT_FDCWD, t->dir, NULL);
    free(t);
    return 0;
}

static void put(struct tree *t, const char *path, const char *text, mode_t mode) {
    px_assert_ok(px_file_write_atomic(t->fd, path, text, strlen(text), mode, NULL));
}

static void set_time(struct tree *t, const char *path, int64_t s) {
    const struct timespec times[2] = {{.tv_sec = s}, {.tv_sec = s}};
    px_assert_ok(utimensat(t->fd, path, times, AT_SYMLINK_NOFOLLOW));
}

static void get(struct tree *t, char ret[PX_DIGEST_TEXT_MAX]) {
    struct px_tree_digest got = {0};
    struct px_error err = {0};
    px_assert_ok_err(px_tree_digest(t->dir, 1, -1, &got, &err), &err);
    strcpy(ret, got.digest);
}

static void fill(struct tree *t) {
    px_assert_ok(mkdirat(t->fd, "a", 0755));
    put(t, "a/file", "hello\n", 0644);
    put(t, "a-b", "", 0600);
    px_assert_ok(symlinkat("a/file", t->fd, "link"));
    px_assert_ok(linkat(t->fd, "a/file", t->fd, "zz", 0));
    static const char *const all[] = {"a/file", "a-b", "link", "a", "."};
    for (size_t i = 0; i < PX_N_ELEMENTS(all); i++)
        set_time(t, all[i], 1000);
}

static void the_text_is_canonical(void **state) {
    struct tree *t = *state;
    char path[] = "/tmp/pxt-text-XXXXXX";
    int fd = mkstemp(path);
    struct px_tree_digest got = {0};
    char want[1024];
    fill(t);
    px_assert_ok(px_tree_digest(t->dir, 2, fd, &got, NULL));
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    px_assert_ok(px_file_read(AT_FDCWD, path, 4096, &text, &size, NULL));
    snprintf(want, sizeof(want),
             "phoenix-layer 1\n"
             "d . 0700 %u %u 1000\n"
             "d a 0755 %u %u 1000\n"
             "f a-b 0600 %u %u 1000 0 "
             "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
             "f a/file 0644 %u %u 1000 6 "
             "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\n"
             "l link 0777 %u %u 1000 a/file\n"
             "h zz a/file\n",
             getuid(), getgid(), getuid(), getgid(), getuid(), getgid(), getuid(), getgid(),
             getuid(), getgid());
    assert_string_equal(text, want);
    char digest[PX_DIGEST_TEXT_MAX];
    px_digest_bytes(text, size, digest);
    assert_string_equal(digest, got.digest);
    assert_int_equal(got.n_entries, 6);
    assert_int_equal(got.size_bytes, 3 * 4096); /* two directories, one block of content */
    close(fd);
    unlink(path);
}

static void names_cannot_forge_entries(void **state) {
    struct tree *t = *state;
    char plain[PX_DIGEST_TEXT_MAX], odd[PX_DIGEST_TEXT_MAX];
    char path[] = "/tmp/pxt-text-XXXXXX";
    int fd = mkstemp(path);
    struct px_tree_digest got = {0};
    put(t, "a\nf b", "", 0644);
    px_assert_ok(px_tree_digest(t->dir, 1, fd, &got, NULL));
    px_cleanup_free char *text = NULL;
    px_assert_ok(px_file_read(AT_FDCWD, path, 4096, &text, NULL, NULL));
    px_assert_contains(text, "\nf a%0af%20b 0644 ");
    get(t, odd);
    px_assert_ok(renameat(t->fd, "a\nf b", t->fd, "a%0af%20b"));
    get(t, plain);
    assert_string_not_equal(odd, plain);
    close(fd);
    unlink(path);
}

static void every_change_that_a_container_sees_counts(void **state) {
    struct tree *t = *state;
    char before[PX_DIGEST_TEXT_MAX], after[PX_DIGEST_TEXT_MAX];
    fill(t);
    get(t, before);
    px_assert_ok(fchmodat(t->fd, "a-b", 0601, 0));
    get(t, after);
    assert_string_not_equal(before, after);
    px_assert_ok(fchmodat(t->fd, "a-b", 0600, 0));
    set_time(t, "a/file", 1001);
    get(t, after);
    assert_string_not_equal(before, after);
    set_time(t, "a/file", 1000);
    get(t, after);
    assert_string_equal(before, after);
    put(t, "a-b", "x", 0600);
    set_time(t, "a-b", 1000);
    set_time(t, ".", 1000);
    get(t, after);
    assert_string_not_equal(before, after);
    px_assert_ok(unlinkat(t->fd, "zz", 0));
    put(t, "a-b", "", 0600);
    put(t, "zz", "hello\n", 0644); /* as before, but not a link */
    static const char *const all[] = {"a-b", "zz", "."};
    for (size_t i = 0; i < PX_N_ELEMENTS(all); i++)
        set_time(t, all[i], 1000);
    get(t, after);
    assert_string_not_equal(before, after);
}

static void what_a_container_cannot_see_does_not_count(void **state) {
    struct tree *t = *state;
    struct tree other = {.fd = -1};
    char before[PX_DIGEST_TEXT_MAX], after[PX_DIGEST_TEXT_MAX];
    fill(t);
    get(t, before);
    strcpy(other.dir, "/tmp/pxt-other-XXXXXX");
    assert_non_null(mkdtemp(other.dir));
    other.fd = px_dir_open(AT_FDCWD, other.dir, NULL);
    fill(&other);
    get(&other, after);
    assert_string_equal(before, after);
    close(other.fd);
    px_assert_ok(px_rm_rf(AT_FDCWD, other.dir, NULL));
}

static void digests_are_checked_before_they_become_paths(void **state) {
    static const char hex[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    px_cleanup_free char *good = px_asprintf("sha256:%s", hex);
    px_cleanup_free char *more = px_asprintf("sha256:%s0", hex);
    assert_true(px_digest_valid(good));
    assert_false(px_digest_valid(more));
    assert_false(px_digest_valid(hex));
    assert_false(px_digest_valid("sha256:../../../etc"));
    assert_false(px_digest_valid(""));
}

static void tidy_takes_out_what_no_image_holds(void **state) {
    static const char *const gone[] = {
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives",
        "var/log/dpkg.log",
        "var/log/apt",
        "etc/passwd-",
        "usr/sbin/policy-rc.d",
        "tmp/x",
        "root/.cache",
        "var/lib/dpkg/status-old",
        "var/lib/dbus/machine-id",
        "home/ai/.cache",
        "etc/ssh/ssh_host_ed25519_key",
    };
    static const char *const stays[] = {
        "var/lib/apt/lists", "var/log",  "tmp",           "etc/passwd", "var/lib/dpkg/status",
        "var/log/journal",   "usr/sbin", "usr/share/tmp", "home/ai",    "etc/machine-id",
        "usr/var/log/apt",   "run",
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(gone); i++)
        if (!px_tidy_removes(gone[i]))
            fail_msg("'%s' stays", gone[i]);
    for (size_t i = 0; i < PX_N_ELEMENTS(stays); i++)
        if (px_tidy_removes(stays[i]))
            fail_msg("'%s' goes", stays[i]);
}

static void tidy_sets_no_time_after_the_epoch(void **state) {
    struct tree *t = *state;
    struct stat st;
    fill(t);
    px_assert_ok(mkdirat(t->fd, "etc", 0755));
    set_time(t, "a/file", 5000);
    struct px_tidy_opts opts = {.tree = t->dir, .epoch_s = 2000};
    struct px_error err = {0};
    px_assert_ok_err(px_tidy(&opts, &err), &err);
    px_assert_ok(fstatat(t->fd, "a/file", &st, 0));
    assert_int_equal(st.st_mtim.tv_sec, 2000);
    px_assert_ok(fstatat(t->fd, "a-b", &st, 0));
    assert_int_equal(st.st_mtim.tv_sec, 1000);
    px_assert_ok(fstatat(t->fd, ".", &st, 0));
    assert_int_equal(st.st_mtim.tv_sec, 2000);
    px_assert_ok(fstatat(t->fd, "etc/machine-id", &st, 0)); /* a whole root has an empty one */
    assert_int_equal(st.st_size, 0);
    assert_int_equal(st.st_mtim.tv_sec, 2000);
}

static void tidy_leaves_a_layers_identity_to_the_layer_below(void **state) {
    struct tree *t = *state;
    char lower[] = "/tmp/pxt-lower-XXXXXX";
    assert_non_null(mkdtemp(lower));
    px_assert_ok(mkdirat(t->fd, "etc", 0755));
    put(t, "etc/resolv.conf", "nameserver 192.0.2.1\n", 0644);
    put(t, "etc/other", "", 0644);
    const char *const lowers[] = {lower};
    struct px_tidy_opts opts = {.tree = t->dir, .lower = lowers, .n_lower = 1, .epoch_s = 2000};
    px_assert_ok(px_tidy(&opts, NULL));
    assert_false(px_exists(t->fd, "etc/resolv.conf"));
    assert_false(px_exists(t->fd, "etc/machine-id"));
    assert_true(px_exists(t->fd, "etc/other"));
    rmdir(lower);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_text_is_canonical, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(names_cannot_forge_entries, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(every_change_that_a_container_sees_counts, make_tree,
                                        drop_tree),
        cmocka_unit_test_setup_teardown(what_a_container_cannot_see_does_not_count, make_tree,
                                        drop_tree),
        cmocka_unit_test(digests_are_checked_before_they_become_paths),
        cmocka_unit_test(tidy_takes_out_what_no_image_holds),
        cmocka_unit_test_setup_teardown(tidy_sets_no_time_after_the_epoch, make_tree, drop_tree),
        cmocka_unit_test_setup_teardown(tidy_leaves_a_layers_identity_to_the_layer_below, make_tree,
                                        drop_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
