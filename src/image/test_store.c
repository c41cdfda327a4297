/* src/image/test_store.c */
#include "base/alloc.h"
#include "base/file.h"
#include "base/test.h"
#include "image/build.h"
#include "image/store.h"

#define HEX0 "00000000c98fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"
#define HEX1 "11111111c98fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"
#define HEX2 "22222222c98fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"

static int make_state(void **state) {
    char dir[] = "/tmp/pxt-store-XXXXXX";
    assert_non_null(mkdtemp(dir));
    *state = px_strdup(dir);
    return 0;
}

static int drop_state(void **state) {
    px_rm_rf(AT_FDCWD, *state, NULL);
    free(*state);
    return 0;
}

static void put_layer(const struct px_store *store, const char *digest, const char *key) {
    px_cleanup_free char *dir = NULL;
    px_assert_ok(px_store_tmp(store, "layer", &dir, NULL));
    px_cleanup_free char *tree = px_asprintf("%s/tree", dir);
    px_assert_ok(px_mkdir_p(AT_FDCWD, tree, 0755, NULL));
    px_assert_ok(px_store_put_layer(store, dir, digest, key, 4096, NULL));
}

/* An image of two layers, of which all images share the first. */
static void put_image(const char *state, const char *name, const char *layer,
                      char digest[PX_DIGEST_TEXT_MAX]) {
    px_cleanup(px_store_close) struct px_store store = {.lock_fd = -1};
    struct px_error err = {0};
    px_assert_ok_err(px_store_open(state, 0, &store, &err), &err);
    put_layer(&store, "sha256:" HEX0, "sha256:" HEX0);
    put_layer(&store, layer, layer);
    json_auto_t *m = json_pack("{s:i,s:s,s:[{s:s,s:i},{s:s,s:i}],s:{s:s,s:i}}", "format", 1,
                               "recipe", name, "layers", "digest", "sha256:" HEX0, "size", 4096,
                               "digest", layer, "size", 4096, "user", "name", "ai", "uid", 1000);
    px_assert_ok(px_store_put_image(&store, m, name, digest, NULL));
}

static void an_image_is_found_by_name_and_by_digits(void **state) {
    char digest[PX_DIGEST_TEXT_MAX];
    put_image(*state, "desk", "sha256:" HEX1, digest);
    const char *const refs[] = {"desk", digest, digest + 7, (digest[13] = '\0', digest)};
    for (size_t i = 0; i < PX_N_ELEMENTS(refs); i++) {
        px_cleanup(px_image_freep) struct px_image *image = NULL;
        struct px_error err = {0};
        px_assert_ok_err(px_image_find(*state, refs[i], &image, &err), &err);
        assert_string_equal(image->name, "desk");
        assert_string_equal(image->user, "ai");
        assert_int_equal(image->uid, 1000);
        assert_int_equal(image->size_bytes, 8192);
        assert_int_equal(image->n_layers, 2);
        px_assert_contains(image->layers[1], "/layers/sha256-" HEX1 "/tree");
    }
}

static void a_name_not_there_is_told_with_a_near_one(void **state) {
    char digest[PX_DIGEST_TEXT_MAX];
    struct px_image *image = NULL;
    struct px_error err = {0};
    assert_int_equal(px_image_find(*state, "desk", &image, &err), -ENOENT);
    assert_string_equal(err.hint, "`phoenix image ls` lists them");
    put_image(*state, "desk", "sha256:" HEX1, digest);
    assert_int_equal(px_image_find(*state, "dsek", &image, &err), -ENOENT);
    assert_string_equal(err.msg, "there is no image 'dsek'");
    px_assert_contains(err.hint, "did you mean 'desk'?");
    assert_int_equal(px_image_find(*state, "../names/desk", &image, &err), -ENOENT);
    assert_int_equal(px_image_find(*state, "", &image, &err), -ENOENT);
}

static void a_missing_image_is_told_with_what_would_make_it(void **state) {
    static const struct {
        const char *ref, *hint;
    } cases[] = {
        {"minimal", "build it: phoenix image build minimal"},
        {"minmal", "did you mean 'minimal'? Build it: phoenix image build minimal"},
        {"dsek", "did you mean 'desk'?"},
        {"deck", "did you mean 'desk'? Or build it: phoenix image build deck"},
        {"nope", "no recipe has that name, either; there are deck, minimal in '/"},
        {"sha256:00", "`phoenix image ls` lists them"},
    };
    char digest[PX_DIGEST_TEXT_MAX];
    px_cleanup_free char *recipes = px_asprintf("%s/recipes", (char *)*state);
    struct px_error err = {0};
    put_image(*state, "desk", "sha256:" HEX1, digest);
    assert_int_equal(px_image_missing(*state, recipes, "nope", &err), -ENOENT);
    px_assert_contains(err.hint, "there are no recipes in");
    px_assert_ok(px_mkdir_p(AT_FDCWD, recipes, 0755, NULL));
    px_cleanup_close int dir = px_dir_open(AT_FDCWD, recipes, NULL);
    px_assert_ok(px_mkdir_p(dir, "minimal", 0755, NULL));
    px_assert_ok(px_mkdir_p(dir, "deck", 0755, NULL));
    px_assert_ok(px_file_write_atomic(dir, "minimal/recipe.yaml", "", 0, 0644, NULL));
    px_assert_ok(px_file_write_atomic(dir, "deck/recipe.yaml", "", 0, 0644, NULL));
    px_assert_ok(px_file_write_atomic(dir, "meson.build", "", 0, 0644, NULL)); /* is none */
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        assert_int_equal(px_image_missing(*state, recipes, cases[i].ref, &err), -ENOENT);
        px_assert_contains(err.hint, cases[i].hint);
    }
}

static void a_missing_layer_is_told(void **state) {
    char digest[PX_DIGEST_TEXT_MAX];
    struct px_image *image = NULL;
    struct px_error err = {0};
    put_image(*state, "desk", "sha256:" HEX1, digest);
    px_cleanup_free char *layer = px_asprintf("%s/images/layers/sha256-" HEX1, (char *)*state);
    px_assert_ok(px_rm_rf(AT_FDCWD, layer, NULL));
    assert_int_equal(px_image_find(*state, "desk", &image, &err), -EUCLEAN);
    px_assert_contains(err.msg, HEX1);
    px_assert_ok(px_image_rm(*state, "desk", NULL, 0, NULL, NULL)); /* still goes */
    assert_int_equal(px_image_find(*state, "desk", &image, &err), -ENOENT);
}

static void rm_keeps_what_others_need(void **state) {
    char a[PX_DIGEST_TEXT_MAX], b[PX_DIGEST_TEXT_MAX];
    struct px_image_gc got = {0};
    struct px_error err = {0};
    put_image(*state, "a", "sha256:" HEX1, a);
    put_image(*state, "b", "sha256:" HEX2, b);
    const char *const in_use[] = {a};
    assert_int_equal(px_image_rm(*state, "a", in_use, 1, NULL, &err), -EBUSY);
    px_assert_contains(err.msg, "in use");
    px_assert_ok(px_image_rm(*state, "a", NULL, 0, &got, NULL));
    assert_int_equal(got.n_images, 1);
    assert_int_equal(got.n_layers, 1);
    px_cleanup(px_image_freep) struct px_image *image = NULL;
    px_assert_ok(px_image_find(*state, "b", &image, NULL));
    px_assert_ok(px_image_rm(*state, b + 7, NULL, 0, &got, NULL));
    assert_int_equal(got.n_layers, 2);
}

static void gc_drops_what_lost_its_name_unless_in_use(void **state) {
    char a[PX_DIGEST_TEXT_MAX], b[PX_DIGEST_TEXT_MAX];
    struct px_image_gc got = {0};
    put_image(*state, "a", "sha256:" HEX1, a);
    put_image(*state, "a", "sha256:" HEX2, b); /* the name moves on */
    const char *const in_use[] = {a};
    px_assert_ok(px_image_gc(*state, in_use, 1, false, &got, NULL));
    assert_int_equal(got.n_images, 0);
    px_cleanup(px_image_freep) struct px_image *old = NULL;
    px_assert_ok(px_image_find(*state, a, &old, NULL));
    assert_string_equal(old->name, "");
    px_assert_ok(px_image_gc(*state, NULL, 0, false, &got, NULL));
    assert_int_equal(got.n_images, 1);
    assert_int_equal(got.n_layers, 1);
    assert_int_equal(got.bytes, 4096);
    px_image_freep(&old);
    old = NULL;
    assert_int_equal(px_image_find(*state, a, &old, NULL), -ENOENT);
}

static void open_throws_away_what_a_dead_build_left(void **state) {
    px_cleanup_free char *left = px_asprintf("%s/images/tmp/build/3/tree", (char *)*state);
    px_assert_ok(px_mkdir_p(AT_FDCWD, left, 0755, NULL));
    px_assert_ok(px_image_gc(*state, NULL, 0, false, NULL, NULL));
    assert_false(px_exists(AT_FDCWD, left));
}

static void open_throws_away_files_that_were_not_renamed(void **state) {
    char digest[PX_DIGEST_TEXT_MAX];
    put_image(*state, "desk.tmpl", "sha256:" HEX1, digest);
    px_cleanup_free char *left = px_asprintf("%s/images/names/desk.77.1f.tmp", (char *)*state);
    px_assert_ok(px_file_write_atomic(AT_FDCWD, left, "", 0, 0600, NULL));
    px_assert_ok(px_image_gc(*state, NULL, 0, false, NULL, NULL));
    assert_false(px_exists(AT_FDCWD, left));
    px_cleanup(px_image_freep) struct px_image *image = NULL;
    px_assert_ok(px_image_find(*state, "desk.tmpl", &image, NULL));
}

static void two_cannot_change_the_store_at_once(void **state) {
    px_cleanup(px_store_close) struct px_store store = {.lock_fd = -1};
    struct px_error err = {0};
    px_assert_ok(px_store_open(*state, 0, &store, NULL));
    assert_int_equal(px_image_gc(*state, NULL, 0, false, NULL, &err), -EAGAIN);
    px_assert_contains(err.msg, "in use");
}

static void the_list_has_names_and_the_nameless(void **state) {
    char a[PX_DIGEST_TEXT_MAX], b[PX_DIGEST_TEXT_MAX];
    struct px_image **list = NULL;
    size_t n = 99;
    px_assert_ok(px_image_list(*state, &list, &n, NULL));
    assert_int_equal(n, 0);
    px_image_list_free(list, n);
    put_image(*state, "a", "sha256:" HEX1, a);
    put_image(*state, "a", "sha256:" HEX2, b);
    px_assert_ok(px_image_list(*state, &list, &n, NULL));
    assert_int_equal(n, 2);
    px_image_list_free(list, n);
}

static void names_cannot_leave_the_store(void **state) {
    static const char *const bad[] = {"", ".", "..", "a.tmp", "a/b", "-a", "a b", "_x", "\xc3\xa4"};
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++)
        assert_int_equal(px_image_name_check(bad[i], NULL), -EINVAL);
    px_assert_ok(px_image_name_check("desktop-2.1_b", NULL));
}

#define WITH_STATE(f) cmocka_unit_test_setup_teardown(f, make_state, drop_state)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_STATE(an_image_is_found_by_name_and_by_digits),
        WITH_STATE(a_name_not_there_is_told_with_a_near_one),
        WITH_STATE(a_missing_image_is_told_with_what_would_make_it),
        WITH_STATE(a_missing_layer_is_told),
        WITH_STATE(rm_keeps_what_others_need),
        WITH_STATE(gc_drops_what_lost_its_name_unless_in_use),
        WITH_STATE(open_throws_away_what_a_dead_build_left),
        WITH_STATE(open_throws_away_files_that_were_not_renamed),
        WITH_STATE(two_cannot_change_the_store_at_once),
        WITH_STATE(the_list_has_names_and_the_nameless),
        cmocka_unit_test(names_cannot_leave_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
