/* src/rendezvous/test_keyfile.c */
#include "base/test.h"
#include "base/file.h"
#include "rendezvous/keyfile.h"
#include <sodium.h>
#include <sys/stat.h>

static const char secret[] = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/"
                             "tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
static const char public[] = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

struct place {
    char path[64];
    int fd;
};

static struct place place_new(void) {
    struct place p = {.path = "/tmp/pxt-keyfile-XXXXXX"};
    assert_non_null(mkdtemp(p.path));
    p.fd = px_dir_open(AT_FDCWD, p.path, NULL);
    assert_true(p.fd >= 0);
    return p;
}

static void place_free(struct place *p) {
    close(p->fd);
    px_assert_ok(px_rm_rf(AT_FDCWD, p->path, NULL));
}

static void setup_makes_a_pair_once(void **state) {
    struct place p = place_new();
    struct px_server_key one, two;
    struct stat st;
    px_assert_ok(px_key_setup(p.fd, "-", &one, NULL));
    px_assert_ok(px_key_setup(p.fd, "-", &two, NULL));
    assert_memory_equal(one.sk, two.sk, sizeof(one.sk));
    assert_int_equal(strlen(one.expected), 44);
    assert_true(one.can_sign);
    assert_int_equal(fstatat(p.fd, "id_ed25519", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 88);
    place_free(&p);
}

static void setup_reads_the_official_format(void **state) {
    struct place p = place_new();
    struct px_server_key key;
    char text[128];
    snprintf(text, sizeof(text), " %s\n", secret);
    px_assert_ok(px_file_write_atomic(p.fd, "id_ed25519", text, strlen(text), 0600, NULL));
    px_assert_ok(px_key_setup(p.fd, "-", &key, NULL));
    assert_string_equal(key.expected, public);
    /* our own public key as text still signs */
    px_assert_ok(px_key_setup(p.fd, public, &key, NULL));
    assert_true(key.can_sign);
    px_assert_ok(px_key_setup(p.fd, "some-word", &key, NULL));
    assert_false(key.can_sign);
    assert_string_equal(key.expected, "some-word");
    px_assert_ok(px_key_setup(p.fd, "", &key, NULL));
    assert_true(key.can_sign);
    assert_string_equal(key.expected, "");
    place_free(&p);
}

static void a_secret_key_as_option_leaves_no_file(void **state) {
    struct place p = place_new();
    struct px_server_key key;
    px_assert_ok(px_key_setup(p.fd, secret, &key, NULL));
    assert_string_equal(key.expected, public);
    assert_false(px_exists(p.fd, "id_ed25519"));
    place_free(&p);
}

static void a_damaged_file_is_refused_and_kept(void **state) {
    struct place p = place_new();
    struct px_server_key key;
    struct px_error err = {0};
    char wrong[] = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/"
                   "tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
    wrong[80] ^= 1; /* the public half no longer belongs to the seed */
    const char *bad[] = {"hello", "", wrong};
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++) {
        px_assert_ok(px_file_write_atomic(p.fd, "id_ed25519", bad[i], strlen(bad[i]), 0600, NULL));
        assert_int_equal(px_key_setup(p.fd, "-", &key, &err), -EINVAL);
        assert_string_equal(err.msg, "'id_ed25519' does not hold a key pair");
    }
    place_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setup_makes_a_pair_once),
        cmocka_unit_test(setup_reads_the_official_format),
        cmocka_unit_test(a_secret_key_as_option_leaves_no_file),
        cmocka_unit_test(a_damaged_file_is_refused_and_kept),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
